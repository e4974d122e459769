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
func ViT(c Config) (*Network, error) {
	c, err := c.check("vit")
	if err != nil {
		return nil, err
	}
	t, err := c.Transformer.check(c.Width)
	if err != nil {
		return nil, err
	}
	h, w := t.Height/t.Patch, t.Width/t.Patch
	b := NewBuilder("vit", c.InChannels, t.Height, t.Width)
	b.LinearInit(InitNormal002)
	patchTokens := func(_ string, x Value) Value { return x }
	count := h * w
	var class Value
	if t.Pool == PoolToken {
		count++
		class = b.Learned("cls_token", Learned{Count: 1, Features: t.Dim, Init: InitNormal1e6})
		patchTokens = func(name string, x Value) Value {
			_, patches := b.Split(name+".patches", x, 1)
			return patches
		}
	}
	position := b.Learned("pos_embed", Learned{Count: count, Features: t.Dim, Init: InitNormal002})
	x := b.Conv("patch_embed.proj", b.Input(), Conv{Out: t.Dim, Kernel: t.Patch, Stride: t.Patch, Bias: true})
	x = b.Tokens("patch_embed", x)
	b.Tap("patch_embed", x)
	if t.Pool == PoolToken {
		x = b.Concat("with_cls_token", class, x)
	}
	x = b.Add("with_position", x, position)
	for i := range t.Depth {
		block := fmt.Sprintf("blocks.%d", i)
		x = b.Scope(block).TransformerBlock(x, t.Heads, t.hidden())
		b.Tap(block, x)
		if endsQuarter(i, t.Depth) {
			b.Stage(block+".map", b.Map(block+".map", patchTokens(block, x), h, w))
		}
	}
	x = b.LayerNorm("norm", x)
	patches := patchTokens("norm", x)
	b.FeatureMap(b.Map("norm.map", patches, h, w))
	if t.Pool == PoolToken {
		x, _ = b.Split("norm.cls_token", x, 1)
		x = b.Flatten("pooled_token", x)
	} else {
		x = b.TokenMean("mean", x)
	}
	b.Pooled(x)
	b.Logits(b.Linear("head", x, c.Classes))
	return b.Network()
}

// TransformerBlock appends a block of timm's vision transformer to tokens: attention, then an MLP with the given number of
// hidden features, each behind a layer normalisation and added to what it read. Its layers are named norm1, attn.qkv, …,
// and its taps attn and mlp, so call it on a Scope of its own.
func (b *Builder) TransformerBlock(x Value, heads, hidden int) Value {
	dim := b.Features(x)
	y := b.LayerNorm("norm1", x)
	y = b.Linear("attn.qkv", y, 3*dim)
	y = b.SelfAttention("attn", y, heads)
	y = b.Linear("attn.proj", y, dim)
	b.Tap("attn", y)
	x = b.Add("with_attn", x, y)

	y = b.LayerNorm("norm2", x)
	y = b.Linear("mlp.fc1", y, hidden)
	y = b.GELU("mlp.act", y)
	y = b.Linear("mlp.fc2", y, dim)
	b.Tap("mlp", y)
	return b.Add("with_mlp", x, y)
}
