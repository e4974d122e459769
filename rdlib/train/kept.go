package train

import (
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"rd/rdlib/distill"
)

// needsItems reports whether the method is told which images a batch holds.
func (l *loop) needsItems() bool { return l.cell.Method.Needs().Items }

// dropoutDraw and the name of a layer that drops elements is the name of its random numbers.
const dropoutDraw = "dropout/"

// drawDropouts adds the random numbers of the student's dropouts to those that the method draws.
func (l *loop) drawDropouts() error {
	shapes, err := l.student.Dropouts(l.cell.Channels, l.cell.Height, l.cell.Width)
	if err != nil {
		return err
	}
	all := maps.Clone(l.draws)
	if all == nil {
		all = map[string]distill.Draw{}
	}
	for layer, shape := range shapes {
		all[dropoutDraw+layer] = distill.Draw{
			Shape: append([]int{l.cell.Config.Batch * max(1, l.cell.Copies)}, shape...),
			Fill: func(random *rand.Rand, _ []int, values []float32) {
				for i := range values {
					values[i] = random.Float32()
				}
			},
		}
	}
	l.draws = all
	return nil
}

// drawNames lists the random arrays in the order a step is fed them.
func (l *loop) drawNames() []string { return slices.Sorted(maps.Keys(l.draws)) }

// initialiseVariables gives the method's own variables their first values.
func (l *loop) initialiseVariables() error {
	scope := l.store.RootScope().At(variablesScope)
	for name, variable := range l.variables {
		values := variable.Init(stream(l.cell.Config.Seeds.Init, 0, variablesScope, name))
		value := tensors.FromFlatDataAndDimensions(values, variable.Shape...)
		if v := scope.GetVariable(name); v != nil {
			if err := v.SetValue(value); err != nil {
				return err
			}
			continue
		}
		v, err := scope.CreateVariable(name, value)
		if err != nil {
			return err
		}
		v.SetTrainable(variable.Trainable)
	}
	return nil
}

// keptArgs are the step's items and random arrays, where the method has any.
func (l *loop) keptArgs(phase distill.Phase, b *batch) (args []any) {
	if !phase.Student {
		return nil
	}
	if l.needsItems() {
		numbers := make([]int32, len(b.items))
		for i, item := range b.items {
			numbers[i] = int32(item)
		}
		args = append(args, tensors.FromFlatDataAndDimensions(numbers, len(numbers)))
	}
	for _, name := range l.drawNames() {
		draw := l.draws[name]
		values := make([]float32, elements(draw.Shape))
		draw.Fill(stream(l.cell.Config.Seeds.Augmentation, l.state.Step, phase.Name, name), b.items, values)
		args = append(args, tensors.FromFlatDataAndDimensions(values, draw.Shape...))
	}
	return args
}

// stream is the source of one array's random numbers: it depends on the arguments only.
func stream(seed uint64, step int, of ...string) *rand.Rand {
	h := fnv.New64a()
	for _, name := range of {
		h.Write([]byte(name))
		h.Write([]byte{0})
	}
	return rand.New(rand.NewPCG(seed^h.Sum64(), uint64(step)))
}
