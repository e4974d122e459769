package pretrain

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/distill"
	"rd/rdlib/model"
)

// Contrastive is self-supervised: of all the images in a batch, seen twice under random crops and changes of light, each
// is to recognise its own other view (SimCLR; Chen et al. 2020, "A simple framework for contrastive learning of visual
// representations", Eq. 1). With h = projection(f) at unit length, rows 2i and 2i+1 being the views of one image,
//
//	L = −1/2B · Σ_i log( exp(h_i·h_j(i)/τ) / Σ_{k≠i} exp(h_i·h_k/τ) ),   j(i) the other view of i's image.
//
// Batches must hold two copies of each image. The projection (Linear, ReLU, Linear) is thrown away afterwards.
type Contrastive struct {
	Temperature float64 `json:"temperature"`
	Projection  int     `json:"projection"` // width of h
}

// DefaultContrastive is SimCLR's projection of 128 at the temperature 0.2, which suits batches of a hundred images.
func DefaultContrastive() *Contrastive { return &Contrastive{Temperature: 0.2, Projection: 128} }

const projectionModule = "projection"

// Name is "self-supervised".
func (*Contrastive) Name() string { return "self-supervised" }

// Options are all of its fields.
func (c *Contrastive) Options() any { return c }

// Needs no teacher.
func (*Contrastive) Needs() distill.Needs { return distill.Needs{} }

// Modules describes the projection, D → D → Projection.
func (c *Contrastive) Modules(context distill.Context) (map[string]*model.Network, error) {
	if !(c.Temperature > 0) || c.Projection < 1 {
		return nil, fmt.Errorf("self-supervised: temperature %g and projection %d must be above 0", c.Temperature, c.Projection)
	}
	b := model.NewBuilder(projectionModule, context.StudentDim)
	x := b.Linear("0", b.Input(), context.StudentDim)
	x = b.ReLU("1", x)
	b.Pooled(b.Linear("2", x, c.Projection))
	network, err := b.Network()
	return map[string]*model.Network{projectionModule: network}, err
}

// Phases is one.
func (c *Contrastive) Phases() []distill.Phase {
	return []distill.Phase{{Name: "pretrain", Student: true, Loss: c.loss}}
}

func (c *Contrastive) loss(s *distill.Step) distill.Losses {
	h := unit(s.Forward(projectionModule, s.Student.Pooled).Pooled)
	rows := h.Shape().Dimensions[0]
	g := h.Graph()
	other := make([]int32, rows)
	self := make([][]float32, rows)
	for i := range rows {
		other[i] = int32(i ^ 1)
		self[i] = make([]float32, rows)
		self[i][i] = far
	}
	logits := DivScalar(Dot(h, Transpose(h, 0, 1)).Product(), c.Temperature)
	logits = Add(logits, ConvertDType(Const(g, self), logits.DType()))
	targets := Const(g, other)
	nce := distill.CrossEntropy(targets, logits)
	return distill.Losses{Total: nce, Parts: []distill.Part{{Name: "ntxent", Value: nce}}, Correct: hits(targets, logits)}
}
