package model

import (
	"fmt"
	"math"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/nn"
)

// PadGrid adds tokens of zeros below and to the right of tokens that stand in a grid, row by row:
// [From height·width, features] → [To height·width, features].
type PadGrid struct{ From, To nn.Grid }

// CropGrid undoes PadGrid: it keeps the upper left To of a grid of From.
type CropGrid struct{ From, To nn.Grid }

// GridAttention is the attention of tokens in a grid, each among those of its own window, with relative positions; see
// nn.GridAttention. It reads queries, keys and values side by side [height·width, 3·dim], and the tables of the
// positions along the windows' height and width, [entries, dim/Heads] each; its output is [height·width, dim]. Prompts, if
// any, stand in front of both, see nn.PromptedGridAttention.
type GridAttention struct {
	Heads        int
	Grid, Window nn.Grid
	Prompts      int
	Silent       bool // nobody attends to the prompts
}

// PadGrid appends the padding of a grid of tokens to a larger one.
func (b *Builder) PadGrid(name string, x Value, from, to nn.Grid) Value {
	return b.add(name, PadGrid{from, to}, 1, x)[0]
}

// CropGrid appends the cut of a grid of tokens to a smaller one.
func (b *Builder) CropGrid(name string, x Value, from, to nn.Grid) Value {
	return b.add(name, CropGrid{from, to}, 1, x)[0]
}

// GridAttention appends the attention of tokens in a grid to those of their window.
func (b *Builder) GridAttention(name string, qkv, rows, columns Value, a GridAttention) Value {
	return b.add(name, a, 1, qkv, rows, columns)[0]
}

func (p PadGrid) shapes(in [][]int) ([][]int, error) {
	return regrid(in[0], p.From, p.To, p.From, p.To)
}
func (PadGrid) parameters([][]int) []Parameter { return nil }
func (c CropGrid) shapes(in [][]int) ([][]int, error) {
	return regrid(in[0], c.From, c.To, c.To, c.From)
}
func (CropGrid) parameters([][]int) []Parameter { return nil }

// regrid is the shape of tokens that stood in from and stand in to.
func regrid(in []int, from, to, smaller, larger nn.Grid) ([][]int, error) {
	if len(in) != 2 || in[0] != from[0]*from[1] {
		return nil, fmt.Errorf("values of shape %v are no tokens in a grid of %v", in, from)
	}
	if min(smaller[0], smaller[1]) < 1 || smaller[0] > larger[0] || smaller[1] > larger[1] {
		return nil, fmt.Errorf("a grid of %v does not fit into one of %v", smaller, larger)
	}
	return [][]int{{to[0] * to[1], in[1]}}, nil
}

func (a GridAttention) shapes(in [][]int) ([][]int, error) {
	for _, shape := range in {
		if len(shape) != 2 {
			return nil, fmt.Errorf("attention takes tokens and tables, not %v", shape)
		}
	}
	tokens, width := in[0][0], in[0][1]/3
	switch {
	case in[0][1]%3 != 0:
		return nil, fmt.Errorf("attention: %d features do not hold queries, keys and values of one width", in[0][1])
	case a.Heads < 1 || width%a.Heads != 0:
		return nil, fmt.Errorf("attention: a width of %d cannot be cut into %d heads", width, a.Heads)
	case a.Prompts < 0 || tokens != a.Prompts+a.Grid[0]*a.Grid[1]:
		return nil, fmt.Errorf("attention: %d tokens are not %d prompts and those in a grid of %v", tokens, a.Prompts, a.Grid)
	case min(a.Window[0], a.Window[1]) < 1 || a.Grid[0]%a.Window[0] != 0 || a.Grid[1]%a.Window[1] != 0:
		return nil, fmt.Errorf("attention: a grid of %v cannot be cut into windows of %v", a.Grid, a.Window)
	case in[1][1] != width/a.Heads || in[2][1] != width/a.Heads:
		return nil, fmt.Errorf("attention: positions %v and %v for heads of %d features", in[1], in[2], width/a.Heads)
	}
	return [][]int{{tokens, width}}, nil
}

func (GridAttention) parameters([][]int) []Parameter { return nil }

// macs counts the two matrix products of the attention and the two of the positions.
func (a GridAttention) macs(out []int) int64 {
	all, tokens := a.Grid[0]*a.Grid[1], a.Window[0]*a.Window[1]
	keys := tokens
	if !a.Silent {
		keys += a.Prompts
	}
	return int64(out[1]) * (2*int64(all/tokens)*int64(a.Prompts+tokens)*int64(keys) + int64(all)*int64(a.Window[0]+a.Window[1]))
}

// inGrid turns [batch, height·width, features] into [batch, height, width, features].
func inGrid(x *graph.Node, g nn.Grid) *graph.Node {
	return graph.Reshape(x, x.Shape().Dim(0), g[0], g[1], x.Shape().Dim(-1))
}

// outOfGrid is the inverse of inGrid.
func outOfGrid(x *graph.Node) *graph.Node {
	d := x.Shape().Dimensions
	return graph.Reshape(x, d[0], d[1]*d[2], d[3])
}

func (p PadGrid) forward(x *graph.Node) *graph.Node {
	x = inGrid(x, p.From)
	for axis := range 2 {
		if missing := p.To[axis] - p.From[axis]; missing > 0 {
			dims := x.Shape().Clone().Dimensions
			dims[axis+1] = missing
			zeros := graph.BroadcastToDims(graph.ScalarZero(x.Graph(), x.DType()), dims...)
			x = graph.Concatenate([]*graph.Node{x, zeros}, axis+1)
		}
	}
	return outOfGrid(x)
}

func (c CropGrid) forward(x *graph.Node) *graph.Node {
	return outOfGrid(graph.Slice(inGrid(x, c.From), graph.AxisRange(), graph.AxisRange(0, c.To[0]), graph.AxisRange(0, c.To[1]), graph.AxisRange()))
}

func (a GridAttention) forward(in []*graph.Node) *graph.Node {
	positions := func(table *graph.Node, n int) *graph.Node {
		return nn.RelativePositions(graph.Squeeze(table, 0), n)
	}
	tokens, prompts := in[0], (*graph.Node)(nil)
	if a.Prompts > 0 {
		prompts = graph.Slice(in[0], graph.AxisRange(), graph.AxisRange(0, a.Prompts))
		tokens = graph.Slice(in[0], graph.AxisRange(), graph.AxisRange(a.Prompts))
	}
	return nn.PromptedGridAttention(prompts, tokens, positions(in[1], a.Window[0]), positions(in[2], a.Window[1]), a.Heads, a.Grid, a.Window, a.Silent)
}

// regrid appends a grid's reshape, what is to be done in it, and the reshape back.
func (e *onnxEmitter) regrid(layer Layer, in, out []string, from nn.Grid, op string, operands []string) {
	features := e.shapes[layer.Inputs[0]][1]
	grid, done := layer.Name+".grid", layer.Name+".done"
	e.node("Reshape", grid, []string{in[0], e.ints(grid+"_shape", 0, from[0], from[1], features)}, []string{grid})
	e.node(op, done, append([]string{grid}, operands...), []string{done})
	e.node("Reshape", layer.Name, []string{done, e.ints(layer.Name+"_shape", 0, e.shapes[layer.Outputs[0]][0], features)}, out)
}

func (e *onnxEmitter) padGrid(layer Layer, in, out []string) {
	op := layer.Op.(PadGrid)
	e.regrid(layer, in, out, op.From, "Pad", []string{e.ints(layer.Name+".pads", 0, 0, 0, 0, 0, op.To[0]-op.From[0], op.To[1]-op.From[1], 0)})
}

func (e *onnxEmitter) cropGrid(layer Layer, in, out []string) {
	op := layer.Op.(CropGrid)
	e.regrid(layer, in, out, op.From, "Slice", []string{e.shared("grid.origin", 0, 0), e.ints(layer.Name+".ends", op.To[0], op.To[1]), e.shared("grid.axes", 1, 2)})
}

func (e *onnxEmitter) gridAttention(layer Layer, in, out []string) {
	name, op := layer.Name, layer.Op.(GridAttention)
	width := e.shapes[layer.Outputs[0]][1]
	d, window := width/op.Heads, op.Window
	tokens := window[0] * window[1]
	down, across := op.Grid[0]/window[0], op.Grid[1]/window[1]
	step := func(kind, suffix string, in []string, attributes ...*protos.AttributeProto) string {
		e.node(kind, name+suffix, in, []string{name + suffix}, attributes...)
		return name + suffix
	}
	// shaped reshapes; 0 keeps an axis, -1 is what remains, and the shape has the same name wherever it is the same.
	shaped := func(suffix, x string, shape ...int) string {
		return step("Reshape", suffix, []string{x, e.shared(fmt.Sprint("shape", shape), shape...)})
	}
	transposed := func(suffix, x string, perm ...int) string {
		return step("Transpose", suffix, []string{x}, intsAttribute("perm", perm...))
	}
	parts := []string{name + ".q", name + ".k", name + ".v"}
	qkv := in[0]
	if op.Prompts > 0 {
		qkv = step("Slice", ".tokens", []string{in[0], e.shared(fmt.Sprint("from", op.Prompts), op.Prompts), e.shared("to_the_end", math.MaxInt32), e.shared("axis1", 1)})
	}
	e.node("Split", name+".split", []string{qkv, e.shared(fmt.Sprint("widths", width), width, width, width)}, parts, intAttribute("axis", 2))
	part := func(suffix string, perm ...int) string {
		x := shaped(suffix+".cut", name+suffix, 0, down, window[0], across, window[1], op.Heads, d)
		x = transposed(suffix+".windows", x, perm...)
		if perm[6] == 6 {
			return shaped(suffix+".heads", x, -1, op.Heads, tokens, d)
		}
		return shaped(suffix+".heads", x, -1, op.Heads, d, tokens)
	}
	q := part(".q", 0, 1, 3, 5, 2, 4, 6)
	k := part(".k", 0, 1, 3, 5, 6, 2, 4)
	v := part(".v", 0, 1, 3, 5, 2, 4, 6)
	scaled := step("Mul", ".scaled", []string{q, e.attentionScale(d)})
	logits := step("MatMul", ".content", []string{scaled, k})

	inWindow := shaped(".q.grid", q, 0, op.Heads, window[0], window[1], d)
	byRow := step("MatMul", ".row", []string{inWindow, e.positions(name+".rows", in[1], layer.Inputs[1], window[0])})
	byRow = shaped(".by_row", byRow, 0, op.Heads, tokens, window[0], 1)
	byColumn := transposed(".q.columns", inWindow, 0, 1, 3, 2, 4)
	byColumn = step("MatMul", ".column", []string{byColumn, e.positions(name+".columns", in[2], layer.Inputs[2], window[1])})
	byColumn = transposed(".column.rows", byColumn, 0, 1, 3, 2, 4)
	byColumn = shaped(".by_column", byColumn, 0, op.Heads, tokens, 1, window[1])
	bias := shaped(".bias", step("Add", ".positions", []string{byRow, byColumn}), 0, op.Heads, tokens, tokens)

	logits = step("Add", ".logits", []string{logits, bias})
	attend := func(suffix, logits string) string {
		weights := step("Softmax", suffix+".weights", []string{logits}, intAttribute("axis", -1))
		return step("MatMul", suffix+".heads", []string{weights, v})
	}
	heard := ""
	if n := op.Prompts; n > 0 {
		prompts := step("Slice", ".prompts", []string{in[0], e.shared("from0", 0), e.shared(fmt.Sprint("to", n), n), e.shared("axis1", 1)})
		parts := []string{name + ".prompts.q", name + ".prompts.k", name + ".prompts.v"}
		e.node("Split", name+".prompts.split", []string{prompts, e.shared(fmt.Sprint("widths", width), width, width, width)}, parts, intAttribute("axis", 2))
		part := func(suffix string) string { // [windows, heads, n, d]
			x := transposed(suffix+".heads", shaped(suffix+".cut", name+suffix, 0, 1, n, op.Heads, d), 0, 1, 3, 2, 4)
			x = step("Expand", suffix+".everywhere", []string{x, e.shared(fmt.Sprint("shape", []int{1, down * across, 1, 1, 1}), 1, down*across, 1, 1, 1)})
			return shaped(suffix+".windows", x, -1, op.Heads, n, d)
		}
		asked := step("Mul", ".prompts.scaled", []string{part(".prompts.q"), e.attentionScale(d)})
		if !op.Silent {
			keys := transposed(".prompts.keys", part(".prompts.k"), 0, 1, 3, 2)
			logits = step("Concat", ".all_logits", []string{step("MatMul", ".prompts.asked", []string{scaled, keys}), logits}, intAttribute("axis", 3))
			k = step("Concat", ".all_keys", []string{keys, k}, intAttribute("axis", 3))
			v = step("Concat", ".all_values", []string{part(".prompts.v"), v}, intAttribute("axis", 2))
		}
		heard = attend(".prompts", step("MatMul", ".prompts.logits", []string{asked, k}))
		heard = shaped(".prompts.by_image", heard, -1, down*across, op.Heads, n, d)
		heard = step("ReduceMean", ".prompts.mean", []string{heard}, intsAttribute("axes", 1), intAttribute("keepdims", 0))
		heard = shaped(".prompts.out", transposed(".prompts.joined", heard, 0, 2, 1, 3), 0, n, width)
	}
	x := attend("", logits)
	x = shaped(".by_window", x, -1, down, across, op.Heads, window[0], window[1], d)
	x = transposed(".joined", x, 0, 1, 4, 2, 5, 3, 6)
	shape := []int{-1, op.Grid[0] * op.Grid[1], width}
	if heard == "" {
		e.node("Reshape", name, []string{x, e.shared(fmt.Sprint("shape", shape), shape...)}, out)
		return
	}
	e.node("Concat", name, []string{heard, shaped(".out", x, shape...)}, out, intAttribute("axis", 1))
}

// positions makes of a table [1, entries, d] the positions of n queries to n keys, [n, d, n] for a product with queries.
func (e *onnxEmitter) positions(name, table string, tableValue Value, n int) string {
	entries, d := e.shapes[tableValue][0], e.shapes[tableValue][1]
	constant := fmt.Sprintf("positions.%dof%d", n, entries)
	if !e.has(constant) {
		var weights []float32
		for _, row := range nn.RelativePositionWeights(entries, n) {
			for _, v := range row {
				weights = append(weights, float32(v))
			}
		}
		e.floats(constant, []int{n * n, entries}, weights)
	}
	e.node("MatMul", name+".picked", []string{constant, table}, []string{name + ".picked"})
	e.node("Reshape", name+".pairs", []string{name + ".picked", e.shared(fmt.Sprint("shape", []int{n, n, d}), n, n, d)}, []string{name + ".pairs"})
	e.node("Transpose", name, []string{name + ".pairs"}, []string{name}, intsAttribute("perm", 0, 2, 1))
	return name
}
