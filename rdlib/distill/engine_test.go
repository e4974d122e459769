package distill

import (
	"maps"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/golden"
)

// run builds a graph of named inputs on the engine and returns its named outputs. An input named labels is int32.
func run(t *testing.T, e golden.Engine, inputs golden.Arrays, build func(in map[string]*Node) map[string]*Node) golden.Arrays {
	t.Helper()
	names := slices.Sorted(maps.Keys(inputs))
	args := make([]any, len(names))
	for i, name := range names {
		dtype := e.DType
		if name == "labels" {
			dtype = dtypes.Int32
		}
		args[i] = inputs[name].Tensor(t, dtype)
	}
	var outputNames []string
	exec, err := NewExec(e.Backend, func(nodes []*Node) []*Node {
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
	got := golden.Arrays{}
	for i, name := range outputNames {
		got[name] = golden.ArrayOf(t, results[i])
	}
	return got
}

// near fails the test when got[name] is not want within the engine's tolerance.
func near(t *testing.T, e golden.Engine, got golden.Arrays, name string, want golden.Array) {
	t.Helper()
	g, ok := got[name]
	if !ok {
		t.Errorf("%s was not computed", name)
		return
	}
	golden.Near(t, name, g, want, e.Tolerance)
}

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
