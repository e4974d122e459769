package nn

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Attention returns the multi-head scaled dot-product attention (Vaswani et al., Attention Is All You Need, 2017, eq. 1)
// of queries [batch, m, dim] to keys and values [batch, n, dim], as [batch, m, dim]. Head i is the i-th of heads equal
// parts of dim; with d = dim/heads,
//
//	head = softmax(q kᵀ/√d) v
func Attention(q, k, v *graph.Node, heads int) *graph.Node {
	dim := q.Shape().Dim(-1)
	if heads < 1 || dim%heads != 0 {
		exceptions.Panicf("nn.Attention: a width of %d cannot be cut into %d heads", dim, heads)
	}
	q, k, v = splitHeads(q, heads), splitHeads(k, heads), splitHeads(v, heads)
	q = graph.MulScalar(q, 1/math.Sqrt(float64(dim/heads)))
	batch := []int{0, 1}
	logits := graph.DotGeneral(q, []int{3}, batch, k, []int{3}, batch)
	out := graph.DotGeneral(Softmax(logits), []int{3}, batch, v, []int{2}, batch)
	out = graph.TransposeAllAxes(out, 0, 2, 1, 3)
	return graph.Reshape(out, out.Shape().Dim(0), out.Shape().Dim(1), dim)
}

// splitHeads turns [batch, tokens, dim] into [batch, heads, tokens, dim/heads].
func splitHeads(x *graph.Node, heads int) *graph.Node {
	d := x.Shape().Dimensions
	return graph.TransposeAllAxes(graph.Reshape(x, d[0], d[1], heads, d[2]/heads), 0, 2, 1, 3)
}

// SelfAttention is Attention of tokens to each other; qkv [batch, tokens, 3·dim] holds queries, keys and values side by
// side.
func SelfAttention(qkv *graph.Node, heads int) *graph.Node {
	width := qkv.Shape().Dim(-1) / 3
	part := func(i int) *graph.Node {
		return graph.Slice(qkv, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(i*width, (i+1)*width))
	}
	return Attention(part(0), part(1), part(2), heads)
}
