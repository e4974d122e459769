package model

import (
	"cmp"
	"fmt"
	"math"
)

// Pool names how a vision transformer makes one feature of its tokens.
type Pool string

const (
	PoolToken Pool = "token" // the class token, which stands before the patches
	PoolMean  Pool = "mean"  // the mean of the patches' tokens; there is no class token
)

// Transformer are the choices of a vision transformer. A zero value stands for that of ViT-B/16 on 224×224 pixels, after
// Dosovitskiy et al., An Image is Worth 16×16 Words, 2021, table 1.
type Transformer struct {
	Height, Width int     // of the image in pixels, multiples of Patch; 0 means 224, or the other of the two
	Patch         int     // side of a patch in pixels; 0 means 16
	Dim           int     // features of a token, a multiple of Heads; 0 means 64 a head
	Depth         int     // blocks; 0 means 12
	Heads         int     // of each attention; 0 means 12
	MLPRatio      float64 // hidden features of a block's MLP over Dim, rounded down; 0 means 4
	Pool          Pool    // "" means PoolToken
}

// imageSize is the image's height and width, the defaults filled in.
func (t Transformer) imageSize() (height, width int) {
	height = cmp.Or(t.Height, t.Width, 224)
	return height, cmp.Or(t.Width, height)
}

// check fills in the defaults; width multiplies the heads, their own width kept, so that 0.25 and 0.5 make ViT-Ti and
// ViT-S of ViT-B.
func (t Transformer) check(width float64) (Transformer, error) {
	defaults := func(value *int, otherwise int) {
		if *value == 0 {
			*value = otherwise
		}
	}
	t.Height, t.Width = t.imageSize()
	defaults(&t.Patch, 16)
	defaults(&t.Depth, 12)
	defaults(&t.Heads, 12)
	defaults(&t.Dim, 64*t.Heads)
	if t.MLPRatio == 0 {
		t.MLPRatio = 4
	}
	if t.Pool == "" {
		t.Pool = PoolToken
	}
	switch {
	case t.Patch < 1 || t.Height < 1 || t.Width < 1 || t.Height%t.Patch != 0 || t.Width%t.Patch != 0:
		return t, fmt.Errorf("vit: an image of %d×%d cannot be cut into patches of %d×%d", t.Height, t.Width, t.Patch, t.Patch)
	case t.Heads < 1 || t.Dim < 1 || t.Dim%t.Heads != 0:
		return t, fmt.Errorf("vit: a width of %d cannot be cut into %d heads", t.Dim, t.Heads)
	case t.Depth < 1:
		return t, fmt.Errorf("vit: needs at least one block, not %d", t.Depth)
	case !(t.MLPRatio > 0 && t.MLPRatio <= maxMLPRatio) || t.hidden() < 1:
		return t, fmt.Errorf("vit: MLP ratio %g is outside (0, %d]", t.MLPRatio, maxMLPRatio)
	case t.Pool != PoolToken && t.Pool != PoolMean:
		return t, fmt.Errorf("vit: unknown pool %q: choose %q or %q", t.Pool, PoolToken, PoolMean)
	}
	head := t.Dim / t.Heads
	t.Heads = max(1, int(math.Round(float64(t.Heads)*width)))
	t.Dim = t.Heads * head
	return t, nil
}

// ViTTransformer is the part of a configuration of ViT that is its own, its defaults filled in; the error says what does not fit
// together.
func ViTTransformer(c Config) (Transformer, error) { return c.Transformer.check(cmp.Or(c.Width, 1)) }

// maxMLPRatio bounds the ratio as maxWidth does the width.
const maxMLPRatio = 64

// hidden returns the width inside a block's MLP; a ratio that is the quotient of two widths gives the first one back.
func (t Transformer) hidden() int { return int(float64(t.Dim)*t.MLPRatio + 1e-6) }

// ViT describes timm's VisionTransformer (vit_base_patch16_224 by default), its parameters named as there: patches by a
// convolution, a class token, a learned position for every token, blocks with the normalisation first, and a last
// normalisation. Unlike the students it takes images of one size only, that of its positions, c.Transformer's.
//
// Its stages are the patches' tokens as maps [Dim, h, w] after each quarter of the blocks; its feature map, those after
// the last normalisation; its pooled feature, the class token after it or, with PoolMean, the mean over the feature map.
func ViT(c Config) (*Network, error) { return AdaptViT(c, Adaptation{}) }

// Adaptation changes a vision transformer while it is described. Functions that are nil change nothing; those that are
// given block number i are called on a builder whose names begin with the block's.
type Adaptation struct {
	Name string  // of the adaptation; the network is called vit+Name
	Eps  float64 // of ViT's layer normalisations; 0 is timm's 1e-6
	// Before makes of a block's tokens, the class token (where there is one) and then the patches, those that the block reads;
	// After makes of the block's output what the next block's Before is given, and the class token and patches by themselves.
	Before func(b *Builder, i int, x Value) Value
	After  func(b *Builder, i int, x Value) (next, own Value)
	// Attention changes queries, keys and values, [tokens, 3·dim], made from the normalised tokens.
	Attention func(b *Builder, i int, normed, qkv Value) Value
	Silent    int // tokens in front of each block's that are not attended to
	// MLP changes what is added to x: y is the MLP's output, x what its normalisation reads.
	MLP func(b *Builder, i int, x, y Value) Value
	// Begin is called before the first block with a pass that runs all blocks and the last normalisation on the tokens before
	// the first block and returns the pooled feature; it is given a builder that is Again one.
	Begin func(b *Builder, pass func(*Builder, Adaptation) Value)
	// Pooled makes the feature of the plain network's pooled one, and Logits the classifier's output of that.
	Pooled func(b *Builder, pooled Value) Value
	Logits func(b *Builder, pooled Value, classes int) Value
}

// blocks appends all blocks and the last normalisation to tokens and returns the pooled feature, as a layer called pooled:
// the class token, or the mean over the patches. Stages are declared where stages is set.
func (t Transformer) blocks(b *Builder, x Value, a Adaptation, stages bool) (pooled Value) {
	h, w := t.Height/t.Patch, t.Width/t.Patch
	patchTokens := func(_ string, x Value) Value { return x }
	if t.Pool == PoolToken {
		patchTokens = func(name string, x Value) Value {
			_, patches := b.Split(name+".patches", x, 1)
			return patches
		}
	}
	for i := range t.Depth {
		block := fmt.Sprintf("blocks.%d", i)
		scope := b.Scope(block)
		if a.Before != nil {
			x = a.Before(scope, i, x)
		}
		x = scope.transformerBlock(x, t.Heads, t.hidden(), i, a)
		b.Tap(block, x)
		own := x
		if a.After != nil {
			x, own = a.After(scope, i, x)
		}
		if stages && endsQuarter(i, t.Depth) {
			b.Stage(block+".map", b.Map(block+".map", patchTokens(block, own), h, w))
		}
		if i == t.Depth-1 {
			x = own
		}
	}
	x = b.layerNorm("norm", x, a.Eps)
	patches := patchTokens("norm", x)
	if stages {
		b.FeatureMap(b.Map("norm.map", patches, h, w))
	}
	if t.Pool == PoolMean {
		return b.TokenMean("mean", patches)
	}
	x, _ = b.Split("norm.cls_token", x, 1)
	return b.Flatten("pooled_token", x)
}

// layerNorm is LayerNorm with an eps that is timm's where it is 0.
func (b *Builder) layerNorm(name string, x Value, eps float64) Value {
	return b.add(name, LayerNorm{Eps: cmp.Or(eps, 1e-6)}, 1, x)[0]
}

// AdaptViT describes a vision transformer with an adaptation built into it; the parameters of ViT keep their names.
func AdaptViT(c Config, a Adaptation) (*Network, error) {
	c, err := c.check("vit")
	if err != nil {
		return nil, err
	}
	t, err := c.Transformer.check(c.Width)
	if err != nil {
		return nil, err
	}
	h, w := t.Height/t.Patch, t.Width/t.Patch
	b := NewBuilder(a.named("vit"), c.InChannels, t.Height, t.Width)
	b.LinearInit(InitNormal002)
	count := h * w
	var class Value
	if t.Pool == PoolToken {
		count++
		class = b.Learned("cls_token", Learned{Count: 1, Features: t.Dim, Init: InitNormal1e6})
	}
	position := b.Learned("pos_embed", Learned{Count: count, Features: t.Dim, Init: InitNormal002})
	x := b.Conv("patch_embed.proj", b.Input(), Conv{Out: t.Dim, Kernel: t.Patch, Stride: t.Patch, Bias: true})
	x = b.Tokens("patch_embed", x)
	b.Tap("patch_embed", x)
	if t.Pool == PoolToken {
		x = b.Concat("with_cls_token", class, x)
	}
	x = b.Add("with_position", x, position)
	if a.Begin != nil {
		a.Begin(b, func(b *Builder, a Adaptation) Value { return t.blocks(b, x, a, false) })
	}
	a.classify(b, t.blocks(b, x, a, true), c.Classes)
	return b.Network()
}

// named is the name of a plain network with the adaptation's behind it.
func (a Adaptation) named(network string) string {
	if a.Name == "" {
		return network
	}
	return network + "+" + a.Name
}

// classify appends what follows the plain pooled feature; with 0 classes there is no classifier.
func (a Adaptation) classify(b *Builder, pooled Value, classes int) {
	if a.Pooled != nil {
		pooled = a.Pooled(b, pooled)
	}
	b.Pooled(pooled)
	switch {
	case classes == 0:
	case a.Logits != nil:
		b.Logits(a.Logits(b, pooled, classes))
	default:
		b.Logits(b.Linear("head", pooled, classes))
	}
}

// TransformerBlock appends a block of timm's vision transformer to tokens: attention, then an MLP with the given number of
// hidden features, each behind a layer normalisation and added to what it read. Its layers are named norm1, attn.qkv, …,
// and its taps attn and mlp, so call it on a Scope of its own.
func (b *Builder) TransformerBlock(x Value, heads, hidden int) Value {
	return b.transformerBlock(x, heads, hidden, 0, Adaptation{})
}

// transformerBlock is block number i with an adaptation.
func (b *Builder) transformerBlock(x Value, heads, hidden, i int, a Adaptation) Value {
	dim := b.Features(x)
	normed := b.layerNorm("norm1", x, a.Eps)
	y := b.Linear("attn.qkv", normed, 3*dim)
	if a.Attention != nil {
		y = a.Attention(b, i, normed, y)
	}
	b.Tap("attn.qkv", y)
	y = b.add("attn", Attention{Heads: heads, Silent: a.Silent}, 1, y)[0]
	y = b.Linear("attn.proj", y, dim)
	b.Tap("attn", y)
	x = b.Add("with_attn", x, y)

	y = b.layerNorm("norm2", x, a.Eps)
	y = b.Linear("mlp.fc1", y, hidden)
	y = b.GELU("mlp.act", y)
	y = b.Linear("mlp.fc2", y, dim)
	b.Tap("mlp", y)
	if a.MLP != nil {
		y = a.MLP(b, i, x, y)
	}
	return b.Add("with_mlp", x, y)
}
