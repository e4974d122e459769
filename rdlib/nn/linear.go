package nn

import "github.com/gomlx/gomlx/core/graph"

// Linear returns x wᵀ + b for x [batch, in], w [out, in] and b [out] (nil: none).
func Linear(x, w, b *graph.Node) *graph.Node {
	y := graph.DotGeneral(x, []int{1}, nil, w, []int{1}, nil)
	if b == nil {
		return y
	}
	return graph.Add(y, graph.Reshape(b, 1, b.Shape().Dim(0)))
}
