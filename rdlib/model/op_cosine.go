package model

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// UnitLength divides each vector by its length, or by Eps where that is larger: x / max(‖x‖₂, Eps).
type UnitLength struct{ Eps float64 }

// Cosine multiplies vectors [features] by Out directions of unit length: x · w/max(‖w‖₂, 1e-12). Behind UnitLength these are
// cosines. Its weight is [features, Out], a direction in each column, or with Rows [Out, features].
type Cosine struct {
	Out  int
	Rows bool
	Init Init
}

// lengthEps is the least length, that of PyTorch's F.normalize.
const lengthEps = 1e-12

// UnitLength appends a division by the length, with PyTorch's floor of 1e-12.
func (b *Builder) UnitLength(name string, x Value) Value {
	return b.add(name, UnitLength{lengthEps}, 1, x)[0]
}

// Cosine appends products with directions of unit length; no Init is the Builder's LinearInit.
func (b *Builder) Cosine(name string, x Value, c Cosine) Value {
	if c.Init == "" {
		c.Init = b.linearInit
	}
	return b.add(name, c, 1, x)[0]
}

func (u UnitLength) shapes(in [][]int) ([][]int, error) {
	if !(u.Eps > 0) {
		return nil, fmt.Errorf("unit length with eps %g: it must be positive", u.Eps)
	}
	_, err := featuresOf(in[0])
	return in, err
}
func (UnitLength) parameters([][]int) []Parameter { return nil }

func (c Cosine) shapes(in [][]int) ([][]int, error) {
	if len(in[0]) != 1 || c.Out < 1 {
		return nil, fmt.Errorf("%d cosines with a value of shape %v: vectors, and at least one direction, are needed", c.Out, in[0])
	}
	return [][]int{{c.Out}}, nil
}

func (c Cosine) parameters(in [][]int) []Parameter {
	shape := []int{in[0][0], c.Out}
	if c.Rows {
		shape = []int{c.Out, in[0][0]}
	}
	return []Parameter{{Name: "weight", Shape: shape, Trainable: true, init: c.Init}}
}

// unitLength divides by the length along an axis.
func unitLength(x *graph.Node, axis int, eps float64) *graph.Node {
	length := graph.Sqrt(graph.ReduceAndKeep(graph.Square(x), graph.ReduceSum, axis))
	return graph.Div(x, graph.MaxScalar(length, eps))
}

func (c Cosine) forward(x, weight *graph.Node) *graph.Node {
	if c.Rows {
		return graph.DotGeneral(x, []int{1}, nil, unitLength(weight, 1, lengthEps), []int{1}, nil)
	}
	return graph.DotGeneral(x, []int{1}, nil, unitLength(weight, 0, lengthEps), []int{0}, nil)
}

func (e *onnxEmitter) unitLength(layer Layer, in, out []string) {
	name := layer.Name
	e.node("ReduceL2", name+".length", in, []string{name + ".length"}, intsAttribute("axes", -1), intAttribute("keepdims", 1))
	e.node("Max", name+".floor", []string{name + ".length", e.floats(name+".eps", []int{1}, []float32{float32(layer.Op.(UnitLength).Eps)})}, []string{name + ".floor"})
	e.node("Div", name, []string{in[0], name + ".floor"}, out)
}

// cosine multiplies by directions that are of unit length already.
func (e *onnxEmitter) cosine(layer Layer, in, out []string) {
	op, weight := layer.Op.(Cosine), layer.Parameters[0]
	features := elements(weight.Shape) / op.Out
	at := func(feature, direction int) int {
		if op.Rows {
			return direction*features + feature
		}
		return feature*op.Out + direction
	}
	data, directions := e.weights[weight.Name].Data, make([]float32, features*op.Out)
	for d := range op.Out {
		squares := 0.0
		for f := range features {
			squares += float64(data[at(f, d)]) * float64(data[at(f, d)])
		}
		length := max(math.Sqrt(squares), lengthEps)
		for f := range features {
			directions[f*op.Out+d] = float32(float64(data[at(f, d)]) / length)
		}
	}
	e.node("MatMul", layer.Name, []string{in[0], e.floats(weight.Name+".directions", []int{features, op.Out}, directions)}, out)
}
