package distill

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/model"
	"rd/rdlib/option"
)

// RDOptions are the options of Reprogramming Distillation: what the paper leaves open, its weights, and its ablations.
type RDOptions struct {
	Alpha       float64 `json:"alpha"`          // weight of CE(y, z_t) at the start
	Beta        float64 `json:"beta"`           // weight of KL + CKA at the start
	Decay       string  `json:"decay"`          // "step" or "epoch"
	DecayEnd    float64 `json:"decay-end"`      // share of alpha and beta that is left at the end
	KD          bool    `json:"kd"`             // whether KL(z_t, z_s) is part of the loss
	CKA         bool    `json:"cka"`            // whether CKA(f_t, f_s) is part of the loss
	Temperature float64 `json:"temperature"`    // of KL
	Detach      string  `json:"detach-teacher"` // which of KL and CKA hold the teacher's side constant
	CoTrain     bool    `json:"cotrain"`        // whether φ learns along with the student
	PhiOptions
}

var rdRecipe = recipe{
	name:   "rd",
	title:  "Reprogramming Distillation: CE(y, z_s) + α·CE(y, z_t) + β·(KL(z_t, z_s) + CKA(f_t, f_s))",
	source: "the paper's Eq. 3; α and β fall linearly",
	begin: func() (*option.Set, func() (Method, error)) {
		o, set := defaultRD(), &option.Set{}
		o.declare(set)
		return set, func() (Method, error) { return rd{o}, nil }
	},
	suit: PhiOptions{}.suit,
}

func defaultRD() RDOptions {
	return RDOptions{
		Alpha: 1, Beta: 1, Decay: "step", KD: true, CKA: true, Temperature: 1,
		Detach: "none", CoTrain: true, PhiOptions: defaultPhi(),
	}
}

func (o *RDOptions) declare(s *option.Set) {
	unbounded := math.Inf(1)
	s.Number(&o.Alpha, "alpha", 0, unbounded, "weight of CE(y, z_t) at the start", "the paper")
	s.Number(&o.Beta, "beta", 0, unbounded, "weight of KL + CKA at the start", "the paper")
	s.Choice(&o.Decay, "decay", []string{"step", "epoch"}, "when α and β fall", "left open; linear in the paper")
	s.Number(&o.DecayEnd, "decay-end", 0, 1, "share of α and β left at the end", "left open")
	s.Toggle(&o.KD, "kd", "KL(z_t, z_s) in the loss", "on in Eq. 3, off in rows 1 and 2 of Table 2")
	s.Toggle(&o.CKA, "cka", "CKA(f_t, f_s) in the loss", "on in Eq. 3, off in rows 1 to 3 of Table 2")
	s.Number(&o.Temperature, "temperature", 1e-3, unbounded, "of KL", "left open; Eq. 3 shows none")
	s.Choice(&o.Detach, "detach-teacher", []string{"none", "kl", "both"}, "whether KL, or KL and CKA, hold the teacher's side (z_t, f_t) constant",
		"left open; in Eq. 3 only F_t is fixed, and co-training is to make φ's features easy to follow")
	s.Toggle(&o.CoTrain, "cotrain", "φ learns along with the student; off: it learns in a phase before and is frozen then", "on in Eq. 3")
	o.PhiOptions.declare(s)
}

// rd is Reprogramming Distillation (the paper's Eq. 3):
//
//	loss = CE(y, z_s) + α·CE(y, z_t) + β·(KL(z_t, z_s) + CKA(f_t, f_s))
//	f_t = φ(F_t(x)),  z_t = g(f_t),  z_s = g(f_s)
//
// The student, φ and the shared g are trained together on all terms; only F_t is fixed. α and β fall linearly to
// decay-end of what they were. With cotrain off, a phase before trains φ and g by CE(y, z_t), and φ is frozen afterwards.
type rd struct{ options RDOptions }

func (rd) Name() string   { return rdRecipe.name }
func (r rd) Options() any { return r.options }

func (r rd) Needs() Needs {
	needs := Needs{EpochProgress: r.options.Decay == "epoch"}
	if phi := r.options.needs(); r.reprograms() {
		needs.Maps, needs.Pooled = phi.Maps, phi.Pooled
	}
	return needs
}

// Modules describes φ; without a term that reads it there is none.
func (r rd) Modules(c Context) (map[string]*model.Network, error) {
	if !r.reprograms() {
		return nil, nil
	}
	return r.options.modules(c)
}

func (r rd) Phases() []Phase {
	if !r.reprograms() {
		return []Phase{studentPhase}
	}
	distil := Phase{Name: "student", Student: true, Loss: r.loss}
	if r.options.CoTrain {
		return []Phase{distil}
	}
	distil.Frozen = []string{phiModule}
	return []Phase{r.options.reprogramPhase(), distil}
}

// reprograms reports whether any term of the loss reads φ, or whether g is to start from the teacher's features.
func (r rd) reprograms() bool {
	o := r.options
	return !o.CoTrain || o.Alpha > 0 || r.transfers()
}

// transfers reports whether the loss compares student and teacher.
func (r rd) transfers() bool { return r.options.Beta > 0 && (r.options.KD || r.options.CKA) }

func (r rd) loss(s *Step) Losses {
	feature := r.options.reprogram(s)
	dtype := s.Student.Logits.DType()
	left := AddScalar(MulScalar(ConvertDType(s.Progress, dtype), r.options.DecayEnd-1), 1) // from 1 to DecayEnd
	return r.combine(rdTerms{
		labels:   s.Labels,
		featureS: s.Student.Pooled, logitsS: s.Student.Logits,
		featureT: feature, logitsT: s.Classify(feature),
		alpha: MulScalar(left, r.options.Alpha), beta: MulScalar(left, r.options.Beta),
	})
}

// rdTerms is what Eq. 3 is made of.
type rdTerms struct {
	labels             *Node // int [batch]
	featureS, featureT *Node // [batch, D_s], [batch, D_t]
	logitsS, logitsT   *Node // [batch, classes]
	alpha, beta        *Node // scalars
}

// combine is Eq. 3 with the terms that are switched off left out.
func (r rd) combine(t rdTerms) Losses {
	o := r.options
	ceS := CrossEntropy(t.labels, t.logitsS)
	losses := Losses{Total: ceS, Parts: []Part{{"ce_s", ceS}}, Logits: t.logitsT}
	add := func(name string, weight, value *Node) {
		losses.Total = Add(losses.Total, Mul(weight, value))
		losses.Parts = append(losses.Parts, Part{name, value})
	}
	if o.Alpha > 0 {
		add("ce_t", t.alpha, CrossEntropy(t.labels, t.logitsT))
	}
	if o.Beta > 0 && o.KD {
		logits := t.logitsT
		if o.Detach != "none" {
			logits = StopGradient(logits)
		}
		add("kl", t.beta, KL(logits, t.logitsS, o.Temperature))
	}
	if o.Beta > 0 && o.CKA {
		feature := t.featureT
		if o.Detach == "both" {
			feature = StopGradient(feature)
		}
		add("cka", t.beta, CKA(feature, t.featureS))
	}
	return losses
}
