package pretrain

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/distill"
	"rd/rdlib/model"
)

// Captions learns which caption belongs to which image of a batch, and which image to which caption (CLIP; Radford et
// al. 2021, "Learning transferable visual models from natural language supervision"). With u = f and v = W·words at unit
// length, words being the caption's bag of words,
//
//	L = ½ · ( CE over rows + CE over columns of u vᵀ/τ ), the diagonal being right.
//
// Images whose captions have the same words are not held against each other. Unlike CLIP the text tower is one linear
// layer and the temperature is fixed: synthetic captions have few words and little grammar. The bag of words enters as a
// teacher's pooled feature does.
type Captions struct {
	Temperature float64  `json:"temperature"`
	Words       []string `json:"words"` // the vocabulary, in the order of the bag's entries
}

// TextModule is the name of the text tower among the modules.
const TextModule = "text"

// Name is "captions".
func (*Captions) Name() string { return "captions" }

// Options are all of its fields.
func (c *Captions) Options() any { return c }

// Needs the bags of words.
func (*Captions) Needs() distill.Needs { return distill.Needs{Pooled: true} }

// Modules describes the text tower, words → D.
func (c *Captions) Modules(context distill.Context) (map[string]*model.Network, error) {
	if !(c.Temperature > 0) || context.TeacherPooled != len(c.Words) {
		return nil, fmt.Errorf("captions: temperature %g must be above 0, and %d words be fed, not %d", c.Temperature, len(c.Words), context.TeacherPooled)
	}
	b := model.NewBuilder(TextModule, len(c.Words))
	b.Pooled(b.Linear("0", b.Input(), context.StudentDim))
	network, err := b.Network()
	return map[string]*model.Network{TextModule: network}, err
}

// Phases is one.
func (c *Captions) Phases() []distill.Phase {
	return []distill.Phase{{Name: "pretrain", Student: true, Loss: c.loss}}
}

func (c *Captions) loss(s *distill.Step) distill.Losses {
	words := s.Teacher.Pooled
	u, v := unit(s.Student.Pooled), unit(s.Forward(TextModule, words).Pooled)
	logits := Add(DivScalar(Dot(u, Transpose(v, 0, 1)).Product(), c.Temperature), MulScalar(sameWords(words), far))
	g, rows := logits.Graph(), logits.Shape().Dimensions[0]
	targets := Iota(g, shapes.Make(dtypes.Int32, rows), 0)
	nce := MulScalar(Add(distill.CrossEntropy(targets, logits), distill.CrossEntropy(targets, Transpose(logits, 0, 1))), 0.5)
	return distill.Losses{Total: nce, Parts: []distill.Part{{Name: "infonce", Value: nce}}, Correct: hits(targets, logits)}
}

// sameWords is 1 where two different rows have the same bag of words and 0 elsewhere, [batch, batch]. Bags hold counts:
// the squared distance of two different ones is at least 1.
func sameWords(words *Node) *Node {
	g, rows := words.Graph(), words.Shape().Dimensions[0]
	lengths := ReduceAndKeep(Square(words), ReduceSum, -1)
	distance := Sub(Add(lengths, Transpose(lengths, 0, 1)), MulScalar(Dot(words, Transpose(words, 0, 1)).Product(), 2))
	same := ConvertDType(LessThan(distance, Scalar(g, words.DType(), 0.5)), words.DType())
	diagonal := make([][]float32, rows)
	for i := range diagonal {
		diagonal[i] = make([]float32, rows)
		diagonal[i][i] = 1
	}
	return Sub(same, ConvertDType(Const(g, diagonal), words.DType()))
}
