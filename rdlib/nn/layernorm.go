package nn

import "github.com/gomlx/gomlx/core/graph"

// LayerNorm normalises x […, features] over its last axis, each vector by itself, and scales and shifts the result by
// gamma and beta [features] (Ba et al., Layer Normalization, 2016), with the biased variance:
//
//	y = gamma · (x − mean) / √(variance + eps) + beta
func LayerNorm(x, gamma, beta *graph.Node, eps float64) *graph.Node {
	mean := graph.ReduceAndKeep(x, graph.ReduceMean, -1)
	centred := graph.Sub(x, mean)
	variance := graph.ReduceAndKeep(graph.Square(centred), graph.ReduceMean, -1)
	normalized := graph.Div(centred, graph.Sqrt(graph.AddScalar(variance, eps)))
	return graph.Add(graph.Mul(normalized, alongLast(gamma, x)), alongLast(beta, x))
}

// alongLast reshapes v [features] to [1, …, features], x's rank.
func alongLast(v, x *graph.Node) *graph.Node { return graph.ExpandLeftToRank(v, x.Rank()) }
