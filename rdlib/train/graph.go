package train

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	gomodel "github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"rd/rdlib/distill"
	"rd/rdlib/model"
	"rd/rdlib/nn"
)

// Scopes of the store: the student (with the shared classifier g), the method's own modules and variables, the
// optimizer's moments.
const (
	studentScope   = "student"
	modulesScope   = "modules"
	variablesScope = "variables"
	optimizerScope = "optimizer"
)

// inputs lists what one step is fed, in order: [images], labels, progress, learning rate, step, [teacher maps…],
// [teacher pooled], [teacher logits], and in the student's phase [items], [draws…].
type inputs struct {
	images *graph.Node // [batch, channels, height, width]; nil when the student does not run
	labels *graph.Node // int32 [batch]

	progress, learningRate, step *graph.Node // scalars; step counts from 1

	maps   []*graph.Node // [batch, C, h, w]
	pooled *graph.Node   // [batch, D]
	logits *graph.Node   // [batch, classes]

	items *graph.Node // int32 [batch]
	draws map[string]*graph.Node
}

func (l *loop) split(nodes []*graph.Node, student bool) inputs {
	next := func() *graph.Node { n := nodes[0]; nodes = nodes[1:]; return n }
	var in inputs
	if student {
		in.images = next()
	}
	in.labels, in.progress, in.learningRate, in.step = next(), next(), next(), next()
	for range l.maps {
		in.maps = append(in.maps, next())
	}
	if l.pooled != "" {
		in.pooled = next()
	}
	if l.logits != "" {
		in.logits = next()
	}
	if student && l.needsItems() {
		in.items = next()
	}
	if student {
		in.draws = map[string]*graph.Node{}
		for _, name := range l.drawNames() {
			in.draws[name] = next()
		}
	}
	return in
}

// stepGraph builds one optimizer step of a phase. Outputs: the loss, how many of the batch were classified right
// (by the student, or by the teacher's path where the student does not run), and the loss's parts.
func (l *loop) stepGraph(phase distill.Phase) func(scope *gomodel.Scope, nodes []*graph.Node) []*graph.Node {
	return func(scope *gomodel.Scope, nodes []*graph.Node) []*graph.Node {
		g := nodes[0].Graph()
		in := l.split(nodes, phase.Student)
		step := &distill.Step{
			Labels:   in.labels,
			Items:    in.items,
			Progress: in.progress,
			Teacher:  distill.Teacher{Maps: in.maps, Pooled: in.pooled, Logits: in.logits},
			Classify: func(feature *graph.Node) *graph.Node { return l.student.Classify(scope.At(studentScope), feature) },
			Forward: func(module string, x *graph.Node) model.Outputs {
				return l.modules[module].Forward(scope.At(modulesScope).At("%s", module), x, !slices.Contains(phase.Frozen, module))
			},
			Variable: func(name string) *graph.Node { return scope.At(variablesScope).GetVariable(name).NodeValue(g) },
			Assign: func(name string, value *graph.Node) {
				scope.At(variablesScope).GetVariable(name).SetNodeValue(graph.StopGradient(value))
			},
			Draw: func(name string) *graph.Node { return in.draws[name] },
		}
		if phase.Student {
			step.Student = l.student.Train(scope.At(studentScope), in.images, func(layer string) *graph.Node { return in.draws[dropoutDraw+layer] })
		}
		losses := phase.Loss(step)
		var parts []string
		outputs := []*graph.Node{losses.Total, l.correct(step, losses, in.labels)}
		for _, part := range losses.Parts {
			parts = append(parts, part.Name)
			outputs = append(outputs, part.Value)
		}
		l.partNames[phase.Name] = parts
		l.update(scope, g, phase, losses.Total, in)
		return outputs
	}
}

// correct counts the batch's right answers. Ties go to the first class.
func (l *loop) correct(step *distill.Step, losses distill.Losses, labels *graph.Node) *graph.Node {
	if losses.Correct != nil {
		return losses.Correct
	}
	logits := step.Student.Logits
	if logits == nil {
		logits = losses.Logits
	}
	if logits == nil {
		return graph.Const(labels.Graph(), float32(0))
	}
	right := graph.Equal(graph.ArgMax(graph.StopGradient(logits), -1, dtypes.Int32), labels)
	return graph.ReduceAllSum(graph.ConvertDType(right, dtypes.Float32))
}

// update applies AdamW to every trainable variable the loss was built from.
func (l *loop) update(scope *gomodel.Scope, g *graph.Graph, phase distill.Phase, loss *graph.Node, in inputs) {
	var variables []*gomodel.Variable
	var values []*graph.Node
	for v := range scope.IterVariables() {
		if v.Trainable && v.InUseByGraph(g) && !frozen(phase, v.Path()) {
			variables = append(variables, v)
			values = append(values, v.NodeValue(g))
		}
	}
	if len(values) == 0 {
		exceptions.Panicf("phase %s trains nothing: its loss depends on no trainable variable", phase.Name)
	}
	grads := graph.Gradient(loss, values...)
	moments := scope.At(optimizerScope).At("%s", phase.Name)
	o := l.cell.Config.Optimizer
	hyper := nn.AdamW{Beta1: o.Beta1, Beta2: o.Beta2, Epsilon: o.Epsilon, WeightDecay: o.WeightDecay}
	var means, squares []*gomodel.Variable
	var meanValues, squareValues []*graph.Node
	for _, variable := range variables {
		name := variable.Path()[1:]
		m := zeroVariable(moments.At("m"), name, variable.Shape())
		v := zeroVariable(moments.At("v"), name, variable.Shape())
		means, squares = append(means, m), append(squares, v)
		meanValues, squareValues = append(meanValues, m.NodeValue(g)), append(squareValues, v.NodeValue(g))
	}
	newValues, newMeans, newSquares := nn.AdamWUpdate(values, grads, meanValues, squareValues, in.learningRate, in.step, hyper)
	for i, variable := range variables {
		variable.SetNodeValue(newValues[i])
		means[i].SetNodeValue(newMeans[i])
		squares[i].SetNodeValue(newSquares[i])
	}
}

// frozen reports whether the variable belongs to a module the phase does not train.
func frozen(phase distill.Phase, path string) bool {
	return slices.ContainsFunc(phase.Frozen, func(module string) bool {
		return strings.HasPrefix(path, "/"+modulesScope+"/"+module+"/")
	})
}

// evalGraph builds the student's class probabilities of a batch of images.
func (l *loop) evalGraph(scope *gomodel.Scope, images *graph.Node) *graph.Node {
	return graph.Softmax(l.student.Forward(scope.At(studentScope), images, false).Logits, -1)
}

// catch turns a panic of graph building into an error.
func catch(what string, build func() error) (err error) {
	var inner error
	if thrown := exceptions.TryCatch[error](func() { inner = build() }); thrown != nil {
		return fmt.Errorf("%s: %w", what, thrown)
	}
	return inner
}
