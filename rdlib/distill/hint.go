package distill

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/model"
	"rd/rdlib/nn"
	"rd/rdlib/option"
)

// HintOptions are the options of hints.
type HintOptions struct {
	Layer string `json:"layer"` // "middle" or "last"
	CommonOptions
}

var hintRecipe = recipe{
	name:   "hint",
	title:  "hints (FitNets): L = MSE(ReLU(BN(conv(f_s))), f_t) on one map, the convolution fitting channels and size",
	source: "Romero et al. 2015; module and defaults of RepDistiller",
	begin: func() (*option.Set, func() (Method, error)) {
		o, set := HintOptions{Layer: "middle", CommonOptions: common(100)}, &option.Set{}
		set.Choice(&o.Layer, "layer", []string{"middle", "last"},
			"the student's stage that is guided; last: as with a teacher of one map", "RepDistiller")
		o.CommonOptions.declare(set, "RepDistiller")
		return set, func() (Method, error) {
			return compared{
				name: "hint", options: o, common: o.CommonOptions,
				needs: Needs{Maps: true, Stages: o.Layer == "middle"}, modules: o.modules, term: o.term,
			}.checked()
		}
	},
	suit: func(c Context) map[string]string {
		suited := PhiOptions{}.suit(c)
		if len(c.TeacherMaps) == 1 {
			suited = map[string]string{"layer": "last"}
		}
		return suited
	},
}

// hintModule is the name of the regressor.
const hintModule = "regressor"

// layers are the indices of the two stages compared. Of n student stages the middle one is the ⌈n/2⌉th; the teacher's is as
// far from its last as that is, or its first. A teacher's only map is its last, and Suit pairs it with the student's.
func (o HintOptions) layers(students, teachers int) (student, teacher int) {
	student = students - 1
	if o.Layer == "middle" {
		student = (students - 1) / 2
	}
	return student, max(0, teachers-(students-student))
}

// modules describes the regressor, from a student's map of height s to the teacher's of height t:
//
//	s = 2t:    3×3 convolution of stride 2
//	2s = t:    4×4 transposed convolution of stride 2
//	elsewhere: convolution without padding, its kernel of 1 + s − t; where s < t the teacher's map is averaged down to s
//
// with batch norm and ReLU behind; height and width each have the kernel they need.
func (o HintOptions) modules(c Context) (map[string]*model.Network, error) {
	i, j := o.layers(len(c.StudentMaps), len(c.TeacherMaps))
	s, t := c.StudentMaps[i], c.TeacherMaps[j]
	b := model.NewBuilder(hintModule, s...)
	x, conv := b.Input(), model.Conv{Out: t[0], Kernel: 3, Stride: 2, Padding: 1, Bias: true}
	switch {
	case s[1] == 2*t[1] && (s[2]+1)/2 == t[2]:
		x = b.Conv("conv", x, conv)
	case 2*s[1] == t[1] && 2*s[2] == t[2]:
		x = b.ConvTranspose("conv", x, model.ConvTranspose{Out: t[0], Kernel: 4, Stride: 2, Padding: 1, Bias: true})
	default:
		height, width := smaller(s, t)
		x = b.Conv("conv", x, model.Conv{Out: t[0], Kernel: 1 + s[1] - height, Width: 1 + s[2] - width, Bias: true})
	}
	x = b.BatchNorm("bn", x)
	b.FeatureMap(b.ReLU("relu", x))
	regressor, err := b.Network()
	if err != nil {
		return nil, fmt.Errorf("hint: %w", err)
	}
	return map[string]*model.Network{hintModule: regressor}, nil
}

func (o HintOptions) term(s *Step) *Node {
	i, j := o.layers(len(s.Student.Stages), len(s.Teacher.Maps))
	guided := s.Forward(hintModule, s.Student.Stages[i]).FeatureMap
	size := guided.Shape().Dimensions
	return ReduceAllMean(Square(Sub(guided, nn.AdaptiveAvgPool2D(s.Teacher.Maps[j], size[2], size[3]))))
}
