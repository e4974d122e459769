package model

import (
	"cmp"
	"fmt"
	"slices"

	"rd/rdlib/nn"
)

// Windows are the choices of SAM's image encoder beside those of Transformer. Zero values stand for ViT-B's.
type Windows struct {
	Side   int   // of the windows, in tokens; 0 means 14
	Global []int // blocks that attend to the whole image, from 0; nil means the last of each quarter
	// Table is the side of the images that the tables of the global blocks' positions were made for, in pixels; 0 means
	// 1024. For images of another size the tables are resized as they are used.
	Table int
	// Neck adds SAM's neck, whose result nobody reads: published files have its parameters.
	Neck bool
}

// neckOut are the channels of SAM's neck.
const neckOut = 256

// check fills in the defaults, t's being filled in.
func (w Windows) check(t Transformer) (Windows, error) {
	if w.Side == 0 {
		w.Side = 14
	}
	if w.Table == 0 {
		w.Table = 1024
	}
	if w.Global == nil {
		for i := range t.Depth {
			if endsQuarter(i, t.Depth) {
				w.Global = append(w.Global, i)
			}
		}
	}
	switch {
	case w.Side < 1:
		return w, fmt.Errorf("vit_sam: windows of %d tokens: at least 1 is needed", w.Side)
	case w.Table < t.Patch:
		return w, fmt.Errorf("vit_sam: tables for images of %d pixels, and patches of %d", w.Table, t.Patch)
	case len(w.Global) > 0 && (slices.Min(w.Global) < 0 || slices.Max(w.Global) >= t.Depth):
		return w, fmt.Errorf("vit_sam: global blocks %v of %d: they are counted from 0", w.Global, t.Depth)
	}
	return w, nil
}

// endsQuarter reports whether block i is the last of a quarter of depth blocks.
func endsQuarter(i, depth int) bool { return 4*(i+1)/depth > 4*i/depth }

// SAMViT describes the image encoder of SAM (Kirillov et al., Segment Anything, 2023; ViT-B by default) as LVM-Med uses
// it, its parameters named as there: patches by a convolution, no class token, no absolute positions; blocks whose
// attention has relative positions and stays, but in c.Windows.Global's blocks, within windows; no last normalisation.
// Maps are padded below and to the right to whole windows, after the normalisation, and the padding takes part in the
// attention. Images may be of any size of at least a patch, c.Transformer's; what is left of them beside whole patches is
// cut off, as there. Pool is not asked: there is no class token.
//
// Its stages are the tokens as maps [Dim, h, w] after each quarter of the blocks, the last of them its feature map; its
// pooled feature is the mean over that. A classifier of Config.Classes, head, reads it, which the published encoders lack;
// with 0 classes there is none.
func SAMViT(c Config) (*Network, error) { return AdaptSAMViT(c, Adaptation{}) }

// SAMTransformer is the part of a configuration of SAMViT that it shares with ViT, its defaults filled in: the image is cut to
// whole patches, and the pool is PoolMean.
func SAMTransformer(c Config) (Transformer, error) {
	height, width := c.Transformer.imageSize()
	t := c.Transformer
	t.Pool = PoolMean
	patch := cmp.Or(t.Patch, 16)
	if patch < 1 || height < patch || width < patch {
		return t, fmt.Errorf("vit_sam: an image of %d×%d has no patch of %d×%d", height, width, patch, patch)
	}
	t.Height, t.Width = height-height%patch, width-width%patch
	return t.check(cmp.Or(c.Width, 1))
}

// AdaptSAMViT describes SAM's encoder with an adaptation built into it; the parameters of SAMViT keep their names. What Before
// puts in front of the patches are prompts: they pass the windows' partition and padding by, stand in every window as
// nn.PromptedGridAttention says, and are left out of stages, feature map and mean. Eps is not asked.
func AdaptSAMViT(c Config, a Adaptation) (*Network, error) {
	classes := c.Classes
	if classes == 0 {
		c.Classes = 1
	}
	c, err := c.check("vit_sam")
	if err != nil {
		return nil, err
	}
	t, err := SAMTransformer(c)
	if err != nil {
		return nil, err
	}
	w, err := c.Windows.check(t)
	if err != nil {
		return nil, err
	}
	height, width := c.Transformer.imageSize()
	b := NewBuilder(a.named("vit_sam"), c.InChannels, height, width)
	x := b.Conv("patch_embed.proj", b.Input(), Conv{Out: t.Dim, Kernel: t.Patch, Stride: t.Patch, Bias: true})
	x = b.Tokens("patch_embed", x)
	b.Tap("patch_embed", x)
	if a.Begin != nil {
		a.Begin(b, func(b *Builder, a Adaptation) Value { return t.samBlocks(b, x, w, a, false) })
	}
	a.classify(b, t.samBlocks(b, x, w, a, true), classes)
	return b.Network()
}

// samBlocks appends all blocks to tokens and returns their mean. Stages and neck are appended where stages is set.
func (t Transformer) samBlocks(b *Builder, x Value, w Windows, a Adaptation, stages bool) Value {
	grid := nn.Grid{t.Height / t.Patch, t.Width / t.Patch}
	for i := range t.Depth {
		block := fmt.Sprintf("blocks.%d", i)
		scope := b.Scope(block)
		window, entries := nn.Grid{w.Side, w.Side}, 2*w.Side-1
		if slices.Contains(w.Global, i) {
			window, entries = grid, 2*(w.Table/t.Patch)-1
		}
		if a.Before != nil {
			x = a.Before(scope, i, x)
		}
		x = scope.samBlock(x, t, grid, window, entries, i, a)
		b.Tap(block, x)
		own := x
		if a.After != nil {
			x, own = a.After(scope, i, x)
		}
		if stages && endsQuarter(i, t.Depth) {
			m := b.Map(block+".map", own, grid[0], grid[1])
			b.Stage(block+".map", m)
			if i == t.Depth-1 {
				b.FeatureMap(m)
				if w.Neck {
					b.Scope("neck").samNeck(m, grid)
				}
			}
		}
		if i == t.Depth-1 {
			x = own
		}
	}
	return b.TokenMean("mean", x)
}

// samBlock appends block number i of SAM's encoder with an adaptation to prompts, if any, and tokens in a grid; the tables of
// its positions have the given entries.
func (b *Builder) samBlock(x Value, t Transformer, grid, window nn.Grid, entries, i int, a Adaptation) Value {
	padded := grid
	for axis := range padded {
		padded[axis] = (grid[axis] + window[axis] - 1) / window[axis] * window[axis]
	}
	prompts := max(0, b.Shape(x)[0]-grid[0]*grid[1])
	// beside changes the tokens in the grid and leaves the prompts in front of them.
	beside := func(name string, x Value, change func(x Value) Value) Value {
		if prompts == 0 {
			return change(x)
		}
		first, tokens := b.Split(name+".prompts", x, prompts)
		return b.Concat(name+".with_prompts", first, change(tokens))
	}
	y := b.LayerNorm("norm1", x)
	if padded != grid {
		y = beside("attn.pad", y, func(y Value) Value { return b.PadGrid("attn.pad", y, grid, padded) })
	}
	b.Tap("attn.input", y)
	table := Learned{Count: entries, Features: t.Dim / t.Heads, Init: InitZeros, Rank2: true}
	rows, columns := b.Learned("attn.rel_pos_h", table), b.Learned("attn.rel_pos_w", table)
	normed := y
	y = b.Linear("attn.qkv", normed, 3*t.Dim)
	if a.Attention != nil {
		y = a.Attention(b, i, normed, y)
	}
	y = b.GridAttention("attn", y, rows, columns, GridAttention{Heads: t.Heads, Grid: padded, Window: window, Prompts: prompts, Silent: a.Silent > 0})
	y = b.Linear("attn.proj", y, t.Dim)
	b.Tap("attn", y)
	if padded != grid {
		y = beside("attn.crop", y, func(y Value) Value { return b.CropGrid("attn.crop", y, padded, grid) })
	}
	x = b.Add("with_attn", x, y)

	y = b.LayerNorm("norm2", x)
	y = b.Linear("mlp.lin1", y, t.hidden())
	y = b.GELU("mlp.act", y)
	y = b.Linear("mlp.lin2", y, t.Dim)
	b.Tap("mlp", y)
	if a.MLP != nil {
		y = a.MLP(b, i, x, y)
	}
	return b.Add("with_mlp", x, y)
}

// samNeck appends SAM's neck: two convolutions, each followed by a normalisation over the channels.
func (b *Builder) samNeck(x Value, grid nn.Grid) Value {
	norm := func(name string, x Value) Value {
		x = b.LayerNorm(name, b.Tokens(name+".tokens", x))
		return b.Map(name+".map", x, grid[0], grid[1])
	}
	x = norm("1", b.Conv("0", x, Conv{Out: neckOut, Kernel: 1}))
	return norm("3", b.Conv("2", x, Conv{Out: neckOut, Kernel: 3, Padding: 1}))
}
