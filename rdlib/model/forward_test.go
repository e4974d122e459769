package model

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"rd/rdlib/backend/ortlib"
	"rd/rdlib/golden"
)

// settled returns weights such as training leaves behind: no running statistic and no shift at its start.
func settled(net *Network, seed uint64) Weights {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := net.Init(seed)
	for _, layer := range net.Layers() {
		if _, ok := layer.Op.(BatchNorm); !ok {
			continue
		}
		for i, p := range layer.Parameters {
			for j := range w[p.Name].Data {
				u := rng.Float32()
				w[p.Name].Data[j] = []float32{0.7 + 0.6*u, u - 0.5, u - 0.5, 0.5 + u}[i]
			}
		}
	}
	return w
}

func noise(seed uint64, shape ...int) []float64 {
	rng := rand.New(rand.NewPCG(seed, 2))
	values := make([]float64, elements(shape))
	for i := range values {
		values[i] = rng.NormFloat64()
	}
	return values
}

// forward runs a network with the given weights on one batch; pick chooses what of the outputs to return.
func forward(t *testing.T, backend compute.Backend, net *Network, w Weights, training bool, x []float64, shape []int, pick func(Outputs) []*graph.Node) ([][]float64, *gomodel.Store, error) {
	t.Helper()
	store := gomodel.NewStore()
	if err := store.SetRNGStateFromSeed(11); err != nil {
		t.Fatal(err)
	}
	if err := net.Declare(store.RootScope().At("student"), w); err != nil {
		t.Fatal(err)
	}
	exec, err := gomodel.NewExec(backend, store, func(scope *gomodel.Scope, x *graph.Node) []*graph.Node {
		return pick(net.Forward(scope.At("student"), x, training))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	outputs, err := exec.Call(golden.Array{Shape: shape, Data: x}.Tensor(t, dtypes.Float32))
	if err != nil {
		return nil, store, err
	}
	var values [][]float64
	for _, o := range outputs {
		values = append(values, golden.ArrayOf(t, o).Data)
	}
	return values, store, nil
}

func logitsOf(o Outputs) []*graph.Node { return []*graph.Node{o.Logits} }

func TestDeclareAndReadWeights(t *testing.T) {
	net := build(t, "shufflenet", Config{Classes: 2, Width: 0.25})
	w := settled(net, 3)
	store := gomodel.NewStore()
	scope := store.RootScope().At("student")
	if _, err := net.ReadWeights(scope); err == nil {
		t.Error("weights were read from an empty scope")
	}
	for range 2 { // the second time overwrites
		if err := net.Declare(scope, w); err != nil {
			t.Fatal(err)
		}
	}
	got, err := net.ReadWeights(scope)
	if err != nil || !reflect.DeepEqual(got, w) {
		t.Errorf("read weights differ from the declared ones: %v", err)
	}
	for _, p := range net.Parameters() {
		v := store.GetVariable("/student/" + p.Name)
		if v == nil || v.Trainable != p.Trainable || p.Trainable == strings.Contains(p.Name, "running_") {
			t.Fatalf("variable of %s: %v", p.Name, v)
		}
	}
	delete(w, "fc.bias")
	if err := net.Declare(scope, w); err == nil || !strings.Contains(err.Error(), "missing: fc.bias") {
		t.Errorf("error %v, want one about fc.bias", err)
	}
}

// TestEvaluationChangesNothing: without training the running statistics stay, and each image is judged by itself.
func TestEvaluationChangesNothing(t *testing.T) {
	backend := golden.GoBackend(t)
	for _, student := range Students() {
		net := build(t, student, Config{Classes: 3, Width: 0.25, InChannels: 1})
		w := settled(net, 4)
		x := noise(1, 3, 1, 32, 40)
		all, store, err := forward(t, backend, net, w, false, x, []int{3, 1, 32, 40}, logitsOf)
		if err != nil {
			t.Fatal(err)
		}
		got, err := net.ReadWeights(store.RootScope().At("student"))
		if err != nil || !reflect.DeepEqual(got, w) {
			t.Errorf("%s: evaluation changed the weights (%v)", student, err)
		}
		one, _, err := forward(t, backend, net, w, false, x[:1280], []int{1, 1, 32, 40}, logitsOf)
		if err != nil {
			t.Fatal(err)
		}
		golden.NearPart(t, student+" on one image", one[0], all[0][:3], golden.Largest(all[0]), 1e-5)
		_, store, err = forward(t, backend, net, w, true, x, []int{3, 1, 32, 40}, logitsOf)
		if err != nil {
			t.Fatal(err)
		}
		trained, err := net.ReadWeights(store.RootScope().At("student"))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range net.Parameters() {
			if reflect.DeepEqual(trained[p.Name], w[p.Name]) != p.Trainable {
				t.Errorf("%s: a training pass moves running statistics and nothing else, but %s", student, p.Name)
			}
		}
	}
}

func TestClassifyIsTheLastLayer(t *testing.T) {
	net := build(t, "mobilenet", Config{Classes: 3, Width: 0.25})
	store := gomodel.NewStore()
	if err := net.Declare(store.RootScope(), settled(net, 4)); err != nil {
		t.Fatal(err)
	}
	exec := gomodel.MustNewExec(golden.GoBackend(t), store, func(scope *gomodel.Scope, x *graph.Node) []*graph.Node {
		out := net.Forward(scope, x, false)
		return []*graph.Node{out.Logits, net.Classify(scope, out.Pooled)}
	})
	defer exec.Finalize()
	out := exec.MustCall(golden.Array{Shape: []int{2, 3, 32, 32}, Data: noise(1, 2, 3, 32, 32)}.Tensor(t, dtypes.Float32))
	if !slices.Equal(golden.ArrayOf(t, out[0]).Data, golden.ArrayOf(t, out[1]).Data) {
		t.Error("the classifier applied to the pooled feature does not give the logits")
	}
}

// TestDropout: off by default, seeded when on, and never on outside training.
func TestDropout(t *testing.T) {
	backend := golden.GoBackend(t)
	run := func(rate float64, training bool) []float64 {
		net := build(t, "mobilenet", Config{Classes: 3, Width: 0.25, Dropout: rate})
		out, _, err := forward(t, backend, net, settled(net, 4), training, noise(1, 2, 3, 32, 32), []int{2, 3, 32, 32}, logitsOf)
		if err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	if !slices.Equal(run(0, false), run(0.5, false)) {
		t.Error("dropout acts in evaluation")
	}
	if !slices.Equal(run(0.5, true), run(0.5, true)) {
		t.Error("one random state gave two dropouts")
	}
	if slices.Equal(run(0, true), run(0.5, true)) {
		t.Error("dropout does nothing in training")
	}
	if !slices.Equal(run(0, true), run(0, true)) {
		t.Error("a training pass without dropout is not repeatable")
	}
}

// TestDropoutKeepsTheMean: kept elements are scaled so that the expectation stays.
func TestDropoutKeepsTheMean(t *testing.T) {
	b := NewBuilder("dropout", 4096)
	b.Pooled(b.Dropout("drop", b.Input(), 0.25))
	net, err := b.Network()
	if err != nil {
		t.Fatal(err)
	}
	ones := make([]float64, 4096)
	for i := range ones {
		ones[i] = 1
	}
	out, _, err := forward(t, golden.GoBackend(t), net, Weights{}, true, ones, []int{1, 4096}, func(o Outputs) []*graph.Node { return []*graph.Node{o.Pooled} })
	if err != nil {
		t.Fatal(err)
	}
	mean, _, highest := moments(out[0])
	if math.Abs(mean-1) > 0.05 || math.Abs(highest-4.0/3) > 1e-6 {
		t.Errorf("mean %g, largest %g; want 1 and 4/3", mean, highest)
	}
}

// TestChainOnFeatures builds a small module of residual blocks on a teacher's map, and one on its pooled feature.
func TestChainOnFeatures(t *testing.T) {
	onMap := NewBuilder("phi", 6, 4, 3)
	x := onMap.Scope("0").BasicBlock(onMap.Input(), 8, 2)
	x = onMap.Scope("1").BasicBlock(x, 8, 1)
	onMap.FeatureMap(x)
	onMap.Pooled(onMap.GlobalAvgPool("pool", x))

	onVector := NewBuilder("phi", 10)
	y := onVector.Linear("in", onVector.Input(), 8)
	y = onVector.ReLU("relu", onVector.BatchNorm("bn", y))
	onVector.Pooled(onVector.Add("add", y, onVector.Linear("out", y, 8)))

	for _, b := range []*Builder{onMap, onVector} {
		net, err := b.Network()
		if err != nil {
			t.Fatal(err)
		}
		shape := append([]int{4}, net.InputShape()...)
		for _, training := range []bool{false, true} {
			out, _, err := forward(t, golden.GoBackend(t), net, settled(net, 1), training, noise(3, shape...), shape, func(o Outputs) []*graph.Node { return []*graph.Node{o.Pooled} })
			if err != nil || len(out[0]) != 4*8 || net.FeatureDim() != 8 || net.Classes() != 0 {
				t.Errorf("module on %v: %d values of width %d, %v", net.InputShape(), len(out[0]), net.FeatureDim(), err)
			}
		}
		if weight, bias := net.ClassifierParameters(); weight != "" || bias != "" {
			t.Errorf("a module without classifier names one: %q, %q", weight, bias)
		}
	}
}

func TestForwardRefuses(t *testing.T) {
	net := build(t, "resnet18", Config{Classes: 2, Width: 0.1})
	backend := golden.GoBackend(t)
	w := net.Init(1)
	if _, _, err := forward(t, backend, net, w, false, noise(1, 2, 1, 32, 32), []int{2, 1, 32, 32}, logitsOf); err == nil || !strings.Contains(err.Error(), "takes samples of shape") {
		t.Errorf("a grey image gives %v", err)
	}
	if _, _, err := forward(t, backend, net, w, true, noise(1, 1, 3, 32, 32), []int{1, 3, 32, 32}, logitsOf); err == nil || !strings.Contains(err.Error(), "larger batch") {
		t.Errorf("training on a single value a channel gives %v", err)
	}
	exec := gomodel.MustNewExec(backend, gomodel.NewStore(), func(scope *gomodel.Scope, x *graph.Node) *graph.Node {
		return net.Forward(scope, x, false).Logits
	})
	defer exec.Finalize()
	if _, err := exec.Call(golden.Array{Shape: []int{1, 3, 32, 32}, Data: noise(1, 1, 3, 32, 32)}.Tensor(t, dtypes.Float32)); err == nil || !strings.Contains(err.Error(), "declare") {
		t.Errorf("a store without the variables gives %v", err)
	}
}

// everyKind has one layer of each kind, batch normalisations that cannot be folded among them.
func everyKind(t *testing.T) *Network {
	t.Helper()
	b := NewBuilder("every-kind", 6, 9, 7)
	x := b.BatchNorm("first", b.Input())
	x = b.Conv("biased", x, Conv{Out: 8, Kernel: 3, Padding: 1, Groups: 2, Bias: true})
	y := b.BatchNorm("folded", x)
	y = b.ReLU("relu", y)
	shared := b.Conv("shared", y, Conv{Out: 8, Kernel: 1})
	z := b.BatchNorm("kept", shared)
	z = b.Add("add", z, shared)
	left, right := b.Split("split", z, 3)
	z = b.Concat("concat", right, left, b.ReLU6("relu6", left))
	z = b.Concat("again", z, b.Conv("plain", y, Conv{Out: 1, Kernel: 1, Bias: true}))
	z = b.ChannelShuffle("shuffle", z, 3)
	z = b.ConvTranspose("transposed", z, ConvTranspose{Out: 12, Kernel: 4, Stride: 2, Padding: 1, Bias: true})
	z = b.Conv("oblong", z, Conv{Out: 12, Kernel: 3, Width: 2, Stride: 2, Bias: true})
	z = b.AvgPool("avg", z, 3, 2, 1)
	z = b.MaxPool("max", z, 2, 1, 1)
	b.Stage("stage", z)
	b.FeatureMap(z)
	flat := b.Flatten("flat", z)
	pooled := b.Concat("features", b.SpatialMean("mean", z), b.GlobalAvgPool("gap", z), flat)
	pooled = b.Dropout("drop", pooled, 0.1)
	b.Pooled(pooled)
	b.Logits(b.Linear("fc", pooled, 5))
	net, err := b.Network()
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// TestTrainingPassInFloat32 compares a whole training pass, loss, gradients and running statistics, of the engine that trains
// with the exact one.
func TestTrainingPassInFloat32(t *testing.T) {
	if _, err := ortlib.Find(); err != nil {
		t.Skipf("no ONNX Runtime: %v", err)
	}
	const batch, classes = 8, 3
	shape := []int{batch, 3, 48, 32}
	for _, name := range Names() {
		// Few blocks: in a deep network a sum that rounds to the other side of a ReLU moves all gradients before it.
		c := Config{Classes: classes, Width: 0.25, Transformer: Transformer{Height: 48, Width: 32, Depth: 2}}
		if choosesBlocks(name) {
			c.Blocks = []int{1, 2, 1, 1}
		}
		net := build(t, name, c)
		initial := settled(net, 6)
		var exact [][]float64
		for _, engine := range golden.Engines(t) {
			store := gomodel.NewStore()
			for _, p := range net.Parameters() {
				value := golden.Array{Shape: p.Shape, Data: golden.Convert[float64](initial[p.Name].Data)}
				if err := p.declare(store.RootScope(), value.Tensor(t, engine.DType)); err != nil {
					t.Fatal(err)
				}
			}
			labels := []int32{0, 1, 2, 0, 1, 2, 0, 1}
			exec, trained := trainingPass(t, engine, store, net, labels)
			defer exec.Finalize()
			outputs, err := exec.Call(golden.Array{Shape: shape, Data: noise(5, shape...)}.Tensor(t, engine.DType))
			if err != nil {
				t.Fatal(err)
			}
			names := []string{"logits", "loss"}
			for _, p := range trained {
				names = append(names, "d loss/d "+p.Name)
			}
			var got [][]float64
			for _, o := range outputs {
				got = append(got, golden.ArrayOf(t, o).Data)
			}
			for _, p := range net.Parameters() {
				if !p.Trainable {
					names = append(names, p.Name)
					got = append(got, variableValues(t, store, p.Name))
				}
			}
			if exact == nil {
				exact = got
				continue
			}
			for i, name := range names {
				golden.NearPart(t, net.Name()+": "+name, got[i], exact[i], 1, 2e-4*max(1e-2, golden.Largest(exact[i])))
			}
		}
	}
}
