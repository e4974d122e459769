package model

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// Scale multiplies by a number.
type Scale struct{ By float64 }

// AddQV adds to queries and values: of qkv [tokens, 3·dim], queries, keys and values side by side, q [tokens, dim] and
// v [tokens, dim], it makes qkv + [q, 0, v].
type AddQV struct{}

// TopMask marks the K largest of a vector with 1 and the others with 0. No gradient passes.
type TopMask struct{ K int }

// Mix is the mean of those rows of tokens that a mask [Count] marks: its parameter holds Count groups of the given shape,
// [Count, Layers, Length, Features], its output is [Layers·Length, Features].
type Mix struct {
	Count, Layers, Length, Features int
	K                               int // how many the mask marks
	Init                            Init
}

// Scale appends a multiplication by a number.
func (b *Builder) Scale(name string, x Value, by float64) Value {
	return b.add(name, Scale{by}, 1, x)[0]
}

// AddQV appends an addition to queries and values.
func (b *Builder) AddQV(name string, qkv, q, v Value) Value {
	return b.add(name, AddQV{}, 1, qkv, q, v)[0]
}

// TopMask appends a mask of the k largest.
func (b *Builder) TopMask(name string, x Value, k int) Value { return b.add(name, TopMask{k}, 1, x)[0] }

// Mix appends the mean of the rows that mask marks.
func (b *Builder) Mix(name string, mask Value, m Mix) Value { return b.add(name, m, 1, mask)[0] }

func (Scale) shapes(in [][]int) ([][]int, error) { return in, nil }
func (Scale) parameters([][]int) []Parameter     { return nil }

func (AddQV) shapes(in [][]int) ([][]int, error) {
	qkv, q, v := in[0], in[1], in[2]
	if len(qkv) != 2 || !sameShape(q, v) || len(q) != 2 || !sameShape(qkv, []int{q[0], 3 * q[1]}) {
		return nil, fmt.Errorf("queries %v and values %v cannot be added to %v", q, v, qkv)
	}
	return in[:1], nil
}
func (AddQV) parameters([][]int) []Parameter { return nil }

func (m TopMask) shapes(in [][]int) ([][]int, error) {
	if len(in[0]) != 1 || m.K < 1 || m.K > in[0][0] {
		return nil, fmt.Errorf("no %d largest of a value of shape %v", m.K, in[0])
	}
	return in, nil
}
func (TopMask) parameters([][]int) []Parameter { return nil }

func (m Mix) shapes(in [][]int) ([][]int, error) {
	if m.Count < 1 || m.Layers < 1 || m.Length < 1 || m.Features < 1 || m.K < 1 || !sameShape(in[0], []int{m.Count}) {
		return nil, fmt.Errorf("a mix %+v of a mask %v: sizes must be positive, and the mask as long as the count", m, in[0])
	}
	return [][]int{{m.Layers * m.Length, m.Features}}, nil
}
func (m Mix) parameters([][]int) []Parameter {
	return []Parameter{{Name: "weight", Shape: []int{m.Count, m.Layers, m.Length, m.Features}, Trainable: true, init: m.Init}}
}

func (AddQV) forward(in []*graph.Node) *graph.Node {
	return graph.Add(in[0], graph.Concatenate([]*graph.Node{in[1], graph.ZerosLike(in[1]), in[2]}, -1))
}

// forward takes the largest K times, each time without those before; of equal ones the first.
func (m TopMask) forward(x *graph.Node) *graph.Node {
	x = graph.StopGradient(x)
	left, mask := x, graph.ZerosLike(x)
	for range m.K {
		first := graph.OneHot(graph.ArgMax(left, -1, dtypes.Int32), x.Shape().Dim(-1), x.DType())
		mask = graph.Add(mask, first)
		left = graph.Sub(left, graph.MulScalar(first, 1e9))
	}
	return graph.StopGradient(mask)
}

func (m Mix) forward(mask, groups *graph.Node) *graph.Node {
	mixed := graph.DotGeneral(graph.MulScalar(mask, 1/float64(m.K)), []int{1}, nil, graph.Reshape(groups, m.Count, -1), []int{0}, nil)
	return graph.Reshape(mixed, -1, m.Layers*m.Length, m.Features)
}

func (e *onnxEmitter) addQV(layer Layer, in, out []string) {
	name := layer.Name
	e.node("Mul", name+".none", []string{in[1], e.floats(name+".zero", []int{1}, []float32{0})}, []string{name + ".none"})
	e.node("Concat", name+".change", []string{in[1], name + ".none", in[2]}, []string{name + ".change"}, intAttribute("axis", 2))
	e.node("Add", name, []string{in[0], name + ".change"}, out)
}

func (e *onnxEmitter) topMask(layer Layer, in, out []string) {
	name := layer.Name
	count := e.shapes[layer.Inputs[0]][0]
	e.node("TopK", name+".top", []string{in[0], e.ints(name+".k", layer.Op.(TopMask).K)}, []string{name + ".values", name + ".indices"}, intAttribute("axis", -1))
	e.node("OneHot", name+".each", []string{name + ".indices", e.ints(name+".count", count), e.floats(name+".off_on", []int{2}, []float32{0, 1})}, []string{name + ".each"}, intAttribute("axis", -1))
	e.node("ReduceSum", name, []string{name + ".each", e.ints(name+".axis", 1)}, out, intAttribute("keepdims", 0))
}

func (e *onnxEmitter) mix(layer Layer, in, out []string) {
	op, weight := layer.Op.(Mix), layer.Parameters[0]
	each := op.Layers * op.Length * op.Features
	scaled := make([]float32, len(e.weights[weight.Name].Data))
	for i, v := range e.weights[weight.Name].Data {
		scaled[i] = v / float32(op.K)
	}
	rows := layer.Name + ".rows"
	e.node("MatMul", rows, []string{in[0], e.floats(weight.Name+".shares", []int{op.Count, each}, scaled)}, []string{rows})
	e.node("Reshape", layer.Name, []string{rows, e.ints(layer.Name+"_shape", 0, op.Layers*op.Length, op.Features)}, out)
}
