package nn

import "github.com/gomlx/gomlx/core/graph"

// AdamW holds the hyper-parameters of AdamWUpdate. Zero values are not replaced by defaults.
type AdamW struct {
	Beta1, Beta2, Epsilon, WeightDecay float64
}

// AdamWUpdate returns the weights and the two moments after one step of AdamW (Loshchilov and Hutter, 2019) in PyTorch's
// form, for gradient g and a step counted from 1 (both lr and step are scalars of w's type):
//
//	m' = β₁ m + (1−β₁) g,   v' = β₂ v + (1−β₂) g²
//	w' = w (1 − lr·λ) − lr/(1−β₁ᵗ) · m' / (√v'/√(1−β₂ᵗ) + ε)
func AdamWUpdate(w, g, m, v, lr, step *graph.Node, o AdamW) (w2, m2, v2 *graph.Node) {
	m2 = graph.Add(graph.MulScalar(m, o.Beta1), graph.MulScalar(g, 1-o.Beta1))
	v2 = graph.Add(graph.MulScalar(v, o.Beta2), graph.MulScalar(graph.Square(g), 1-o.Beta2))
	correct := func(beta float64) *graph.Node {
		return graph.OneMinus(graph.Pow(graph.Scalar(w.Graph(), w.DType(), beta), step))
	}
	denominator := graph.AddScalar(graph.Div(graph.Sqrt(v2), graph.Sqrt(correct(o.Beta2))), o.Epsilon)
	decayed := graph.Mul(w, graph.OneMinus(graph.MulScalar(lr, o.WeightDecay)))
	return graph.Sub(decayed, graph.Mul(graph.Div(lr, correct(o.Beta1)), graph.Div(m2, denominator))), m2, v2
}
