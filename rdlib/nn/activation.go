package nn

import "github.com/gomlx/gomlx/core/graph"

// ReLU returns max(x, 0). Its gradient is 0 where x ≤ 0, as PyTorch's.
func ReLU(x *graph.Node) *graph.Node {
	y := graph.Max(x, graph.ScalarZero(x.Graph(), x.DType()))
	return withGradient(y, func(y, dy *graph.Node) []*graph.Node {
		return []*graph.Node{graph.Mul(dy, graph.Sign(y)), nil}
	})
}

// ReLU6 returns min(max(x, 0), 6). Its gradient is 0 where x ≤ 0 or x ≥ 6, as PyTorch's.
func ReLU6(x *graph.Node) *graph.Node {
	g, dtype := x.Graph(), x.DType()
	y := graph.Clip(x, graph.ScalarZero(g, dtype), graph.Scalar(g, dtype, 6.0))
	return withGradient(y, func(y, dy *graph.Node) []*graph.Node {
		above := graph.Sign(y)
		below := graph.Sign(graph.Sub(graph.Scalar(y.Graph(), y.DType(), 6.0), y))
		return []*graph.Node{nil, graph.Mul(dy, graph.Mul(above, below)), nil}
	})
}
