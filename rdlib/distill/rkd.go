package distill

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/train/loss"

	"rd/rdlib/option"
)

// RKDOptions are the options of relational knowledge distillation.
type RKDOptions struct {
	Distance float64 `json:"distance"` // weight of the distances
	Angle    float64 `json:"angle"`    // weight of the angles
	CommonOptions
}

var rkdRecipe = recipe{
	name:   "rkd",
	title:  "relational KD: L = w_d·(distances of pairs) + w_a·(angles of triples), smooth L1, on the pooled features",
	source: "Park et al. 2019; defaults of RepDistiller",
	begin: func() (*option.Set, func() (Method, error)) {
		o, set := RKDOptions{Distance: 25, Angle: 50, CommonOptions: common(1)}, &option.Set{}
		set.Number(&o.Distance, "distance", 0, math.Inf(1), "w_d, weight of the distances", "RepDistiller")
		set.Number(&o.Angle, "angle", 0, math.Inf(1), "w_a, weight of the angles", "RepDistiller")
		o.CommonOptions.declare(set, "RepDistiller")
		return set, func() (Method, error) {
			return compared{name: "rkd", options: o, common: o.CommonOptions, needs: Needs{Pooled: true}, term: func(s *Step) *Node {
				teacher, student := s.Teacher.Pooled, s.Student.Pooled
				return Add(MulScalar(RKDDistance(teacher, student), o.Distance), MulScalar(RKDAngle(teacher, student), o.Angle))
			}}.checked()
		}
	},
	suit: PhiOptions{}.suit,
}

// smoothL1 is the mean of ½d² where |d| < 1 and |d| − ½ elsewhere.
var smoothL1 = loss.MakeHuberLoss(1)

// RKDDistance compares the distances between the features of each two images of a batch, each network's in units of their
// mean (Park et al. 2019, "Relational knowledge distillation", Eq. 5 and 6): the mean of smooth L1 over all b² pairs. Equal
// features have the distance 1e-6 and no gradient. The teacher's side is held constant. Shapes: [b, D_t], [b, D_s].
func RKDDistance(teacher, student *Node) *Node {
	return smoothL1([]*Node{distances(StopGradient(teacher))}, []*Node{distances(student)})
}

// RKDAngle compares the angles that each three images span, cos(e_j − e_i, e_k − e_i) (Eq. 7 and 8): the mean of smooth L1
// over all b³ triples, those with equal images included, where the cosine is 0. Shapes as RKDDistance.
func RKDAngle(teacher, student *Node) *Node {
	return smoothL1([]*Node{angles(StopGradient(teacher))}, []*Node{angles(student)})
}

// distances is [b, b]: ‖e_i − e_j‖ over the mean of those that are positive; 0 on the diagonal.
func distances(e *Node) *Node {
	const floor = 1e-12
	g, dtype, b := e.Graph(), e.DType(), e.Shape().Dimensions[0]
	lengths := ReduceAndKeep(Square(e), ReduceSum, 1)
	square := Sub(Add(lengths, Transpose(lengths, 0, 1)), MulScalar(Dot(e, Transpose(e, 0, 1)).Product(), 2))
	// The root is taken of values above 0 only: its gradient at 0 is infinite, and 0·∞ is not a number.
	others := OneMinus(ConvertDType(Diagonal(g, b), dtype))
	distance := Mul(others, Sqrt(Max(square, Scalar(g, dtype, floor))))
	mean := DivScalar(ReduceAllSum(distance), float64(max(1, b*(b-1))))
	return Div(distance, Max(mean, Scalar(g, dtype, math.Sqrt(floor))))
}

// angles is [b, b, b]: at [i, j, k] the cosine between e_j − e_i and e_k − e_i.
func angles(e *Node) *Node {
	differences := unit(Sub(InsertAxes(e, 0), InsertAxes(e, 1)), 2) // at [i, j]: e_j − e_i
	return Einsum("ijd,ikd->ijk", differences, differences)
}
