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
func SAMViT(c Config) (*Network, error) {
	classes := c.Classes
	if classes == 0 {
		c.Classes = 1
	}
	c, err := c.check("vit_sam")
	if err != nil {
		return nil, err
	}
	height, width := c.Transformer.imageSize()
	t := c.Transformer
	t.Pool = PoolMean
	patch := cmp.Or(t.Patch, 16)
	if patch < 1 || height < patch || width < patch {
		return nil, fmt.Errorf("vit_sam: an image of %d×%d has no patch of %d×%d", height, width, patch, patch)
	}
	t.Height, t.Width = height-height%patch, width-width%patch
	if t, err = t.check(c.Width); err != nil {
		return nil, err
	}
	w, err := c.Windows.check(t)
	if err != nil {
		return nil, err
	}
	b := NewBuilder("vit_sam", c.InChannels, height, width)
	grid := nn.Grid{t.Height / t.Patch, t.Width / t.Patch}
	x := b.Conv("patch_embed.proj", b.Input(), Conv{Out: t.Dim, Kernel: t.Patch, Stride: t.Patch, Bias: true})
	x = b.Tokens("patch_embed", x)
	b.Tap("patch_embed", x)
	for i := range t.Depth {
		block := fmt.Sprintf("blocks.%d", i)
		window, entries := nn.Grid{w.Side, w.Side}, 2*w.Side-1
		if slices.Contains(w.Global, i) {
			window, entries = grid, 2*(w.Table/t.Patch)-1
		}
		x = b.Scope(block).samBlock(x, t, grid, window, entries)
		b.Tap(block, x)
		if endsQuarter(i, t.Depth) {
			m := b.Map(block+".map", x, grid[0], grid[1])
			b.Stage(block+".map", m)
			if i == t.Depth-1 {
				b.FeatureMap(m)
				if w.Neck {
					b.Scope("neck").samNeck(m, grid)
				}
			}
		}
	}
	x = b.TokenMean("mean", x)
	b.Pooled(x)
	if classes > 0 {
		b.Logits(b.Linear("head", x, classes))
	}
	return b.Network()
}

// samBlock appends a block of SAM's encoder to tokens in a grid; the tables of its positions have the given entries.
func (b *Builder) samBlock(x Value, t Transformer, grid, window nn.Grid, entries int) Value {
	padded := grid
	for axis := range padded {
		padded[axis] = (grid[axis] + window[axis] - 1) / window[axis] * window[axis]
	}
	y := b.LayerNorm("norm1", x)
	if padded != grid {
		y = b.PadGrid("attn.pad", y, grid, padded)
	}
	b.Tap("attn.input", y)
	table := Learned{Count: entries, Features: t.Dim / t.Heads, Init: InitZeros, Rank2: true}
	rows, columns := b.Learned("attn.rel_pos_h", table), b.Learned("attn.rel_pos_w", table)
	y = b.Linear("attn.qkv", y, 3*t.Dim)
	y = b.GridAttention("attn", y, rows, columns, GridAttention{Heads: t.Heads, Grid: padded, Window: window})
	y = b.Linear("attn.proj", y, t.Dim)
	b.Tap("attn", y)
	if padded != grid {
		y = b.CropGrid("attn.crop", y, padded, grid)
	}
	x = b.Add("with_attn", x, y)

	y = b.LayerNorm("norm2", x)
	y = b.Linear("mlp.lin1", y, t.hidden())
	y = b.GELU("mlp.act", y)
	y = b.Linear("mlp.lin2", y, t.Dim)
	b.Tap("mlp", y)
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
