package deploy

import (
	"bytes"
	"errors"
	"io/fs"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"
	"google.golang.org/protobuf/proto"

	"rd/rdlib/backend/ortlib"
	"rd/rdlib/dataset"
	"rd/rdlib/model"
)

func needLibrary(t *testing.T) {
	t.Helper()
	if _, err := ortlib.Find(); err != nil {
		t.Skip(err)
	}
}

func student(t *testing.T, name string, classes int) (*model.Network, model.Weights) {
	t.Helper()
	net, err := model.New(name, model.Config{Classes: classes, Width: 0.25})
	if err != nil {
		t.Fatal(err)
	}
	return net, net.Init(3)
}

func metadata(height, width int, classes ...string) Metadata {
	return Metadata{
		Name: "test", Classes: classes, Preprocess: dataset.DefaultPreprocess(height, width), Producer: "rd test",
		Provenance: map[string]string{"teacher": "none", "seed": "3"}, Phantom: "breast ultrasound",
	}
}

// images returns n random images of the size the metadata asks for.
func images(n int, m Metadata) []float32 {
	rng := rand.New(rand.NewPCG(uint64(n), 5))
	values := make([]float32, n*m.Preprocess.Len())
	for i := range values {
		values[i] = float32(rng.NormFloat64())
	}
	return values
}

// trained returns the probabilities that the graph the network trains with gives.
func trained(t *testing.T, net *model.Network, w model.Weights, images []float32, m Metadata) [][]float32 {
	t.Helper()
	backend, err := gobackend.New("ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Finalize()
	store := gomodel.NewStore()
	if err := net.Declare(store.RootScope(), w); err != nil {
		t.Fatal(err)
	}
	n := len(images) / m.Preprocess.Len()
	exec := gomodel.MustNewExec(backend, store, func(scope *gomodel.Scope, x *graph.Node) *graph.Node {
		return graph.Softmax(net.Forward(scope, x, false).Logits, -1)
	})
	defer exec.Finalize()
	out := exec.MustCall1(tensors.FromFlatDataAndDimensions(images, n, 3, m.Preprocess.Height, m.Preprocess.Width))
	flat := tensors.MustCopyFlatData[float32](out)
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = flat[i*len(m.Classes) : (i+1)*len(m.Classes)]
	}
	return rows
}

// samples pairs images with probabilities, as a training run hands them to Verify.
func samples(images []float32, probabilities [][]float32, each int) iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		for i, p := range probabilities {
			if !yield(Sample{Name: "image " + string(rune('a'+i%26)), Image: images[i*each : (i+1)*each], Probabilities: p}, nil) {
				return
			}
		}
	}
}

// TestExportOpenVerify: what goes into the file comes out, and the file answers as the training graph does.
func TestExportOpenVerify(t *testing.T) {
	needLibrary(t)
	for i, name := range model.Students() {
		classes := []string{"benign", "malignant", "normal, with ü"}[:2+i%2]
		net, w := student(t, name, len(classes))
		m := metadata(48, 32+16*i, classes...)
		path := filepath.Join(t.TempDir(), "student.onnx")
		if err := Export(path, net, w, m); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, 2)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(s.Metadata, m) {
			t.Errorf("%s: read metadata %+v, wrote %+v", name, s.Metadata, m)
		}
		x := images(batchLimit+3, m)
		want := trained(t, net, w, x, m)
		got, err := s.Predict(x)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%s: %d predictions for %d images, %v", name, len(got), len(want), err)
		}
		for i, p := range got {
			var sum float64
			for _, v := range p {
				sum += float64(v)
			}
			if len(p) != len(classes) || math.Abs(sum-1) > 1e-5 {
				t.Errorf("%s: image %d has probabilities %v", name, i, p)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		report, err := Verify(path, 1, samples(x, want, m.Preprocess.Len()))
		if err != nil || report.Images != len(want) || report.MaxDifference > 1e-5 || report.ClassChanges != 0 {
			t.Errorf("%s: report %+v, %v", name, report, err)
		}
	}
}

func TestExportIsReproducible(t *testing.T) {
	net, w := student(t, "shufflenet", 2)
	dir := t.TempDir()
	var files [][]byte
	for _, name := range []string{"a.onnx", "b.onnx"} {
		path := filepath.Join(dir, name)
		if err := Export(path, net, w, metadata(32, 32, "a", "b")); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, data)
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("equal students gave different files")
	}
	if !bytes.Contains(files[0], []byte("phantom")) {
		t.Error("the file of a student of phantoms does not say phantom")
	}
}

func TestExportRefuses(t *testing.T) {
	net, w := student(t, "shufflenet", 2)
	grey, err := model.New("shufflenet", model.Config{Classes: 2, InChannels: 1})
	if err != nil {
		t.Fatal(err)
	}
	sick := w.Clone()
	sick["fc.bias"].Data[1] = float32(math.NaN())
	fine := metadata(32, 32, "a", "b")
	sizeless := fine
	sizeless.Preprocess.Height = 0
	for name, c := range map[string]struct {
		net  *model.Network
		w    model.Weights
		meta Metadata
		want string
	}{
		"no classes":          {net, w, metadata(32, 32), "class names"},
		"one class too many":  {net, w, metadata(32, 32, "a", "b", "c"), "2 outputs for 3"},
		"a class twice":       {net, w, metadata(32, 32, "a", "a"), `"a"`},
		"a class without":     {net, w, metadata(32, 32, "a", ""), `""`},
		"no size":             {net, w, sizeless, "preprocessing"},
		"grey":                {grey, grey.Init(1), fine, "3 channels"},
		"weights of another":  {net, grey.Init(1), fine, "wrong shape"},
		"weights not numbers": {net, sick, fine, "fc.bias"},
	} {
		path := filepath.Join(t.TempDir(), "student.onnx")
		err := Export(path, c.net, c.w, c.meta)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with the file's name and %q", name, err, c.want)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a file was written all the same", name)
		}
	}
	if err := Export(filepath.Join(t.TempDir(), "no", "folder", "s.onnx"), net, w, fine); err == nil {
		t.Error("exported to a folder that does not exist")
	}
}

// TestOpenRefuses: a file that is missing, damaged or somebody else's gives a message that names it, and never a crash.
func TestOpenRefuses(t *testing.T) {
	needLibrary(t)
	net, w := student(t, "mobilenet", 2)
	m := metadata(32, 32, "a", "b")
	path := filepath.Join(t.TempDir(), "student.onnx")
	if err := Export(path, net, w, m); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := m.entries()
	if err != nil {
		t.Fatal(err)
	}
	with := func(o model.ONNXOptions, change map[string]string) []byte {
		o.Sample = []int{3, 32, 32}
		o.Metadata = map[string]string{}
		for key, text := range entries {
			o.Metadata[key] = text
		}
		for key, text := range change {
			o.Metadata[key] = text
		}
		data, err := net.ONNX(w, o)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	foreign, err := net.ONNX(w, model.ONNXOptions{Sample: []int{3, 32, 32}})
	if err != nil {
		t.Fatal(err)
	}
	garbage := images(1, m)
	noise := make([]byte, len(garbage))
	for i, v := range garbage {
		noise[i] = byte(v * 100)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":               {nil, "empty"},
		"garbage":             {noise, "not an ONNX model"},
		"text":                {[]byte("hello, world"), "not an ONNX model"},
		"first half":          {whole[:len(whole)/2], "not an ONNX model"},
		"cut by a byte":       {whole[:len(whole)-1], "not an ONNX model"},
		"metadata alone":      {metadataOnly(t, entries), "not an ONNX model"},
		"broken graph":        {renamed(t, whole), "does not run"},
		"foreign model":       {foreign, "none that rd distill exported"},
		"no probabilities":    {with(model.ONNXOptions{Outputs: []string{model.ONNXLogits}}, nil), ""},
		"format of tomorrow":  {with(model.ONNXOptions{}, map[string]string{keyFormat: "2"}), `"2"`},
		"classes damaged":     {with(model.ONNXOptions{}, map[string]string{keyClasses: "a,b"}), keyClasses},
		"classes of another":  {with(model.ONNXOptions{}, map[string]string{keyClasses: `["a","b","c"]`}), "probabilities"},
		"preprocessing wrong": {with(model.ONNXOptions{}, map[string]string{keyPreprocess: `{}`}), "preprocessing"},
		"size of another":     {with(model.ONNXOptions{}, map[string]string{keyPreprocess: strings.Replace(entries[keyPreprocess], "32", "48", 1)}), "input"},
	} {
		path := filepath.Join(t.TempDir(), "bad.onnx")
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, 1)
		if err == nil || s != nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with the file's name and %q", name, err, c.want)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "absent.onnx"), 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file gives %v", err)
	}
}

func TestPredictRefuses(t *testing.T) {
	needLibrary(t)
	net, w := student(t, "resnet18", 2)
	m := metadata(32, 32, "a", "b")
	path := filepath.Join(t.TempDir(), "student.onnx")
	if err := Export(path, net, w, m); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, m.Preprocess.Len() - 1, m.Preprocess.Len() + 1} {
		if _, err := s.Predict(make([]float32, n)); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%d values: error %v", n, err)
		}
	}
	x := images(4, m)
	want, err := s.Predict(x)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if got, err := s.Predict(x); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("in parallel: %v, %v; want %v", got, err, want)
			}
		})
	}
	wait.Wait()
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Predict(x); err == nil {
		t.Error("a closed student predicts")
	}
}

// TestVerifyFindsTheOffender: the first image that differs is named, with both answers.
func TestVerifyFindsTheOffender(t *testing.T) {
	needLibrary(t)
	net, w := student(t, "shufflenet", 3)
	m := metadata(32, 32, "a", "b", "c")
	path := filepath.Join(t.TempDir(), "student.onnx")
	if err := Export(path, net, w, m); err != nil {
		t.Fatal(err)
	}
	x := images(5, m)
	each := m.Preprocess.Len()
	verify := func(change func(p [][]float32)) (Report, error) {
		p := trained(t, net, w, x, m)
		change(p)
		return Verify(path, 1, samples(x, p, each))
	}
	report, err := verify(func(p [][]float32) { p[3][1] += 2e-4; p[4][0] = 1 })
	if err == nil || !strings.Contains(err.Error(), "image d") || !strings.Contains(err.Error(), path) || report.Images != 4 {
		t.Errorf("report %+v, error %v; want one about image d", report, err)
	}
	if _, err := verify(func(p [][]float32) { p[2][0] = float32(math.NaN()) }); err == nil || !strings.Contains(err.Error(), "image c") {
		t.Errorf("a probability that is not a number gives %v", err)
	}
	if report, err := verify(func(p [][]float32) { p[0][0] += 5e-5 }); err != nil || report.MaxDifference < 4e-5 {
		t.Errorf("a difference within the tolerance gives %+v, %v", report, err)
	}
	if _, err := verify(func(p [][]float32) { p[1] = p[1][:2] }); err == nil || !strings.Contains(err.Error(), "image b") {
		t.Errorf("an image with too few probabilities gives %v", err)
	}
	failing := func(yield func(Sample, error) bool) { yield(Sample{}, errors.New("disk gone")) }
	if _, err := Verify(path, 1, failing); err == nil || !strings.Contains(err.Error(), "disk gone") {
		t.Errorf("an image that cannot be read gives %v", err)
	}
	if _, err := Verify(path, 1, samples(nil, nil, each)); err == nil {
		t.Error("verified without images")
	}
}

// TestMargin: a class may change only where training itself was undecided.
func TestMargin(t *testing.T) {
	classes := []string{"a", "b"}
	for _, c := range []struct {
		before, now []float32
		fails       bool
		changes     int
	}{
		{[]float32{0.6, 0.4}, []float32{0.60005, 0.39995}, false, 0},
		{[]float32{0.50002, 0.49998}, []float32{0.49998, 0.50002}, false, 1},
		{[]float32{0.50006, 0.49994}, []float32{0.49998, 0.50002}, true, 0},
		{[]float32{0.6, 0.4}, []float32{0.5997, 0.4003}, true, 0},
	} {
		var r Report
		err := r.compare(Sample{Name: "x", Probabilities: c.before}, c.now, classes)
		if (err != nil) != c.fails || r.ClassChanges != c.changes {
			t.Errorf("%v then %v: %+v, %v", c.before, c.now, r, err)
		}
	}
}

// metadataOnly is a file without a graph.
func metadataOnly(t *testing.T, entries map[string]string) []byte {
	t.Helper()
	var m protos.ModelProto
	for key, text := range entries {
		m.MetadataProps = append(m.MetadataProps, &protos.StringStringEntryProto{Key: key, Value: text})
	}
	data, err := proto.Marshal(&m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// renamed is a student's file whose first node reads a tensor that is not there.
func renamed(t *testing.T, whole []byte) []byte {
	t.Helper()
	var m protos.ModelProto
	if err := proto.Unmarshal(whole, &m); err != nil {
		t.Fatal(err)
	}
	m.Graph.Node[0].Input[0] = "nowhere"
	data, err := proto.Marshal(&m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
