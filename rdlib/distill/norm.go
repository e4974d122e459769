package distill

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/model"
	"rd/rdlib/nn"
	"rd/rdlib/option"
)

// NORMOptions are the options of N-to-one representation matching.
type NORMOptions struct {
	N int `json:"n"`
	CommonOptions
}

var normRecipe = recipe{
	name:   "norm",
	title:  "N-to-one matching: L = N·MSE(expand(f_s), f_t repeated N times), through a module that stays in the student",
	source: "Liu et al. 2023; module and defaults of OSVAI/NORM",
	begin: func() (*option.Set, func() (Method, error)) {
		o, set := NORMOptions{N: 8, CommonOptions: common(1)}, &option.Set{}
		set.Integer(&o.N, "n", 1, 64, "N, how often the teacher's map is matched", "OSVAI/NORM")
		o.CommonOptions.declare(set, "OSVAI/NORM")
		return set, func() (Method, error) {
			return compared{
				name: "norm", options: o, common: o.CommonOptions, needs: Needs{Maps: true},
				student: o.student, logits: standardised, term: o.term,
			}.checked()
		}
	},
	suit: PhiOptions{}.suit,
}

// normTap names the expanded map among the student's.
const normTap = "norm.expand"

// normLogits is the layer normalisation of both networks' logits, before the losses and at evaluation.
var normLogits = model.Standardise{Scale: 2.5, Eps: 1e-7}

func standardised(logits *Node) *Node {
	return nn.Standardise(logits, normLogits.Scale, normLogits.Eps)
}

// student puts NORM's module between the student's last map f_s of C_s channels and its pool, where it stays for good:
//
//	expand = BN(conv1×1(f_s)) to N·C_t channels,   f_s + BN(conv1×1(expand)) is pooled,   no ReLU
//
// The logits are standardised: (z − mean)/√(variance + 1e-7)·2.5.
func (o NORMOptions) student(c Context, student *model.Network) (*model.Network, error) {
	to := o.N * last(c.TeacherMaps)[0]
	neck := func(b *model.Builder, x model.Value) model.Value {
		expand, contract := b.Scope("norm.expand"), b.Scope("norm.contract")
		y := expand.BatchNorm("1", expand.Conv("0", x, model.Conv{Out: to, Kernel: 1}))
		b.Tap(normTap, y)
		y = contract.BatchNorm("1", contract.Conv("0", y, model.Conv{Out: b.Channels(x), Kernel: 1}))
		return b.Add("norm.add", x, y)
	}
	head := func(b *model.Builder, x model.Value) model.Value { return b.Standardise("norm.logits", x, normLogits) }
	amended, err := student.Amend(student.Name()+"+norm", neck, head)
	if err != nil {
		return nil, fmt.Errorf("norm: %w", err)
	}
	return amended, nil
}

// term is N times the mean square difference of the expanded map and N copies of the teacher's, side by side (Liu et al.
// 2023, "NORM: Knowledge distillation via N-to-one representation matching"). The larger map is max-pooled by the quotient
// of the heights; what differs then is averaged as in all methods.
func (o NORMOptions) term(s *Step) *Node {
	expanded, teacher := s.Student.Taps[normTap], last(s.Teacher.Maps)
	if expanded == nil {
		panic(fmt.Errorf("norm: the student lacks the module: train the network that distill.Deployed returns"))
	}
	expanded = maxPooled(expanded, expanded.Shape().Dim(2)/teacher.Shape().Dim(2))
	teacher = maxPooled(teacher, teacher.Shape().Dim(2)/expanded.Shape().Dim(2))
	expanded, teacher = sameSize(expanded, teacher)
	d := teacher.Shape().Dimensions
	copies := Reshape(expanded, d[0], o.N, d[1], d[2], d[3]) // the n-th copy of channel c is channel n·C_t + c
	return MulScalar(ReduceAllMean(Square(Sub(copies, InsertAxes(teacher, 1)))), float64(o.N))
}

// maxPooled takes the largest of square windows of the given size, or of the map's width where that is smaller; a window
// of 1 or less changes nothing.
func maxPooled(f *Node, window int) *Node {
	if window = min(window, f.Shape().Dim(3)); window <= 1 {
		return f
	}
	return nn.MaxPool2D(f, window, window, 0)
}
