package nn

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Grid is how many tokens stand below and beside each other: height, width.
type Grid [2]int

// GridAttention returns the multi-head self-attention of tokens that stand in a grid, each among the tokens of its own
// window, with relative positions decomposed by axis (Li et al., Exploring Plain Vision Transformer Backbones for Object
// Detection, 2022, section 3). qkv [batch, height·width, 3·dim] holds queries, keys and values side by side, row by row;
// grid is a multiple of window. rows [h, h, d] and columns [w, w, d] hold the positions of a query's row, or column, to a
// key's in a window of h×w. With d = dim/heads, the logit of the query at (y, x) and the key at (y', x') is
//
//	q·k/√d + q·rows[y, y'] + q·columns[x, x']
//
// The result is [batch, height·width, dim].
func GridAttention(qkv, rows, columns *graph.Node, heads int, grid, window Grid) *graph.Node {
	return PromptedGridAttention(nil, qkv, rows, columns, heads, grid, window, false)
}

// PromptedGridAttention is GridAttention with prompts, which stand in every window beside its tokens, as KMnP/vpt has them in
// Swin's windows: prompts [batch, n, 3·dim] hold their queries, keys and values. A prompt has no position: the logits of
// its queries, and those of the tokens' queries and its key, are q·k/√d alone. What a prompt hears is the mean over the
// windows. With silent prompts nobody attends to them, and the tokens' results are GridAttention's. The result is
// [batch, n + height·width, dim], the prompts in front.
func PromptedGridAttention(prompts, qkv, rows, columns *graph.Node, heads int, grid, window Grid, silent bool) *graph.Node {
	dim := qkv.Shape().Dim(-1) / 3
	if heads < 1 || dim%heads != 0 || min(window[0], window[1]) < 1 || grid[0]%window[0] != 0 || grid[1]%window[1] != 0 {
		exceptions.Panicf("nn.GridAttention: a width of %d in %d heads, a grid of %v in windows of %v: they cannot be cut so", dim, heads, grid, window)
	}
	batch, d := qkv.Shape().Dim(0), dim/heads
	down, across := grid[0]/window[0], grid[1]/window[1]
	windows, tokens := batch*down*across, window[0]*window[1]
	part := func(i int) *graph.Node { // [windows, heads, tokens, d]
		x := graph.Slice(qkv, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(i*dim, (i+1)*dim))
		x = graph.Reshape(x, batch, down, window[0], across, window[1], heads, d)
		return graph.Reshape(graph.TransposeAllAxes(x, 0, 1, 3, 5, 2, 4, 6), windows, heads, tokens, d)
	}
	q, k, v := part(0), part(1), part(2)
	each := []int{0, 1}
	logits := graph.DotGeneral(graph.MulScalar(q, 1/math.Sqrt(float64(d))), []int{3}, each, k, []int{3}, each)
	inWindow := graph.Reshape(q, windows, heads, window[0], window[1], d)
	byRow := graph.Einsum("bnhwd,hkd->bnhwk", inWindow, rows)
	byColumn := graph.Einsum("bnhwd,wkd->bnhwk", inWindow, columns)
	bias := graph.Add(graph.Reshape(byRow, windows, heads, tokens, window[0], 1), graph.Reshape(byColumn, windows, heads, tokens, 1, window[1]))
	logits = graph.Add(logits, graph.Reshape(bias, windows, heads, tokens, tokens))
	attend := func(logits *graph.Node) *graph.Node {
		return graph.DotGeneral(Softmax(logits), []int{3}, each, v, []int{2}, each)
	}
	var heard *graph.Node
	if prompts != nil {
		n := prompts.Shape().Dim(1)
		part := func(i int) *graph.Node { // [windows, heads, n, d], the same in each window of an image
			x := graph.Slice(prompts, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(i*dim, (i+1)*dim))
			x = graph.TransposeAllAxes(graph.Reshape(x, batch, 1, n, heads, d), 0, 1, 3, 2, 4)
			return graph.Reshape(graph.BroadcastToDims(x, batch, down*across, heads, n, d), windows, heads, n, d)
		}
		product := func(q, k *graph.Node) *graph.Node {
			return graph.DotGeneral(graph.MulScalar(q, 1/math.Sqrt(float64(d))), []int{3}, each, k, []int{3}, each)
		}
		if !silent {
			prompt := part(1)
			logits = graph.Concatenate([]*graph.Node{product(q, prompt), logits}, 3)
			k = graph.Concatenate([]*graph.Node{prompt, k}, 2)
			v = graph.Concatenate([]*graph.Node{part(2), v}, 2)
		}
		heard = graph.Reshape(attend(product(part(0), k)), batch, down*across, heads, n, d)
		heard = graph.Reshape(graph.TransposeAllAxes(graph.ReduceMean(heard, 1), 0, 2, 1, 3), batch, n, dim)
	}
	out := graph.Reshape(attend(logits), batch, down, across, heads, window[0], window[1], d)
	out = graph.Reshape(graph.TransposeAllAxes(out, 0, 1, 4, 2, 5, 3, 6), batch, grid[0]*grid[1], dim)
	if heard != nil {
		out = graph.Concatenate([]*graph.Node{heard, out}, 1)
	}
	return out
}

// RelativePositions picks the positions of queries to keys along an axis of n tokens out of a table [entries, d]:
// [n, n, d], from row q to row k the table's entry q − k + n − 1. A table of another number of entries than 2n − 1 is
// resized to it first, linearly; see RelativePositionWeights.
func RelativePositions(table *graph.Node, n int) *graph.Node {
	entries, d := table.Shape().Dim(0), table.Shape().Dim(1)
	weights := graph.ConvertDType(graph.Const(table.Graph(), RelativePositionWeights(entries, n)), table.DType())
	return graph.Reshape(graph.Dot(weights, table).Product(), n, n, d)
}

// RelativePositionWeights is the matrix [n·n, entries] by which RelativePositions multiplies a table. A table of L entries
// is resized to M = 2n − 1 as PyTorch's linear interpolate does with half-pixel centres and no antialiasing: entry j of M
// lies at s = max(0, (j + ½)·L/M − ½) of L.
func RelativePositionWeights(entries, n int) [][]float64 {
	resized := ResizeWeights(entries, 2*n-1)
	weights := make([][]float64, n*n)
	for i := range weights {
		weights[i] = resized[i/n-i%n+n-1]
	}
	return weights
}

// ResizeWeights is the matrix [to, from] of linear interpolation along an axis, with half-pixel centres.
func ResizeWeights(from, to int) [][]float64 {
	weights := make([][]float64, to)
	for j := range weights {
		weights[j] = make([]float64, from)
		at := max(0, (float64(j)+0.5)*float64(from)/float64(to)-0.5)
		first := min(int(at), from-1)
		share := at - float64(first)
		weights[j][first] += 1 - share
		weights[j][min(first+1, from-1)] += share
	}
	return weights
}
