package distill

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/model"
	"rd/rdlib/option"
)

// CRDOptions are the options of contrastive representation distillation.
type CRDOptions struct {
	Negatives int     `json:"negatives"`       // k
	Tau       float64 `json:"nce-temperature"` // of the scores
	Momentum  float64 `json:"momentum"`        // of the memories
	Embedding int     `json:"embedding"`       // width of the embeddings
	CommonOptions
}

var crdRecipe = recipe{
	name:   "crd",
	title:  "contrastive representation distillation: L = NCE of student and teacher embeddings of one image against those of others",
	source: "Tian et al. 2020; modules and defaults of RepDistiller",
	begin: func() (*option.Set, func() (Method, error)) {
		o, set := CRDOptions{Negatives: 16384, Tau: 0.07, Momentum: 0.5, Embedding: 128, CommonOptions: common(0.8)}, &option.Set{}
		set.Integer(&o.Negatives, "negatives", 1, 1<<20, "k, negatives of each image, drawn among the training images of other classes", "RepDistiller")
		set.Number(&o.Tau, "nce-temperature", 0.02, math.Inf(1), "by which similarities are divided", "RepDistiller")
		set.Number(&o.Momentum, "momentum", 0, 1, "share of the old embedding in the memories", "RepDistiller")
		set.Integer(&o.Embedding, "embedding", 1, 8192, "width of the embeddings", "RepDistiller")
		o.CommonOptions.declare(set, "RepDistiller")
		return set, func() (Method, error) {
			return compared{
				name: "crd", options: o, common: o.CommonOptions, needs: Needs{Pooled: true, Items: true},
				modules: o.modules, vars: o.variables, draws: o.draws, term: o.term,
			}.checked()
		}
	},
	suit: PhiOptions{}.suit,
}

// crdSides are the two networks; each has an embedding, a memory of it for every training image, and a Z.
var crdSides = []string{"student", "teacher"}

func crdEmbedding(side string) string { return "embed_" + side }
func crdMemory(side string) string    { return "memory_" + side }
func crdZ(side string) string         { return "z_" + side }

// crdNegatives names how often each training image is a negative of each image of the batch: [batch, images].
const crdNegatives = "negatives"

// modules describes the linear embeddings of the pooled features.
func (o CRDOptions) modules(c Context) (map[string]*model.Network, error) {
	for class, others := range otherClasses(c) {
		if len(others) == 0 {
			return nil, fmt.Errorf("crd takes negatives from other classes, and all training images are of class %d", class)
		}
	}
	if c.Images < 1 {
		return nil, errors.New("crd keeps a memory of the training images, and there are none")
	}
	all := map[string]*model.Network{}
	for i, width := range []int{c.StudentDim, c.TeacherPooled} {
		name := crdEmbedding(crdSides[i])
		b := model.NewBuilder(name, width)
		b.Pooled(b.Linear("linear", b.Input(), o.Embedding))
		var err error
		if all[name], err = b.Network(); err != nil {
			return nil, fmt.Errorf("crd: %w", err)
		}
	}
	return all, nil
}

// variables describes the memories, from U(±1/√(D/3)), with a row for every one of the N training images; and the Z, 0
// until the first batch sets them. Neither is trained: the loss renews them.
func (o CRDOptions) variables(c Context) map[string]Variable {
	all := map[string]Variable{}
	for _, side := range crdSides {
		all[crdMemory(side)] = Variable{Shape: []int{c.Images, o.Embedding}, Init: func(random *rand.Rand) []float32 {
			bound := 1 / math.Sqrt(float64(o.Embedding)/3)
			values := make([]float32, c.Images*o.Embedding)
			for i := range values {
				values[i] = float32(bound * (2*random.Float64() - 1))
			}
			return values
		}}
		all[crdZ(side)] = Variable{Shape: []int{}, Init: func(*rand.Rand) []float32 { return []float32{0} }}
	}
	return all
}

// otherClasses lists, for each class that occurs, the training images of other classes.
func otherClasses(c Context) map[int][]int {
	others := map[int][]int{}
	for i := range c.Images {
		others[c.Label(i)] = nil
	}
	for class := range others {
		for i := range c.Images {
			if c.Label(i) != class {
				others[class] = append(others[class], i)
			}
		}
	}
	return others
}

// draws are the negatives of each image: k of the images of other classes, each at most once where there are so many, with
// replacement where there are fewer.
func (o CRDOptions) draws(c Context) map[string]Draw {
	others := otherClasses(c)
	return map[string]Draw{crdNegatives: {
		Shape: []int{c.Batch, c.Images},
		Fill: func(random *rand.Rand, items []int, counts []float32) {
			for b, item := range items {
				row, candidates := counts[b*c.Images:(b+1)*c.Images], others[c.Label(item)]
				if o.Negatives <= len(candidates) {
					for _, k := range random.Perm(len(candidates))[:o.Negatives] {
						row[candidates[k]]++
					}
					continue
				}
				for range o.Negatives {
					row[candidates[random.IntN(len(candidates))]]++
				}
			}
		},
	}}
}

// term is L = NCE(e_s, M_t) + NCE(e_t, M_s), e being the embedding of the pooled feature at unit length and M the other
// network's memory as it was before this batch; afterwards each image's row becomes m·row + (1−m)·e at unit length. A row
// of an image that the batch holds twice takes the mean of both e. Gradients reach the student and both embeddings.
func (o CRDOptions) term(s *Step) *Node {
	features := []*Node{s.Student.Pooled, s.Teacher.Pooled}
	embeddings, memories := make([]*Node, 2), make([]*Node, 2)
	for i, side := range crdSides {
		embeddings[i] = unit(s.Forward(crdEmbedding(side), features[i]).Pooled, 1)
		memories[i] = StopGradient(s.Variable(crdMemory(side)))
	}
	dtype := embeddings[0].DType()
	own := OneHot(s.Items, memories[0].Shape().Dimensions[0], dtype)
	negatives := ConvertDType(s.Draw(crdNegatives), dtype)
	var sum *Node
	for i, side := range crdSides {
		scores := o.scores(embeddings[i], memories[1-i])
		z := o.normalisation(s.Variable(crdZ(side)), scores, Add(own, negatives))
		s.Assign(crdZ(side), z)
		sum = plus(sum, o.nce(Div(scores, z), own, negatives))
	}
	for i, side := range crdSides {
		s.Assign(crdMemory(side), o.renewed(memories[i], StopGradient(embeddings[i]), own))
	}
	return sum
}

// scores are exp(M e/τ), [batch, images].
func (o CRDOptions) scores(embedding, memory *Node) *Node {
	return Exp(DivScalar(Dot(embedding, Transpose(memory, 0, 1)).Product(), o.Tau))
}

// normalisation is the Z of the first batch for good: N times the mean score of the pairs it looks at.
func (o CRDOptions) normalisation(z, scores, pairs *Node) *Node {
	batch, n := float64(scores.Shape().Dimensions[0]), float64(scores.Shape().Dimensions[1])
	first := MulScalar(ReduceAllSum(Mul(scores, pairs)), n/(batch*float64(o.Negatives+1)))
	return StopGradient(Where(GreaterThan(z, ScalarZero(z.Graph(), z.DType())), z, first))
}

// nce is the noise-contrastive estimate of one direction (Tian et al. 2020, "Contrastive representation distillation"), with
// P = scores/Z, Pn = 1/N and the same k for all:
//
//	−1/b · Σ_b [ log(P_own/(P_own + k·Pn + 1e-7)) + Σ over negatives of log(k·Pn/(P + k·Pn + 1e-7)) ]
//
// A negative drawn several times counts as often. Shapes: all [batch, images]; own has one 1 in each row.
func (o CRDOptions) nce(p, own, negatives *Node) *Node {
	const epsilon = 1e-7
	noise := float64(o.Negatives) / float64(p.Shape().Dimensions[1])
	positive := ReduceSum(Mul(p, own), 1)
	right := Log(Div(positive, AddScalar(positive, noise+epsilon)))
	wrong := Mul(negatives, Neg(Log(MulScalar(AddScalar(p, noise+epsilon), 1/noise))))
	return DivScalar(Neg(Add(ReduceAllSum(right), ReduceAllSum(wrong))), float64(p.Shape().Dimensions[0]))
}

// renewed is the memory after the batch.
func (o CRDOptions) renewed(memory, embedding, own *Node) *Node {
	times := InsertAxes(ReduceSum(own, 0), 1) // how often each image is in the batch, [images, 1]
	one := ScalarOne(times.Graph(), times.DType())
	mean := Div(Dot(Transpose(own, 0, 1), embedding).Product(), Max(times, one))
	row := unit(Add(MulScalar(memory, o.Momentum), MulScalar(mean, 1-o.Momentum)), 1)
	present := Min(times, one)
	return Add(Mul(present, row), Mul(OneMinus(present), memory))
}
