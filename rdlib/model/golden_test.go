package model

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"rd/rdlib/backend/ortlib"
)

// pendingArchitectures are described by golden files, but not built yet. The first three are names that stand in the
// files, the others beginnings of file names.
var pendingArchitectures = []string{"densenet121", "resnet50", "lvm_med_vit_b", "clip_resnet", "vit_"}

func pending(t *testing.T, name string) {
	for _, p := range pendingArchitectures {
		if strings.HasPrefix(name, p) || name == "arch_"+p {
			t.Skipf("architecture %s is not built yet", name)
		}
	}
}

// goldenFiles returns the vector files of RD_GOLDEN_DIR (relative to the project's root) when set, else of testdata.
func goldenFiles(t *testing.T, globs ...string) []string {
	t.Helper()
	dir, given := os.LookupEnv("RD_GOLDEN_DIR")
	if !given || dir == "" {
		dir = "testdata"
	} else if !filepath.IsAbs(dir) {
		root, err := ortlib.ProjectRoot()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(root, dir)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, g := range globs {
		matches, err := filepath.Glob(filepath.Join(dir, g))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, matches...)
	}
	if len(files) == 0 {
		t.Skipf("no golden files %v in %s", globs, dir)
	}
	return files
}

func baseName(path string) string { return strings.TrimSuffix(filepath.Base(path), ".json") }

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

type array struct {
	Shape []int     `json:"shape"`
	Data  []float64 `json:"data"`
}

type stageVector struct {
	Shape          []int `json:"shape"`
	Mean, Std, Max float64
	First8, Last4  []float64
}

type architectureVector struct {
	Method, About string
	Hyper         struct {
		Classes    int     `json:"num_classes"`
		EvalShape  []int   `json:"eval_shape"`
		TrainShape []int   `json:"train_shape"`
		Freq       float64 `json:"x_freq"`
		Phase      float64 `json:"x_phase"`
		Classifier string  `json:"classifier_module"`
		Gain       float64 `json:"weight_gain_k"`
	} `json:"hyper"`
	Outputs struct {
		Logits      array   `json:"logits"`
		Pooled      array   `json:"pooled"`
		TrainLogits array   `json:"train_logits"`
		TrainLoss   float64 `json:"train_loss"`
	} `json:"outputs"`
	Stages  map[string]stageVector
	Grads   map[string]struct{ L2, First float64 } `json:"train_grads"`
	Running map[string]struct {
		Mean []float64 `json:"running_mean8"`
		Var  []float64 `json:"running_var8"`
	} `json:"running_after_train"`
	Counts struct {
		Total      int64 `json:"total"`
		Classifier int64 `json:"classifier"`
		Rest       int64 `json:"without_classifier"`
		Buffers    int64 `json:"buffers_without_num_batches_tracked"`
		Total1000  int64 `json:"total_1000_classes"`
	} `json:"counts"`
}

// fill returns a tensor's values by the formula that stands in the golden files.
func fill(name string, shape []int, gain float64) []float64 {
	h := fnv.New32a()
	h.Write([]byte(name))
	offset := float64(h.Sum32() % 1000)
	scale, shift, absolute := 1.0, 0.0, false
	switch {
	case len(shape) > 1:
		scale = math.Sqrt(gain / float64(elements(shape[1:])))
	case strings.HasSuffix(name, ".running_mean"):
		scale = 0.05
	case strings.HasSuffix(name, ".running_var"):
		scale, shift, absolute = 0.3, 1, true
	case strings.HasSuffix(name, ".weight"):
		scale, shift = 0.1, 1
	default:
		scale = 0.1
	}
	values := make([]float64, elements(shape))
	for i := range values {
		u := math.Sin(0.37*float64(i) + offset + float64((i*i)%997))
		if absolute {
			u = math.Abs(u)
		}
		values[i] = shift + scale*u
	}
	return values
}

func waveImage(shape []int, freq, phase float64) []float64 {
	x := make([]float64, elements(shape))
	for i := range x {
		x[i] = math.Sin(freq*float64(i) + phase)
	}
	return x
}

// tensorOf makes a GoMLX tensor of the given data type.
func tensorOf(dtype dtypes.DType, values []float64, shape ...int) *tensors.Tensor {
	if dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(values, shape...)
	}
	single := make([]float32, len(values))
	for i, v := range values {
		single[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(single, shape...)
}

func float64s(t *testing.T, x *tensors.Tensor) []float64 {
	t.Helper()
	if x.DType() == dtypes.Float64 {
		return tensors.MustCopyFlatData[float64](x)
	}
	single := tensors.MustCopyFlatData[float32](x)
	values := make([]float64, len(single))
	for i, v := range single {
		values[i] = float64(v)
	}
	return values
}

// compare checks got against want; largest is the largest absolute value of the whole tensor they are taken from.
func compare(t *testing.T, what string, got, want []float64, largest, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d values, want %d", what, len(got), len(want))
		return
	}
	for i := range want {
		if d := math.Abs(got[i] - want[i]); !(d <= tolerance*max(1, largest)) {
			t.Errorf("%s[%d] = %.9g, want %.9g (difference %.2g, allowed %.2g)", what, i, got[i], want[i], d, tolerance*max(1, largest))
			return
		}
	}
}

func largestOf(values []float64) float64 {
	largest := 0.0
	for _, v := range values {
		largest = max(largest, math.Abs(v))
	}
	return largest
}

var labelRule = regexp.MustCompile(`label b mod (\d+)`)

func TestGoldenArchitectures(t *testing.T) {
	for _, file := range goldenFiles(t, "arch_*.json", "clip_*.json", "vit_*.json") {
		name := baseName(file)
		if name == "arch_params" {
			continue // TestGoldenParameters
		}
		t.Run(name, func(t *testing.T) {
			pending(t, name)
			var v architectureVector
			readJSON(t, file, &v)
			pending(t, v.Method)
			net, err := New(v.Method, Config{Classes: v.Hyper.Classes, InChannels: v.Hyper.EvalShape[1]})
			if err != nil {
				t.Fatal(err)
			}
			checkCounts(t, net, v)
			for _, engine := range engines(t) {
				t.Run(engine.name, func(t *testing.T) {
					checkEvaluation(t, engine, net, v)
					if engine.dtype == dtypes.Float64 {
						checkTraining(t, engine, net, v)
					}
				})
			}
		})
	}
}

func checkCounts(t *testing.T, net *Network, v architectureVector) {
	var total, classifier, buffers int64
	for _, p := range net.Parameters() {
		switch size := int64(elements(p.Shape)); {
		case !p.Trainable:
			buffers += size
		case strings.HasPrefix(p.Name, v.Hyper.Classifier+"."):
			classifier += size
			total += size
		default:
			total += size
		}
	}
	if total != v.Counts.Total || classifier != v.Counts.Classifier || total-classifier != v.Counts.Rest || buffers != v.Counts.Buffers {
		t.Errorf("%d parameters, %d of them in the classifier, %d buffers; want %+v", total, classifier, buffers, v.Counts)
	}
	large, err := New(v.Method, Config{Classes: 1000, InChannels: v.Hyper.EvalShape[1]})
	if err != nil {
		t.Fatal(err)
	}
	cost, err := large.Cost(v.Hyper.EvalShape[1:]...)
	if err != nil || cost.Parameters != v.Counts.Total1000 {
		t.Errorf("with 1000 classes %d parameters (%v), want %d", cost.Parameters, err, v.Counts.Total1000)
	}
}

// declareFilled puts the network's variables under the store's root, filled by the golden files' formula.
func declareFilled(t *testing.T, net *Network, dtype dtypes.DType, gain float64) *gomodel.Store {
	t.Helper()
	store := gomodel.NewStore()
	for _, p := range net.Parameters() {
		if err := p.declare(store.RootScope(), tensorOf(dtype, fill(p.Name, p.Shape, gain), p.Shape...)); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

func checkEvaluation(t *testing.T, engine engine, net *Network, v architectureVector) {
	store := declareFilled(t, net, engine.dtype, v.Hyper.Gain)
	exec, err := gomodel.NewExec(engine.backend, store, func(scope *gomodel.Scope, x *graph.Node) []*graph.Node {
		out := net.Forward(scope, x, false)
		nodes := []*graph.Node{out.Logits, out.Pooled}
		for _, name := range net.TapNames() {
			nodes = append(nodes, out.Taps[name])
		}
		return nodes
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	shape := v.Hyper.EvalShape
	outputs, err := exec.Call(tensorOf(engine.dtype, waveImage(shape, v.Hyper.Freq, v.Hyper.Phase), shape...))
	if err != nil {
		t.Fatal(err)
	}
	tol := engine.tolerance
	logits, pooled := float64s(t, outputs[0]), float64s(t, outputs[1])
	compare(t, "logits", logits, v.Outputs.Logits.Data, largestOf(v.Outputs.Logits.Data), tol)
	compare(t, "pooled", pooled, v.Outputs.Pooled.Data, largestOf(v.Outputs.Pooled.Data), tol)
	taps := map[string]*tensors.Tensor{}
	for i, name := range net.TapNames() {
		taps[name] = outputs[2+i]
	}
	for name, want := range v.Stages {
		got, ok := taps[name]
		if !ok {
			t.Errorf("module %s is not handed out; handed out are %v", name, net.TapNames())
			continue
		}
		if fmt.Sprint(got.Shape().Dimensions) != fmt.Sprint(want.Shape) {
			t.Errorf("module %s has shape %v, want %v", name, got.Shape().Dimensions, want.Shape)
			continue
		}
		values := float64s(t, got)
		mean, std, highest := moments(values)
		summary := []float64{mean, std, highest}
		summary = append(append(summary, values[:len(want.First8)]...), values[len(values)-len(want.Last4):]...)
		wanted := append(append([]float64{want.Mean, want.Std, want.Max}, want.First8...), want.Last4...)
		compare(t, name+" (mean, std, max, first, last)", summary, wanted, largestOf(values), tol)
	}
}

func moments(values []float64) (mean, std, highest float64) {
	highest = math.Inf(-1)
	for _, v := range values {
		mean += v / float64(len(values))
		highest = max(highest, v)
	}
	for _, v := range values {
		std += (v - mean) * (v - mean) / float64(len(values))
	}
	return mean, math.Sqrt(std), highest
}

// checkTraining compares one training pass and its gradients. With the files' weights and batches of four these are so
// sensitive to rounding that float32 cannot show much: PyTorch 1.13 in float32 misses them by up to 0.02 of the largest
// value. So they are compared in float64, and float32 is tested by TestTrainingPassInFloat32.
func checkTraining(t *testing.T, engine engine, net *Network, v architectureVector) {
	store := declareFilled(t, net, engine.dtype, v.Hyper.Gain)
	classes := v.Hyper.Classes
	if m := labelRule.FindStringSubmatch(v.About); m != nil {
		classes, _ = strconv.Atoi(m[1])
	}
	labels := make([]int32, v.Hyper.TrainShape[0])
	for b := range labels {
		labels[b] = int32(b % classes)
	}
	exec, trained := trainingPass(t, engine, store, net, labels)
	defer exec.Finalize()
	shape := v.Hyper.TrainShape
	outputs, err := exec.Call(tensorOf(engine.dtype, waveImage(shape, v.Hyper.Freq, v.Hyper.Phase), shape...))
	if err != nil {
		t.Fatal(err)
	}
	tol := engine.tolerance
	compare(t, "training logits", float64s(t, outputs[0]), v.Outputs.TrainLogits.Data, largestOf(v.Outputs.TrainLogits.Data), tol)
	compare(t, "training loss", float64s(t, outputs[1]), []float64{v.Outputs.TrainLoss}, v.Outputs.TrainLoss, tol)
	if len(v.Grads) != len(trained) {
		t.Errorf("%d parameters train, the file has %d gradients", len(trained), len(v.Grads))
	}
	for i, p := range trained {
		want, ok := v.Grads[p.Name]
		if !ok {
			t.Errorf("the file has no gradient of %s", p.Name)
			continue
		}
		gradient := float64s(t, outputs[2+i])
		var squares float64
		for _, g := range gradient {
			squares += g * g
		}
		compare(t, "|d loss/d "+p.Name+"|", []float64{math.Sqrt(squares)}, []float64{want.L2}, want.L2, tol)
		compare(t, "d loss/d "+p.Name, gradient[:1], []float64{want.First}, largestOf(gradient), tol)
	}
	for module, want := range v.Running {
		mean := variableValues(t, store, module+".running_mean")
		variance := variableValues(t, store, module+".running_var")
		compare(t, module+".running_mean", mean[:len(want.Mean)], want.Mean, largestOf(mean), tol)
		compare(t, module+".running_var", variance[:len(want.Var)], want.Var, largestOf(variance), tol)
	}
}

// trainingPass compiles a training pass on the variables under the store's root. Its outputs are the logits, the mean
// cross-entropy and the gradients of the returned parameters.
func trainingPass(t *testing.T, engine engine, store *gomodel.Store, net *Network, labels []int32) (*gomodel.Exec, []Parameter) {
	t.Helper()
	var trained []Parameter
	for _, p := range net.Parameters() {
		if p.Trainable {
			trained = append(trained, p)
		}
	}
	exec, err := gomodel.NewExec(engine.backend, store, func(scope *gomodel.Scope, x *graph.Node) []*graph.Node {
		g := x.Graph()
		logits := net.Forward(scope, x, true).Logits
		target := graph.OneHot(graph.Const(g, labels), net.Classes(), x.DType())
		loss := graph.Neg(graph.ReduceAllMean(graph.ReduceSum(graph.Mul(target, graph.LogSoftmax(logits, -1)), -1)))
		variables := make([]*graph.Node, len(trained))
		for i, p := range trained {
			variables[i] = scope.GetVariable(p.Name).NodeValue(g)
		}
		return append([]*graph.Node{logits, loss}, graph.Gradient(loss, variables...)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	return exec, trained
}

func variableValues(t *testing.T, store *gomodel.Store, name string) []float64 {
	t.Helper()
	v := store.RootScope().GetVariable(name)
	if v == nil {
		t.Fatalf("no variable %s", name)
	}
	value, err := v.Value()
	if err != nil {
		t.Fatal(err)
	}
	return float64s(t, value)
}

// TestGoldenParameters checks names, shapes and order of every parameter and buffer, and that fill is the files' formula.
func TestGoldenParameters(t *testing.T) {
	for _, file := range goldenFiles(t, "arch_params.json") {
		t.Run(baseName(file), func(t *testing.T) {
			type entry struct {
				Name  string
				Shape []int
			}
			var v struct {
				Hyper struct {
					Classes int `json:"num_classes"`
				}
				Architectures map[string]struct {
					Parameters, Buffers []entry
					Fill                map[string]struct {
						Hash   uint32    `json:"fnv1a32"`
						First4 []float64 `json:"first4"`
						Last   float64   `json:"last"`
					} `json:"sample_fill"`
				}
			}
			readJSON(t, file, &v)
			for name, want := range v.Architectures {
				t.Run(name, func(t *testing.T) {
					pending(t, name)
					last := want.Parameters[len(want.Parameters)-1] // the classifier's bias
					net, err := New(name, Config{Classes: last.Shape[0], InChannels: want.Parameters[0].Shape[1]})
					if err != nil {
						t.Fatal(err)
					}
					var parameters, buffers []entry
					for _, p := range net.Parameters() {
						if p.Trainable {
							parameters = append(parameters, entry{p.Name, p.Shape})
							continue
						}
						buffers = append(buffers, entry{p.Name, p.Shape})
						if module, ok := strings.CutSuffix(p.Name, ".running_var"); ok {
							buffers = append(buffers, entry{module + "." + batchCount, []int{}})
						}
					}
					if got, want := fmt.Sprint(parameters), fmt.Sprint(want.Parameters); got != want {
						t.Errorf("parameters\n%s\nwant\n%s", got, want)
					}
					if got, want := fmt.Sprint(buffers), fmt.Sprint(want.Buffers); got != want {
						t.Errorf("buffers\n%s\nwant\n%s", got, want)
					}
					for _, p := range net.Parameters() {
						sample, ok := want.Fill[p.Name]
						if !ok {
							continue
						}
						gain := 4.0
						values := fill(p.Name, p.Shape, gain)
						compare(t, p.Name, append(values[:4:4], values[len(values)-1]), append(sample.First4, sample.Last), 1, 1e-9)
					}
				})
			}
		})
	}
}
