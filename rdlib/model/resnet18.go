package model

import "fmt"

// ResNet18 describes torchvision's resnet18 (He et al. 2016, table 1). Width scales the 64 base channels;
// Blocks are the residual blocks of each stage.
func ResNet18(c Config) (*Network, error) {
	c, err := c.check("resnet18", 2, 2, 2, 2)
	if err != nil {
		return nil, err
	}
	b := NewBuilder("resnet18", c.InChannels, Any, Any)
	b.ConvInit(InitKaimingFanOut)
	base := c.scale(64)

	x := b.Conv("conv1", b.Input(), Conv{Out: base, Kernel: 7, Stride: 2, Padding: 3})
	x = b.BatchNorm("bn1", x)
	x = b.ReLU("relu", x)
	x = b.MaxPool("maxpool", x, 3, 2, 1)
	b.Tap("maxpool", x)
	x = b.residualStages(x, c.Blocks, base, (*Builder).BasicBlock)
	b.FeatureMap(x)
	x = b.GlobalAvgPool("avgpool", x)
	b.Pooled(x)
	b.Logits(b.Linear("fc", x, c.Classes))
	return b.Network()
}

// residualStages appends stages layer1, layer2, … of so many blocks each, named LAYER.0, …; each stage doubles the width, and
// all but the first halve the map.
func (b *Builder) residualStages(x Value, blocks []int, width int, block func(b *Builder, x Value, width, stride int) Value) Value {
	for stage, units := range blocks {
		layer := fmt.Sprintf("layer%d", stage+1)
		for unit := range units {
			stride := 1
			if stage > 0 && unit == 0 {
				stride = 2
			}
			x = block(b.Scope(fmt.Sprintf("%s.%d", layer, unit)), x, width<<stage, stride)
		}
		b.Stage(layer, x)
	}
	return x
}

// BasicBlock appends ResNet's residual block of two 3×3 convolutions to the given number of channels; the identity
// becomes a 1×1 convolution with batch normalisation where the stride or the channels change. Its layers are named
// conv1, bn1, …, so call it on a Scope of its own.
func (b *Builder) BasicBlock(x Value, out, stride int) Value {
	y := b.Conv("conv1", x, Conv{Out: out, Kernel: 3, Stride: stride, Padding: 1})
	y = b.BatchNorm("bn1", y)
	y = b.ReLU("relu1", y)
	y = b.Conv("conv2", y, Conv{Out: out, Kernel: 3, Padding: 1})
	return b.joinIdentity("relu2", x, b.BatchNorm("bn2", y), stride)
}

// joinIdentity appends max(x + y, 0); x becomes a 1×1 convolution with batch normalisation first where the stride or the
// channels change.
func (b *Builder) joinIdentity(relu string, x, y Value, stride int) Value {
	if stride != 1 || b.Channels(x) != b.Channels(y) {
		x = b.Conv("downsample.0", x, Conv{Out: b.Channels(y), Kernel: 1, Stride: stride})
		x = b.BatchNorm("downsample.1", x)
	}
	y = b.Add("add", y, x)
	return b.ReLU(relu, y)
}
