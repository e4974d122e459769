package model

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/nn"
)

// Attention is multi-head scaled dot-product attention: softmax(q kᵀ/√d) v in each head, d the width of a head, head i
// the i-th of Heads equal parts of the width. It reads queries [m, dim], keys [n, dim] and values [n, dim], or one
// value [tokens, 3·dim] that holds all three side by side; its output is [m, dim].
type Attention struct {
	Heads int
	// Silent is how many tokens in front of one value that holds all three attend and are not attended to.
	Silent int
}

// Attention appends the attention of queries to keys and values.
func (b *Builder) Attention(name string, q, k, v Value, heads int) Value {
	return b.add(name, Attention{Heads: heads}, 1, q, k, v)[0]
}

// SelfAttention appends the attention of tokens to each other; qkv holds queries, keys and values side by side.
func (b *Builder) SelfAttention(name string, qkv Value, heads int) Value {
	return b.add(name, Attention{Heads: heads}, 1, qkv)[0]
}

func (a Attention) shapes(in [][]int) ([][]int, error) {
	for _, shape := range in {
		if len(shape) != 2 {
			return nil, fmt.Errorf("attention takes tokens [tokens, features], not %v", shape)
		}
	}
	q, width := in[0], in[0][1]
	switch {
	case len(in) == 1:
		if width%3 != 0 {
			return nil, fmt.Errorf("attention: %d features do not hold queries, keys and values of one width", width)
		}
		width /= 3
	case !sameShape(in[1], in[2]) || in[1][1] != width:
		return nil, fmt.Errorf("attention: queries %v, keys %v and values %v do not fit together", q, in[1], in[2])
	}
	if a.Silent < 0 || a.Silent > 0 && (len(in) > 1 || a.Silent >= q[0]) {
		return nil, fmt.Errorf("attention: %d of %d tokens cannot be left out", a.Silent, q[0])
	}
	if a.Heads < 1 || width%a.Heads != 0 {
		return nil, fmt.Errorf("attention: a width of %d cannot be cut into %d heads", width, a.Heads)
	}
	return [][]int{{q[0], width}}, nil
}

func (Attention) parameters([][]int) []Parameter { return nil }

// macs counts the two matrix products.
func (a Attention) macs(in [][]int, out []int) int64 {
	keys := in[len(in)-1][0] - a.Silent
	return 2 * int64(keys) * int64(elements(out))
}

func (a Attention) forward(in []*graph.Node) *graph.Node {
	if len(in) == 1 && a.Silent > 0 {
		width := in[0].Shape().Dim(-1) / 3
		part := func(first, i int) *graph.Node {
			return graph.Slice(in[0], graph.AxisRange(), graph.AxisRange(first), graph.AxisRange(i*width, (i+1)*width))
		}
		return nn.Attention(part(0, 0), part(a.Silent, 1), part(a.Silent, 2), a.Heads)
	}
	if len(in) == 1 {
		return nn.SelfAttention(in[0], a.Heads)
	}
	return nn.Attention(in[0], in[1], in[2], a.Heads)
}

func (e *onnxEmitter) attention(layer Layer, in, out []string) {
	name, heads, silent := layer.Name, layer.Op.(Attention).Heads, layer.Op.(Attention).Silent
	width := e.shapes[layer.Outputs[0]][1]
	parts := []string{name + ".q", name + ".k", name + ".v"}
	if len(in) == 1 {
		e.node("Split", name+".split", []string{in[0], e.ints(name+".widths", width, width, width)}, parts, intAttribute("axis", 2))
		in = parts
	}
	if silent > 0 {
		e.node("Slice", name+".attended", []string{in[1], e.ints(name+".first", silent), e.ints(name+".end", math.MaxInt32), e.ints(name+".axis", 1)}, []string{name + ".attended"})
		e.node("Slice", name+".told", []string{in[2], e.ints(name+".from", silent), e.ints(name+".to", math.MaxInt32), e.ints(name+".over", 1)}, []string{name + ".told"})
		in = []string{in[0], name + ".attended", name + ".told"}
	}
	// 0 keeps the batch and the number of tokens.
	byHead := make([]string, 3)
	for i, perm := range [][]int{{0, 2, 1, 3}, {0, 2, 3, 1}, {0, 2, 1, 3}} {
		cut := parts[i] + ".cut"
		byHead[i] = parts[i] + ".heads"
		e.node("Reshape", cut, []string{in[i], e.shared("attention.cut", 0, 0, heads, width/heads)}, []string{cut})
		e.node("Transpose", byHead[i], []string{cut}, []string{byHead[i]}, intsAttribute("perm", perm...))
	}
	e.node("Mul", name+".scaled", []string{byHead[0], e.attentionScale(width / heads)}, []string{name + ".scaled"})
	e.node("MatMul", name+".logits", []string{name + ".scaled", byHead[1]}, []string{name + ".logits"})
	e.node("Softmax", name+".weights", []string{name + ".logits"}, []string{name + ".weights"}, intAttribute("axis", -1))
	e.node("MatMul", name+".heads", []string{name + ".weights", byHead[2]}, []string{name + ".heads"})
	e.node("Transpose", name+".joined", []string{name + ".heads"}, []string{name + ".joined"}, intsAttribute("perm", 0, 2, 1, 3))
	e.node("Reshape", name, []string{name + ".joined", e.shared("attention.join", 0, 0, width)}, out)
}

// attentionScale is 1/√d.
func (e *onnxEmitter) attentionScale(d int) string {
	return e.constant(fmt.Sprintf("attention.scale%d", d), float32(1/math.Sqrt(float64(d))))
}
