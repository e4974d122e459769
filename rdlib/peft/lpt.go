package peft

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"rd/rdlib/distill"
	"rd/rdlib/model"
	"rd/rdlib/option"
)

// LPTOptions are the options of long-tailed prompt tuning.
type LPTOptions struct {
	Tokens int `json:"tokens"`
	Groups int `json:"groups"`
	Blocks int `json:"blocks"`
	Top    int `json:"top"`
	LPTLoss
	KeyWeight float64 `json:"key-weight"`
}

var lptRecipe = recipe{
	name:   "lpt",
	title:  "long-tailed prompt tuning: prompts that all images share, then a pool of which each image chooses by its own feature",
	source: "Dong et al. 2023; DongSky/LPT",
	begin: func() (*option.Set, func() (Method, error)) {
		o, set := &LPTOptions{Tokens: 10, Groups: 20, Blocks: 6, Top: 2, LPTLoss: defaultLPTLoss(), KeyWeight: 0.5}, &option.Set{}
		set.Integer(&o.Tokens, "tokens", 1, 1024, "prompts of a block, shared ones and those of a group", "DongSky/LPT")
		set.Integer(&o.Groups, "groups", 1, 1024, "groups in the pool", "DongSky/LPT")
		set.Integer(&o.Blocks, "blocks", 1, 1024, "last blocks that have prompts of the pool", "DongSky/LPT")
		set.Integer(&o.Top, "top", 1, 1024, "groups that an image chooses", "DongSky/LPT")
		o.LPTLoss.declare(set)
		set.Number(&o.KeyWeight, "key-weight", 0, math.Inf(1), "weight of the similarity to the chosen keys, which is raised", "DongSky/LPT")
		return set, func() (Method, error) {
			if o.Top > o.Groups {
				return nil, fmt.Errorf("an image cannot choose top=%d of groups=%d: lower top or raise groups", o.Top, o.Groups)
			}
			return lpt{*o}, nil
		}
	},
}

type lpt struct{ LPTOptions }

func (lpt) Name() string   { return "lpt" }
func (l lpt) Options() any { return l.LPTOptions }

const (
	lptPrompts = ".prompts"
	lptPool    = "prompt_pool."
	lptKeys    = "prompt_keys."
)

// Stages are the method's two phases: the shared prompts, and then, with these frozen, the pool and its keys.
func (l lpt) Stages() []Stage {
	return []Stage{
		{Name: "shared", Adapt: l.shared, Trains: contains(lptPrompts),
			Objective: func(counts []int) distill.Method { return newLPTObjective(l.LPTLoss, counts, 0, 0) }},
		{Name: "pool", Adapt: l.pool, Trains: func(name string) bool { return strings.HasPrefix(name, lptPool) || strings.HasPrefix(name, lptKeys) },
			Objective: func(counts []int) distill.Method { return newLPTObjective(l.LPTLoss, counts, l.KeyWeight, l.Top) }},
	}
}

// lptEps is that of the layer normalisations: the reference takes PyTorch's own.
const lptEps = 1e-5

// shared appends each block's shared prompts behind the patches and cuts them off again.
func (l lpt) shared(t model.Transformer) model.Adaptation {
	return model.Adaptation{
		Name: "lpt", Eps: lptEps,
		Before: func(b *model.Builder, _ int, x model.Value) model.Value {
			return behind(b, t, x, l.prompts(b, t))
		},
		After:  cut(t),
		Logits: cosineHead,
	}
}

func (l lpt) prompts(b *model.Builder, t model.Transformer) model.Value {
	return b.Learned("prompts", model.Learned{Count: l.Tokens, Features: t.Dim, Init: promptInit(t)})
}

// behind puts prompts behind the patches, or in front where there is no class token; attention does not ask for their order.
func behind(b *model.Builder, t model.Transformer, x model.Value, prompts ...model.Value) model.Value {
	if first(t) == 0 {
		return b.Concat("with_prompts", append(prompts, x)...)
	}
	return b.Concat("with_prompts", append([]model.Value{x}, prompts...)...)
}

// cut keeps the class token and the patches.
func cut(t model.Transformer) func(b *model.Builder, _ int, x model.Value) (next, own model.Value) {
	own := first(t) + t.Height/t.Patch*(t.Width/t.Patch)
	return func(b *model.Builder, _ int, x model.Value) (model.Value, model.Value) {
		if first(t) == 0 {
			_, kept := b.Split("without_prompts", x, b.Shape(x)[0]-own)
			return kept, kept
		}
		kept, _ := b.Split("without_prompts", x, own)
		return kept, kept
	}
}

// cosineHead makes logits of the cosines of the feature with a direction for each class.
func cosineHead(b *model.Builder, pooled model.Value, classes int) model.Value {
	return b.Cosine("head", b.UnitLength("pooled.unit", pooled), model.Cosine{Out: classes})
}

// pool runs the transformer twice. The feature of the first pass, with the shared prompts, chooses by cosine the nearest
// keys; the mean of their groups' prompts stands behind the shared ones in the last blocks of the second pass.
func (l lpt) pool(t model.Transformer) model.Adaptation {
	blocks := min(l.Blocks, t.Depth)
	from := t.Depth - blocks
	var chosen []model.Value // of each of the last blocks
	a := l.shared(t)
	a.Begin = func(b *model.Builder, pass func(*model.Builder, model.Adaptation) model.Value) {
		query := pass(b.Again("query"), l.shared(t))
		b.Tap("query", query)
		similarity := b.Cosine("prompt_keys", b.UnitLength("query.unit", query), model.Cosine{Out: l.Groups, Rows: true})
		b.Tap(similarityTap, similarity)
		mask := b.TopMask("chosen", similarity, l.Top)
		b.Tap(chosenTap, mask)
		rest := b.Mix("prompt_pool", mask, model.Mix{Count: l.Groups, Layers: blocks, Length: l.Tokens, Features: t.Dim, K: l.Top, Init: promptInit(t)})
		for i := range blocks {
			if i == blocks-1 {
				chosen = append(chosen, rest)
				break
			}
			var one model.Value
			one, rest = b.Scope("prompt_pool").Scope(strconv.Itoa(i)).Split("prompts", rest, l.Tokens)
			chosen = append(chosen, one)
		}
	}
	a.Before = func(b *model.Builder, i int, x model.Value) model.Value {
		if i < from {
			return behind(b, t, x, l.prompts(b, t))
		}
		return behind(b, t, x, l.prompts(b, t), chosen[i-from])
	}
	return a
}

// Names under which the network hands out what the loss reads.
const (
	similarityTap = "similarity" // cosines with all keys, [batch, groups]
	chosenTap     = "chosen"     // 1 for the nearest, [batch, groups]
)
