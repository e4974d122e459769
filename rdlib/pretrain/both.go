package pretrain

import (
	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/distill"
	"rd/rdlib/model"
)

// Both learns labels and the two views of each image together: L = L_supervised + Weight · L_contrastive. Batches must
// hold two copies of each image.
type Both struct {
	Supervised  *Supervised  `json:"supervised"`
	Contrastive *Contrastive `json:"contrastive"`
	Weight      float64      `json:"weight"`
}

// Name is "supervised+self-supervised".
func (*Both) Name() string { return "supervised+self-supervised" }

// Options are those of both.
func (b *Both) Options() any { return b }

// Needs nothing but labels.
func (*Both) Needs() distill.Needs { return distill.Needs{} }

// Modules are the contrastive ones.
func (b *Both) Modules(c distill.Context) (map[string]*model.Network, error) {
	return b.Contrastive.Modules(c)
}

// Phases is one.
func (b *Both) Phases() []distill.Phase {
	return []distill.Phase{{Name: "pretrain", Student: true, Loss: func(s *distill.Step) distill.Losses {
		labels, views := b.Supervised.loss(s), b.Contrastive.loss(s)
		return distill.Losses{
			Total: Add(labels.Total, MulScalar(views.Total, b.Weight)), Parts: append(labels.Parts, views.Parts...), Correct: labels.Correct,
		}
	}}}
}
