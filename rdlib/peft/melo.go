package peft

import (
	"math"

	"rd/rdlib/model"
	"rd/rdlib/option"
)

// MeLoOptions are the options of MeLo.
type MeLoOptions struct {
	Rank  int     `json:"rank"`
	Alpha float64 `json:"alpha"`
}

var meloRecipe = recipe{
	name:   "melo",
	title:  "MeLo (LoRA): q + ⌊α/r⌋·B_q A_q x and v + ⌊α/r⌋·B_v A_v x in each attention",
	source: "Zhu et al. 2023; JamesQFreeman/LoRA-ViT",
	begin: func() (*option.Set, func() (Method, error)) {
		o, set := &MeLoOptions{Rank: 4, Alpha: 4}, &option.Set{}
		set.Integer(&o.Rank, "rank", 1, 8192, "r, rank of each change", "JamesQFreeman/LoRA-ViT")
		set.Number(&o.Alpha, "alpha", 0, math.Inf(1), "α; ⌊α/r⌋ multiplies each change: below r nothing changes", "JamesQFreeman/LoRA-ViT")
		return set, func() (Method, error) { return adapted{"melo", *o, o.adapt, []string{".lora_"}}, nil }
	},
}

// adapt reads the tokens that q and v are made of; every B starts at 0, so that nothing changes at first.
func (o *MeLoOptions) adapt(model.Transformer) model.Adaptation {
	return model.Adaptation{Name: "melo", Attention: func(b *model.Builder, _ int, normed, qkv model.Value) model.Value {
		change := func(name string) model.Value {
			a := b.LinearWith("attn.lora_"+name+".a", normed, model.Linear{Out: o.Rank, NoBias: true, Init: model.InitUniform})
			y := b.LinearWith("attn.lora_"+name+".b", a, model.Linear{Out: b.Features(normed), NoBias: true, Init: model.InitZeros})
			return b.Scale("attn.lora_"+name+".scaled", y, math.Floor(o.Alpha/float64(o.Rank)))
		}
		return b.AddQV("attn.with_lora", qkv, change("q"), change("v"))
	}}
}
