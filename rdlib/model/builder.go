package model

import (
	"errors"
	"fmt"
	"slices"
)

// Builder makes a Network by calls that read like the architecture:
//
//	b := model.NewBuilder("tiny", 3, model.Any, model.Any)
//	x := b.Conv("conv1", b.Input(), model.Conv{Out: 16, Kernel: 3, Padding: 1})
//	x = b.BatchNorm("bn1", x)
//	x = b.ReLU("relu", x)
//	x = b.GlobalAvgPool("avgpool", x)
//	b.Pooled(x)
//	b.Logits(b.Linear("fc", x, 2))
//	net, err := b.Network()
//
// The first mistake (shapes that do not fit, a name used twice) is kept and returned by Network; the calls after it do
// nothing, so no call needs a check of its own.
type Builder struct {
	prefix  string // of names of layers
	weights string // of names of parameters
	*draft
}

// draft is what a builder and its scopes share.
type draft struct {
	net        Network
	shapes     [][]int
	layerNames map[string]bool
	parameters map[string][]int // shapes, by name
	err        error
	convInit   Init
	linearInit Init
}

// NewBuilder starts a network whose input has the given shape without the batch axis, Any where the size is free:
// 3, Any, Any for images, C, h, w for a teacher's map, D for its pooled feature. Weights start as PyTorch's layers do by
// themselves (InitUniform) until ConvInit or LinearInit says otherwise.
func NewBuilder(name string, input ...int) *Builder {
	d := &draft{layerNames: map[string]bool{}, parameters: map[string][]int{}, convInit: InitUniform, linearInit: InitUniform}
	d.net = Network{name: name, input: slices.Clone(input), featureMap: none, pooled: none, logits: none}
	d.shapes = [][]int{d.net.input}
	b := &Builder{draft: d}
	valid := len(input) == 1 || len(input) == 3
	for i, size := range input {
		valid = valid && (size > 0 || (i > 0 && size == Any))
	}
	if !valid {
		b.fail(fmt.Errorf("the input must be [features] or [channels, height, width], not %v", input))
	}
	return b
}

// Scope returns a builder of the same network that puts prefix and a dot before every layer's name.
func (b *Builder) Scope(prefix string) *Builder {
	return &Builder{prefix: b.prefix + prefix + ".", weights: b.weights + prefix + ".", draft: b.draft}
}

// Again returns a builder of the same network whose layers have prefix and a dot before their names, and share their
// parameters with the layers that are called the same without it.
func (b *Builder) Again(prefix string) *Builder {
	return &Builder{prefix: b.prefix + prefix + ".", weights: b.weights, draft: b.draft}
}

// ConvInit sets how the weights of the convolutions built from here on start.
func (b *Builder) ConvInit(init Init) { b.convInit = init }

// LinearInit sets how the weights of the linear layers built from here on start.
func (b *Builder) LinearInit(init Init) { b.linearInit = init }

// Input returns the network's input.
func (b *Builder) Input() Value { return inputValue }

// Shape returns the shape of a value without the batch axis, Any where it depends on the input's size.
func (b *Builder) Shape(x Value) []int {
	if x < 0 || int(x) >= len(b.shapes) {
		return nil
	}
	return slices.Clone(b.shapes[x])
}

// Channels returns the number of channels of a map or of features of a vector; 0 after a mistake.
func (b *Builder) Channels(x Value) int {
	if shape := b.Shape(x); len(shape) > 0 {
		return shape[0]
	}
	return 0
}

// Conv appends a convolution; see Conv for the defaults.
func (b *Builder) Conv(name string, x Value, c Conv) Value {
	c.Stride, c.Groups = max(c.Stride, 1), max(c.Groups, 1)
	if c.Init == "" {
		c.Init = b.convInit
	}
	return b.add(name, c, 1, x)[0]
}

// BatchNorm appends a batch normalisation with PyTorch's eps 1e-5 and momentum 0.1.
func (b *Builder) BatchNorm(name string, x Value) Value {
	return b.add(name, BatchNorm{Eps: 1e-5, Momentum: 0.1}, 1, x)[0]
}

// batchNormFromZero is BatchNorm with a weight that starts at 0.
func (b *Builder) batchNormFromZero(name string, x Value) Value {
	return b.add(name, BatchNorm{Eps: 1e-5, Momentum: 0.1, Init: InitZeros}, 1, x)[0]
}

// ReLU appends max(x, 0).
func (b *Builder) ReLU(name string, x Value) Value { return b.add(name, ReLU{}, 1, x)[0] }

// ReLU6 appends min(max(x, 0), 6).
func (b *Builder) ReLU6(name string, x Value) Value { return b.add(name, ReLU6{}, 1, x)[0] }

// MaxPool appends a maximum over a square window.
func (b *Builder) MaxPool(name string, x Value, window, stride, padding int) Value {
	return b.add(name, MaxPool{window, stride, padding}, 1, x)[0]
}

// AvgPool appends a mean over a square window.
func (b *Builder) AvgPool(name string, x Value, window, stride, padding int) Value {
	return b.add(name, AvgPool{window, stride, padding}, 1, x)[0]
}

// GlobalAvgPool appends torchvision's adaptive average pool to 1×1, flattened to a vector.
func (b *Builder) GlobalAvgPool(name string, x Value) Value {
	return b.add(name, GlobalAvgPool{Adaptive: true}, 1, x)[0]
}

// SpatialMean appends a plain mean over height and width: GlobalAvgPool by value, but not by the paper's cost count.
func (b *Builder) SpatialMean(name string, x Value) Value {
	return b.add(name, GlobalAvgPool{}, 1, x)[0]
}

// Linear appends y = x Wᵀ + b with the given number of outputs, on a vector or on each token.
func (b *Builder) Linear(name string, x Value, out int) Value {
	return b.add(name, Linear{Out: out, Init: b.linearInit}, 1, x)[0]
}

// LinearWith is Linear with all its choices; no Init is the Builder's.
func (b *Builder) LinearWith(name string, x Value, l Linear) Value {
	if l.Init == "" {
		l.Init = b.linearInit
	}
	return b.add(name, l, 1, x)[0]
}

// Add appends the sum of two values.
func (b *Builder) Add(name string, x, y Value) Value { return b.add(name, Add{}, 1, x, y)[0] }

// Concat appends the values joined along their channels, or tokens to one row.
func (b *Builder) Concat(name string, xs ...Value) Value { return b.add(name, Concat{}, 1, xs...)[0] }

// Split appends a cut of the channels, or of the row of tokens, into the first n and the rest.
func (b *Builder) Split(name string, x Value, n int) (first, rest Value) {
	parts := b.add(name, Split{First: n}, 2, x)
	return parts[0], parts[1]
}

// ChannelShuffle appends a shuffle of the channels between the given number of groups.
func (b *Builder) ChannelShuffle(name string, x Value, groups int) Value {
	return b.add(name, ChannelShuffle{groups}, 1, x)[0]
}

// Flatten appends the map joined to a vector; the map's size must be fixed.
func (b *Builder) Flatten(name string, x Value) Value { return b.add(name, Flatten{}, 1, x)[0] }

// Dropout appends dropout of the given rate.
func (b *Builder) Dropout(name string, x Value, rate float64) Value {
	return b.add(name, Dropout{rate}, 1, x)[0]
}

// Tap gives an inner value a name, the module's in torchvision, under which Forward hands it out.
func (b *Builder) Tap(name string, x Value) {
	if b.known(x) {
		b.net.taps = append(b.net.taps, tap{b.prefix + name, x})
	}
}

// Stage is a Tap that is also one of the stages: the last map of its resolution, which feature distillation compares.
func (b *Builder) Stage(name string, x Value) {
	if b.known(x) {
		b.Tap(name, x)
		b.net.stages = append(b.net.stages, x)
	}
}

// FeatureMap declares the last map before the pool.
func (b *Builder) FeatureMap(x Value) {
	if b.known(x) {
		b.net.featureMap = x
	}
}

// Pooled declares the pooled feature, what the classifier reads.
func (b *Builder) Pooled(x Value) {
	if b.known(x) {
		b.net.pooled = x
	}
}

// Logits declares the classifier's output, made by a linear layer from the pooled feature, and perhaps standardised.
func (b *Builder) Logits(x Value) {
	if b.known(x) {
		b.net.logits = x
	}
}

// Network returns the finished description, or the first mistake made while building it.
func (b *Builder) Network() (*Network, error) {
	if b.err == nil {
		b.finish()
	}
	if b.err != nil {
		return nil, b.err
	}
	net := b.net
	net.layers = slices.Clone(net.layers)
	return &net, nil
}

// finish checks the outputs and notes what Network is asked for most.
func (b *Builder) finish() {
	net := &b.net
	net.values = len(b.shapes)
	if net.pooled != none {
		shape := b.shapes[net.pooled]
		if len(shape) != 1 {
			b.fail(fmt.Errorf("the pooled feature must be a vector, not %v", shape))
			return
		}
		net.featureDim = shape[0]
	}
	if net.logits == none {
		return
	}
	if net.pooled == none {
		b.fail(errors.New("logits without a pooled feature"))
		return
	}
	wanted := net.logits
	for i := len(net.layers) - 1; i >= 0; i-- {
		layer := net.layers[i]
		if layer.Outputs[0] != wanted {
			continue
		}
		switch op := layer.Op.(type) {
		case Linear:
			net.classifier, net.classes = layer.Name, op.Out
		case Cosine:
			net.classes = op.Out
		case Standardise:
			wanted = layer.Inputs[0]
		}
	}
	if net.classes == 0 {
		b.fail(errors.New("the logits must be the output of a linear layer, standardised or as it is, or cosines"))
	}
}

// add appends a layer and returns its outputs; after a mistake it returns the input in their stead.
func (b *Builder) add(name string, op Op, outputs int, inputs ...Value) []Value {
	broken := make([]Value, outputs)
	for _, x := range inputs {
		if !b.known(x) {
			return broken
		}
	}
	weights := b.weights + name
	name = b.prefix + name
	if b.err != nil {
		return broken
	}
	if b.layerNames[name] || slices.Contains(reservedNames, name) {
		b.fail(fmt.Errorf("the layer name %q is taken", name))
		return broken
	}
	b.layerNames[name] = true
	in := pick(b.shapes, inputs)
	shapes, err := op.shapes(in)
	if err != nil {
		b.fail(fmt.Errorf("layer %s: %w", name, err))
		return broken
	}
	layer := Layer{Name: name, Op: op, Inputs: inputs, Parameters: op.parameters(in), weights: weights}
	for i := range layer.Parameters {
		p := &layer.Parameters[i]
		p.Name = parameterName(weights, p.Name)
		if before, shared := b.parameters[p.Name]; shared && !slices.Equal(before, p.Shape) {
			b.fail(fmt.Errorf("layer %s: the parameter %s is %v elsewhere, not %v", name, p.Name, before, p.Shape))
			return broken
		}
		b.parameters[p.Name] = p.Shape
	}
	for _, shape := range shapes {
		layer.Outputs = append(layer.Outputs, Value(len(b.shapes)))
		b.shapes = append(b.shapes, shape)
	}
	b.net.layers = append(b.net.layers, layer)
	return layer.Outputs
}

// parameterName joins a layer's name and that of one of its parameters; a nameless parameter bears the layer's name.
func parameterName(layer, own string) string {
	if own == "" {
		return layer
	}
	return layer + "." + own
}

// known reports whether x is a value of this network and no mistake was made before.
func (b *Builder) known(x Value) bool {
	if b.err == nil && (x < 0 || int(x) >= len(b.shapes)) {
		b.fail(fmt.Errorf("value %d belongs to no layer of this network", x))
	}
	return b.err == nil
}

// fail keeps the first mistake.
func (b *Builder) fail(err error) {
	if b.err == nil {
		b.err = fmt.Errorf("describe network %q: %w", b.net.name, err)
	}
}
