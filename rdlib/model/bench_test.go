package model

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"rd/rdlib/backend/ortengine"
	"rd/rdlib/golden"
	"rd/rdlib/nn"
)

// BenchmarkStep times a training step, AdamW's update included, of teachers on 64 images of 64×64 pixels.
func BenchmarkStep(b *testing.B) {
	size := Transformer{Height: 64, Patch: 8, Depth: 6}
	for _, c := range []struct {
		name, architecture string
		config             Config
	}{
		{"vit", "vit", Config{Width: 0.25, Transformer: size}},
		{"densenet121", "densenet121", Config{}},
		{"densenet121_half", "densenet121", Config{Width: 0.5}},
		{"densenet121_small", "densenet121", Config{Width: 0.5, Blocks: []int{2, 4, 6, 4}}},
		{"clip_resnet50_small", "clip_resnet50", Config{Width: 0.25, Blocks: []int{1, 1, 1, 1}, Transformer: size}},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkStep(b, c.architecture, c.config) })
	}
}

func benchmarkStep(b *testing.B, architecture string, c Config) {
	const batch, classes = 64, 4
	c.Classes = classes
	backend, err := ortengine.New(ortengine.Options{})
	if err != nil {
		b.Skip(err)
	}
	defer backend.Finalize()
	net, err := New(architecture, c)
	if err != nil {
		b.Fatal(err)
	}
	store := gomodel.NewStore()
	parameters, root := net.Parameters(), store.RootScope()
	if err := net.Declare(root, net.Init(1)); err != nil {
		b.Fatal(err)
	}
	for _, p := range parameters {
		for _, moment := range []string{"m:", "v:"} {
			if err := (Parameter{Name: moment + p.Name}).declare(root, golden.Array{Shape: p.Shape, Data: make([]float64, elements(p.Shape))}.Tensor(b, dtypes.Float32)); err != nil {
				b.Fatal(err)
			}
		}
	}
	labels := make([]int32, batch)
	for i := range labels {
		labels[i] = int32(i % classes)
	}
	step, err := gomodel.NewExec(backend, store, func(scope *gomodel.Scope, x *graph.Node) *graph.Node {
		g := x.Graph()
		loss := meanCrossEntropy(net.Forward(scope, x, true).Logits, labels)
		var vars [3][]*gomodel.Variable
		var nodes [3][]*graph.Node
		for _, p := range parameters {
			for i, prefix := range []string{"", "m:", "v:"} {
				v := variable(scope, prefix+p.Name)
				vars[i], nodes[i] = append(vars[i], v), append(nodes[i], v.NodeValue(g))
			}
		}
		one := graph.Scalar(g, x.DType(), 1.0)
		w, m, v := nn.AdamWUpdate(nodes[0], graph.Gradient(loss, nodes[0]...), nodes[1], nodes[2], graph.MulScalar(one, 1e-4), one,
			nn.AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.05})
		for i, updated := range [][]*graph.Node{w, m, v} {
			for j, n := range updated {
				vars[i][j].SetNodeValue(n)
			}
		}
		return loss
	})
	if err != nil {
		b.Fatal(err)
	}
	defer step.Finalize()
	shape := []int{batch, 3, 64, 64}
	images := golden.Array{Shape: shape, Data: noise(1, shape...)}.Tensor(b, dtypes.Float32)
	run := func() {
		if _, err := step.Call(images); err != nil {
			b.Fatal(err)
		}
	}
	run() // compiles
	for b.Loop() {
		run()
	}
	cost, err := net.Cost(3, 64, 64)
	if err != nil {
		b.Fatal(err)
	}
	// Twice as many operations as multiply-accumulates, and two products backward for each forward.
	b.ReportMetric(6e-9*float64(cost.MACs*batch)*float64(b.N)/b.Elapsed().Seconds(), "GFLOP/s")
}
