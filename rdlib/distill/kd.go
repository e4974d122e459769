package distill

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/model"
)

// KDOptions are the options of knowledge distillation.
type KDOptions struct {
	Temperature float64 `json:"temperature"`
	Gamma       float64 `json:"gamma"` // weight of CE(y, z_s)
	Alpha       float64 `json:"alpha"` // weight of KL(z_t, z_s)
}

var kdRecipe = recipe{
	name:   "kd",
	title:  "knowledge distillation: γ·CE(y, z_s) + α·T²·KL(softmax(z_t/T) ‖ softmax(z_s/T))",
	source: "Hinton, Vinyals & Dean 2015; defaults of RepDistiller's scripts",
	begin: func() (*optionSet, func() (Method, error)) {
		o, set := KDOptions{Temperature: 4, Gamma: 0.1, Alpha: 0.9}, &optionSet{}
		set.number(&o.Temperature, "temperature", 1e-3, math.Inf(1), "softens both predictions", "RepDistiller")
		set.number(&o.Gamma, "gamma", 0, math.Inf(1), "weight of CE(y, z_s)", "RepDistiller")
		set.number(&o.Alpha, "alpha", 0, math.Inf(1), "weight of KL(z_t, z_s)", "RepDistiller")
		return set, func() (Method, error) { return kd{o}, nil }
	},
}

// kd is knowledge distillation from the teacher's logits.
type kd struct{ options KDOptions }

func (kd) Name() string                                       { return kdRecipe.name }
func (k kd) Options() any                                     { return k.options }
func (kd) Needs() Needs                                       { return Needs{Logits: true} }
func (kd) Modules(Context) (map[string]*model.Network, error) { return nil, nil }

func (k kd) Phases() []Phase {
	return []Phase{{Name: "student", Student: true, Loss: func(s *Step) Losses {
		ce := CrossEntropy(s.Labels, s.Student.Logits)
		kl := KL(StopGradient(s.Teacher.Logits), s.Student.Logits, k.options.Temperature)
		return Losses{
			Total:  Add(MulScalar(ce, k.options.Gamma), MulScalar(kl, k.options.Alpha)),
			Parts:  []Part{{"ce_s", ce}, {"kl", kl}},
			Logits: s.Teacher.Logits,
		}
	}}}
}
