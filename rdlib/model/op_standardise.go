package model

import "fmt"

// Standardise shifts and scales each vector [features] to the mean 0 and the standard deviation Scale, without parameters.
type Standardise struct {
	Scale float64
	Eps   float64 // added to the variance
}

// Standardise appends a standardisation.
func (b *Builder) Standardise(name string, x Value, s Standardise) Value {
	return b.add(name, s, 1, x)[0]
}

func (s Standardise) shapes(in [][]int) ([][]int, error) {
	if len(in[0]) != 1 {
		return nil, fmt.Errorf("standardisation takes vectors, not %v", in[0])
	}
	if !(s.Scale > 0) || !(s.Eps > 0) {
		return nil, fmt.Errorf("standardisation %+v: scale and eps must be positive", s)
	}
	return in, nil
}

func (Standardise) parameters([][]int) []Parameter { return nil }

func (e *onnxEmitter) standardise(layer Layer, in, out []string) {
	op := layer.Op.(Standardise)
	shape := e.shapes[layer.Inputs[0]]
	scale := make([]float32, shape[0])
	for i := range scale {
		scale[i] = float32(op.Scale)
	}
	in = append(in, e.floats(layer.Name+".scale", shape, scale))
	e.node("LayerNormalization", layer.Name, in, out, intAttribute("axis", -1), floatAttribute("epsilon", op.Eps))
}
