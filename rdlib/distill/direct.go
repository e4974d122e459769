package distill

import (
	"rd/rdlib/model"
	"rd/rdlib/option"
)

var directRecipe = recipe{
	name:   "direct",
	title:  "direct reprogramming: φ and g on the teacher's features first, then the student through that g",
	source: "the paper's Table 2, row 1; how the student profits is our reading",
	begin: func() (*option.Set, func() (Method, error)) {
		d, set := direct{defaultPhi()}, &option.Set{}
		d.phi.declare(set)
		return set, func() (Method, error) { return d, nil }
	},
	suit: PhiOptions{}.suit,
}

// direct is direct reprogramming, in two phases:
//
//	reprogram: CE(y, g(φ(F_t(x)))) trains φ and g; the student does not run
//	student:   CE(y, z_s) trains the student, whose g goes on from the first phase
type direct struct{ phi PhiOptions }

func (direct) Name() string                                           { return directRecipe.name }
func (d direct) Options() any                                         { return d.phi }
func (d direct) Needs() Needs                                         { return d.phi.needs() }
func (d direct) Modules(c Context) (map[string]*model.Network, error) { return d.phi.modules(c) }
func (d direct) Phases() []Phase                                      { return []Phase{d.phi.reprogramPhase(), studentPhase} }
