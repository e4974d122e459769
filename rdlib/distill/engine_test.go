package distill

import (
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"rd/rdlib/backend/ortengine"
	"rd/rdlib/backend/ortlib"
)

// engine is a backend with the data type and the tolerance it is tested in.
type engine struct {
	name      string
	backend   compute.Backend
	dtype     dtypes.DType
	tolerance float64 // of the difference, relative to the larger of 1 and the tensor's largest magnitude
}

// engines are the backends every loss is tested on; ONNX Runtime is left out where its library is not found.
func engines(t *testing.T) []engine {
	t.Helper()
	all := []engine{exact(t)}
	if _, err := ortlib.Find(); err != nil {
		t.Logf("not tested on ONNX Runtime: %v", err)
		return append(all, engine{"go float32", goBackend(t), dtypes.Float32, 1e-4})
	}
	b, err := ortengine.New(ortengine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	return append(all, engine{"onnx float32", b, dtypes.Float32, 1e-4})
}

func exact(t *testing.T) engine { return engine{"go float64", goBackend(t), dtypes.Float64, 1e-6} }

func goBackend(t *testing.T) compute.Backend {
	t.Helper()
	b, err := gobackend.New("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	return b
}

// run builds a graph of named inputs and returns its named outputs. An input named labels is int32.
func (e engine) run(t *testing.T, inputs map[string]array, build func(in map[string]*Node) map[string]*Node) map[string]array {
	t.Helper()
	names := slices.Sorted(maps.Keys(inputs))
	args := make([]any, len(names))
	for i, name := range names {
		args[i] = e.tensor(name, inputs[name])
	}
	var outputNames []string
	exec, err := NewExec(e.backend, func(nodes []*Node) []*Node {
		in := map[string]*Node{}
		for i, name := range names {
			in[name] = nodes[i]
		}
		out := build(in)
		outputNames = slices.Sorted(maps.Keys(out))
		results := make([]*Node, len(out))
		for i, name := range outputNames {
			results[i] = out[name]
		}
		return results
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	results, err := exec.Call(args...)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]array{}
	for i, name := range outputNames {
		got[name] = floats(t, results[i])
	}
	return got
}

func (e engine) tensor(name string, a array) *tensors.Tensor {
	switch {
	case name == "labels":
		return tensors.FromFlatDataAndDimensions(convert[int32](a.Data), a.Shape...)
	case e.dtype == dtypes.Float32:
		return tensors.FromFlatDataAndDimensions(convert[float32](a.Data), a.Shape...)
	}
	return tensors.FromFlatDataAndDimensions(slices.Clone(a.Data), a.Shape...)
}

func convert[T int32 | float32](data []float64) []T {
	out := make([]T, len(data))
	for i, v := range data {
		out[i] = T(v)
	}
	return out
}

func floats(t *testing.T, tensor *tensors.Tensor) array {
	t.Helper()
	a := array{Shape: slices.Clone(tensor.Shape().Dimensions)}
	if tensor.DType() == dtypes.Float64 {
		data, err := tensors.CopyFlatData[float64](tensor)
		if err != nil {
			t.Fatal(err)
		}
		a.Data = data
		return a
	}
	data, err := tensors.CopyFlatData[float32](tensor)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range data {
		a.Data = append(a.Data, float64(v))
	}
	return a
}

// near fails the test when got[name] is not want within the engine's tolerance.
func (e engine) near(t *testing.T, got map[string]array, name string, want array) {
	t.Helper()
	g, ok := got[name]
	if !ok {
		t.Errorf("%s was not computed", name)
		return
	}
	if !slices.Equal(g.Shape, want.Shape) {
		t.Errorf("%s has shape %v, want %v", name, g.Shape, want.Shape)
		return
	}
	largest, worst := 1.0, 0.0
	for i, w := range want.Data {
		largest = max(largest, math.Abs(w))
		worst = max(worst, math.Abs(g.Data[i]-w)) // max of a NaN is NaN
	}
	if !(worst <= e.tolerance*largest) {
		t.Errorf("%s differs by %g, more than %g × %g", name, worst, e.tolerance, largest)
	}
}

func scalar(v float64) array { return array{Shape: []int{}, Data: []float64{v}} }

// withGradients adds to outputs the gradient of loss in each named input, under the name "d " + input.
func withGradients(outputs map[string]*Node, loss *Node, in map[string]*Node, names ...string) map[string]*Node {
	nodes := make([]*Node, len(names))
	for i, name := range names {
		nodes[i] = in[name]
	}
	for i, gradient := range Gradient(loss, nodes...) {
		outputs["d "+names[i]] = gradient
	}
	return outputs
}
