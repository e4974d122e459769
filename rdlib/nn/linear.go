package nn

import "github.com/gomlx/gomlx/core/graph"

// Linear returns x wᵀ + b for x [batch, …, in], w [out, in] and b [out] (nil: none).
func Linear(x, w, b *graph.Node) *graph.Node {
	dims := x.Shape().Clone().Dimensions
	in, out := w.Shape().Dim(1), w.Shape().Dim(0)
	if len(dims) > 2 {
		x = graph.Reshape(x, x.Shape().Size()/in, in)
	}
	y := graph.DotGeneral(x, []int{1}, nil, w, []int{1}, nil)
	if b != nil {
		y = graph.Add(y, graph.Reshape(b, 1, out))
	}
	if len(dims) > 2 {
		dims[len(dims)-1] = out
		y = graph.Reshape(y, dims...)
	}
	return y
}
