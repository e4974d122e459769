package nn

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
)

// Softmax returns exp(x)/Σ exp(x), the sums over the last axis.
func Softmax(x *graph.Node) *graph.Node {
	if !supports(x, compute.OpTypeFusedSoftmax) {
		return graph.Softmax(x, -1)
	}
	y := graph.BackendFusedSoftmax(x, x.Rank()-1)
	return withGradient(y, func(y, dy *graph.Node) []*graph.Node {
		weighted := graph.Mul(y, dy)
		total := graph.ReduceAndKeep(weighted, graph.ReduceSum, -1)
		return []*graph.Node{graph.Sub(weighted, graph.Mul(y, total))}
	})
}
