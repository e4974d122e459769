package train

import (
	"context"
	"encoding/json"
	"fmt"

	gomodel "github.com/gomlx/gomlx/ml/model"

	"rd/rdlib/distill"
	"rd/rdlib/record"
)

// Runner runs cells one after the other and keeps the last one's compiled graphs: a cell that differs from it only in
// data and seeds starts without compiling. Its results are those of Run. The zero Runner is ready; it is not safe for
// concurrent use.
type Runner struct {
	loop *loop
	key  string
}

// Run is Run with the graphs of the previous cell, where they fit.
func (r *Runner) Run(ctx context.Context, cell *Cell) (*Trained, error) {
	key, err := graphKey(cell)
	if err != nil {
		return nil, err
	}
	if r.loop == nil || r.key != key {
		r.Close()
		if r.loop, err = newLoop(cell); err != nil {
			return nil, err
		}
		r.key = key
	} else if err := r.loop.reset(cell); err != nil {
		r.Close()
		return nil, err
	}
	trained, err := r.loop.run(ctx)
	if err != nil {
		r.Close() // a step that failed may have taken variables with it
	}
	return trained, err
}

// Close frees the graphs.
func (r *Runner) Close() {
	if r.loop != nil {
		r.loop.close()
	}
	r.loop, r.key = nil, ""
}

// graphKey is everything a cell's graphs are built from: its configuration without data and seeds, and the shapes.
func graphKey(cell *Cell) (string, error) {
	c := cell.Config
	c.Seeds, c.Dataset, c.Epochs, c.Steps = record.Seeds{}, record.Dataset{}, 0, 0
	shapes := map[string][]int{"image": {cell.Channels, cell.Height, cell.Width, cell.Classes}}
	if cell.Method.Needs().Items {
		shapes["train"] = []int{cell.Train.Len()}
	}
	if cell.Features != nil {
		for _, name := range append([]string{cell.Outputs.Pooled, cell.Outputs.Logits}, cell.Outputs.Maps...) {
			if name != "" {
				shapes[name] = cell.Features.Shape(name)
			}
		}
	}
	key, err := json.Marshal([]any{c, shapes, fmt.Sprintf("%p", cell.Backend)})
	return string(key), err
}

// reset makes the loop ready for another cell with the same graphs.
func (l *loop) reset(cell *Cell) error {
	l.cell, l.state, l.best, l.times, l.waited, l.bar = cell, state{}, nil, nil, 0, nil
	if err := l.describe(); err != nil { // what is drawn may depend on the data
		return err
	}
	return l.initialise()
}

// stepExec returns the compiled step of a phase.
func (l *loop) stepExec(phase distill.Phase) (*gomodel.Exec, error) {
	if exec := l.steps[phase.Name]; exec != nil {
		return exec, nil
	}
	exec, err := gomodel.NewExec(l.cell.Backend, l.store, l.stepGraph(phase))
	if err != nil {
		return nil, fmt.Errorf("phase %s: %w", phase.Name, err)
	}
	exec.SetMaxCache(1)
	l.steps[phase.Name] = exec
	return exec, nil
}

func (l *loop) close() {
	for _, exec := range l.steps {
		exec.Finalize()
	}
	if l.eval != nil {
		l.eval.Finalize()
	}
	l.store.Finalize()
}
