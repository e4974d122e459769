package model

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	gomodel "github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"rd/rdlib/nn"
)

// Outputs are the values of one forward pass; nil where the network has none.
type Outputs struct {
	Stages     []*graph.Node          // the last map of each resolution (of each quarter of a transformer's blocks), [batch, channels, height, width]
	FeatureMap *graph.Node            // the last map before the pool, [batch, channels, height, width]
	Pooled     *graph.Node            // what the classifier reads, [batch, FeatureDim]
	Logits     *graph.Node            // [batch, Classes]
	Taps       map[string]*graph.Node // the outputs of inner modules by torchvision's name, the stages among them
}

// Forward computes the network on x [batch, channels, height, width] (or [batch, features]) with the variables that Declare
// put under scope, in their data type, which must be x's.
//
// With training, batch normalisations use the batch's statistics and update the running ones as PyTorch does: with
// momentum 0.1, the variance's update unbiased by n/(n−1) for n values a channel. Dropout acts only in training and only
// where its rate is positive. Without training the running statistics are used and nothing changes.
//
// It is called while a graph is built and, like GoMLX's own functions, panics with an error when x does not fit, a
// variable is missing, or training is asked for with a single value a channel.
func (n *Network) Forward(scope *gomodel.Scope, x *graph.Node, training bool) Outputs {
	return n.forward(scope, x, training, nil)
}

// Train is Forward in training with the random numbers of the dropouts given: noise returns for each layer that Dropouts
// lists numbers from [0, 1), of the batch and the shape it has there.
func (n *Network) Train(scope *gomodel.Scope, x *graph.Node, noise func(layer string) *graph.Node) Outputs {
	return n.forward(scope, x, true, noise)
}

// Dropouts lists the layers that drop elements in training, with the shapes of what they read for a sample of the given
// shape, without the batch axis.
func (n *Network) Dropouts(sample ...int) (map[string][]int, error) {
	shapes, err := n.valueShapes(sample)
	if err != nil {
		return nil, err
	}
	found := map[string][]int{}
	for _, layer := range n.layers {
		if d, ok := layer.Op.(Dropout); ok && d.Rate > 0 {
			found[layer.Name] = shapes[layer.Inputs[0]]
		}
	}
	return found, nil
}

func (n *Network) forward(scope *gomodel.Scope, x *graph.Node, training bool, noise func(layer string) *graph.Node) Outputs {
	sample := x.Shape().Dimensions
	if len(sample) > 0 {
		sample = sample[1:]
	}
	if _, err := n.valueShapes(sample); err != nil {
		panic(err)
	}
	values := make([]*graph.Node, n.values)
	values[inputValue] = x
	for _, layer := range n.layers {
		runLayer(scope, layer, values, training, noise)
	}
	of := func(v Value) *graph.Node {
		if v == none {
			return nil
		}
		return values[v]
	}
	out := Outputs{FeatureMap: of(n.featureMap), Pooled: of(n.pooled), Logits: of(n.logits), Taps: map[string]*graph.Node{}}
	for _, s := range n.stages {
		out.Stages = append(out.Stages, of(s))
	}
	for _, t := range n.taps {
		out.Taps[t.name] = of(t.value)
	}
	return out
}

// Classify applies the network's own classifier, RD's shared g, to other features [batch, FeatureDim] and returns the
// logits [batch, Classes]. It panics like Forward, and for a network without a classifier.
func (n *Network) Classify(scope *gomodel.Scope, features *graph.Node) *graph.Node {
	weight, bias := n.ClassifierParameters()
	if weight == "" {
		panic(fmt.Errorf("network %s has no classifier", n.name))
	}
	g := features.Graph()
	return nn.Linear(features, variable(scope, weight).NodeValue(g), variable(scope, bias).NodeValue(g))
}

// runLayer computes one layer's outputs into values.
func runLayer(scope *gomodel.Scope, layer Layer, values []*graph.Node, training bool, noise func(layer string) *graph.Node) {
	in := pick(values, layer.Inputs)
	x := in[0]
	g := x.Graph()
	parameter := func(name string) *graph.Node { return variable(scope, layer.weights+"."+name).NodeValue(g) }
	var y *graph.Node
	switch op := layer.Op.(type) {
	case Conv:
		y = nn.Conv2D(x, parameter("weight"), nn.Conv2DOptions{
			Stride: [2]int{op.Stride, op.Stride}, Padding: [2]int{op.Padding, op.Padding}, Groups: op.Groups,
		})
		if op.Bias {
			y = graph.Add(y, graph.Reshape(parameter("bias"), 1, op.Out, 1, 1))
		}
	case ConvTranspose:
		y = nn.ConvTranspose2D(x, parameter("weight"), op.Stride, op.Padding)
		if op.Bias {
			y = graph.Add(y, graph.Reshape(parameter("bias"), 1, op.Out, 1, 1))
		}
	case BatchNorm:
		gamma, beta := parameter("weight"), parameter("bias")
		if !training {
			y = nn.BatchNormInfer(x, gamma, beta, parameter("running_mean"), parameter("running_var"), op.Eps)
			break
		}
		var mean, variance *graph.Node
		y, mean, variance = nn.BatchNormTrain(x, gamma, beta, op.Eps)
		count := x.Shape().Size() / x.Shape().Dim(1)
		if count < 2 {
			exceptions.Panicf("layer %s: batch normalisation cannot train on a single value a channel (input %s): use a larger batch or image", layer.Name, x.Shape())
		}
		unbiased := graph.MulScalar(variance, float64(count)/float64(count-1))
		moveTowards(variable(scope, layer.weights+".running_mean"), mean, op.Momentum)
		moveTowards(variable(scope, layer.weights+".running_var"), unbiased, op.Momentum)
	case ReLU:
		y = nn.ReLU(x)
	case ReLU6:
		y = nn.ReLU6(x)
	case MaxPool:
		y = nn.MaxPool2D(x, op.Window, op.Stride, op.Padding)
	case AvgPool:
		y = nn.AvgPool2D(x, op.Window, op.Stride, op.Padding)
	case GlobalAvgPool:
		y = nn.GlobalAvgPool(x)
	case Linear:
		var bias *graph.Node
		if !op.NoBias {
			bias = parameter("bias")
		}
		y = nn.Linear(x, parameter("weight"), bias)
	case Add:
		y = graph.Add(x, in[1])
	case Concat:
		y = concatenate(in)
	case Split:
		first, rest := nn.SplitChannels(x, op.First)
		values[layer.Outputs[0]], values[layer.Outputs[1]] = first, rest
		return
	case ChannelShuffle:
		y = nn.ChannelShuffle(x, op.Groups)
	case Flatten:
		y = graph.Reshape(x, x.Shape().Dim(0), -1)
	case Standardise:
		y = nn.Standardise(x, op.Scale, op.Eps)
	case LayerNorm:
		y = nn.LayerNorm(x, parameter("weight"), parameter("bias"), op.Eps)
	case GELU:
		y = nn.GELU(x)
	case Attention:
		y = op.forward(in)
	case GridAttention:
		y = op.forward(in)
	case PadGrid:
		y = op.forward(x)
	case CropGrid:
		y = op.forward(x)
	case Learned:
		y = graph.Reshape(variable(scope, layer.weights).NodeValue(g), 1, op.Count, op.Features)
	case Tokens:
		y = tokensOfMap(x)
	case Map:
		y = op.mapOfTokens(x)
	case TokenMean:
		y = op.mean(x)
	case Scale:
		y = graph.MulScalar(x, op.By)
	case UnitLength:
		y = unitLength(x, -1, op.Eps)
	case Cosine:
		y = op.forward(x, parameter("weight"))
	case TopMask:
		y = op.forward(x)
	case Mix:
		y = op.forward(x, parameter("weight"))
	case AddQV:
		y = op.forward(in)
	case Dropout:
		y = x
		switch {
		case !training || op.Rate == 0:
		case noise != nil:
			y = keep(x, graph.GreaterOrEqual(noise(layer.Name), graph.Scalar(g, x.DType(), op.Rate)), op.Rate)
		default:
			y = keep(x, scope.RandomBernoulli(graph.Scalar(g, x.DType(), 1-op.Rate), x.Shape()), op.Rate)
		}
	default:
		exceptions.Panicf("model: the graph emitter lacks the kind %T", op)
	}
	values[layer.Outputs[0]] = y
}

// moveTowards sets v ← (1−momentum)·v + momentum·target.
func moveTowards(v *gomodel.Variable, target *graph.Node, momentum float64) {
	old := v.NodeValue(target.Graph())
	v.SetNodeValue(graph.Add(graph.MulScalar(old, 1-momentum), graph.MulScalar(target, momentum)))
}

// keep zeroes the elements that are not kept and scales the others by 1/(1−rate).
func keep(x, kept *graph.Node, rate float64) *graph.Node {
	return graph.MulScalar(graph.Mul(x, graph.ConvertDType(kept, x.DType())), 1/(1-rate))
}

// variable returns the variable of the given torchvision name under scope; Declare made it.
func variable(scope *gomodel.Scope, name string) *gomodel.Variable {
	v := scope.GetVariable(name)
	if v == nil {
		exceptions.Panicf("no variable %s under %s: declare the network's weights there first", name, scope.Scope())
	}
	return v
}
