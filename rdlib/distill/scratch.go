package distill

import (
	"rd/rdlib/model"
	"rd/rdlib/option"
)

var scratchRecipe = recipe{
	name:   "scratch",
	title:  "the student alone: CE(y, z_s)",
	source: "baseline",
	begin: func() (*option.Set, func() (Method, error)) {
		return &option.Set{}, func() (Method, error) { return scratch{}, nil }
	},
}

// Scratch returns the method that trains a network alone, on the labels.
func Scratch() Method { return scratch{} }

// scratch is the student alone.
type scratch struct{}

func (scratch) Name() string                                       { return scratchRecipe.name }
func (scratch) Options() any                                       { return struct{}{} }
func (scratch) Needs() Needs                                       { return Needs{} }
func (scratch) Modules(Context) (map[string]*model.Network, error) { return nil, nil }
func (scratch) Phases() []Phase                                    { return []Phase{studentPhase} }

// studentPhase trains the student, g included, on the labels alone: CE(y, z_s).
var studentPhase = Phase{Name: "student", Student: true, Loss: func(s *Step) Losses {
	ce := CrossEntropy(s.Labels, s.Student.Logits)
	return Losses{Total: ce, Parts: []Part{{"ce_s", ce}}}
}}
