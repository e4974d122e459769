package model

import "fmt"

// DenseNet121 describes torchvision's densenet121 (Huang et al. 2017, "Densely connected convolutional networks"), its
// dropout off. Width scales the growth rate of 32 and the stem's 64 channels; Blocks are the layers of each dense block.
// Its stages are the outputs of the dense blocks but the last, whose map is the feature map once it is normalised and
// cut at 0.
func DenseNet121(c Config) (*Network, error) {
	c, err := c.check("densenet121", 6, 12, 24, 16)
	if err != nil {
		return nil, err
	}
	b := NewBuilder("densenet121", c.InChannels, Any, Any)
	b.ConvInit(InitKaimingFanIn)
	b.LinearInit(InitUniformNoBias)
	growth := c.scale(32)

	features := b.Scope("features")
	x := convBNReLU(features, "conv0", "norm0", "relu0", b.Input(), Conv{Out: c.scale(64), Kernel: 7, Stride: 2, Padding: 3})
	x = features.MaxPool("pool0", x, 3, 2, 1)
	features.Tap("pool0", x)
	for i, layers := range c.Blocks {
		name := fmt.Sprintf("denseblock%d", i+1)
		for layer := range layers {
			x = features.Scope(fmt.Sprintf("%s.denselayer%d", name, layer+1)).denseLayer(x, growth)
		}
		if i == len(c.Blocks)-1 {
			features.Tap(name, x)
			break
		}
		features.Stage(name, x)
		x = features.Scope(fmt.Sprintf("transition%d", i+1)).denseTransition(x)
		features.Tap(fmt.Sprintf("transition%d", i+1), x)
	}
	x = features.BatchNorm("norm5", x)
	features.Tap("norm5", x)
	x = b.ReLU("relu", x)
	b.Stage("relu", x)
	b.FeatureMap(x)
	x = b.GlobalAvgPool("avgpool", x)
	b.Pooled(x)
	b.Logits(b.Linear("classifier", x, c.Classes))
	return b.Network()
}

// denseLayer appends growth channels made of all before: normalised 1×1 to 4·growth, normalised 3×3.
func (b *Builder) denseLayer(x Value, growth int) Value {
	y := b.BatchNorm("norm1", x)
	y = b.ReLU("relu1", y)
	y = convBNReLU(b, "conv1", "norm2", "relu2", y, Conv{Out: 4 * growth, Kernel: 1})
	y = b.Conv("conv2", y, Conv{Out: growth, Kernel: 3, Padding: 1})
	return b.Concat("concat", x, y)
}

// denseTransition halves channels and resolution.
func (b *Builder) denseTransition(x Value) Value {
	half := max(1, b.Channels(x)/2)
	x = b.BatchNorm("norm", x)
	x = b.ReLU("relu", x)
	x = b.Conv("conv", x, Conv{Out: half, Kernel: 1})
	return b.AvgPool("pool", x, 2, 2, 0)
}
