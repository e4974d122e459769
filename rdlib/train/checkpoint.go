package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"rd/rdlib/model"
)

// A checkpoint is one safetensors file: every variable by its path, the best student under "best/", and in the
// metadata the cell's key and the state. It is written to a temporary name and renamed, so it is whole or not there.
const (
	bestPrefix = "best/"
	metaKey    = "cell"
	metaState  = "state"
)

// ErrOtherCell is wrapped by Run when the checkpoint belongs to another configuration.
var ErrOtherCell = errors.New("checkpoint of another configuration")

func (l *loop) save() error {
	if l.cell.Checkpoint == "" {
		return nil
	}
	weights := model.Weights{}
	for v := range l.store.IterVariables() {
		value, err := v.Value()
		if err != nil {
			return fmt.Errorf("checkpoint %s: variable %s: %w", l.cell.Checkpoint, v.Path(), err)
		}
		flat, err := tensors.CopyFlatData[float32](value)
		if err != nil {
			return fmt.Errorf("checkpoint %s: variable %s: %w", l.cell.Checkpoint, v.Path(), err)
		}
		weights[v.Path()] = model.Tensor{Shape: slices.Clone(value.Shape().Dimensions), Data: flat}
	}
	for name, tensor := range l.best {
		weights[bestPrefix+name] = tensor
	}
	s := l.state
	s.Seconds += time.Since(l.began).Seconds()
	encoded, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w", l.cell.Checkpoint, err)
	}
	key, err := l.cell.Config.Key()
	if err != nil {
		return err
	}
	return model.SaveSafetensors(l.cell.Checkpoint, weights, map[string]string{metaKey: key, metaState: string(encoded)})
}

// restore continues from the checkpoint, if there is one.
func (l *loop) restore() error {
	if l.cell.Checkpoint == "" {
		return nil
	}
	weights, meta, err := model.LoadSafetensors(l.cell.Checkpoint)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		aside := l.cell.Checkpoint + ".damaged"
		if renameErr := os.Rename(l.cell.Checkpoint, aside); renameErr != nil {
			return fmt.Errorf("%w; it cannot be set aside either: %v", err, renameErr)
		}
		if l.cell.Progress != nil {
			fmt.Fprintf(l.cell.Progress, "%v; it was moved to %s and training starts anew\n", err, aside)
		}
		return nil
	}
	key, err := l.cell.Config.Key()
	if err != nil {
		return err
	}
	if meta[metaKey] != key {
		return fmt.Errorf("%w: %s was made with other settings, data or teacher; choose another output folder or remove it", ErrOtherCell, l.cell.Checkpoint)
	}
	if err := json.Unmarshal([]byte(meta[metaState]), &l.state); err != nil {
		return fmt.Errorf("checkpoint %s: %w; remove it to start anew", l.cell.Checkpoint, err)
	}
	l.state.Resumed++
	for path, tensor := range weights {
		if name, ok := strings.CutPrefix(path, bestPrefix); ok {
			if l.best == nil {
				l.best = model.Weights{}
			}
			l.best[name] = tensor
			continue
		}
		if err := setVariable(l.store, path, tensor); err != nil {
			return fmt.Errorf("checkpoint %s: %w", l.cell.Checkpoint, err)
		}
	}
	if l.cell.Progress != nil && l.state.Phase < len(l.phases) {
		fmt.Fprintf(l.cell.Progress, "%s: continuing from step %d of phase %s\n", l.cell.Name, l.state.Step, l.phases[l.state.Phase].Name)
	}
	return nil
}

// checkpointStep reads only how far a checkpoint is.
func checkpointStep(path string) (int, error) {
	_, meta, err := model.LoadSafetensors(path)
	if err != nil {
		return 0, err
	}
	var s state
	err = json.Unmarshal([]byte(meta[metaState]), &s)
	return s.Step, err
}

// load sets the variables of a scope from weights.
func (l *loop) load(scope string, weights model.Weights) error {
	for name, tensor := range weights {
		if l.store.GetVariable("/"+scope+"/"+name) == nil {
			continue // num_batches_tracked and the like
		}
		if err := setVariable(l.store, "/"+scope+"/"+name, tensor); err != nil {
			return err
		}
	}
	return nil
}

func setVariable(store *gomodel.Store, path string, t model.Tensor) error {
	value := tensors.FromFlatDataAndDimensions(slices.Clone(t.Data), t.Shape...)
	v := store.GetVariable(path)
	if v == nil {
		created, err := store.CreateVariable(path, value)
		if err == nil && strings.HasPrefix(path, "/"+optimizerScope+"/") {
			created.SetTrainable(false)
		}
		return err
	}
	if !v.Shape().Equal(value.Shape()) {
		return fmt.Errorf("variable %s is %s, the file has %s", path, v.Shape(), value.Shape())
	}
	return v.SetValue(value)
}

// zeroVariable declares one of the optimizer's moments, or finds it.
func zeroVariable(scope *gomodel.Scope, name string, shape shapes.Shape) *gomodel.Variable {
	path := scope.Scope() + "/" + strings.ReplaceAll(name, "/", ".")
	if v := scope.Store().GetVariable(path); v != nil {
		return v
	}
	return scope.Store().VariableWithValue(path, tensors.FromShape(shape)).SetTrainable(false)
}
