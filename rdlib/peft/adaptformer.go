package peft

import (
	"math"

	"rd/rdlib/model"
	"rd/rdlib/option"
)

// AdaptFormerOptions are the options of AdaptFormer.
type AdaptFormerOptions struct {
	Bottleneck int     `json:"bottleneck"`
	Scale      float64 `json:"scale"`
	Dropout    float64 `json:"dropout"`
}

var adaptFormerRecipe = recipe{
	name:   "adaptformer",
	title:  "AdaptFormer: beside each MLP, x + MLP(LN(x)) + s·up(ReLU(down(x)))",
	source: "Chen et al. 2022; ShoufaChen/AdaptFormer",
	begin: func() (*option.Set, func() (Method, error)) {
		o, set := &AdaptFormerOptions{Bottleneck: 64, Scale: 0.1, Dropout: 0.1}, &option.Set{}
		set.Integer(&o.Bottleneck, "bottleneck", 1, 8192, "width between down and up", "ShoufaChen/AdaptFormer")
		set.Number(&o.Scale, "scale", 0, math.Inf(1), "s", "ShoufaChen/AdaptFormer")
		set.Number(&o.Dropout, "dropout", 0, 0.99, "rate of dropout between down and up", "ShoufaChen/AdaptFormer")
		return set, func() (Method, error) { return adapted{"adaptformer", *o, o.adapt, []string{".adapter."}}, nil }
	},
}

// adapt reads x before the MLP's normalisation; up and both biases start at 0, so that nothing changes at first.
func (o *AdaptFormerOptions) adapt(model.Transformer) model.Adaptation {
	return model.Adaptation{Name: "adaptformer", MLP: func(b *model.Builder, _ int, x, y model.Value) model.Value {
		down := b.LinearWith("adapter.down", x, model.Linear{Out: o.Bottleneck, Init: model.InitUniformNoBias})
		h := drop(b, "adapter.dropout", b.ReLU("adapter.relu", down), o.Dropout)
		up := b.LinearWith("adapter.up", h, model.Linear{Out: b.Features(x), Init: model.InitZeros})
		out := b.Scale("adapter.scaled", up, o.Scale)
		b.Tap("adapter", out)
		return b.Add("with_adapter", y, out)
	}}
}
