package distill

import (
	"fmt"
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/model"
	"rd/rdlib/option"
)

// VIDOptions are the options of variational information distillation.
type VIDOptions struct {
	Variance float64 `json:"variance"` // σ² of every channel before the first step
	Epsilon  float64 `json:"epsilon"`  // below which σ² cannot fall
	stagesOption
	CommonOptions
}

var vidRecipe = recipe{
	name:   "vid",
	title:  "variational information distillation: L = Σ over stages of mean ½[(μ(f_s) − f_t)²/σ² + log σ²], σ² learnt for each channel",
	source: "Ahn et al. 2019; module and defaults of RepDistiller",
	begin: func() (*option.Set, func() (Method, error)) {
		o, set := VIDOptions{Variance: 5, Epsilon: 1e-5, CommonOptions: common(1)}, &option.Set{}
		set.Number(&o.Variance, "variance", 1e-3, 1e3, "σ² before the first step", "RepDistiller")
		set.Number(&o.Epsilon, "epsilon", 1e-9, 1e-4, "floor of σ²", "RepDistiller")
		o.stagesOption.declare(set)
		o.CommonOptions.declare(set, "RepDistiller")
		return set, func() (Method, error) {
			return compared{
				name: "vid", options: o, common: o.CommonOptions, needs: o.stagesOption.needs(),
				modules: o.modules, vars: o.variables, term: o.term,
			}.checked()
		}
	},
	suit: suitStages,
}

// vidRegressor and vidScale name the regressor μ and the ρ of a pair of stages.
func vidRegressor(pair int) string { return fmt.Sprint("regressor", pair) }
func vidScale(pair int) string     { return fmt.Sprint("rho", pair) }

// modules describes a μ for each pair of stages: three 1×1 convolutions to C_t channels, without bias, with ReLU between.
func (o VIDOptions) modules(c Context) (map[string]*model.Network, error) {
	all := map[string]*model.Network{}
	student, teacher := pairs(o.stagesOption, c.StudentMaps, c.TeacherMaps)
	for i := range student {
		conv := model.Conv{Out: teacher[i][0], Kernel: 1}
		b := model.NewBuilder(vidRegressor(i), student[i][0], model.Any, model.Any)
		x := b.ReLU("1", b.Conv("0", b.Input(), conv))
		x = b.ReLU("3", b.Conv("2", x, conv))
		b.FeatureMap(b.Conv("4", x, conv))
		var err error
		if all[vidRegressor(i)], err = b.Network(); err != nil {
			return nil, fmt.Errorf("vid: %w", err)
		}
	}
	return all, nil
}

// variables describes ρ, [C_t], for each pair of stages. It is trained: without it VID is a regression.
func (o VIDOptions) variables(c Context) map[string]Variable {
	all := map[string]Variable{}
	_, teacher := pairs(o.stagesOption, c.StudentMaps, c.TeacherMaps)
	for i, shape := range teacher {
		all[vidScale(i)] = Variable{Shape: shape[:1], Trainable: true, Init: func(*rand.Rand) []float32 {
			values := make([]float32, shape[0])
			for k := range values {
				values[k] = float32(o.scale())
			}
			return values
		}}
	}
	return all
}

// scale is the ρ that gives the initial variance: softplus(ρ) + ε = Variance.
func (o VIDOptions) scale() float64 { return math.Log(math.Expm1(o.Variance - o.Epsilon)) }

// term is the sum over the pairs of stages; with a teacher of one map, the last pair. The larger map of a pair is first
// averaged down to the smaller.
func (o VIDOptions) term(s *Step) *Node {
	var sum *Node
	students, teachers := pairs(o.stagesOption, s.Student.Stages, s.Teacher.Maps)
	for i := range students {
		student, teacher := sameSize(students[i], teachers[i])
		mean := s.Forward(vidRegressor(i), student).FeatureMap
		sum = plus(sum, VID(teacher, mean, s.Variable(vidScale(i)), o.Epsilon))
	}
	return sum
}

// VID is minus the log-likelihood of the teacher's map under a Gaussian about the student's prediction μ of it, but for a
// constant (Ahn et al. 2019, "Variational information distillation for knowledge transfer", Eq. 4 to 6):
//
//	VID(f_t, μ, ρ) = mean over batch, channels and positions of ½·((μ − f_t)²/σ² + log σ²),   σ² = log(1 + e^ρ) + ε
//
// Shapes: f_t and μ [batch, C, H, W], ρ [C].
func VID(teacher, mean, rho *Node, epsilon float64) *Node {
	variance := Reshape(AddScalar(softplus(rho), epsilon), 1, -1, 1, 1)
	return MulScalar(ReduceAllMean(Add(Div(Square(Sub(mean, teacher)), variance), Log(variance))), 0.5)
}

// softplus is log(1 + eˣ), in a form that does not overflow.
func softplus(x *Node) *Node {
	return Add(Max(x, ScalarZero(x.Graph(), x.DType())), Log1p(Exp(Neg(Abs(x)))))
}
