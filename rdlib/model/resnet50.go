package model

import "fmt"

// ResNet50 describes torchvision's resnet50 (He et al. 2016, table 1; the stride is in the 3×3 convolution). Width scales
// the 64 base channels; Blocks are the bottlenecks of each stage.
func ResNet50(c Config) (*Network, error) {
	c, err := c.check("resnet50", 3, 4, 6, 3)
	if err != nil {
		return nil, err
	}
	b := NewBuilder("resnet50", c.InChannels, Any, Any)
	b.ConvInit(InitKaimingFanOut)
	base := c.scale(64)

	x := convBNReLU(b, "conv1", "bn1", "relu", b.Input(), Conv{Out: base, Kernel: 7, Stride: 2, Padding: 3})
	x = b.MaxPool("maxpool", x, 3, 2, 1)
	b.Tap("maxpool", x)
	for stage, units := range c.Blocks {
		layer := fmt.Sprintf("layer%d", stage+1)
		for unit := range units {
			stride := 1
			if stage > 0 && unit == 0 {
				stride = 2
			}
			x = b.Scope(fmt.Sprintf("%s.%d", layer, unit)).bottleneck(x, base<<stage, stride)
		}
		b.Stage(layer, x)
	}
	b.FeatureMap(x)
	x = b.GlobalAvgPool("avgpool", x)
	b.Pooled(x)
	b.Logits(b.Linear("fc", x, c.Classes))
	return b.Network()
}

// bottleneck appends ResNet's residual block of 1×1, 3×3 and 1×1 convolutions, width channels inside and four times as
// many outside.
func (b *Builder) bottleneck(x Value, width, stride int) Value {
	y := convBNReLU(b, "conv1", "bn1", "relu1", x, Conv{Out: width, Kernel: 1})
	y = convBNReLU(b, "conv2", "bn2", "relu2", y, Conv{Out: width, Kernel: 3, Stride: stride, Padding: 1})
	y = b.Conv("conv3", y, Conv{Out: 4 * width, Kernel: 1})
	return b.joinIdentity(x, b.BatchNorm("bn3", y), stride)
}

// joinIdentity appends max(x + y, 0); x becomes a 1×1 convolution with batch normalisation first where the stride or the
// channels change.
func (b *Builder) joinIdentity(x, y Value, stride int) Value {
	if stride != 1 || b.Channels(x) != b.Channels(y) {
		x = b.Conv("downsample.0", x, Conv{Out: b.Channels(y), Kernel: 1, Stride: stride})
		x = b.BatchNorm("downsample.1", x)
	}
	y = b.Add("add", y, x)
	return b.ReLU("relu3", y)
}
