package distill

import (
	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/option"
)

// SPOptions are the options of similarity-preserving distillation.
type SPOptions struct{ CommonOptions }

var spRecipe = recipe{
	name:   "sp",
	title:  "similarity preservation: L = ‖G(f_t) − G(f_s)‖²/b², G = F Fᵀ with rows of unit length, on the last maps",
	source: "Tung & Mori 2019; defaults of RepDistiller's scripts",
	begin: func() (*option.Set, func() (Method, error)) {
		o, set := SPOptions{common(3000)}, &option.Set{}
		o.CommonOptions.declare(set, "RepDistiller")
		return set, func() (Method, error) {
			return compared{name: "sp", options: o, common: o.CommonOptions, needs: Needs{Maps: true}, term: func(s *Step) *Node {
				return SP(last(s.Teacher.Maps), last(s.Student.Stages))
			}}.checked()
		}
	},
	suit: PhiOptions{}.suit,
}

// SP compares which images of a batch of b look alike to each network (Tung & Mori 2019, "Similarity-preserving knowledge
// distillation"):
//
//	SP(f_t, f_s) = ‖G(f_t) − G(f_s)‖²_F / b²,   G(f) = F Fᵀ with each row at unit length, F = f as [b, C·H·W]
//
// Sizes and channels may differ. The teacher's side is held constant.
func SP(teacher, student *Node) *Node {
	t, s := unit(gram(StopGradient(teacher)), 1), unit(gram(student), 1)
	return ReduceAllMean(Square(Sub(t, s)))
}

// gram is F Fᵀ of F = f as [batch, …]: [batch, batch].
func gram(f *Node) *Node {
	flat := Reshape(f, f.Shape().Dimensions[0], -1)
	return Dot(flat, Transpose(flat, 0, 1)).Product()
}
