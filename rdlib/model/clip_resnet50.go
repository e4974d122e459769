package model

import "fmt"

// AttentionPool are the choices of CLIP's attention pool.
type AttentionPool struct {
	Heads int // of the attention; 0 means one for each 64 channels, as many as divide them
	Out   int // features of the result; 0 means 768 times the width
}

// check fills in the defaults for a map of the given channels.
func (p AttentionPool) check(c Config, channels int) (AttentionPool, error) {
	if p.Heads == 0 {
		p.Heads = max(1, channels/64)
		for channels%p.Heads != 0 {
			p.Heads--
		}
	}
	if p.Out == 0 {
		p.Out = c.scale(768)
	}
	switch {
	case p.Heads < 1 || channels%p.Heads != 0:
		return p, fmt.Errorf("clip_resnet50: %d channels cannot be cut into %d heads", channels, p.Heads)
	case p.Out < 1:
		return p, fmt.Errorf("clip_resnet50: %d features: at least 1 is needed", p.Out)
	}
	return p, nil
}

// CLIPResNet50 describes the modified ResNet-50 that CLIP (Radford et al. 2021, section 2.4) and PMC-CLIP encode images
// with, its parameters named as in their visual module: a stem of three convolutions, average pools in front of every
// convolution that would stride, and an attention pool, in which the mean of the map's positions is the one query. The
// defaults are PMC-CLIP's. Width scales the 64 base channels, to even numbers; Blocks are the bottlenecks of each stage;
// Attention are the pool's choices. It takes images of one size only, that of its positions: Transformer.Height and
// Transformer.Width, 224 by default.
//
// Its pooled feature is the attention pool's output, not normalised. A classifier of Config.Classes, fc, reads it, which
// the published encoders lack; with 0 classes there is none.
func CLIPResNet50(c Config) (*Network, error) {
	classes := c.Classes
	if classes == 0 {
		c.Classes = 1
	}
	c, err := c.check("clip_resnet50", 3, 4, 6, 3)
	if err != nil {
		return nil, err
	}
	height, width := c.Transformer.imageSize()
	if height < 1 || width < 1 {
		return nil, fmt.Errorf("clip_resnet50: an image of %d×%d has no pixels", height, width)
	}
	b := NewBuilder("clip_resnet50", c.InChannels, height, width)
	half := c.scale(32)

	x := convBNReLU(b, "conv1", "bn1", "relu1", b.Input(), Conv{Out: half, Kernel: 3, Stride: 2, Padding: 1})
	b.Tap("relu1", x)
	x = convBNReLU(b, "conv2", "bn2", "relu2", x, Conv{Out: half, Kernel: 3, Padding: 1})
	b.Tap("relu2", x)
	x = convBNReLU(b, "conv3", "bn3", "relu3", x, Conv{Out: 2 * half, Kernel: 3, Padding: 1})
	b.Tap("relu3", x)
	x = b.AvgPool("avgpool", x, 2, 2, 0)
	b.Tap("stem", x)
	x = b.residualStages(x, c.Blocks, 2*half, (*Builder).clipBottleneck)
	b.FeatureMap(x)
	if b.err != nil { // the image is too small
		return nil, b.err
	}
	pool, err := c.Attention.check(c, b.Channels(x))
	if err != nil {
		return nil, err
	}
	x = b.Scope("attnpool").attentionPool(x, pool)
	b.Pooled(x)
	if classes > 0 {
		b.Logits(b.Linear("fc", x, classes))
	}
	return b.Network()
}

// clipBottleneck appends CLIP's bottleneck: average pools stride in the convolutions' stead, and the last normalisation
// starts at 0, so that the block starts as its identity.
func (b *Builder) clipBottleneck(x Value, width, stride int) Value {
	y := convBNReLU(b, "conv1", "bn1", "relu1", x, Conv{Out: width, Kernel: 1})
	y = convBNReLU(b, "conv2", "bn2", "relu2", y, Conv{Out: width, Kernel: 3, Padding: 1})
	if stride > 1 {
		y = b.AvgPool("avgpool", y, stride, stride, 0)
	}
	y = b.Conv("conv3", y, Conv{Out: 4 * width, Kernel: 1})
	y = b.batchNormFromZero("bn3", y)
	if stride > 1 {
		x = b.AvgPool("downsample.-1", x, stride, stride, 0)
	}
	return b.joinIdentity("relu3", x, y, 1)
}

// attentionPool appends CLIP's attention pool: the mean of the map's positions attends to itself and to them.
func (b *Builder) attentionPool(x Value, pool AttentionPool) Value {
	defer b.LinearInit(b.linearInit)
	b.LinearInit(InitNormalFanIn)
	tokens := b.Tokens("tokens", x)
	x = b.Concat("with_mean", b.MeanToken("mean", tokens), tokens)
	dim := b.Features(x)
	x = b.Add("with_position", x, b.Learned("positional_embedding", Learned{
		Count: b.tokenCount(x), Features: dim, Init: InitNormalFanIn, Rank2: true,
	}))
	mean, _ := b.Split("query", x, 1)
	k := b.Linear("k_proj", x, dim)
	q := b.Linear("q_proj", mean, dim)
	b.Tap("k_proj", k)
	b.Tap("q_proj", q)
	v := b.Linear("v_proj", x, dim)
	x = b.Attention("attention", q, k, v, pool.Heads)
	return b.Linear("c_proj", b.Flatten("flatten", x), pool.Out)
}
