package model

import "fmt"

// LayerNorm normalises each vector over its features: each token of [tokens, features], or a vector [features].
type LayerNorm struct {
	Eps float64 // added to the variance
}

// LayerNorm appends a layer normalisation with timm's eps for vision transformers, 1e-6.
func (b *Builder) LayerNorm(name string, x Value) Value {
	return b.add(name, LayerNorm{Eps: 1e-6}, 1, x)[0]
}

func (l LayerNorm) shapes(in [][]int) ([][]int, error) {
	if _, err := featuresOf(in[0]); err != nil {
		return nil, fmt.Errorf("layer normalisation %w", err)
	}
	if !(l.Eps > 0) {
		return nil, fmt.Errorf("layer normalisation with eps %g: it must be positive", l.Eps)
	}
	return in, nil
}

func (LayerNorm) parameters(in [][]int) []Parameter {
	shape := in[0][len(in[0])-1:]
	return []Parameter{
		{Name: "weight", Shape: shape, Trainable: true, init: initOnes},
		{Name: "bias", Shape: shape, Trainable: true, init: InitZeros},
	}
}

func (e *onnxEmitter) layerNorm(layer Layer, in, out []string) {
	for _, p := range layer.Parameters {
		in = append(in, e.floats(p.Name, p.Shape, e.weights[p.Name].Data))
	}
	e.node("LayerNormalization", layer.Name, in, out, intAttribute("axis", -1), floatAttribute("epsilon", layer.Op.(LayerNorm).Eps))
}
