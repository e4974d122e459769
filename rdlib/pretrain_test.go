package rdlib

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rd/rdlib/dataset/phantom"
	"rd/rdlib/foundation"
	"rd/rdlib/model"
	"rd/rdlib/record"
)

// tinyPretraining trains a very small vision transformer on shapes for a few steps.
func tinyPretraining(t *testing.T, objective string) PretrainOptions {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shapes")
	if err := phantom.Corpora()[0].Write(dir, phantom.Options{PerClass: 4, Size: 16, Seed: 3}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "captions.csv")); err != nil {
		t.Fatal(err)
	}
	return PretrainOptions{
		Data: []string{dir}, Name: "tiny", Objective: objective, Architecture: "vit",
		Network: model.Config{Transformer: model.Transformer{Patch: 8, Dim: 8, Depth: 1, Heads: 2}},
		Size:    16, Steps: 6, Batch: 8, Seed: 1,
	}
}

// caption writes a caption for each image that may have one.
func caption(t *testing.T, dir string, may func(path string) bool) {
	t.Helper()
	text := "path,caption\n"
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		if err == nil && strings.HasSuffix(path, ".png") && may(rel) {
			text += fmt.Sprintf("%s,\"%s, in ultrasound\"\n", filepath.ToSlash(rel), filepath.Base(filepath.Dir(path)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "captions.csv"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func pretrainIn(t *testing.T, ctx context.Context, o PretrainOptions, path string) (*record.Record, error) {
	t.Helper()
	s, _ := workplace{cache: t.TempDir()}.session(t, SessionOptions{})
	return s.Pretrain(ctx, o, path)
}

func TestPretrainWritesABlackBox(t *testing.T) {
	for _, objective := range Objectives {
		t.Run(objective, func(t *testing.T) {
			o := tinyPretraining(t, objective)
			if objective == Captions {
				caption(t, o.Data[0], func(string) bool { return true })
			}
			path := filepath.Join(t.TempDir(), "teacher.onnx")
			r, err := pretrainIn(t, t.Context(), o, path)
			if err != nil {
				t.Fatal(err)
			}
			teacher, err := foundation.Open(path, foundation.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer teacher.Close()
			info := teacher.Info()
			if len(info.Stages) != 2 || info.Preprocess.Channels != "grey" || info.SideCar.Pretraining.Seen[0] != "shapes" || !info.SideCar.Pretraining.Phantom {
				t.Errorf("stages %v, preprocessing %+v, pre-training %+v", info.Stages, info.Preprocess, info.SideCar.Pretraining)
			}
			set := r.Result.Pretraining.Sets[0]
			if labels := objective == Supervised || objective == Both; (set.TestCorrect != nil) != labels {
				t.Errorf("held-out images are classified: %v", set.TestCorrect != nil)
			}
			if (r.Result.Pretraining.Retrieval != nil) != (objective == Captions) || set.Train+set.Test+set.Duplicates != 14*4 {
				t.Errorf("%+v", r.Result.Pretraining)
			}
			stored, err := record.Read(PretrainRecord(path))
			if err != nil || stored.ResultSHA256 != r.ResultSHA256 {
				t.Errorf("stored record: %v", err)
			}
			network, err := newNetwork(o.Architecture, r.Result.Config.Network.(model.Config), o.Size)
			if err != nil {
				t.Fatal(err)
			}
			weights, meta, err := model.LoadSafetensors(WhiteBox(path))
			if err == nil {
				err = network.CheckWeights(weights)
			}
			if err != nil || meta["architecture"] != network.Name() {
				t.Errorf("weights: %v, %v", err, meta)
			}
			again, err := pretrainIn(t, t.Context(), o, path)
			if err != nil || again.Run.Started != r.Run.Started {
				t.Errorf("a finished run is run again: %v", err)
			}
			o.Steps = 3
			if _, err := pretrainIn(t, t.Context(), o, path); ExitCode(err) != ExitUsage || !strings.Contains(err.Error(), "is there already") {
				t.Errorf("another run takes the model's place: %v", err)
			}
		})
	}
}

// What is exported from weights that were written here enters as they did and says what they have seen.
func TestExportedWeightsKeepTheirOrigin(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "teacher.onnx")
	o := tinyPretraining(t, Supervised)
	if _, err := pretrainIn(t, t.Context(), o, path); err != nil {
		t.Fatal(err)
	}
	heads := o.Network.Transformer.Heads
	s, _ := workplace{cache: t.TempDir()}.session(t, SessionOptions{})
	for _, weights := range []string{WhiteBox(path), filepath.Join(dir, "again.safetensors")} { // the second is what the first export wrote
		out := filepath.Join(dir, "again.onnx")
		if weights != WhiteBox(path) {
			out = filepath.Join(dir, "thrice.onnx")
		}
		car, err := s.ExportPublished(PublishedOptions{Weights: weights, Heads: heads, Size: 32}, out)
		if err != nil {
			t.Fatal(err)
		}
		if p := car.Pretraining; !p.Phantom || p.Kind != Supervised || p.Seen[0] != "shapes" || car.Input.Channels != "grey" || car.Input.Size != (foundation.Size{32, 32}) {
			t.Errorf("%s: %+v, %+v", weights, car.Input, p)
		}
	}
	report, err := InspectWeights(PublishedOptions{Weights: WhiteBox(path), Heads: heads})
	var text strings.Builder
	if err == nil {
		err = report.Write(&text)
	}
	if err != nil || !strings.Contains(text.String(), "trained here, supervised, on shapes (phantom)") || strings.Contains(text.String(), "a guess") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

func TestPretrainResumes(t *testing.T) {
	o := tinyPretraining(t, Both)
	whole, err := pretrainIn(t, t.Context(), o, filepath.Join(t.TempDir(), "teacher.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "teacher.onnx")
	for steps := 1; ; steps++ {
		ctx := &countdown{Context: t.Context(), left: 40 * steps}
		r, err := pretrainIn(t, ctx, o, path)
		if err == nil {
			if steps == 1 || r.ResultSHA256 != whole.ResultSHA256 {
				t.Errorf("after %d interruptions the result is %s, without %s", steps-1, r.ResultSHA256, whole.ResultSHA256)
			}
			return
		}
		if ExitCode(err) != ExitInterrupted {
			t.Fatal(err)
		}
	}
}

// countdown is a context that ends after it was asked a number of times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestPretrainNeverSeesTheTarget(t *testing.T) {
	o := tinyPretraining(t, SelfSupervised)
	o.Target = filepath.Join(t.TempDir(), "target")
	if err := phantom.BreastUltrasound(o.Target, phantom.Options{PerClass: 5, Size: 16, Seed: 9}); err != nil {
		t.Fatal(err)
	}
	// Two of the target's images and one copied twice lie among the images to train on.
	for from, to := range map[string]string{
		filepath.Join(o.Target, "benign", "phantom_0001.png"):     filepath.Join(o.Data[0], "ring", "x.png"),
		filepath.Join(o.Target, "normal", "phantom_0002.png"):     filepath.Join(o.Data[0], "none", "y.png"),
		filepath.Join(o.Data[0], "none", "phantom_0002.png"):      filepath.Join(o.Data[0], "none", "z.png"),
		filepath.Join(o.Data[0], "lobulated", "phantom_0001.png"): filepath.Join(o.Data[0], "none", "w.png"),
	} {
		data, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "teacher.onnx")
	r, err := pretrainIn(t, t.Context(), o, path)
	if err != nil {
		t.Fatal(err)
	}
	if set := r.Result.Pretraining.Sets[0]; set.InTarget != 2 || set.Duplicates != 2 || r.Result.Pretraining.Target != "target" {
		t.Errorf("%+v", r.Result.Pretraining)
	}
}

func TestPretrainRefuses(t *testing.T) {
	good := tinyPretraining(t, Supervised)
	for name, change := range map[string]func(*PretrainOptions){
		"no data":      func(o *PretrainOptions) { o.Data = nil },
		"objective":    func(o *PretrainOptions) { o.Objective = "supervise" },
		"steps":        func(o *PretrainOptions) { o.Epochs = 3 },
		"architecture": func(o *PretrainOptions) { o.Architecture = "vgg" },
		"patch":        func(o *PretrainOptions) { o.Network.Transformer.Patch = 7 },
		"target":       func(o *PretrainOptions) { o.Target = o.Data[0] },
		"colour":       func(o *PretrainOptions) { o.Colour = "blue" },
		"batch":        func(o *PretrainOptions) { o.Batch = 1 },
	} {
		o := good
		change(&o)
		if _, err := pretrainIn(t, t.Context(), o, filepath.Join(t.TempDir(), "x.onnx")); ExitCode(err) != ExitUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := pretrainIn(t, t.Context(), good, filepath.Join(t.TempDir(), "teacher")); ExitCode(err) != ExitUsage {
		t.Errorf("a teacher that is no .onnx: %v", err)
	}
	for name, change := range map[string]func(o *PretrainOptions){
		"no captions": func(o *PretrainOptions) { o.Objective = Captions },
		"missing caption": func(o *PretrainOptions) {
			o.Objective = Captions
			caption(t, o.Data[0], func(path string) bool { return !strings.Contains(path, "ring") })
		},
		"no folder": func(o *PretrainOptions) { o.Data = []string{filepath.Join(o.Data[0], "nowhere")} },
	} {
		o := good
		change(&o)
		var input *InputError
		if _, err := pretrainIn(t, t.Context(), o, filepath.Join(t.TempDir(), "x.onnx")); !errors.As(err, &input) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProbeComparesWithRandomWeights(t *testing.T) {
	o := tinyPretraining(t, SelfSupervised)
	path := filepath.Join(t.TempDir(), "teacher.onnx")
	if _, err := pretrainIn(t, t.Context(), o, path); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "busi")
	if err := phantom.BreastUltrasound(data, phantom.Options{PerClass: 10, Size: 16, Seed: 9}); err != nil {
		t.Fatal(err)
	}
	s, _ := workplace{cache: t.TempDir()}.session(t, SessionOptions{})
	p, err := s.Probe(t.Context(), ProbeOptions{Data: data, Teacher: path, Seeds: 2})
	if err != nil {
		t.Fatal(err)
	}
	if p.Random != "vit" || len(p.Seeds) != 2 || !p.Phantom {
		t.Fatalf("%+v", p)
	}
	for _, seed := range p.Seeds {
		if seed.Random == nil || seed.Total != 3 || seed.Teacher.Correct > seed.Total || seed.Clean != 0 {
			t.Errorf("%+v", seed)
		}
	}
	if p.Seeds[0].Manifest == p.Seeds[1].Manifest {
		t.Error("two seeds have one split")
	}
	again, err := s.Probe(t.Context(), ProbeOptions{Data: data, Teacher: path, Seeds: 2})
	if err != nil || fmt.Sprint(again.Seeds[1].Teacher) != fmt.Sprint(p.Seeds[1].Teacher) || *again.Seeds[1].Random != *p.Seeds[1].Random {
		t.Errorf("the same probe differs: %+v, %v", again, err)
	}
	if _, err := s.Probe(t.Context(), ProbeOptions{Data: data, Teacher: path, Seeds: 1, Architecture: "resnet18"}); ExitCode(err) != ExitUsage {
		t.Errorf("random weights of another network: %v", err)
	}
	if _, err := s.Probe(t.Context(), ProbeOptions{Data: data, Teacher: path}); ExitCode(err) != ExitUsage {
		t.Errorf("no seeds: %v", err)
	}
	if _, err := s.Probe(t.Context(), ProbeOptions{Data: data, Teacher: filepath.Join(data, "nothing.onnx"), Seeds: 1}); ExitCode(err) != ExitInput {
		t.Errorf("no teacher: %v", err)
	}
}
