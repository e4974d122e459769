package rdlib

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"rd/rdlib/dataset"
	"rd/rdlib/foundation"
	"rd/rdlib/model"
	"rd/rdlib/peft"
	"rd/rdlib/record"
	"rd/rdlib/train"
)

// openWorkplace is a workplace whose teacher is a small vision transformer of two blocks that can be opened.
func openWorkplace(t *testing.T) workplace { return openWorkplaceOf(t, "vit", 8, model.Windows{}) }

// openWorkplaceOf is one with another encoder, of images of 16×16 pixels.
func openWorkplaceOf(t *testing.T, architecture string, patch int, windows model.Windows) workplace {
	t.Helper()
	w := newWorkplace(t)
	o := tinyPretraining(t, Supervised)
	o.Architecture, o.Network.Transformer.Patch, o.Network.Windows = architecture, patch, windows
	o.Network.Transformer.Depth, o.Steps, o.Colour = 2, 3, "rgb"
	w.teacher = filepath.Join(t.TempDir(), "open.onnx")
	if _, err := pretrainIn(t, t.Context(), o, w.teacher); err != nil {
		t.Fatal(err)
	}
	return w
}

// adaptation is a short one.
func (w workplace) adaptation(method string) Options {
	options := map[string]map[string]string{
		"adaptformer": {"bottleneck": "4"}, "melo": {"rank": "2"}, "vpt": {"tokens": "2"}, "vqt": {"tokens": "2"},
		"lpt": {"tokens": "2", "groups": "3", "blocks": "1"},
	}
	return Options{
		Data: w.data, Teacher: w.teacher, Method: method, MethodOptions: options[method], Steps: 12, Batch: 4,
		Seeds: record.Seeds{Split: 1, Init: 2, Order: 3, Augmentation: 4},
	}
}

func TestAdapt(t *testing.T) { openWorkplace(t).testAdapt(t) }

// SAM's encoder, pre-trained, is adapted by the same methods. 4×4 patches are padded to four windows of 3×3, and the second block is global.
func TestAdaptSAM(t *testing.T) {
	openWorkplaceOf(t, "vit_sam", 4, model.Windows{Side: 3, Global: []int{1}, Table: 32}).testAdapt(t)
}

func (w workplace) testAdapt(t *testing.T) {
	before, _, err := model.LoadSafetensors(WhiteBox(w.teacher))
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range Adaptations() {
		t.Run(method, func(t *testing.T) {
			s, _ := w.session(t, SessionOptions{})
			path := filepath.Join(t.TempDir(), "adapted.onnx")
			r, err := s.Adapt(t.Context(), w.adaptation(method), path)
			if err != nil {
				t.Fatal(err)
			}
			if r.Result.Config.Method != method || r.Result.Teacher == nil || r.Result.Config.Initial == "" || len(r.Result.Predictions) == 0 {
				t.Errorf("%+v", r.Result.Config)
			}
			first, last := r.Result.Curves[0], r.Result.Curves[len(r.Result.Curves)-1]
			if first.Phase == last.Phase && !(last.Loss < first.Loss) {
				t.Errorf("the loss goes from %g to %g", first.Loss, last.Loss)
			}
			// The backbone keeps its bits, unless all of it is trained.
			after, _, err := model.LoadSafetensors(WhiteBox(path))
			if err != nil {
				t.Fatal(err)
			}
			changed := 0
			for name, was := range before {
				if strings.HasPrefix(name, "head.") {
					continue
				}
				now, ok := after[name]
				if !ok {
					t.Fatalf("%s is gone", name)
				}
				if !slices.Equal(was.Data, now.Data) {
					changed++
				}
			}
			if all := method == FineTune; all != (changed > 0) {
				t.Errorf("%d tensors of the backbone changed", changed)
			}
			// The exported network says what training did.
			teacher, err := foundation.Open(path, foundation.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer teacher.Close()
			info := teacher.Info()
			logits, err := info.Output(foundation.Logits)
			if err != nil || !slices.Equal(logits.Shape, []int{3}) || !slices.Equal(info.SideCar.Classes, r.Result.Classes) {
				t.Errorf("logits %v of %v: %v", logits.Shape, info.SideCar.Classes, err)
			}
			w.sameAsTraining(t, r, path)

			again, err := s.Adapt(t.Context(), w.adaptation(method), path)
			if err != nil || again.Run.Started != r.Run.Started {
				t.Errorf("done, it is done again: %v", err)
			}
			// A student learns from the adapted teacher's logits.
			o := w.options("kd")
			o.Teacher, o.MethodOptions = path, map[string]string{"teacher-logits": "given"}
			job, err := s.Prepare(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if student, _, err := job.Train(t.Context()); err != nil || !slices.Contains(student.Result.Config.Features.Outputs, foundation.Logits) {
				t.Errorf("a student of the adapted teacher: %v", err)
			}
		})
	}
}

// sameAsTraining compares the exported network's probabilities with those of the record.
func (w workplace) sameAsTraining(t *testing.T, r *record.Record, path string) {
	t.Helper()
	s, _ := w.session(t, SessionOptions{})
	o := w.options("kd")
	o.Teacher, o.Seeds = path, r.Result.Config.Seeds
	caches, err := s.Features(t.Context(), o, []string{path}, false)
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.dataset(t.Context(), o.dataKey())
	if err != nil {
		t.Fatal(err)
	}
	row := make([]float32, len(r.Result.Classes))
	for _, p := range r.Result.Predictions {
		item := slices.IndexFunc(d.Items, func(i dataset.Item) bool { return i.Path == p.Path })
		if err := caches[0].Read(item, 0, foundation.Logits, row); err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, z := range row {
			sum += math.Exp(float64(z))
		}
		for k, z := range row {
			if got := math.Exp(float64(z)) / sum; math.Abs(got-float64(p.Probabilities[k])) > 1e-4 {
				t.Fatalf("%s: class %d has %g, in training %g", p.Path, k, got, p.Probabilities[k])
			}
		}
	}
}

// At initialisation AdaptFormer and MeLo are the plain transformer exactly, and VQT leaves its tokens as they are.
func TestNothingChangesAtFirst(t *testing.T) {
	for _, architecture := range []string{"vit", "vit_sam"} {
		t.Run(architecture, func(t *testing.T) { nothingChangesAtFirst(t, architecture) })
	}
}

func nothingChangesAtFirst(t *testing.T, architecture string) {
	c := model.Config{Classes: 3, Transformer: model.Transformer{Height: 16, Width: 24, Patch: 8, Dim: 8, Depth: 2, Heads: 2}, Windows: model.Windows{Side: 2, Global: []int{1}}}
	plain, err := model.New(architecture, c)
	if err != nil {
		t.Fatal(err)
	}
	weights := plain.Init(5)
	w := newWorkplace(t)
	s, _ := w.session(t, SessionOptions{})
	image := make([]float32, 3*16*24)
	for i := range image {
		image[i] = float32(math.Sin(float64(i)))
	}
	for _, method := range []string{"adaptformer", "melo", "vqt"} {
		m, err := peft.New(method, nil)
		if err != nil {
			t.Fatal(err)
		}
		network, err := m.Stages()[0].Network(architecture, c)
		if err != nil {
			t.Fatal(err)
		}
		all := network.Init(7)
		for name, tensor := range weights {
			if _, ok := all[name]; ok && (method != "vqt" || !strings.HasPrefix(name, "head.")) {
				all[name] = tensor
			}
		}
		want, got := runOne(t, s, plain, weights, image), runOne(t, s, network, all, image)
		if !slices.Equal(want.pooledMap, got.pooledMap) || method != "vqt" && !slices.Equal(want.logits, got.logits) {
			t.Errorf("%s changes the transformer before it is trained", method)
		}
	}
}

// MeLo on a ViT-B trains 147,456 numbers beside the head.
func TestMeLoCount(t *testing.T) {
	m, err := peft.New("melo", nil)
	if err != nil {
		t.Fatal(err)
	}
	network, err := m.Stages()[0].Network("vit", model.Config{Classes: 2})
	if err != nil {
		t.Fatal(err)
	}
	if got := network.Trained() - (768*2 + 2); got != 147456 {
		t.Errorf("%d", got)
	}
}

// Of a teacher without a class token the adaptation says that it reads the mean.
func TestAdaptSaysItPools(t *testing.T) {
	w := newWorkplace(t)
	o := tinyPretraining(t, Supervised)
	o.Network.Transformer.Pool, o.Steps, o.Colour = model.PoolMean, 1, "rgb"
	w.teacher = filepath.Join(t.TempDir(), "open.onnx")
	if _, err := pretrainIn(t, t.Context(), o, w.teacher); err != nil {
		t.Fatal(err)
	}
	s, log := w.session(t, SessionOptions{})
	adaptation := w.adaptation("melo")
	adaptation.Steps = 1
	if _, err := s.Adapt(t.Context(), adaptation, filepath.Join(t.TempDir(), "adapted.onnx")); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log(), "has no class token: melo reads the mean") {
		t.Errorf("the log says %q", log())
	}
}

func TestAdaptRefuses(t *testing.T) {
	w := openWorkplace(t)
	s, _ := w.session(t, SessionOptions{})
	path := filepath.Join(t.TempDir(), "adapted.onnx")
	for _, test := range []struct {
		name   string
		change func(*Options)
		code   int
		want   string
	}{
		{"unknown adaptation", func(o *Options) { o.Method = "mlo" }, ExitUsage, `did you mean "melo"`},
		{"unknown option", func(o *Options) { o.MethodOptions = map[string]string{"rnk": "2"} }, ExitUsage, `did you mean "rank"`},
		{"a teacher that is closed", func(o *Options) { o.Teacher = newWorkplace(t).teacher }, ExitUsage, "rd teacher export --weights"},
		{"no length", func(o *Options) { o.Steps, o.Epochs = 1, 1 }, ExitUsage, "epochs or steps"},
	} {
		o := w.adaptation("melo")
		test.change(&o)
		if _, err := s.Adapt(t.Context(), o, path); ExitCode(err) != test.code || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	// What is there is not replaced, least of all the teacher itself.
	if _, err := s.Adapt(t.Context(), w.adaptation("melo"), w.teacher); ExitCode(err) != ExitUsage || !strings.Contains(err.Error(), "is the teacher itself") {
		t.Errorf("the teacher is overwritten: %v", err)
	}
	if _, err := s.Adapt(t.Context(), w.adaptation("melo"), path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Adapt(t.Context(), w.adaptation("vpt"), path); ExitCode(err) != ExitUsage || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("another adaptation is overwritten: %v", err)
	}
	// A student of other parts of the images is warned of.
	another, log := w.session(t, SessionOptions{})
	student := w.options("kd")
	student.Teacher, student.MethodOptions = path, map[string]string{"teacher-logits": "given"}
	for seed := range uint64(2) {
		student.Seeds.Split = seed + 1
		if _, err := another.Prepare(t.Context(), student); err != nil {
			t.Fatal(err)
		}
		if seed == 0 && strings.Contains(log(), "was adapted to") {
			t.Errorf("a warning of the same split: %s", log())
		}
	}
	if !strings.Contains(log(), "was adapted to") {
		t.Errorf("no warning of another split: %s", log())
	}
	// Weights of another network: every tensor that does not fit is told.
	other := tinyPretraining(t, Supervised)
	other.Colour = "rgb"
	smaller := filepath.Join(t.TempDir(), "smaller.onnx")
	if _, err := pretrainIn(t, t.Context(), other, smaller); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(WhiteBox(smaller))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(WhiteBox(w.teacher), data, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Adapt(t.Context(), w.adaptation("melo"), path); ExitCode(err) != ExitInput || !strings.Contains(err.Error(), "missing: blocks.1.attn.qkv.weight") || !strings.Contains(err.Error(), "missing: blocks.1.norm1.bias") {
		t.Errorf("weights of another network: %v", err)
	}
}

// An adaptation of two stages that is interrupted in its second ends as one that is not.
func TestAdaptResumes(t *testing.T) {
	w := openWorkplace(t)
	s, _ := w.session(t, SessionOptions{})
	whole, err := s.Adapt(t.Context(), w.adaptation("lpt"), filepath.Join(t.TempDir(), "whole.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "adapted.onnx")
	interrupted := 0
	for tries := 0; ; tries++ {
		ctx, cancel := context.WithCancel(t.Context())
		o := w.adaptation("lpt")
		o.CheckpointEvery = 1
		again, _ := w.session(t, SessionOptions{})
		go func() {
			for ctx.Err() == nil {
				if found, _ := filepath.Glob(strings.TrimSuffix(path, ".onnx") + ".*.pool.checkpoint"); tries == 0 && len(found) > 0 {
					cancel()
				}
			}
		}()
		r, err := again.Adapt(ctx, o, path)
		cancel()
		if errors.Is(err, train.ErrInterrupted) && tries == 0 {
			interrupted++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if r.ResultSHA256 != whole.ResultSHA256 {
			t.Error("interrupted and continued, the result is another")
		}
		break
	}
	t.Logf("interrupted %d times", interrupted)
	if left, _ := filepath.Glob(strings.TrimSuffix(path, ".onnx") + ".*.*"); len(left) > 0 {
		for _, name := range left {
			if strings.HasSuffix(name, ".checkpoint") || strings.HasSuffix(name, ".done") {
				t.Errorf("left over: %s", name)
			}
		}
	}
}

type forwarded struct{ logits, pooledMap []float32 }

// runOne runs a network on one image.
func runOne(t *testing.T, s *Session, n *model.Network, w model.Weights, image []float32) forwarded {
	t.Helper()
	store := gomodel.NewStore()
	defer store.Finalize()
	if err := n.Declare(store.RootScope(), w); err != nil {
		t.Fatal(err)
	}
	exec, err := gomodel.NewExec(s.Backend, store, func(scope *gomodel.Scope, x *graph.Node) []*graph.Node {
		out := n.Forward(scope, x, false)
		return []*graph.Node{out.Logits, out.FeatureMap}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	shape := n.InputShape()
	results, err := exec.Call(tensors.FromFlatDataAndDimensions(image, append([]int{1}, shape...)...))
	if err != nil {
		t.Fatal(err)
	}
	var out forwarded
	if out.logits, err = tensors.CopyFlatData[float32](results[0]); err != nil {
		t.Fatal(err)
	}
	if out.pooledMap, err = tensors.CopyFlatData[float32](results[1]); err != nil {
		t.Fatal(err)
	}
	return out
}

// A teacher that was exported from a file of weights can be adapted, too.
func TestAdaptPublishedWeights(t *testing.T) {
	w := newWorkplace(t)
	c := model.Config{Classes: 5, Transformer: model.Transformer{Height: 16, Width: 16, Patch: 8, Dim: 128, Depth: 1, Heads: 2}}
	for _, architecture := range []string{"vit", "vit_sam"} {
		c.Windows.Neck = architecture == "vit_sam" // as LVM-Med's file has it
		weights, _, _ := publishedWeights(t, architecture, c, func(name string) string { return name })
		s, _ := w.session(t, SessionOptions{})
		w.teacher = filepath.Join(t.TempDir(), "published.onnx")
		if _, err := s.ExportPublished(PublishedOptions{Weights: weights, Size: 16}, w.teacher); err != nil {
			t.Fatal(err)
		}
		for _, method := range Adaptations() {
			o := w.adaptation(method)
			o.Steps = 2
			if r, err := s.Adapt(t.Context(), o, filepath.Join(t.TempDir(), "adapted.onnx")); err != nil || len(r.Result.Classes) != 3 {
				t.Errorf("%s, %s: %v", architecture, method, err)
			}
		}
	}
}
