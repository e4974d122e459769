package distill

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/model"
	"rd/rdlib/option"
)

// KDOptions are the options of knowledge distillation, by itself or beside another method's term.
type KDOptions struct {
	Gamma       float64 `json:"gamma"`          // weight of CE(y, z_s)
	Alpha       float64 `json:"alpha"`          // weight of KL(z_t, z_s)
	Temperature float64 `json:"temperature"`    // of KL
	Logits      string  `json:"teacher-logits"` // where z_t come from: "reprogrammed" or "given"
	PhiOptions          // of the reprogrammed logits
}

func defaultKD(gamma, alpha float64) KDOptions {
	return KDOptions{Gamma: gamma, Alpha: alpha, Temperature: 4, Logits: logitSources[0], PhiOptions: defaultPhi()}
}

func (o *KDOptions) declare(s *option.Set, alphaSource string) {
	s.Number(&o.Gamma, "gamma", 0, math.Inf(1), "weight of CE(y, z_s)", "RepDistiller")
	s.Number(&o.Alpha, "alpha", 0, math.Inf(1), "weight of KL(z_t, z_s)", alphaSource)
	s.Number(&o.Temperature, "temperature", 1e-3, math.Inf(1), "of KL: softens both predictions", "RepDistiller")
	s.Choice(&o.Logits, "teacher-logits", logitSources,
		"z_t: of φ and a classifier learnt from the teacher's features in a phase before, then frozen; or the teacher's own",
		"a frozen foundation model has no logits of the task")
	o.PhiOptions.declare(s)
}

var kdRecipe = recipe{
	name:   "kd",
	title:  "knowledge distillation: γ·CE(y, z_s) + α·T²·KL(softmax(z_t/T) ‖ softmax(z_s/T))",
	source: "Hinton, Vinyals & Dean 2015; defaults of RepDistiller's scripts",
	begin: func() (*option.Set, func() (Method, error)) {
		o, set := defaultKD(0.1, 0.9), &option.Set{}
		o.declare(set, "RepDistiller")
		return set, func() (Method, error) {
			return compared{name: "kd", options: o, common: CommonOptions{KDOptions: o}}.checked()
		}
	},
	suit: PhiOptions{}.suit,
}

func (o KDOptions) needs() Needs {
	switch {
	case o.Alpha == 0:
		return Needs{}
	case o.reprograms():
		return o.PhiOptions.needs()
	}
	return Needs{Logits: true}
}

// loss is γ·CE(y, z_s) + α·KL(z_t, z_s), without the terms whose weight is 0; change, if any, is applied to z_t.
func (o KDOptions) loss(s *Step, change func(*Node) *Node) (losses Losses) {
	losses.add("ce_s", o.Gamma, CrossEntropy(s.Labels, s.Student.Logits))
	if o.Alpha > 0 {
		losses.Logits = StopGradient(o.teacherLogits(s))
		if change != nil {
			losses.Logits = change(losses.Logits)
		}
		losses.add("kl", o.Alpha, KL(losses.Logits, s.Student.Logits, o.Temperature))
	}
	return losses
}

func (o KDOptions) modules(c Context) (map[string]*model.Network, error) {
	if !o.reprograms() {
		return map[string]*model.Network{}, nil
	}
	return o.logitModules(c)
}

// phases is a student's phase with the given loss, behind that of the teacher's logits where they are to be learnt.
func (o KDOptions) phases(loss func(*Step) Losses) []Phase {
	student := Phase{Name: "student", Student: true, Loss: loss}
	if !o.reprograms() {
		return []Phase{student}
	}
	student.Frozen = []string{phiModule, headModule}
	return []Phase{o.logitPhase(), student}
}
