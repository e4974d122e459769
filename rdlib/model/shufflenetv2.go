package model

import (
	"fmt"
	"math"
)

// shuffleWidths are torchvision's presets: channels of the first stage (each later stage doubles them) and of conv5.
var shuffleWidths = []struct {
	width         float64
	stage2, conv5 int
}{
	{0.5, 48, 1024},
	{1.0, 116, 1024},
	{1.5, 176, 1024},
	{2.0, 244, 2048},
}

// ShuffleNetV2 describes torchvision's shufflenet_v2 (Ma et al. 2018, table 5). The widths 0.5, 1.0, 1.5 and 2.0 are
// torchvision's presets; a width between two of them takes channels between theirs, one outside scales the nearest's.
func ShuffleNetV2(c Config) (*Network, error) {
	c, err := c.check("shufflenet")
	if err != nil {
		return nil, err
	}
	b := NewBuilder("shufflenet_v2", c.InChannels, Any, Any)
	stage2, conv5 := shuffleChannels(c.Width)

	x := convBNReLU(b, "conv1.0", "conv1.1", "conv1.2", b.Input(), Conv{Out: 24, Kernel: 3, Stride: 2, Padding: 1})
	b.Tap("conv1", x)
	x = b.MaxPool("maxpool", x, 3, 2, 1)
	b.Tap("maxpool", x)
	for i, units := range []int{4, 8, 4} {
		stage := fmt.Sprintf("stage%d", i+2)
		x = b.Scope(stage+".0").shuffleUnitDown(x, stage2<<i)
		for unit := 1; unit < units; unit++ {
			x = b.Scope(fmt.Sprintf("%s.%d", stage, unit)).shuffleUnit(x)
		}
		b.Stage(stage, x)
	}
	x = convBNReLU(b, "conv5.0", "conv5.1", "conv5.2", x, Conv{Out: conv5, Kernel: 1})
	b.Tap("conv5", x)
	b.FeatureMap(x)
	x = b.SpatialMean("mean", x)
	b.Pooled(x)
	b.Logits(b.Linear("fc", x, c.Classes))
	return b.Network()
}

// shuffleUnit keeps half of the channels and convolves the other half.
func (b *Builder) shuffleUnit(x Value) Value {
	half := b.Channels(x) / 2
	kept, rest := b.Split("split", x, half)
	rest = b.shuffleBranch2(rest, half, 1)
	x = b.Concat("concat", kept, rest)
	return b.ChannelShuffle("shuffle", x, 2)
}

// shuffleUnitDown halves the resolution: both branches convolve the whole input, with half of the output channels each.
func (b *Builder) shuffleUnitDown(x Value, out int) Value {
	left := b.Scope("branch1")
	y := left.Conv("0", x, Conv{Out: b.Channels(x), Kernel: 3, Stride: 2, Padding: 1, Groups: b.Channels(x)})
	y = left.BatchNorm("1", y)
	y = convBNReLU(left, "2", "3", "4", y, Conv{Out: out / 2, Kernel: 1})
	x = b.Concat("concat", y, b.shuffleBranch2(x, out/2, 2))
	return b.ChannelShuffle("shuffle", x, 2)
}

// shuffleBranch2 is 1×1, depthwise 3×3, 1×1.
func (b *Builder) shuffleBranch2(x Value, out, stride int) Value {
	b = b.Scope("branch2")
	x = convBNReLU(b, "0", "1", "2", x, Conv{Out: out, Kernel: 1})
	x = b.Conv("3", x, Conv{Out: out, Kernel: 3, Stride: stride, Padding: 1, Groups: out})
	x = b.BatchNorm("4", x)
	return convBNReLU(b, "5", "6", "7", x, Conv{Out: out, Kernel: 1})
}

// convBNReLU appends convolution, batch normalisation and ReLU under the given names.
func convBNReLU(b *Builder, conv, bn, relu string, x Value, c Conv) Value {
	x = b.Conv(conv, x, c)
	x = b.BatchNorm(bn, x)
	return b.ReLU(relu, x)
}

// shuffleChannels returns the channels of stage2 (even, since half of them pass by each unit) and of conv5.
func shuffleChannels(width float64) (stage2, conv5 int) {
	first, last := shuffleWidths[0], shuffleWidths[len(shuffleWidths)-1]
	var exact float64
	switch {
	case width <= first.width:
		exact, conv5 = float64(first.stage2)*width/first.width, first.conv5
	case width >= last.width:
		exact, conv5 = float64(last.stage2)*width/last.width, last.conv5
	default:
		for i, high := range shuffleWidths[1:] {
			low := shuffleWidths[i]
			if low.width <= width && width <= high.width {
				part := (width - low.width) / (high.width - low.width)
				exact = float64(low.stage2) + part*float64(high.stage2-low.stage2)
				conv5 = low.conv5 + int(math.Round(part*float64(high.conv5-low.conv5)))
			}
		}
	}
	return max(2, 2*int(math.Round(exact/2))), conv5
}
