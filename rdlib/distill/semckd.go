package distill

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/model"
	"rd/rdlib/option"
)

// SemCKDOptions are the options of semantic calibration.
type SemCKDOptions struct {
	Factor int `json:"factor"` // by which queries and keys are shorter than the batch
	Width  int `json:"width"`  // channels inside a value network; 0: 2·C_t
	CommonOptions
}

var semckdRecipe = recipe{
	name:   "semckd",
	title:  "semantic calibration: L = Σ over pairs of stages of α·MSE(value(f_s), f_t)/(b·n_s), α from the stages' Gram matrices",
	source: "Chen et al. 2021; modules and defaults of DefangChen/SemCKD",
	begin: func() (*option.Set, func() (Method, error)) {
		o, set := SemCKDOptions{Factor: 4, CommonOptions: common(400)}, &option.Set{}
		set.Integer(&o.Factor, "factor", 1, 64, "queries and keys have a length of batch/factor", "SemCKD's code")
		set.Integer(&o.Width, "width", 0, 8192, "channels inside a value network; 0: twice the teacher's", "SemCKD's code: twice")
		o.CommonOptions.declare(set, "SemCKD's scripts for small images; 50 for ImageNet")
		return set, func() (Method, error) {
			return compared{
				name: "semckd", options: o, common: o.CommonOptions, needs: Needs{Maps: true, Stages: true},
				modules: o.modules, term: o.term,
			}.checked()
		}
	},
	suit: PhiOptions{}.suit,
}

// Names of the modules of a student's stage, a teacher's stage, and a pair of both.
func semckdQuery(student int) string          { return fmt.Sprint("query", student) }
func semckdKey(teacher int) string            { return fmt.Sprint("key", teacher) }
func semckdValue(student, teacher int) string { return fmt.Sprintf("value%d_%d", student, teacher) }

// modules describes, for stages of student and teacher, the networks that make their query and key of a row of the Gram
// matrix (linear, ReLU, linear), and for each pair of them the value: 1×1, 3×3 and 1×1 convolutions to the teacher's
// channels, with batch norm and ReLU after the first two. The Gram matrices are those of a batch, so the batch's size is
// fixed. To a teacher of one stage all attention goes, and there are neither queries nor keys.
func (o SemCKDOptions) modules(c Context) (map[string]*model.Network, error) {
	all := map[string]*model.Network{}
	length := c.Batch / o.Factor
	if length < 1 {
		return nil, fmt.Errorf("semckd: a batch of %d images is smaller than factor=%d: use a larger batch or a smaller factor", c.Batch, o.Factor)
	}
	add := func(b *model.Builder, name string) (err error) {
		if all[name], err = b.Network(); err != nil {
			return fmt.Errorf("semckd: %w", err)
		}
		return nil
	}
	embed := func(name string) error {
		b := model.NewBuilder(name, c.Batch)
		x := b.ReLU("relu", b.Linear("linear1", b.Input(), 2*length))
		b.Pooled(b.Linear("linear2", x, length))
		return add(b, name)
	}
	for j, teacher := range c.TeacherMaps {
		if len(c.TeacherMaps) > 1 {
			if err := embed(semckdKey(j)); err != nil {
				return nil, err
			}
		}
		width := o.Width
		if width == 0 {
			width = 2 * teacher[0]
		}
		for i, student := range c.StudentMaps {
			name := semckdValue(i, j)
			b := model.NewBuilder(name, student[0], model.Any, model.Any)
			x := b.ReLU("2", b.BatchNorm("1", b.Conv("0", b.Input(), model.Conv{Out: width, Kernel: 1})))
			x = b.ReLU("5", b.BatchNorm("4", b.Conv("3", x, model.Conv{Out: width, Kernel: 3, Padding: 1})))
			b.FeatureMap(b.Conv("6", x, model.Conv{Out: teacher[0], Kernel: 1}))
			if err := add(b, name); err != nil {
				return nil, err
			}
		}
	}
	for i := range c.StudentMaps {
		if len(c.TeacherMaps) > 1 {
			if err := embed(semckdQuery(i)); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// term is Σ_b,i,j α[b,i,j]·error[b,i,j] / (b·n_s) over n_s student stages i and the teacher's stages j (Chen et al. 2021,
// "Cross-layer distillation with semantic calibration"). The sampler gives full batches only, so none is skipped.
func (o SemCKDOptions) term(s *Step) *Node {
	students, teachers := s.Student.Stages, s.Teacher.Maps
	errors := semckdErrors(s)
	if len(teachers) > 1 {
		errors = Mul(errors, semckdAttention(s))
	}
	return DivScalar(ReduceAllSum(errors), float64(students[0].Shape().Dimensions[0]*len(students)))
}

// semckdAttention is α, [batch, n_s, n_t]: softmax over the teacher's stages of the products of query and key.
func semckdAttention(s *Step) *Node {
	embed := func(maps []*Node, name func(int) string) *Node { // [batch, stages, length]
		var rows []*Node
		for i, f := range maps {
			rows = append(rows, InsertAxes(unit(s.Forward(name(i), gram(f)).Pooled, 1), 1))
		}
		return Concatenate(rows, 1)
	}
	return Softmax(Einsum("bid,bjd->bij", embed(s.Student.Stages, semckdQuery), embed(s.Teacher.Maps, semckdKey)), -1)
}

// semckdErrors is the mean square error of each image and pair of stages, [batch, n_s, n_t]. The larger map of a pair is
// first averaged down to the smaller.
func semckdErrors(s *Step) *Node {
	var rows []*Node
	for i, f := range s.Student.Stages {
		var row []*Node
		for j, g := range s.Teacher.Maps {
			student, teacher := sameSize(f, g)
			value := s.Forward(semckdValue(i, j), student).FeatureMap
			row = append(row, InsertAxes(ReduceMean(Square(Sub(value, teacher)), 1, 2, 3), 1, 1))
		}
		rows = append(rows, Concatenate(row, 2))
	}
	return Concatenate(rows, 1)
}
