package distill

import (
	"errors"
	"fmt"
	"maps"
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/model"
	"rd/rdlib/option"
)

// CommonOptions are what every compared method has: the weights of the recipe that public codebases share,
//
//	γ·CE(y, z_s) + α·KL(z_t, z_s) + β·L,
//
// L being the method's own term, and where KL's z_t come from.
type CommonOptions struct {
	KDOptions
	Beta float64 `json:"beta"` // weight of L
}

// common returns the weights of RepDistiller's scripts: labels and L, without KL.
func common(beta float64) CommonOptions {
	return CommonOptions{KDOptions: defaultKD(1, 0), Beta: beta}
}

func (o *CommonOptions) declare(s *option.Set, source string) {
	s.Number(&o.Beta, "beta", 0, math.Inf(1), "weight of the method's own term", source)
	o.KDOptions.declare(s, "RepDistiller; 1 in SemCKD's scripts")
}

// compared is a method of the shared recipe. A nil function adds nothing.
type compared struct {
	name    string
	options any // for the record
	common  CommonOptions

	needs   Needs // of the method's own term
	modules func(Context) (map[string]*model.Network, error)
	vars    func(Context) map[string]Variable
	draws   func(Context) map[string]Draw
	term    func(*Step) *Node // L, a scalar
	// student adds to the student what stays in it, and logits does to the teacher's logits what was added to the student's.
	student func(Context, *model.Network) (*model.Network, error)
	logits  func(*Node) *Node
}

// checked refuses weights that leave nothing to minimise.
func (m compared) checked() (Method, error) {
	if m.common.Gamma == 0 && m.common.Alpha == 0 && m.common.Beta == 0 {
		return nil, errors.New("gamma, alpha and beta are all 0: nothing is left to learn from")
	}
	return m, nil
}

func (m compared) Name() string { return m.name }
func (m compared) Options() any { return m.options }

func (m compared) Needs() Needs {
	needs := m.common.needs()
	if m.transfers() {
		needs.Maps, needs.Stages = needs.Maps || m.needs.Maps, m.needs.Stages
		needs.Pooled, needs.Items = needs.Pooled || m.needs.Pooled, m.needs.Items
	}
	return needs
}

// transfers reports whether L is part of the loss.
func (m compared) transfers() bool { return m.common.Beta > 0 && m.term != nil }

func (m compared) Modules(c Context) (map[string]*model.Network, error) {
	all, err := m.common.modules(c)
	if err != nil || !m.transfers() {
		return all, err
	}
	if err := m.fits(c); err != nil || m.modules == nil {
		return all, err
	}
	own, err := m.modules(c)
	maps.Copy(all, own)
	return all, err
}

// fits says what of the networks L cannot be built on.
func (m compared) fits(c Context) error {
	switch {
	case m.needs.Maps && len(c.TeacherMaps) == 0:
		return fmt.Errorf("%s compares feature maps, and the teacher gives none: choose a method that compares logits or pooled features, such as kd, rkd or crd", m.name)
	case m.needs.Maps && len(c.StudentMaps) == 0:
		return fmt.Errorf("%s compares feature maps, and the student has no stages", m.name)
	case m.needs.Pooled && c.TeacherPooled < 1:
		return fmt.Errorf("%s compares pooled features, and the teacher gives none", m.name)
	}
	return nil
}

func (m compared) Variables(c Context) map[string]Variable {
	if m.vars == nil || !m.transfers() {
		return nil
	}
	return m.vars(c)
}

func (m compared) Draws(c Context) map[string]Draw {
	if m.draws == nil || !m.transfers() {
		return nil
	}
	return m.draws(c)
}

func (m compared) Student(c Context, student *model.Network) (*model.Network, error) {
	if m.student == nil || !m.transfers() {
		return student, nil
	}
	if err := m.fits(c); err != nil {
		return nil, err
	}
	return m.student(c, student)
}

func (m compared) Phases() []Phase { return m.common.phases(m.loss) }

func (m compared) loss(s *Step) Losses {
	var logits func(*Node) *Node
	if m.transfers() {
		logits = m.logits
	}
	losses := m.common.loss(s, logits)
	if m.transfers() {
		losses.add(m.name, m.common.Beta, m.term(s))
	}
	return losses
}

// add puts a weighted term into the total; a weight of 0 leaves it out.
func (l *Losses) add(name string, weight float64, value *Node) {
	if weight == 0 {
		return
	}
	l.Parts = append(l.Parts, Part{name, value})
	l.Total = plus(l.Total, MulScalar(value, weight))
}

// plus is sum + x; a sum of nothing is nil.
func plus(sum, x *Node) *Node {
	if sum == nil {
		return x
	}
	return Add(sum, x)
}
