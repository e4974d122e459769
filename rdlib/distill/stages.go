package distill

import (
	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/nn"

	"rd/rdlib/option"
)

// stageChoices are which stage maps a method compares.
var stageChoices = []string{"all", "last"}

// stagesOption says which stage maps are compared.
type stagesOption struct {
	Stages string `json:"stages"`
}

func (o *stagesOption) declare(s *option.Set) {
	o.Stages = "all"
	s.Choice(&o.Stages, "stages", stageChoices,
		"maps to compare: all, paired from the last backwards; or the last pair, as with a teacher of one map", "RepDistiller")
}

// needs are the teacher's maps.
func (o stagesOption) needs() Needs { return Needs{Maps: true, Stages: o.Stages == "all"} }

// suitStages says that of a teacher with one map only the last pair can be compared.
func suitStages(c Context) map[string]string {
	suited := PhiOptions{}.suit(c)
	if len(c.TeacherMaps) == 1 {
		suited = map[string]string{"stages": "last"}
	}
	return suited
}

// pairs matches student stages with teacher stages from the last backwards, as far as both have some; the result runs from
// the first pair to the last.
func pairs[S, T any](o stagesOption, student []S, teacher []T) (s []S, t []T) {
	n := min(len(student), len(teacher))
	if o.Stages == "last" {
		n = min(n, 1)
	}
	return student[len(student)-n:], teacher[len(teacher)-n:]
}

// last returns the last of several maps.
func last[T any](maps []T) T { return maps[len(maps)-1] }

// sameSize averages the larger of two maps [batch, channels, height, width] down to the size of the smaller, over adaptive
// windows, height and width each by itself. It is how all methods here compare maps of different sizes, unless they say
// otherwise.
func sameSize(a, b *Node) (*Node, *Node) {
	height, width := smaller(a.Shape().Dimensions[1:], b.Shape().Dimensions[1:])
	return nn.AdaptiveAvgPool2D(a, height, width), nn.AdaptiveAvgPool2D(b, height, width)
}

// smaller is the height and width of sameSize, for shapes [channels, height, width].
func smaller(a, b []int) (height, width int) { return min(a[1], b[1]), min(a[2], b[2]) }

// unit scales x to length 1 along the axes: x/‖x‖. Where ‖x‖ is below 1e-12, as PyTorch's normalize has its floor, the
// result and its gradient are 0.
func unit(x *Node, axes ...int) *Node {
	const floor = 1e-24
	square := ReduceAndKeep(Square(x), ReduceSum, axes...)
	g, dtype := x.Graph(), x.DType()
	inverse := Inverse(Sqrt(Max(square, Scalar(g, dtype, floor))))
	return Mul(x, Where(GreaterThan(square, Scalar(g, dtype, floor)), inverse, ZerosLike(inverse)))
}
