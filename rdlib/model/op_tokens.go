package model

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
)

// The layers of a transformer work on tokens, [tokens, features] in a sample: vectors of equal width in a row. Split and
// Concat cut and join the row.

// Tokens makes each position of a map a token, row by row: [channels, height, width] → [height·width, channels].
type Tokens struct{}

// Map undoes Tokens: [Height·Width, channels] → [channels, Height, Width].
type Map struct{ Height, Width int }

// TokenMean is the mean over the tokens: [tokens, features] → [features], or with Keep a single token [1, features].
type TokenMean struct{ Keep bool }

// Learned is a row of tokens that are parameters, the same for every sample: [Count, Features]. Its parameter is named
// as the layer and has the shape [1, Count, Features].
type Learned struct {
	Count, Features int
	Init            Init
	Rank2           bool // the parameter has the shape [Count, Features]
}

// Features returns the width of tokens or of a vector; 0 after a mistake.
func (b *Builder) Features(x Value) int {
	if shape := b.Shape(x); len(shape) > 0 {
		return shape[len(shape)-1]
	}
	return 0
}

// tokenCount returns the number of tokens; 0 after a mistake.
func (b *Builder) tokenCount(x Value) int {
	if shape := b.Shape(x); len(shape) == 2 {
		return shape[0]
	}
	return 0
}

// Tokens appends the map's positions as tokens, row by row.
func (b *Builder) Tokens(name string, x Value) Value { return b.add(name, Tokens{}, 1, x)[0] }

// Map appends the tokens as a map of the given size, row by row.
func (b *Builder) Map(name string, x Value, height, width int) Value {
	return b.add(name, Map{height, width}, 1, x)[0]
}

// TokenMean appends the mean over the tokens.
func (b *Builder) TokenMean(name string, x Value) Value { return b.add(name, TokenMean{}, 1, x)[0] }

// MeanToken appends the mean over the tokens as a token.
func (b *Builder) MeanToken(name string, x Value) Value {
	return b.add(name, TokenMean{Keep: true}, 1, x)[0]
}

// Learned appends tokens that are parameters.
func (b *Builder) Learned(name string, l Learned) Value { return b.add(name, l, 1, b.Input())[0] }

func (Tokens) shapes(in [][]int) ([][]int, error) {
	if _, err := channelsOfMap(in[0]); err != nil {
		return nil, err
	}
	tokens := Any
	if in[0][1] != Any && in[0][2] != Any {
		tokens = in[0][1] * in[0][2]
	}
	return [][]int{{tokens, in[0][0]}}, nil
}
func (Tokens) parameters([][]int) []Parameter { return nil }

func (m Map) shapes(in [][]int) ([][]int, error) {
	if len(in[0]) != 2 || m.Height < 1 || m.Width < 1 || !sameShape(in[0][:1], []int{m.Height * m.Width}) {
		return nil, fmt.Errorf("values of shape %v are no map of %d×%d", in[0], m.Height, m.Width)
	}
	return [][]int{{in[0][1], m.Height, m.Width}}, nil
}
func (Map) parameters([][]int) []Parameter { return nil }

func (m TokenMean) shapes(in [][]int) ([][]int, error) {
	if len(in[0]) != 2 {
		return nil, fmt.Errorf("takes tokens [tokens, features], not %v", in[0])
	}
	if m.Keep {
		return [][]int{{1, in[0][1]}}, nil
	}
	return [][]int{in[0][1:]}, nil
}
func (TokenMean) parameters([][]int) []Parameter { return nil }

func (l Learned) shapes([][]int) ([][]int, error) {
	if l.Count < 1 || l.Features < 1 {
		return nil, fmt.Errorf("%d learned tokens of %d features: the numbers must be positive", l.Count, l.Features)
	}
	return [][]int{{l.Count, l.Features}}, nil
}
func (l Learned) parameters([][]int) []Parameter {
	shape := []int{1, l.Count, l.Features}
	if l.Rank2 {
		shape = shape[1:]
	}
	return []Parameter{{Shape: shape, Trainable: true, init: l.Init}}
}

// featuresOf returns the width of tokens or of a vector.
func featuresOf(shape []int) (int, error) {
	if len(shape) != 1 && len(shape) != 2 {
		return 0, fmt.Errorf("takes tokens [tokens, features] or vectors, not %v", shape)
	}
	return shape[len(shape)-1], nil
}

// mean is over axis 1, [batch, tokens, features].
func (m TokenMean) mean(x *graph.Node) *graph.Node {
	if m.Keep {
		return graph.ReduceAndKeep(x, graph.ReduceMean, 1)
	}
	return graph.ReduceMean(x, 1)
}

// tokensOfMap turns [batch, channels, height, width] into [batch, height·width, channels].
func tokensOfMap(x *graph.Node) *graph.Node {
	d := x.Shape().Dimensions
	return graph.TransposeAllAxes(graph.Reshape(x, d[0], d[1], d[2]*d[3]), 0, 2, 1)
}

// mapOfTokens is the inverse of tokensOfMap.
func (m Map) mapOfTokens(x *graph.Node) *graph.Node {
	d := x.Shape().Dimensions
	return graph.Reshape(graph.TransposeAllAxes(x, 0, 2, 1), d[0], d[2], m.Height, m.Width)
}

// concatenate joins along axis 1. Learned tokens come with a batch of one and are repeated for each sample.
func concatenate(in []*graph.Node) *graph.Node {
	batch := 1
	for _, x := range in {
		batch = max(batch, x.Shape().Dim(0))
	}
	whole := make([]*graph.Node, len(in))
	for i, x := range in {
		whole[i] = x
		if dims := slices.Clone(x.Shape().Dimensions); dims[0] != batch {
			dims[0] = batch
			whole[i] = graph.BroadcastToDims(x, dims...)
		}
	}
	return graph.Concatenate(whole, 1)
}

func (e *onnxEmitter) tokens(layer Layer, in, out []string) {
	shape := e.shapes[layer.Inputs[0]]
	rows := layer.Name + ".rows"
	e.node("Reshape", rows, []string{in[0], e.ints(rows+"_shape", 0, shape[0], shape[1]*shape[2])}, []string{rows})
	e.node("Transpose", layer.Name, []string{rows}, out, intsAttribute("perm", 0, 2, 1))
}

func (e *onnxEmitter) mapOfTokens(layer Layer, in, out []string) {
	shape := e.shapes[layer.Outputs[0]]
	channels := layer.Name + ".channels"
	e.node("Transpose", channels, in, []string{channels}, intsAttribute("perm", 0, 2, 1))
	e.node("Reshape", layer.Name, []string{channels, e.ints(layer.Name+"_shape", 0, shape[0], shape[1], shape[2])}, out)
}

// learned declares the parameter. It has no batch axis to speak of: addition repeats it by itself, and concat explicitly.
func (e *onnxEmitter) learned(layer Layer) {
	p, op := layer.Parameters[0], layer.Op.(Learned)
	e.passOn(layer.Outputs[0], e.floats(p.Name, []int{1, op.Count, op.Features}, e.weights[p.Name].Data))
	e.unbatched[layer.Outputs[0]] = true
}

// concat joins along axis 1, learned tokens repeated for each sample.
func (e *onnxEmitter) concat(layer Layer, in, out []string) {
	for i, v := range layer.Inputs {
		if !e.unbatched[v] {
			continue
		}
		name := fmt.Sprintf("%s.%d", layer.Name, i)
		e.node("Shape", name+".batch", []string{ONNXInput}, []string{name + ".batch"}, intAttribute("start", 0), intAttribute("end", 1))
		e.node("Concat", name+".shape", []string{name + ".batch", e.shared("ones", 1, 1)}, []string{name + ".shape"}, intAttribute("axis", 0))
		e.node("Expand", name+".repeated", []string{in[i], name + ".shape"}, []string{name + ".repeated"})
		in[i] = name + ".repeated"
	}
	e.node("Concat", layer.Name, in, out, intAttribute("axis", 1))
}

// linearOnTokens multiplies by the transposed weights: the operator set's Gemm takes matrices only.
func (e *onnxEmitter) linearOnTokens(layer Layer, in, out []string) {
	weight := layer.Parameters[0]
	rows, columns := weight.Shape[0], weight.Shape[1]
	transposed := make([]float32, rows*columns)
	for i, v := range e.weights[weight.Name].Data {
		transposed[i%columns*rows+i/columns] = v
	}
	matrix := e.floats(weight.Name+".transposed", []int{columns, rows}, transposed)
	if len(layer.Parameters) == 1 {
		e.node("MatMul", layer.Name, []string{in[0], matrix}, out)
		return
	}
	product, bias := layer.Name+".product", layer.Parameters[1]
	e.node("MatMul", product, []string{in[0], matrix}, []string{product})
	e.node("Add", layer.Name, []string{product, e.floats(bias.Name, bias.Shape, e.weights[bias.Name].Data)}, out)
}
