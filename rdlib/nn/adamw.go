package nn

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// AdamW holds the hyper-parameters of AdamWUpdate. Zero values are not replaced by defaults.
type AdamW struct {
	Beta1, Beta2, Epsilon, WeightDecay float64
}

// smallParameter is the number of elements up to which parameters are updated together, as one long vector: the cost of an operation on so few is
// mostly that of starting it.
const smallParameter = 1 << 16

// AdamWUpdate returns the parameters and their moments after one step of AdamW (Loshchilov and Hutter, 2019) in
// PyTorch's form, for their gradients g and a step counted from 1; lr and step are scalars of the parameters' type:
//
//	m' = β₁ m + (1−β₁) g,   v' = β₂ v + (1−β₂) g²
//	w' = w (1 − lr·λ) − lr/(1−β₁ᵗ) · m' / (√v'/√(1−β₂ᵗ) + ε)
//
// The moments are kept without the factors 1−β, as M = m/(1−β₁) and V = v/(1−β₂), which start at zero like m and v and
// save two passes over the parameters.
func AdamWUpdate(w, g, m, v []*graph.Node, lr, step *graph.Node, o AdamW) (w2, m2, v2 []*graph.Node) {
	if len(g) != len(w) || len(m) != len(w) || len(v) != len(w) {
		exceptions.Panicf("nn.AdamWUpdate: %d parameters, %d gradients, %d and %d moments", len(w), len(g), len(m), len(v))
	}
	w2, m2, v2 = make([]*graph.Node, len(w)), make([]*graph.Node, len(w)), make([]*graph.Node, len(w))
	update := newAdamWStep(lr, step, o)
	var small []int
	for i := range w {
		if w[i].Shape().Size() <= smallParameter {
			small = append(small, i)
			continue
		}
		a, b, c := update.apply(flat(w[i]), flat(g[i]), flat(m[i]), flat(v[i]))
		shape := w[i].Shape()
		w2[i], m2[i], v2[i] = graph.ReshapeWithShape(a, shape), graph.ReshapeWithShape(b, shape), graph.ReshapeWithShape(c, shape)
	}
	if len(small) > 0 {
		a, b, c := update.apply(joined(w, small), joined(g, small), joined(m, small), joined(v, small))
		part(w2, a, w, small)
		part(m2, b, w, small)
		part(v2, c, w, small)
	}
	return w2, m2, v2
}

// adamWStep holds what is the same for all parameters. With k = √((1−β₂ᵗ)/(1−β₂)), the update reads
// w' = decay·w − size·M' / (√V' + k·ε), with size = lr·k·(1−β₁)/(1−β₁ᵗ).
type adamWStep struct {
	options              AdamW
	decay, size, epsilon *graph.Node
}

func newAdamWStep(lr, step *graph.Node, o AdamW) adamWStep {
	// In double precision: 1−βᵗ of the first steps has few digits left otherwise.
	g, dtype := lr.Graph(), lr.DType()
	rate, t := graph.ConvertDType(lr, dtypes.Float64), graph.ConvertDType(step, dtypes.Float64)
	// corrected is (1−βᵗ)/(1−β)
	corrected := func(beta float64) *graph.Node {
		return graph.DivScalar(graph.OneMinus(graph.Pow(graph.Scalar(g, dtypes.Float64, beta), t)), 1-beta)
	}
	k := graph.Sqrt(corrected(o.Beta2))
	return adamWStep{
		options: o,
		decay:   graph.ConvertDType(graph.OneMinus(graph.MulScalar(rate, o.WeightDecay)), dtype),
		size:    graph.ConvertDType(graph.Div(graph.Mul(rate, k), corrected(o.Beta1)), dtype),
		epsilon: graph.ConvertDType(graph.MulScalar(k, o.Epsilon), dtype),
	}
}

func (s adamWStep) apply(w, g, m, v *graph.Node) (w2, m2, v2 *graph.Node) {
	m2 = graph.Add(graph.MulScalar(m, s.options.Beta1), g)
	v2 = graph.Add(graph.MulScalar(v, s.options.Beta2), graph.Square(g))
	direction := graph.Div(m2, graph.Add(graph.Sqrt(v2), s.epsilon))
	return graph.Sub(graph.Mul(w, s.decay), graph.Mul(direction, s.size)), m2, v2
}

func flat(n *graph.Node) *graph.Node { return graph.Reshape(n, n.Shape().Size()) }

// joined concatenates the flattened nodes of the given indices.
func joined(nodes []*graph.Node, indices []int) *graph.Node {
	parts := make([]*graph.Node, len(indices))
	for i, index := range indices {
		parts[i] = flat(nodes[index])
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return graph.Concatenate(parts, 0)
}

// part cuts the vector up again, to the shapes of like, and stores the pieces under the indices.
func part(pieces []*graph.Node, vector *graph.Node, like []*graph.Node, indices []int) {
	start := 0
	for _, index := range indices {
		shape := like[index].Shape()
		piece := graph.Slice(vector, graph.AxisRange(start, start+shape.Size()))
		pieces[index] = graph.ReshapeWithShape(piece, shape)
		start += shape.Size()
	}
}
