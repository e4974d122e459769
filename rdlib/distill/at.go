package distill

import (
	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/option"
)

// ATOptions are the options of attention transfer.
type ATOptions struct {
	Power int `json:"power"`
	stagesOption
	CommonOptions
}

var atRecipe = recipe{
	name:   "at",
	title:  "attention transfer: L = Σ over stages of MSE(A(f_t), A(f_s)), A(f) = mean over channels of |f|^p at unit length",
	source: "Zagoruyko & Komodakis 2017; defaults of RepDistiller's scripts",
	begin: func() (*option.Set, func() (Method, error)) {
		o, set := ATOptions{Power: 2, CommonOptions: common(1000)}, &option.Set{}
		set.Integer(&o.Power, "power", 1, 16, "p, the power of the activations", "RepDistiller")
		o.stagesOption.declare(set)
		o.CommonOptions.declare(set, "RepDistiller")
		return set, func() (Method, error) {
			return compared{name: "at", options: o, common: o.CommonOptions, needs: o.stagesOption.needs(), term: o.term}.checked()
		}
	},
	suit: suitStages,
}

// term is the sum over the pairs of stages; with a teacher of one map, the last pair.
func (o ATOptions) term(s *Step) *Node {
	var sum *Node
	student, teacher := pairs(o.stagesOption, s.Student.Stages, s.Teacher.Maps)
	for i := range student {
		sum = plus(sum, AT(teacher[i], student[i], o.Power))
	}
	return sum
}

// AT is the attention transfer of one pair of maps (Zagoruyko & Komodakis 2017, "Paying more attention to attention"):
//
//	AT(f_t, f_s) = mean over batch and positions of (A(f_t) − A(f_s))²
//	A(f) = a/‖a‖ for each image,  a = mean over channels of |f|^p
//
// The larger map is first averaged down to the smaller. The teacher's side is held constant. Shapes: [batch, C_t, H, W],
// [batch, C_s, h, w].
func AT(teacher, student *Node, power int) *Node {
	teacher, student = sameSize(StopGradient(teacher), student)
	return ReduceAllMean(Square(Sub(attention(teacher, power), attention(student, power))))
}

// attention is A(f), [batch, C, H, W] → [batch, H·W].
func attention(f *Node, power int) *Node {
	raised := Square(f)
	if power != 2 {
		raised = Abs(f)
		for range power - 1 {
			raised = Mul(raised, Abs(f))
		}
	}
	batch := f.Shape().Dimensions[0]
	return unit(Reshape(ReduceMean(raised, 1), batch, -1), 1)
}
