package rdlib

import (
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"
	ort "github.com/yalue/onnxruntime_go"

	"rd/rdlib/backend/ortlib"
	"rd/rdlib/dataset"
	"rd/rdlib/foundation"
	"rd/rdlib/golden"
	"rd/rdlib/model"
)

// publishedWeights writes weights of an architecture under the names of a publication.
func publishedWeights(t *testing.T, architecture string, c model.Config, rename func(string) string) (string, *model.Network, model.Weights) {
	t.Helper()
	network, err := model.New(architecture, c)
	if err != nil {
		t.Fatal(err)
	}
	own := network.Init(4)
	for name, tensor := range own { // tables of positions start at 0
		if strings.Contains(name, "rel_pos") {
			for i := range tensor.Data {
				tensor.Data[i] = float32(i%7) / 7
			}
		}
	}
	if weight, bias := network.ClassifierParameters(); weight != "" { // published without it
		delete(own, weight)
		delete(own, bias)
	}
	named := model.Weights{}
	for name, tensor := range own {
		named[rename(name)] = tensor
	}
	path := filepath.Join(t.TempDir(), "weights.safetensors")
	if err := model.SaveSafetensors(path, named, nil); err != nil {
		t.Fatal(err)
	}
	return path, network, own
}

// samples are small stand-ins for the three foundation models of the paper.
var samples = map[string]struct {
	architecture string
	config       model.Config
	rename       func(string) string
	size         int
	input        dataset.Preprocess
	licence      string
}{
	"lvm_med": {"vit_sam", model.Config{
		Transformer: model.Transformer{Height: 72, Width: 72, Patch: 16, Dim: 12, Depth: 4, Heads: 2}, Windows: model.Windows{Side: 3, Global: []int{1, 3}, Neck: true},
	}, func(n string) string { return n }, 72, dataset.DefaultPreprocess(72, 72), "CC BY-NC-ND 4.0"},
	"radimagenet": {"densenet121", model.Config{Classes: 2, Width: 0.25, Blocks: []int{2, 2}},
		func(n string) string { return strings.Replace(n, "features.", "backbone.0.", 1) }, 64,
		dataset.Preprocess{Height: 64, Width: 64, Resize: dataset.Stretch, Filter: dataset.Bilinear, Channels: dataset.BGR, Scale: 1, Mean: [3]float32{127.5, 127.5, 127.5}, Std: [3]float32{127.5, 127.5, 127.5}}, "not stated"},
	"pmc_clip": {"clip_resnet50", model.Config{Width: 0.25, Blocks: []int{1, 1, 1, 1}, Transformer: model.Transformer{Height: 64, Width: 64}, Attention: model.AttentionPool{Out: 768}},
		func(n string) string { return "module.visual." + n }, 64,
		dataset.Preprocess{Height: 64, Width: 64, Resize: dataset.Stretch, Filter: dataset.Bicubic, Channels: dataset.RGB, Scale: 1.0 / 255,
			Mean: [3]float32{0.48145466, 0.4578275, 0.40821073}, Std: [3]float32{0.26862954, 0.26130258, 0.27577711}}, "not stated"},
}

// TestPublishedWeightsAsWhiteAndBlackBox: the network of the published weights and the file that is exported of them give the
// same features of the same images, and the side-car has the publication's preprocessing.
func TestPublishedWeightsAsWhiteAndBlackBox(t *testing.T) {
	for as, sample := range samples {
		t.Run(as, func(t *testing.T) {
			weights, network, own := publishedWeights(t, sample.architecture, sample.config, sample.rename)
			path := filepath.Join(t.TempDir(), "teacher.onnx")
			s, _ := workplace{cache: t.TempDir()}.session(t, SessionOptions{})
			o := PublishedOptions{Weights: weights, Size: sample.size}
			car, err := s.ExportPublished(o, path)
			if err != nil {
				t.Fatal(err)
			}
			report, err := foundation.Inspect(path)
			if err != nil {
				t.Fatal(err)
			}
			if report.CheckState != "passed" || report.Preprocess != sample.input || report.Licence != sample.licence || report.Architecture != network.Name() {
				t.Errorf("check %s, %+v, licence %q, architecture %q", report.CheckState, report.Preprocess, report.Licence, report.Architecture)
			}
			if seen := car.Pretraining.Seen; slices.Contains(seen, "covid_ct") != (as == "lvm_med") {
				t.Errorf("seen: %v", seen)
			}
			x := make([]float32, 2*3*sample.size*sample.size)
			for i := range x {
				x[i] = float32(math.Sin(0.37 * float64(i)))
			}
			shape := []int{2, 3, sample.size, sample.size}
			want, got := whiteBox(t, network, own, x, shape), blackBox(t, path, x, shape)
			for i, name := range comparedFeatures {
				golden.NearPart(t, name, got[i], want[i], golden.Largest(want[i]), 1e-4)
			}
			// The same again is done already; otherwise it is refused.
			before, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.ExportPublished(o, path); err != nil {
				t.Error(err)
			}
			o.As = "half"
			var usage *UsageError
			if _, err := s.ExportPublished(o, path); !errors.As(err, &usage) {
				t.Errorf("a teacher was replaced: %v", err)
			}
			if after, err := os.Stat(path); err != nil || after.ModTime() != before.ModTime() {
				t.Errorf("the teacher was written again: %v", err)
			}
		})
	}
}

var comparedFeatures = []string{model.ONNXFeatureMap, model.ONNXPooled}

// whiteBox are the features that the network gives, built of its description; a classifier is added to the weights.
func whiteBox(t *testing.T, network *model.Network, weights model.Weights, x []float32, shape []int) [][]float64 {
	t.Helper()
	complete := network.Init(9)
	maps.Copy(complete, weights)
	store := gomodel.NewStore()
	if err := network.Declare(store.RootScope(), complete); err != nil {
		t.Fatal(err)
	}
	exec, err := gomodel.NewExec(golden.GoBackend(t), store, func(scope *gomodel.Scope, x *graph.Node) []*graph.Node {
		out := network.Forward(scope, x, false)
		nodes := []*graph.Node{out.FeatureMap, out.Pooled}
		if out.Logits != nil { // the Go backend needs every parameter in use
			nodes = append(nodes, out.Logits)
		}
		return nodes
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	outputs, err := exec.Call(tensors.FromFlatDataAndDimensions(x, shape...))
	if err != nil {
		t.Fatal(err)
	}
	values := make([][]float64, len(comparedFeatures))
	for i := range values {
		values[i] = golden.ArrayOf(t, outputs[i]).Data
	}
	return values
}

// blackBox are the features that ONNX Runtime computes of an exported file.
func blackBox(t *testing.T, path string, x []float32, shape []int) [][]float64 {
	t.Helper()
	options, err := ortlib.SessionOptions(2)
	if err != nil {
		t.Skipf("no ONNX Runtime: %v", err)
	}
	defer options.Destroy()
	dims := make([]int64, len(shape))
	for i, d := range shape {
		dims[i] = int64(d)
	}
	in, err := ort.NewTensor(ort.NewShape(dims...), x)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Destroy()
	session, err := ort.NewDynamicAdvancedSession(path, []string{model.ONNXInput}, comparedFeatures, options)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Destroy()
	outputs := make([]ort.Value, len(comparedFeatures))
	if err := session.Run([]ort.Value{in}, outputs); err != nil {
		t.Fatal(err)
	}
	values := make([][]float64, len(outputs))
	for i, o := range outputs {
		values[i] = golden.Convert[float64](o.(*ort.Tensor[float32]).GetData())
		o.Destroy()
	}
	return values
}

// TestPublishedWeightsThatDoNotFit: whatever is wrong is bad input, all of it is said, and no teacher is left behind.
func TestPublishedWeightsThatDoNotFit(t *testing.T) {
	sample := samples["radimagenet"]
	weights, _, own := publishedWeights(t, sample.architecture, sample.config, sample.rename)
	broken := filepath.Join(t.TempDir(), "broken.safetensors")
	delete(own, "features.norm5.bias")
	own["features.extra"] = own["features.norm5.weight"]
	if err := model.SaveSafetensors(broken, own, nil); err != nil {
		t.Fatal(err)
	}
	grey, _, _ := publishedWeights(t, "resnet18", model.Config{Classes: 2, InChannels: 1, Width: 0.125}, sample.rename)
	dir := t.TempDir()
	text := filepath.Join(dir, "text.pth")
	if err := os.WriteFile(text, []byte("<html>not found</html>"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, _ := workplace{cache: t.TempDir()}.session(t, SessionOptions{})
	out := filepath.Join(dir, "teacher.onnx")
	for name, c := range map[string]struct {
		options PublishedOptions
		out     string
		code    int
		words   []string
	}{
		"incomplete":      {PublishedOptions{Weights: broken}, out, ExitInput, []string{"broken.safetensors", "2 tensors", "missing: features.norm5.bias", "unexpected: features.extra"}},
		"grey":            {PublishedOptions{Weights: grey}, out, ExitInput, []string{"1 channels"}},
		"no weights":      {PublishedOptions{Weights: text}, out, ExitInput, []string{"text.pth", "neither safetensors"}},
		"nothing there":   {PublishedOptions{Weights: filepath.Join(dir, "none")}, out, ExitInput, []string{"none"}},
		"another":         {PublishedOptions{Weights: weights, Architecture: "vit"}, out, ExitInput, []string{"not those of vit"}},
		"no publication":  {PublishedOptions{Weights: weights, As: "imagnet"}, out, ExitUsage, []string{"imagnet", "imagenet"}},
		"too small":       {PublishedOptions{Weights: weights, Size: 2}, out, ExitInput, []string{"use a larger input"}},
		"negative":        {PublishedOptions{Weights: weights, Size: -2}, out, ExitUsage, []string{"-2"}},
		"no ONNX at all":  {PublishedOptions{Weights: weights}, filepath.Join(dir, "teacher"), ExitUsage, []string{"must end in .onnx"}},
		"another's place": {PublishedOptions{Weights: weights}, weightsAt(t, dir), ExitUsage, []string{"is there already"}},
	} {
		_, err := s.ExportPublished(c.options, c.out)
		if ExitCode(err) != c.code {
			t.Errorf("%s: exit code %d of %v, want %d", name, ExitCode(err), err, c.code)
			continue
		}
		for _, word := range c.words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: the error lacks %q: %v", name, word, err)
			}
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "teacher*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// weightsAt puts a file at the place of a teacher.
func weightsAt(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "other.onnx")
	if err := os.WriteFile(path, []byte("a teacher"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
