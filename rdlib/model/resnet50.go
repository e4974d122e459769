package model

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
	x = b.residualStages(x, c.Blocks, base, (*Builder).bottleneck)
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
	return b.joinIdentity("relu3", x, b.BatchNorm("bn3", y), stride)
}
