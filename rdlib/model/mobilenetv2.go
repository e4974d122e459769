package model

import "fmt"

// mobileStages are the inverted residual blocks of MobileNetV2 (Sandler et al. 2018, table 2): expansion t, output
// channels c, repetitions n, stride s of the first.
var mobileStages = []struct{ t, c, n, s int }{
	{1, 16, 1, 1},
	{6, 24, 2, 2},
	{6, 32, 3, 2},
	{6, 64, 4, 2},
	{6, 96, 3, 1},
	{6, 160, 3, 2},
	{6, 320, 1, 1},
}

// MobileNetV2 describes torchvision's mobilenet_v2. Width is its width_mult: channels are rounded to multiples of 8 and
// the last 1280 never shrink. The dropout in front of the classifier has the rate Config.Dropout, 0 by default.
func MobileNetV2(c Config) (*Network, error) {
	c, err := c.check("mobilenet")
	if err != nil {
		return nil, err
	}
	b := NewBuilder("mobilenet_v2", c.InChannels, Any, Any)
	b.ConvInit(InitKaimingFanOut)
	b.LinearInit(InitNormal001)

	features := b.Scope("features")
	x := features.convBNReLU6("0", b.Input(), Conv{Out: divisibleBy8(32 * c.Width), Kernel: 3, Stride: 2, Padding: 1})
	features.Tap("0", x)
	index := 1
	for i, stage := range mobileStages {
		lastOfResolution := i+1 == len(mobileStages) || mobileStages[i+1].s == 2
		for block := range stage.n {
			stride := 1
			if block == 0 {
				stride = stage.s
			}
			name := fmt.Sprint(index)
			x = features.Scope(name).invertedResidual(x, divisibleBy8(float64(stage.c)*c.Width), stride, stage.t)
			if lastOfResolution && block == stage.n-1 {
				features.Stage(name, x)
			} else {
				features.Tap(name, x)
			}
			index++
		}
	}
	x = features.convBNReLU6(fmt.Sprint(index), x, Conv{Out: divisibleBy8(1280 * max(1, c.Width)), Kernel: 1})
	features.Tap(fmt.Sprint(index), x)
	b.FeatureMap(x)
	x = b.GlobalAvgPool("avgpool", x)
	b.Pooled(x)
	x = b.Dropout("classifier.0", x, c.Dropout)
	b.Logits(b.Linear("classifier.1", x, c.Classes))
	return b.Network()
}

// invertedResidual expands the channels, convolves each by itself and projects back without an activation.
func (b *Builder) invertedResidual(x Value, out, stride, expansion int) Value {
	in := b.Channels(x)
	hidden := in * expansion
	conv := b.Scope("conv")
	y, next := x, 0
	if expansion != 1 {
		y = conv.convBNReLU6("0", y, Conv{Out: hidden, Kernel: 1})
		next = 1
	}
	y = conv.convBNReLU6(fmt.Sprint(next), y, Conv{Out: hidden, Kernel: 3, Stride: stride, Padding: 1, Groups: hidden})
	y = conv.Conv(fmt.Sprint(next+1), y, Conv{Out: out, Kernel: 1})
	y = conv.BatchNorm(fmt.Sprint(next+2), y)
	if stride == 1 && in == out {
		y = b.Add("add", x, y)
	}
	return y
}

// convBNReLU6 appends convolution, batch normalisation and ReLU6 as torchvision's Conv2dNormActivation names them.
func (b *Builder) convBNReLU6(name string, x Value, c Conv) Value {
	b = b.Scope(name)
	x = b.Conv("0", x, c)
	x = b.BatchNorm("1", x)
	return b.ReLU6("2", x)
}

// divisibleBy8 rounds a number of channels to the nearest multiple of 8 that is not more than 10 % below it.
func divisibleBy8(channels float64) int {
	rounded := max(8, int(channels+4)/8*8)
	if float64(rounded) < 0.9*channels {
		rounded += 8
	}
	return rounded
}
