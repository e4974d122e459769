package distill

import (
	"fmt"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/model"
	"rd/rdlib/option"
)

// MGDOptions are the options of masked generative distillation.
type MGDOptions struct {
	Lambda float64 `json:"lambda"` // share of channels masked
	CommonOptions
}

var mgdRecipe = recipe{
	name:   "mgd",
	title:  "masked generative distillation: L = ‖G(mask · align(f_s)) − f_t‖²/b on the last maps, channels masked at random",
	source: "Yang et al. 2022; module and defaults of their classification code",
	begin: func() (*option.Set, func() (Method, error)) {
		o, set := MGDOptions{Lambda: 0.15, CommonOptions: common(7e-5)}, &option.Set{}
		set.Number(&o.Lambda, "lambda", 0, 1, "share of the channels that are masked", "yzd-v/MGD's code")
		o.CommonOptions.declare(set, "yzd-v/MGD's code")
		return set, func() (Method, error) {
			return compared{
				name: "mgd", options: o, common: o.CommonOptions, needs: Needs{Maps: true},
				modules: o.modules, draws: o.draws, term: o.term,
			}.checked()
		}
	},
	suit: PhiOptions{}.suit,
}

// Names of the modules, and of the random numbers in [0, 1) that decide what is masked.
const (
	mgdAlign    = "align"
	mgdGenerate = "generation"
	mgdRandom   = "mask"
)

// modules describes align, a 1×1 convolution from C_s to C_t channels where they differ, and G: 3×3, ReLU, 3×3.
func (o MGDOptions) modules(c Context) (map[string]*model.Network, error) {
	all := map[string]*model.Network{}
	from, to := last(c.StudentMaps)[0], last(c.TeacherMaps)[0]
	var err error
	if from != to {
		b := model.NewBuilder(mgdAlign, from, model.Any, model.Any)
		b.FeatureMap(b.Conv("align", b.Input(), model.Conv{Out: to, Kernel: 1, Bias: true}))
		if all[mgdAlign], err = b.Network(); err != nil {
			return nil, fmt.Errorf("mgd: %w", err)
		}
	}
	b := model.NewBuilder(mgdGenerate, to, model.Any, model.Any)
	conv := model.Conv{Out: to, Kernel: 3, Padding: 1, Bias: true}
	b.FeatureMap(b.Conv("2", b.ReLU("1", b.Conv("0", b.Input(), conv)), conv))
	if all[mgdGenerate], err = b.Network(); err != nil {
		return nil, fmt.Errorf("mgd: %w", err)
	}
	return all, nil
}

// draws are one number in [0, 1) for each image and channel.
func (MGDOptions) draws(c Context) map[string]Draw {
	return map[string]Draw{mgdRandom: {
		Shape: []int{c.Batch, last(c.TeacherMaps)[0], 1, 1},
		Fill: func(random *rand.Rand, _ []int, values []float32) {
			for i := range values {
				values[i] = random.Float32()
			}
		},
	}}
}

// term compares what G makes of the student's last map with the teacher's, which is held constant:
//
//	L = Σ over everything of (G(mask · align(f_s)) − f_t)² / b,   mask = 0 where the channel's number is below λ, else 1
//
// The larger map is first averaged down to the smaller.
func (o MGDOptions) term(s *Step) *Node {
	student, teacher := sameSize(last(s.Student.Stages), last(s.Teacher.Maps))
	if student.Shape().Dimensions[1] != teacher.Shape().Dimensions[1] {
		student = s.Forward(mgdAlign, student).FeatureMap
	}
	random := s.Draw(mgdRandom)
	mask := ConvertDType(GreaterOrEqual(random, Scalar(random.Graph(), random.DType(), o.Lambda)), student.DType())
	generated := s.Forward(mgdGenerate, Mul(student, mask)).FeatureMap
	return DivScalar(ReduceAllSum(Square(Sub(generated, teacher))), float64(student.Shape().Dimensions[0]))
}
