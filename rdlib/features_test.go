package rdlib

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"

	"rd/rdlib/dataset/phantom"
	"rd/rdlib/foundation"
	"rd/rdlib/model"
	"rd/rdlib/record"
)

const testSize = 16

// writeTeacher writes an untrained network with a map before its feature map.
func writeTeacher(t *testing.T, path string, seed uint64) {
	t.Helper()
	b := model.NewBuilder("teacher", 3, model.Any, model.Any)
	x := b.ReLU("early", b.Conv("conv1", b.Input(), model.Conv{Out: 4, Kernel: 3, Padding: 1, Stride: 2}))
	x = b.ReLU("late", b.Conv("conv2", x, model.Conv{Out: 6, Kernel: 3, Padding: 1, Stride: 2}))
	b.FeatureMap(x)
	x = b.GlobalAvgPool("pool", x)
	b.Pooled(x)
	b.Logits(b.Linear("fc", x, 2))
	net, err := b.Network()
	if err != nil {
		t.Fatal(err)
	}
	data, err := net.ONNX(net.Init(seed), model.ONNXOptions{Sample: []int{3, testSize, testSize}, Outputs: []string{model.ONNXFeatureMap, model.ONNXPooled}})
	if err != nil {
		t.Fatal(err)
	}
	m := &protos.ModelProto{}
	if err := proto.Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
	early := proto.Clone(m.Graph.Output[0]).(*protos.ValueInfoProto)
	for _, node := range m.Graph.Node {
		if node.OpType == "Relu" {
			early.Name = node.Output[0]
			break
		}
	}
	for axis, dim := range []int64{4, testSize / 2, testSize / 2} {
		early.Type.GetTensorType().Shape.Dim[axis+1].Value = &protos.TensorShapeProto_Dimension_DimValue{DimValue: dim}
	}
	m.Graph.Output = append([]*protos.ValueInfoProto{early}, m.Graph.Output...)
	if data, err = proto.Marshal(m); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// workplace is where features are computed: images, a teacher and a folder of caches.
type workplace struct{ data, teacher, cache string }

func newWorkplace(t *testing.T) workplace {
	t.Helper()
	dir := t.TempDir()
	w := workplace{filepath.Join(dir, "images"), filepath.Join(dir, "teacher.onnx"), filepath.Join(dir, "cache")}
	if err := phantom.BreastUltrasound(w.data, phantom.Options{PerClass: 6, Size: 16, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	writeTeacher(t, w.teacher, 1)
	return w
}

// session is a new process's; log returns what it wrote.
func (w workplace) session(t *testing.T, o SessionOptions) (s *Session, log func() string) {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	o.Backend, o.Cache, o.Log = "go", w.cache, file
	if s, err = OpenSession(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); file.Close() })
	return s, func() string {
		text, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

func (w workplace) options(method string) Options {
	return Options{
		Data: w.data, Teacher: w.teacher, Student: "shufflenet", Width: 0.5, Method: method, Size: testSize, TeacherSize: testSize,
		Steps: 1, Batch: 4, Seeds: record.Seeds{Split: 1, Init: 1, Order: 1, Augmentation: 1},
	}
}

// features are what a cell of the method would train on: image 0's, both views.
func (w workplace) features(t *testing.T, s *Session, method string) []float32 {
	t.Helper()
	job, err := s.Prepare(context.Background(), w.options(method))
	if err != nil {
		t.Fatal(err)
	}
	features, err := job.features(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var all []float32
	for _, output := range job.outputs().all() {
		for view := range 2 {
			values := make([]float32, foundation.Output{Shape: features.Shape(output)}.Elements())
			if err := features.Read(0, view, output, values); err != nil {
				t.Fatal(err)
			}
			all = append(all, values...)
		}
	}
	return all
}

// files are the names in the cache folder.
func (w workplace) files(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(w.cache)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A cache that cannot be trusted is computed again, and the log says why.
func TestBadCachesAreComputedAgain(t *testing.T) {
	w := newWorkplace(t)
	s, log := w.session(t, SessionOptions{})
	want := w.features(t, s, "direct")
	if !strings.Contains(log(), "features of teacher: 18 images") {
		t.Errorf("the log: %s", log())
	}
	names := w.files(t)
	if len(names) != 1 {
		t.Fatalf("the caches: %v", names)
	}
	path := filepath.Join(w.cache, names[0])
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("sound", func(t *testing.T) {
		s, log := w.session(t, SessionOptions{})
		if got := w.features(t, s, "direct"); !slices.Equal(got, want) || strings.Contains(log(), "features") {
			t.Errorf("the log: %s", log())
		}
	})
	foreign := filepath.Join(t.TempDir(), "other.onnx")
	writeTeacher(t, foreign, 2)
	other := w
	other.teacher, other.cache = foreign, t.TempDir()
	s, _ = other.session(t, SessionOptions{})
	if slices.Equal(other.features(t, s, "direct"), want) {
		t.Fatal("two teachers have the same features")
	}
	foreignCache, err := os.ReadFile(filepath.Join(other.cache, other.files(t)[0]))
	if err != nil {
		t.Fatal(err)
	}
	flipped := func(at int) []byte {
		b := slices.Clone(good)
		b[at] ^= 4
		return b
	}
	for name, c := range map[string]struct {
		content []byte
		says    []string
	}{
		"from another teacher":        {foreignCache, []string{"something else", "teacher (sha256)"}},
		"cut short":                   {good[:len(good)-100], []string{"damaged", "cut short"}},
		"cut to its header":           {good[:64], []string{"damaged"}},
		"empty":                       {nil, []string{"damaged", "cut short"}},
		"a flipped bit of a feature":  {flipped(len(good) - 7), []string{"damaged", "were changed"}},
		"a flipped bit of its header": {flipped(20), []string{"damaged", "header"}},
		"a flipped bit of a checksum": {flipped(4096 - 9), []string{"damaged", "checksum"}},
		"something else":              {[]byte(strings.Repeat("no cache ", 1000)), []string{"damaged", "does not begin"}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, c.content, 0o644); err != nil {
				t.Fatal(err)
			}
			s, log := w.session(t, SessionOptions{})
			if got := w.features(t, s, "direct"); !slices.Equal(got, want) {
				t.Error("the features differ")
			}
			for _, text := range append(c.says, path, "computing it now", "features of teacher: 18 images") {
				if !strings.Contains(log(), text) {
					t.Errorf("the log does not say %q: %s", text, log())
				}
			}
			if now, err := os.ReadFile(path); err != nil || !slices.Equal(now, good) {
				t.Errorf("the cache is not what it was (%v)", err)
			}
		})
	}
	t.Run("another file of the teacher's name", func(t *testing.T) {
		writeTeacher(t, w.teacher, 3)
		defer writeTeacher(t, w.teacher, 1)
		s, log := w.session(t, SessionOptions{})
		if slices.Equal(w.features(t, s, "direct"), want) {
			t.Error("the old teacher's features are used")
		}
		if !strings.Contains(log(), path+" holds features of another teacher.onnx") {
			t.Errorf("the log: %s", log())
		}
	})
	t.Run("damaged, and the teacher is gone", func(t *testing.T) {
		if err := os.WriteFile(path, flipped(len(good)-7), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(w.teacher, w.teacher+".away"); err != nil {
			t.Fatal(err)
		}
		defer os.Rename(w.teacher+".away", w.teacher)
		for _, name := range w.files(t) {
			if name != filepath.Base(path) {
				os.Remove(filepath.Join(w.cache, name))
			}
		}
		s, _ := w.session(t, SessionOptions{})
		job, err := s.Prepare(context.Background(), w.options("direct"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = job.features(context.Background()); err == nil || !errors.Is(err, foundation.ErrCorrupt) || !strings.Contains(err.Error(), w.teacher) {
			t.Errorf("%v", err)
		}
	})
}

// A cache with all stages serves cells that need fewer, and when it is damaged one of their own is computed.
func TestLargerCachesServe(t *testing.T) {
	w := newWorkplace(t)
	s, _ := w.session(t, SessionOptions{})
	want := w.features(t, s, "direct")
	if err := os.Remove(filepath.Join(w.cache, w.files(t)[0])); err != nil {
		t.Fatal(err)
	}
	s, _ = w.session(t, SessionOptions{})
	caches, err := s.Features(context.Background(), w.options(""), []string{w.teacher}, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(caches) != 1 || len(caches[0].Key().Outputs) != 3 {
		t.Fatalf("%+v", caches[0].Key())
	}
	larger := w.files(t)
	for range 2 { // in the session that computed it and in another
		if got := w.features(t, s, "direct"); !slices.Equal(got, want) || !slices.Equal(w.files(t), larger) {
			t.Errorf("the larger cache does not serve: %v", w.files(t))
		}
		s, _ = w.session(t, SessionOptions{})
	}
	staged := w.features(t, s, "at")
	if !slices.Equal(w.files(t), larger) || len(staged) <= len(want) {
		t.Errorf("the larger cache does not serve a method that needs its stages: %v", w.files(t))
	}
	// The teacher's file may be gone.
	if err := os.Rename(w.teacher, w.teacher+".away"); err != nil {
		t.Fatal(err)
	}
	s, _ = w.session(t, SessionOptions{})
	if got := w.features(t, s, "direct"); !slices.Equal(got, want) {
		t.Error("without the teacher's file the features differ")
	}
	if err := os.Rename(w.teacher+".away", w.teacher); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(w.cache, larger[0])
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	s, log := w.session(t, SessionOptions{})
	if got := w.features(t, s, "direct"); !slices.Equal(got, want) || len(w.files(t)) != 2 {
		t.Errorf("the features differ, or there are the caches %v", w.files(t))
	}
	if !strings.Contains(log(), path) || !strings.Contains(log(), "were changed") {
		t.Errorf("the log: %s", log())
	}
}

func TestSeveralTeachersFeatures(t *testing.T) {
	w := newWorkplace(t)
	second := filepath.Join(t.TempDir(), "second.onnx")
	writeTeacher(t, second, 5)
	s, _ := w.session(t, SessionOptions{})
	caches, err := s.Features(context.Background(), w.options(""), []string{w.teacher, second}, false)
	if err != nil || len(caches) != 2 || caches[0].Meta().File != "teacher.onnx" || caches[1].Meta().File != "second.onnx" {
		t.Fatalf("%v, %v", caches, err)
	}
	s, log := w.session(t, SessionOptions{})
	w.features(t, s, "direct")
	w.teacher = second
	w.features(t, s, "direct")
	if strings.Contains(log(), "features of") {
		t.Errorf("they are computed again: %s", log())
	}
	var usage *UsageError
	if _, err := s.Features(context.Background(), w.options(""), nil, false); !errors.As(err, &usage) {
		t.Errorf("no teacher: %v", err)
	}
	if caches, err := s.Features(context.Background(), w.options(""), []string{second, second}, true); err != nil || len(caches) != 1 {
		t.Errorf("a teacher that is named twice: %v, %v", caches, err)
	}
}

// A cache over the limit is computed when it is allowed, and not otherwise; it says how large it would be.
func TestLargeCachesAreAskedAbout(t *testing.T) {
	w := newWorkplace(t)
	asked := ""
	answer := false
	confirm := func(_ context.Context, question string) bool { asked = question; return answer }
	for _, o := range []SessionOptions{{}, {Confirm: confirm}} {
		s, _ := w.session(t, o)
		if s.largeCache != 10e9 {
			t.Errorf("asked above %d bytes", s.largeCache)
		}
		s.largeCache = 1000
		job, err := s.Prepare(context.Background(), w.options("direct"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = job.features(context.Background())
		var usage *UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), "--yes") || !strings.Contains(err.Error(), "KiB") {
			t.Errorf("%v", err)
		}
		if _, err := os.Stat(w.cache); err == nil {
			t.Errorf("something was computed: %v", w.files(t))
		}
	}
	if !strings.Contains(asked, "KiB") || !strings.Contains(asked, w.cache) {
		t.Errorf("the question is %q", asked)
	}
	answer = true
	s, _ := w.session(t, SessionOptions{Confirm: confirm})
	s.largeCache = 1000
	w.features(t, s, "direct")
	asked = ""
	s, _ = w.session(t, SessionOptions{Confirm: confirm})
	s.largeCache = 1000
	w.features(t, s, "direct")
	if asked != "" {
		t.Errorf("asked about a cache that is there: %q", asked)
	}
}

func TestSplitsShareDecodedImages(t *testing.T) {
	w := newWorkplace(t)
	s, _ := w.session(t, SessionOptions{})
	var jobs []*Job
	for seed := range uint64(3) {
		o := w.options("scratch")
		o.Seeds.Split = seed
		job, err := s.Prepare(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, job)
	}
	for split, job := range jobs {
		store, err := s.store(context.Background(), storeKey{job.data, job.input}, false)
		if err != nil {
			t.Fatal(err)
		}
		image := make([]float32, job.input.Len())
		for i := range job.Dataset.Items {
			if err := store.Tensor(i, false, image); err != nil {
				t.Errorf("split %d: %v", split, err)
			}
		}
		if err := os.RemoveAll(w.data); err != nil { // the second and third split have nothing to decode
			t.Fatal(err)
		}
	}
}
