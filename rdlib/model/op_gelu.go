package model

import "math"

// GELU is x·Φ(x), with the exact Φ, by the error function.
type GELU struct{}

// GELU appends x·Φ(x).
func (b *Builder) GELU(name string, x Value) Value { return b.add(name, GELU{}, 1, x)[0] }

func (GELU) shapes(in [][]int) ([][]int, error) { return in, nil }
func (GELU) parameters([][]int) []Parameter     { return nil }

// gelu spells x·(1 + erf(x/√2))/2 in the form that runtimes recognise; the operator set has no node for it before 20.
func (e *onnxEmitter) gelu(layer Layer, in, out []string) {
	x, name := in[0], layer.Name
	e.node("Div", name+".scaled", []string{x, e.constant("gelu.sqrt2", math.Sqrt2)}, []string{name + ".scaled"})
	e.node("Erf", name+".erf", []string{name + ".scaled"}, []string{name + ".erf"})
	e.node("Add", name+".shifted", []string{name + ".erf", e.constant("gelu.one", 1)}, []string{name + ".shifted"})
	e.node("Mul", name+".doubled", []string{x, name + ".shifted"}, []string{name + ".doubled"})
	e.node("Mul", name, []string{name + ".doubled", e.constant("gelu.half", 0.5)}, out)
}
