package pretrain

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/distill"
	"rd/rdlib/model"
)

// Supervised learns the labels of several data sets at once, with one head for each: the classifier's outputs are the
// classes of all sets one after the other, and an image is only asked to choose among the classes of its own set,
//
//	L = −1/B · Σ_b log softmax(z_b restricted to the set of y_b)[y_b].
type Supervised struct {
	Heads []int `json:"heads"` // classes of each set
}

// NewSupervised checks the numbers of classes.
func NewSupervised(heads []int) (*Supervised, error) {
	for _, n := range heads {
		if n < 2 {
			return nil, fmt.Errorf("a head of %d classes learns nothing: at least 2 are needed", n)
		}
	}
	if len(heads) == 0 {
		return nil, fmt.Errorf("labels of no data set are given")
	}
	return &Supervised{heads}, nil
}

// Name is "supervised".
func (*Supervised) Name() string { return "supervised" }

// Options are the heads.
func (s *Supervised) Options() any { return s }

// Needs nothing but labels.
func (*Supervised) Needs() distill.Needs { return distill.Needs{} }

// Modules are none.
func (*Supervised) Modules(distill.Context) (map[string]*model.Network, error) { return nil, nil }

// Phases is one.
func (s *Supervised) Phases() []distill.Phase {
	return []distill.Phase{{Name: "pretrain", Student: true, Loss: s.loss}}
}

func (s *Supervised) loss(step *distill.Step) distill.Losses {
	logits := s.restrict(step.Labels, step.Student.Logits)
	ce := distill.CrossEntropy(step.Labels, logits)
	return distill.Losses{Total: ce, Parts: []distill.Part{{Name: "ce", Value: ce}}, Correct: hits(step.Labels, logits)}
}

// restrict takes the logits of other sets than the label's out of the competition.
func (s *Supervised) restrict(labels, logits *Node) *Node {
	classes := s.classes()
	same := make([][]float32, classes) // [label][class]: 1 where both are of one set
	first := 0
	for _, n := range s.Heads {
		for i := range n {
			same[first+i] = make([]float32, classes)
			for j := range n {
				same[first+i][first+j] = 1
			}
		}
		first += n
	}
	g := logits.Graph()
	own := Dot(OneHot(labels, classes, dtypes.Float32), Const(g, same)).Product()
	return Add(logits, MulScalar(OneMinus(ConvertDType(own, logits.DType())), far))
}

func (s *Supervised) classes() int {
	sum := 0
	for _, n := range s.Heads {
		sum += n
	}
	return sum
}
