package nn

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
)

// LayerNorm normalises x […, features] over its last axis, each vector by itself, and scales and shifts the result by
// gamma and beta [features] (Ba et al., Layer Normalization, 2016), with the biased variance:
//
//	y = gamma · (x − mean) / √(variance + eps) + beta
func LayerNorm(x, gamma, beta *graph.Node, eps float64) *graph.Node {
	if !supports(x, compute.OpTypeFusedLayerNorm) {
		centred, deviation := centre(x, eps)
		return graph.Add(graph.Mul(graph.Div(centred, deviation), alongLast(gamma, x)), alongLast(beta, x))
	}
	y := graph.BackendFusedLayerNorm(x, []int{x.Rank() - 1}, eps, gamma, beta)
	return withGradient(y, func(y, dy *graph.Node) []*graph.Node {
		return layerNormGradient(y.Inputs()[0], y.Inputs()[1], dy, eps)
	})
}

// centre returns x − mean and √(variance + eps), both over the last axis, which the second keeps with size 1.
func centre(x *graph.Node, eps float64) (centred, deviation *graph.Node) {
	centred = graph.Sub(x, graph.ReduceAndKeep(x, graph.ReduceMean, -1))
	variance := graph.ReduceAndKeep(graph.Square(centred), graph.ReduceMean, -1)
	return centred, graph.Sqrt(graph.AddScalar(variance, eps))
}

// layerNormGradient returns the gradients of LayerNorm with respect to x, gamma and beta. With x̂ = (x−mean)/√(variance+ε)
// and g = gamma·dy, means over the last axis and sums over all others:
//
//	dx = (g − mean(g) − x̂·mean(g·x̂)) / √(variance+ε),  dgamma = Σ dy·x̂,  dbeta = Σ dy
func layerNormGradient(x, gamma, dy *graph.Node, eps float64) []*graph.Node {
	centred, deviation := centre(x, eps)
	scale := graph.Inverse(deviation)
	normalized := graph.Mul(centred, scale)
	mean := func(v *graph.Node) *graph.Node { return graph.ReduceAndKeep(v, graph.ReduceMean, -1) }
	vectors := make([]int, x.Rank()-1)
	for axis := range vectors {
		vectors[axis] = axis
	}
	g := graph.Mul(dy, alongLast(gamma, x))
	along := graph.Mul(normalized, mean(graph.Mul(g, normalized)))
	dx := graph.Mul(graph.Sub(graph.Sub(g, mean(g)), along), scale)
	return []*graph.Node{dx, graph.ReduceSum(graph.Mul(dy, normalized), vectors...), graph.ReduceSum(dy, vectors...)}
}

// alongLast reshapes v [features] to [1, …, features], x's rank.
func alongLast(v, x *graph.Node) *graph.Node { return graph.ExpandLeftToRank(v, x.Rank()) }
