// Package model describes convolutional networks and vision transformers declaratively and walks each description three ways: as the GoMLX graph
// that trains (Forward), as the clean ONNX graph that is deployed (ONNX) and as a count of what it costs (Cost). One
// description serves all three, so they cannot drift apart.
//
// Every tensor is NCHW: images and feature maps [batch, channels, height, width], tokens [batch, tokens, features], vectors
// [batch, features], convolution weights [out, in/groups, kernel, kernel], linear weights [out, in]. Parameters bear the
// names of torchvision's state_dict (timm's for vision transformers, SAM's for its encoder, CLIP's for its ResNet), so weights travel to and from PyTorch as safetensors.
package model

import (
	"fmt"
	"slices"
)

// Network is the description of an architecture: layers in the order they run, each reading the values of earlier ones.
// It holds no weights and no input size; a Builder makes it, and it never changes afterwards, so it may be shared.
type Network struct {
	name   string
	input  []int // one sample, without the batch axis; Any where the size is free
	layers []Layer
	values int // how many values the layers produce, the input included

	taps       []tap
	stages     []Value
	featureMap Value
	pooled     Value
	logits     Value

	featureDim int
	classifier string // name of the linear layer that makes the logits; "" without one
	classes    int
}

// Value names what a layer of one network reads or produces: the input is 0.
type Value int

// Any stands for a free size in the shape of a sample, such as the height of an image.
const Any = -1

// none is the Value of an output that a network does not have.
const none Value = -1

// inputValue is the Value of a network's input.
const inputValue Value = 0

// Layer is one step of a Network.
type Layer struct {
	Name       string // the module's name in torchvision's state_dict, such as "layer1.0.conv1"
	Op         Op
	Inputs     []Value
	Outputs    []Value
	Parameters []Parameter // with full names, in state_dict order

	weights string // what the names of its parameters begin with: its own, or that of a layer it shares them with
}

type tap struct {
	name  string
	value Value
}

// Name returns the architecture's name, such as "resnet18".
func (n *Network) Name() string { return n.name }

// InputShape returns the shape of one sample without the batch axis, Any where the size is free: [3, Any, Any] for an image.
func (n *Network) InputShape() []int { return slices.Clone(n.input) }

// Layers returns the layers in the order they run. The slice is the caller's; the parameters' shapes are not.
func (n *Network) Layers() []Layer { return slices.Clone(n.layers) }

// FeatureDim returns the width of the pooled feature, the D of [batch, D]; 0 for a network without one.
func (n *Network) FeatureDim() int { return n.featureDim }

// Classes returns how many logits the network ends in; 0 for a network without a classifier.
func (n *Network) Classes() int { return n.classes }

// ClassifierParameters returns the names of the classifier's weight [classes, D] and bias [classes], the g that RD shares
// between student and teacher; both are empty for a network without a classifier.
func (n *Network) ClassifierParameters() (weight, bias string) {
	if n.classifier == "" {
		return "", ""
	}
	return n.classifier + ".weight", n.classifier + ".bias"
}

// TapNames returns the names of the inner outputs that Forward hands out by name, in the order they are computed.
func (n *Network) TapNames() []string {
	names := make([]string, len(n.taps))
	for i, t := range n.taps {
		names[i] = t.name
	}
	return names
}

// Shapes are the shapes of a network's outputs for one sample, without the batch axis; nil for one it does not have.
type Shapes struct {
	Stages             [][]int
	FeatureMap, Pooled []int
	Logits             []int
}

// Shapes returns the output shapes for a sample of the given shape, [channels, height, width] or [features].
// The error names the first layer that cannot take its input, such as a window larger than the map it slides over.
func (n *Network) Shapes(sample ...int) (Shapes, error) {
	shapes, err := n.valueShapes(sample)
	if err != nil {
		return Shapes{}, err
	}
	of := func(v Value) []int {
		if v == none {
			return nil
		}
		return shapes[v]
	}
	out := Shapes{FeatureMap: of(n.featureMap), Pooled: of(n.pooled), Logits: of(n.logits)}
	for _, s := range n.stages {
		out.Stages = append(out.Stages, of(s))
	}
	return out, nil
}

// valueShapes infers the shape of every value for a sample of the given shape.
func (n *Network) valueShapes(sample []int) ([][]int, error) {
	if len(sample) != len(n.input) {
		return nil, fmt.Errorf("%s takes samples of shape %v, not %v", n.name, n.input, sample)
	}
	for i, want := range n.input {
		if sample[i] < 1 || (want != Any && sample[i] != want) {
			return nil, fmt.Errorf("%s takes samples of shape %v (%d: any size), not %v", n.name, n.input, Any, sample)
		}
	}
	shapes := make([][]int, n.values)
	shapes[inputValue] = sample
	for _, layer := range n.layers {
		outputs, err := layer.Op.shapes(pick(shapes, layer.Inputs))
		if err != nil {
			return nil, fmt.Errorf("%s, layer %s, for an input of %v: %w", n.name, layer.Name, sample, err)
		}
		for i, v := range layer.Outputs {
			shapes[v] = outputs[i]
		}
	}
	return shapes, nil
}

// handedOut are the values that someone can ask for.
func (n *Network) handedOut() []Value {
	var values []Value
	for _, v := range append([]Value{n.featureMap, n.pooled, n.logits}, n.stages...) {
		if v != none {
			values = append(values, v)
		}
	}
	for _, t := range n.taps {
		values = append(values, t.value)
	}
	return values
}

// needed marks the layers that the given values depend on.
func (n *Network) needed(values ...Value) []bool {
	wanted := make([]bool, n.values)
	for _, v := range values {
		wanted[v] = true
	}
	layers := make([]bool, len(n.layers))
	for i := len(n.layers) - 1; i >= 0; i-- {
		layer := n.layers[i]
		layers[i] = slices.ContainsFunc(layer.Outputs, func(v Value) bool { return wanted[v] })
		if layers[i] {
			for _, v := range layer.Inputs {
				wanted[v] = true
			}
		}
	}
	return layers
}

// pick returns the elements of all at the given values.
func pick[T any](all []T, values []Value) []T {
	picked := make([]T, len(values))
	for i, v := range values {
		picked[i] = all[v]
	}
	return picked
}
