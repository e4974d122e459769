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

// drawNames lists the method's random arrays in the order a step is fed them.
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
