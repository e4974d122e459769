package peft

import (
	"rd/rdlib/model"
	"rd/rdlib/option"
)

// VPTOptions are the options of visual prompt tuning.
type VPTOptions struct {
	Tokens  int     `json:"tokens"`
	Depth   string  `json:"depth"`
	Dropout float64 `json:"dropout"`
}

var vptRecipe = recipe{
	name:   "vpt",
	title:  "visual prompt tuning: learned tokens behind the class token",
	source: "Jia et al. 2022; KMnP/vpt",
	begin: func() (*option.Set, func() (Method, error)) {
		o, set := &VPTOptions{Tokens: 5, Depth: "deep", Dropout: 0.1}, &option.Set{}
		set.Integer(&o.Tokens, "tokens", 1, 1024, "prompts of a block; the method's paper tries 1 to 200", "KMnP/vpt")
		set.Choice(&o.Depth, "depth", []string{"deep", "shallow"}, "deep: every block has prompts of its own, which take the place of those before; shallow: those before the first block run through all", "KMnP/vpt has both")
		set.Number(&o.Dropout, "dropout", 0, 0.99, "rate of dropout on the prompts", "KMnP/vpt")
		return set, func() (Method, error) { return adapted{"vpt", *o, o.adapt, []string{".prompts"}}, nil }
	},
}

// adapt puts prompts, which have no position, behind the class token.
func (o *VPTOptions) adapt(t model.Transformer) model.Adaptation {
	deep := o.Depth == "deep"
	return model.Adaptation{
		Name: "vpt",
		Before: func(b *model.Builder, i int, x model.Value) model.Value {
			if i > 0 && !deep {
				return x
			}
			prompts := b.Learned("prompts", model.Learned{Count: o.Tokens, Features: t.Dim, Init: promptInit(t)})
			return after(b, t, x, drop(b, "prompts.dropout", prompts, o.Dropout))
		},
		After: func(b *model.Builder, _ int, x model.Value) (next, own model.Value) {
			own = without(b, t, x, o.Tokens)
			if deep {
				return own, own
			}
			return x, own
		},
	}
}
