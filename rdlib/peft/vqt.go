package peft

import (
	"rd/rdlib/model"
	"rd/rdlib/option"
)

// VQTOptions are the options of visual query tuning.
type VQTOptions struct {
	Tokens  int     `json:"tokens"`
	Dropout float64 `json:"dropout"`
}

var vqtRecipe = recipe{
	name:   "vqt",
	title:  "visual query tuning: learned tokens ask in each block and are not asked; the head reads their answers of all blocks",
	source: "Tu et al. 2023; andytu28/VQT",
	begin: func() (*option.Set, func() (Method, error)) {
		o, set := &VQTOptions{Tokens: 5, Dropout: 0.1}, &option.Set{}
		set.Integer(&o.Tokens, "tokens", 1, 1024, "queries of a block", "andytu28/VQT, which has 1 too")
		set.Number(&o.Dropout, "dropout", 0, 0.99, "rate of dropout on the queries", "andytu28/VQT")
		return set, func() (Method, error) { return adapted{"vqt", *o, o.adapt, []string{".queries"}}, nil }
	},
}

// adapt puts each block's queries in front and takes their answers off behind it, so that the other tokens are those of the
// plain transformer bit for bit. The feature joins the plain pooled one and each block's answers, as one vector, all
// divided by their lengths.
func (o *VQTOptions) adapt(t model.Transformer) model.Adaptation {
	var answers []model.Value
	return model.Adaptation{
		Name: "vqt", Silent: o.Tokens,
		Before: func(b *model.Builder, _ int, x model.Value) model.Value {
			queries := b.Learned("queries", model.Learned{Count: o.Tokens, Features: t.Dim, Init: promptInit(t)})
			return b.Concat("with_queries", drop(b, "queries.dropout", queries, o.Dropout), x)
		},
		After: func(b *model.Builder, _ int, x model.Value) (next, own model.Value) {
			answer, rest := b.Split("answers", x, o.Tokens)
			answers = append(answers, b.UnitLength("answers.unit", b.Flatten("answers.vector", answer)))
			return rest, rest
		},
		Pooled: func(b *model.Builder, pooled model.Value) model.Value {
			b.Tap("plain_pooled", pooled)
			return b.Concat("pooled_with_answers", append([]model.Value{b.UnitLength("pooled.unit", pooled)}, answers...)...)
		},
	}
}
