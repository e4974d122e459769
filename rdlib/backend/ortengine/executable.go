package ortengine

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	ort "github.com/yalue/onnxruntime_go"

	"rd/rdlib/backend/ortlib"
)

// Executable is a compiled graph: an ONNX Runtime session. It may run in several goroutines at once.
type Executable struct {
	backend *Backend
	name    string
	model   *model

	running sync.RWMutex // held for reading by runs, for writing by Finalize
	session *ort.DynamicAdvancedSession
	unused  *block // what a graph without inputs is fed
}

var _ compute.Executable = (*Executable)(nil)

// SaveModelEnv names a file that the ONNX model of every compiled graph is written to (the last one stays), to look at.
const SaveModelEnv = "RD_SAVE_ONNX_GRAPH"

func newExecutable(backend *Backend, name string, m *model) (*Executable, error) {
	if path := os.Getenv(SaveModelEnv); path != "" {
		if err := os.WriteFile(path, m.bytes, 0o666); err != nil {
			return nil, fmt.Errorf("save the ONNX model of graph %q: %w", name, err)
		}
	}
	options, err := ortlib.SessionOptions(backend.options.Threads)
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	if err := configure(options, backend.options); err != nil {
		return nil, err
	}
	session, err := ort.NewDynamicAdvancedSessionWithONNXData(m.bytes, m.inputNames(), m.outputNames(), options)
	if err != nil {
		if lacksKernel(err) {
			return nil, fmt.Errorf("%w: graph %q: %w", compute.ErrNotImplemented, name, err)
		}
		return nil, fmt.Errorf("compile graph %q: %w", name, err)
	}
	m.bytes = nil
	e := &Executable{backend: backend, name: name, model: m, session: session}
	if e.unused, err = newBlock(shapes.Make(dtypes.Int32, 1)); err != nil {
		session.Destroy()
		return nil, err
	}
	e.wantOutputs(1)
	runtime.SetFinalizer(e, (*Executable).Finalize)
	return e, nil
}

func configure(options *ort.SessionOptions, o Options) error {
	var errs []error
	if o.Spin {
		errs = append(errs, options.AddSessionConfigEntry("session.intra_op.allow_spinning", "1"))
	}
	if o.Profile != "" {
		errs = append(errs, options.EnableProfiling(o.Profile))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("set ONNX Runtime session options: %w", err)
	}
	return nil
}

// lacksKernel tells whether a session could not be made because ONNX Runtime has no code for an operation on some type.
func lacksKernel(err error) bool {
	for _, part := range []string{"Could not find an implementation", "tensor(bfloat16)", "not supported for type"} {
		if strings.Contains(err.Error(), part) {
			return true
		}
	}
	return false
}

// wantOutputs tells the recycler about the outputs of one run, or, with -1, that they are no longer needed.
func (e *Executable) wantOutputs(sign int) {
	for _, shape := range e.model.results {
		if !shape.IsDynamic() {
			e.backend.memory.want(blockKey(shape), sign)
		}
	}
}

// Finalize ends the session, once the runs in progress are done.
func (e *Executable) Finalize() {
	e.running.Lock()
	defer e.running.Unlock()
	if e.session == nil {
		return
	}
	runtime.SetFinalizer(e, nil)
	e.session.Destroy()
	e.session = nil
	e.unused.free()
	e.wantOutputs(-1)
}

// Inputs returns the names and shapes of the parameters.
func (e *Executable) Inputs() ([]string, []shapes.Shape) {
	return e.model.parameterNames, e.model.parameters
}

// Outputs returns the shapes of the results.
func (e *Executable) Outputs() []shapes.Shape { return e.model.results }

// Execute runs the graph. Memory of donated inputs serves later outputs.
func (e *Executable) Execute(inputs []compute.Buffer, donate []bool, _ compute.DeviceNum) ([]compute.Buffer, error) {
	e.running.RLock()
	defer e.running.RUnlock()
	if e.session == nil {
		return nil, fmt.Errorf("graph %q was finalised", e.name)
	}
	if len(inputs) != len(e.model.parameters) {
		return nil, fmt.Errorf("graph %q takes %d inputs, got %d", e.name, len(e.model.parameters), len(inputs))
	}
	defer runtime.KeepAlive(inputs)
	in, err := e.inputValues(inputs)
	if err != nil {
		return nil, err
	}
	blocks := make([]*block, len(e.model.results))
	recycle := func() {
		for _, b := range blocks {
			if b != nil {
				e.backend.memory.put(b)
			}
		}
	}
	out := make([]ort.Value, len(blocks))
	for i, shape := range e.model.results {
		if shape.IsDynamic() {
			continue
		}
		if blocks[i], err = e.backend.memory.get(shape); err != nil {
			return nil, err
		}
		if out[i], err = blocks[i].as(e.model.outputs[i].dims); err != nil {
			recycle()
			return nil, err
		}
	}
	if err := e.session.Run(in, out); err != nil {
		recycle()
		return nil, fmt.Errorf("run graph %q: %w", e.name, err)
	}
	results := make([]compute.Buffer, len(blocks))
	for i, shape := range e.model.results {
		if blocks[i] == nil {
			if blocks[i], shape, err = e.adopt(out[i], shape); err != nil {
				return nil, err
			}
		}
		results[i] = e.backend.newBuffer(blocks[i], shape)
	}
	for i, input := range inputs {
		if i < len(donate) && donate[i] {
			if err := input.Finalize(); err != nil {
				return nil, err
			}
		}
	}
	return results, nil
}

// inputValues returns the buffers as the session's inputs want them.
func (e *Executable) inputValues(inputs []compute.Buffer) ([]ort.Value, error) {
	memory := make([]*block, len(inputs))
	for i, input := range inputs {
		buffer, ok := input.(*Buffer)
		if !ok {
			return nil, fmt.Errorf("input %d of graph %q is a %T, a buffer of another backend", i, e.name, input)
		}
		want := e.model.parameters[i]
		if want.DType != buffer.shape.DType || !sameDims(want.Dimensions, buffer.shape.Dimensions) {
			return nil, fmt.Errorf("input %d of graph %q has shape %s, want %s", i, e.name, buffer.shape, want)
		}
		var err error
		if memory[i], err = buffer.held(); err != nil {
			return nil, fmt.Errorf("input %d of graph %q: %w", i, e.name, err)
		}
	}
	values := make([]ort.Value, len(e.model.inputs))
	for k, input := range e.model.inputs {
		from, dims := e.unused, input.dims
		if input.index >= 0 {
			from = memory[input.index]
			if dims == nil {
				dims = inputs[input.index].(*Buffer).shape.Dimensions
			}
		}
		var err error
		if values[k], err = from.as(dims); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// sameDims compares dimensions, of which those wanted may be dynamic.
func sameDims(want, got []int) bool {
	return slices.EqualFunc(want, got, func(w, g int) bool { return w == g || w == shapes.DynamicDim })
}

// adopt copies an output whose shape was only known after the run.
func (e *Executable) adopt(value ort.Value, shape shapes.Shape) (*block, shapes.Shape, error) {
	defer value.Destroy()
	shape = shape.Clone()
	for i, d := range value.GetShape() {
		shape.Dimensions[i] = int(d)
	}
	memory, err := e.backend.memory.get(shape)
	if err != nil {
		return nil, shape, err
	}
	// The typed tensors of onnxruntime_go have a GetData of their own type each.
	data := reflect.ValueOf(value).MethodByName("GetData").Call(nil)[0]
	if reflect.TypeOf(memory.flat) != data.Type() {
		e.backend.memory.put(memory)
		return nil, shape, fmt.Errorf("%w: an output of type %s and dynamic shape in graph %q", compute.ErrNotImplemented, shape.DType, e.name)
	}
	reflect.Copy(reflect.ValueOf(memory.flat), data)
	return memory, shape, nil
}
