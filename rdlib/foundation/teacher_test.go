package foundation

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"

	"rd/rdlib/dataset"
)

func itoa(n int) string { return strconv.Itoa(n) }

// open opens a model and closes it with the test.
func open(t testing.TB, path string, o Options) *Teacher {
	t.Helper()
	teacher, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { teacher.Close() })
	return teacher
}

// compare fails unless all values agree to 1e-5.
func compare(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i, w := range want {
		if math.Abs(float64(got[i])-w) > 1e-5*max(1, math.Abs(w)) {
			t.Fatalf("%s[%d] = %v, want %v", what, i, got[i], w)
		}
	}
}

func TestFeaturesAgreeWithTheDefinition(t *testing.T) {
	cases := map[string]struct {
		model         tiny
		height, width int
		images        int
	}{
		"free axes":               {tiny{}, 16, 16, 5},
		"not square":              {tiny{}, 12, 20, 3},
		"fixed size":              {tiny{height: 8, width: 8}, 8, 8, 2},
		"fixed batch, filled up":  {tiny{batch: 4}, 8, 8, 6},
		"batch of one":            {tiny{batch: 1}, 8, 8, 3},
		"more than one run":       {tiny{}, 8, 8, 19},
		"NHWC":                    {tiny{nhwc: true}, 12, 8, 3},
		"grey":                    {tiny{channels: 1}, 8, 8, 3},
		"weights listed as input": {tiny{listWeights: true}, 8, 8, 2},
		"weights outside":         {tiny{external: "weights.bin"}, 8, 8, 2},
		"free in name only":       {tiny{onlyOne: true, height: 8, width: 8}, 8, 8, 3},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			teacher := open(t, c.model.write(t, t.TempDir()), Options{Height: c.height, Width: c.width, Threads: 2})
			info := teacher.Info()
			size := info.Channels * c.height * c.width
			batch := noise(1, c.images*size)
			features, err := teacher.Features(batch, c.images)
			if err != nil {
				t.Fatal(err)
			}
			for k := range c.images {
				stage1, featureMap, h, w := c.model.reference(batch[k*size:(k+1)*size], c.height, c.width)
				pooled := make([]float64, tinyMap)
				for i, v := range featureMap {
					pooled[i/(h*w)] += v / float64(h*w)
				}
				for name, want := range map[string][]float64{"stage1": stage1, FeatureMap: featureMap, Pooled: pooled} {
					f := features[name]
					e := elements(f.Shape[1:])
					compare(t, name, f.Data[k*e:(k+1)*e], want)
				}
				if got := features[FeatureMap].Shape; !slices.Equal(got, []int{c.images, tinyMap, h, w}) {
					t.Errorf("feature map has the shape %v", got)
				}
			}
			if !slices.Equal(info.Stages, []string{"stage1", FeatureMap}) {
				t.Errorf("stages are %v", info.Stages)
			}
		})
	}
}

func TestFeaturesDoNotDependOnThreads(t *testing.T) {
	path := tiny{}.write(t, t.TempDir())
	batch := noise(2, 21*3*16*16)
	one, err := open(t, path, Options{Height: 16, Width: 16, Threads: 1}).Features(batch, 21)
	if err != nil {
		t.Fatal(err)
	}
	three, err := open(t, path, Options{Height: 16, Width: 16, Threads: 3}).Features(batch, 21)
	if err != nil {
		t.Fatal(err)
	}
	for name := range one {
		if !slices.Equal(one[name].Data, three[name].Data) {
			t.Errorf("%s differs between one thread and three", name)
		}
	}
}

func TestOutputsAreFoundOrDerived(t *testing.T) {
	cases := map[string]struct {
		outputs    []string
		rename     map[string]string
		want       []string // names of the features
		noted      string
		pooledFrom string
	}{
		"map only":          {[]string{"feature_map"}, nil, []string{FeatureMap, Pooled}, "global average of feature_map", "feature_map"},
		"vector only":       {[]string{"pooled"}, nil, []string{Pooled}, "feature map: none", "pooled"},
		"tokens only":       {[]string{"tokens"}, nil, []string{Pooled}, "mean over the 4 tokens", "tokens"},
		"logits and map":    {[]string{"logits", "feature_map"}, nil, []string{FeatureMap, Pooled}, "global average", "feature_map"},
		"logits only":       {[]string{"logits"}, nil, []string{Pooled}, "class scores", "logits"},
		"one-pixel vector":  {[]string{"feature_map", "pooled4"}, map[string]string{"pooled4": "gap"}, []string{FeatureMap, Pooled}, `pooled: output "gap"`, "gap"},
		"names that say no": {[]string{"stage1", "feature_map", "pooled"}, map[string]string{"stage1": "a", "feature_map": "b", "pooled": "c"}, []string{"a", FeatureMap, Pooled}, `feature map: output "b"`, "c"},
		"an integer output": {[]string{"feature_map", "indices"}, nil, []string{FeatureMap, Pooled}, "global average", "feature_map"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			teacher := open(t, tiny{outputs: c.outputs, rename: c.rename}.write(t, t.TempDir()), Options{Height: 8, Width: 8})
			info := teacher.Info()
			var names []string
			for _, o := range info.Outputs {
				names = append(names, o.Name)
			}
			if !slices.Equal(names, c.want) {
				t.Errorf("features %v, want %v", names, c.want)
			}
			if notes := strings.Join(info.Notes, "\n"); !strings.Contains(notes, c.noted) {
				t.Errorf("notes do not say %q:\n%s", c.noted, notes)
			}
			if o, err := info.Output(Pooled); err != nil || o.Graph != c.pooledFrom || len(o.Shape) != 1 {
				t.Errorf("pooled is %+v, %v", o, err)
			}
			image := noise(3, 3*8*8)
			features, err := teacher.Features(image, 1)
			if err != nil {
				t.Fatal(err)
			}
			if c.pooledFrom == "logits" {
				return
			}
			_, featureMap, h, w := tiny{}.reference(image, 8, 8)
			pooled := make([]float64, tinyMap)
			for i, v := range featureMap {
				pooled[i/(h*w)] += v / float64(h*w)
			}
			compare(t, Pooled, features[Pooled].Data, pooled)
		})
	}
}

func TestDefaultsAreNamed(t *testing.T) {
	info := open(t, tiny{height: 8, width: 12}.write(t, t.TempDir()), Options{}).Info()
	notes := strings.Join(info.Notes, "\n")
	for _, word := range []string{"no side-car tiny.onnx.json", "input:", "layout: NCHW", "size: 8×12, fixed", "channels: RGB", "mean:", "std:", "scale: 1/255", "resize: stretch", "filter:"} {
		if !strings.Contains(notes, word) {
			t.Errorf("notes do not say %q:\n%s", word, notes)
		}
	}
	if want := dataset.DefaultPreprocess(8, 12); info.Preprocess != want {
		t.Errorf("preprocess %+v, want %+v", info.Preprocess, want)
	}
	if free := open(t, tiny{}.write(t, t.TempDir()), Options{}).Info(); free.Height != 224 || free.Width != 224 {
		t.Errorf("a free size became %d×%d", free.Height, free.Width)
	}
}

func TestUnusableModels(t *testing.T) {
	valid, err := os.ReadFile(tiny{}.write(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	wholeRange := make([]byte, 4096)
	for i := range wholeRange {
		wholeRange[i] = byte(i * 31)
	}
	cases := map[string]struct {
		make func(t testing.TB, folder string) string
		o    Options
		says string
	}{
		"missing":         {func(t testing.TB, d string) string { return filepath.Join(d, "none.onnx") }, Options{}, "no such file"},
		"a folder":        {func(t testing.TB, d string) string { return d }, Options{}, "is not a file"},
		"empty":           {file("m.onnx", nil), Options{}, "is empty"},
		"garbage":         {file("m.onnx", wholeRange), Options{}, "not an ONNX model"},
		"text":            {file("m.onnx", []byte("<!DOCTYPE html><html>not found</html>")), Options{}, "not an ONNX model"},
		"cut short":       {file("m.onnx", valid[:len(valid)/2]), Options{}, "cut short"},
		"weights":         {file("m.pth", []byte("PK\x03\x04 pickle")), Options{}, "export the model to ONNX"},
		"float16 input":   {model(tiny{elemType: protos.TensorProto_FLOAT16}), Options{}, "no float image input"},
		"integer input":   {model(tiny{elemType: protos.TensorProto_UINT8}), Options{}, "no float image input"},
		"ten channels":    {model(tiny{channels: 10}), Options{}, "10 channels"},
		"two inputs":      {model(tiny{extraInput: true}), Options{}, "more than an image"},
		"no float output": {model(tiny{outputs: []string{"indices"}}), Options{Height: 8, Width: 8}, "no float output"},
		"fixed size":      {model(tiny{height: 8, width: 8}), Options{Height: 16, Width: 16}, "fixed at 8"},
		"weights missing": {func(t testing.TB, d string) string {
			path := tiny{external: "weights.bin"}.write(t, d)
			os.Remove(filepath.Join(d, "weights.bin"))
			return path
		}, Options{}, "weights.bin, which is missing"},
		"weights cut short": {func(t testing.TB, d string) string {
			path := tiny{external: "weights.bin"}.write(t, d)
			os.Truncate(filepath.Join(d, "weights.bin"), 100)
			return path
		}, Options{}, "cut short"},
		"weights elsewhere": {model(tiny{external: "../../etc/weights.bin"}), Options{}, "outside the model's folder"},
		"unknown operator": {func(t testing.TB, d string) string {
			p := tiny{}.proto(t)
			p.Graph.Node[0].OpType = "NoSuchOperator"
			return save(t, d, p)
		}, Options{}, "cannot load"},
		"fails the shape check": {func(t testing.TB, d string) string {
			p := tiny{onlyOne: true, height: 8, width: 8}.proto(t)
			p.Graph.Input[0] = valueInfo("input", protos.TensorProto_FLOAT, dim(0, "b"), dim(3, ""), dim(0, "h"), dim(0, "w"))
			return save(t, d, p)
		}, Options{Height: 12, Width: 12}, "fails the shape check"},
		"no node": {func(t testing.TB, d string) string {
			p := tiny{}.proto(t)
			p.Graph.Node = nil
			return save(t, d, p)
		}, Options{}, "no graph"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := c.make(t, t.TempDir())
			teacher, err := Open(path, c.o)
			if err == nil {
				teacher.Close()
				t.Fatal("it opened")
			}
			if !errors.Is(err, ErrModel) {
				t.Errorf("not ErrModel: %v", err)
			}
			if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), filepath.Base(path)) {
				t.Errorf("%q names neither %q nor the file", err, c.says)
			}
		})
	}
}

func file(name string, data []byte) func(testing.TB, string) string {
	return func(t testing.TB, folder string) string {
		path := filepath.Join(folder, name)
		writeFile(t, path, data)
		return path
	}
}

func model(m tiny) func(testing.TB, string) string {
	return func(t testing.TB, folder string) string { return m.write(t, folder) }
}

func TestEveryTruncationIsAnError(t *testing.T) {
	data, err := os.ReadFile(tiny{}.write(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cut.onnx")
	for n := 0; n < len(data)-1; n += 37 {
		writeFile(t, path, data[:n])
		teacher, err := Open(path, Options{Height: 8, Width: 8})
		if err == nil {
			// What is cut off can be the declaration of the operator set alone; then the rest is a model.
			teacher.Close()
			if n < len(data)-16 {
				t.Errorf("%d of %d bytes opened", n, len(data))
			}
		} else if !errors.Is(err, ErrModel) {
			t.Errorf("%d of %d bytes: %v", n, len(data), err)
		}
	}
}

func TestChangedBytesNeverEndTheProcess(t *testing.T) {
	data, err := os.ReadFile(tiny{outputs: []string{"tokens", "feature_map"}}.write(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "changed.onnx")
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		changed := slices.Clone(data)
		for range 1 + random.IntN(3) {
			changed[random.IntN(len(changed))] = byte(random.IntN(256))
		}
		writeFile(t, path, changed)
		teacher, err := Open(path, Options{Height: 8, Width: 8})
		if err != nil {
			if !errors.Is(err, ErrModel) {
				t.Error(err)
			}
			continue
		}
		if _, err := teacher.Features(noise(1, teacher.Info().Channels*8*8), 1); err != nil {
			t.Error(err)
		}
		teacher.Close()
	}
}

func TestOpenRefusesOptionsWithoutMeaning(t *testing.T) {
	path := tiny{}.write(t, t.TempDir())
	for _, o := range []Options{{Height: 8}, {Height: -1, Width: -1}, {Threads: -1}, {Batch: -1}, {Height: 99999, Width: 8}} {
		if teacher, err := Open(path, o); err == nil {
			teacher.Close()
			t.Errorf("%+v opened", o)
		}
	}
}

func TestTeacherAfterClose(t *testing.T) {
	teacher := open(t, tiny{}.write(t, t.TempDir()), Options{Height: 8, Width: 8})
	if _, err := teacher.Features(noise(1, 5), 1); err == nil {
		t.Error("a batch of the wrong size was taken")
	}
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for range 20 {
				if _, err := teacher.Features(noise(1, 3*8*8), 1); err != nil && !errors.Is(err, ErrClosed) {
					t.Error(err)
				}
			}
		})
	}
	teacher.Close()
	running.Wait()
	if err := teacher.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := teacher.Features(noise(1, 3*8*8), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("Features after Close: %v", err)
	}
	if _, err := teacher.NewCheck(); !errors.Is(err, ErrClosed) {
		t.Errorf("NewCheck after Close: %v", err)
	}
}
