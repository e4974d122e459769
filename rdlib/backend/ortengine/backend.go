package ortengine

import (
	"fmt"
	"reflect"
	"runtime"
	"sync/atomic"

	"github.com/gomlx/compute"
	onnxbackend "github.com/gomlx/compute-onnx"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	ort "github.com/yalue/onnxruntime_go"

	"rd/rdlib/backend/ortlib"
)

// Options configure a Backend.
type Options struct {
	Threads int    // of each operation; 0: one per processor
	Spin    bool   // idle threads wait awake: a little faster alone on a machine, much slower on a shared one
	Profile string // prefix of the JSON profiles sessions write when they end; "": none
}

// Backend runs GoMLX graphs on ONNX Runtime, on the processor.
type Backend struct {
	graphs    onnxbackend.Backend // builds nodes; nothing is run with it
	options   Options
	memory    *recycler
	finalized atomic.Bool
}

var _ compute.Backend = (*Backend)(nil)

// New returns a backend on the ONNX Runtime library that ortlib finds.
func New(options Options) (*Backend, error) {
	if err := ortlib.Init(); err != nil {
		return nil, err
	}
	if err := checkNodeFields(); err != nil {
		return nil, err
	}
	if options.Threads <= 0 {
		options.Threads = runtime.NumCPU()
	}
	return &Backend{options: options, memory: newRecycler()}, nil
}

// Name returns "onnx".
func (b *Backend) Name() string { return "onnx" }

// String returns Name's.
func (b *Backend) String() string { return b.Name() }

// Description names the library, its version and the number of threads.
func (b *Backend) Description() string {
	return fmt.Sprintf("ONNX Runtime %s on %d processor threads", b.Version(), b.options.Threads)
}

// Version returns that of ONNX Runtime.
func (b *Backend) Version() string { return ort.GetVersion() }

// Threads returns how many threads an operation runs on.
func (b *Backend) Threads() int { return b.options.Threads }

// NumDevices returns 1.
func (b *Backend) NumDevices() int { return 1 }

// DeviceDescription describes the processor.
func (b *Backend) DeviceDescription(compute.DeviceNum) string { return b.Description() }

// Capabilities lists compute-onnx's operations and those added here.
func (b *Backend) Capabilities() compute.Capabilities {
	capabilities := b.graphs.Capabilities()
	for _, op := range addedOperations {
		capabilities.Operations[op] = true
	}
	capabilities.DTypes[dtypes.Float64] = true
	capabilities.DTypes[dtypes.Float16] = true
	capabilities.PreferConstantsForVariables = false
	return capabilities
}

// Builder starts a graph.
func (b *Backend) Builder(name string) compute.Builder {
	inner := b.graphs.Builder(name).(*onnxbackend.Builder)
	builder := &Builder{Builder: inner, backend: b}
	builder.main = newFunction(builder, inner.MainFunction())
	return builder
}

// BufferFromFlatData copies flat, a slice of the shape's type, to a new buffer.
func (b *Backend) BufferFromFlatData(device compute.DeviceNum, flat any, shape shapes.Shape) (compute.Buffer, error) {
	buffer, memory, err := b.NewSharedBuffer(device, shape)
	if err != nil {
		return nil, err
	}
	if from, to := reflect.ValueOf(flat), reflect.ValueOf(memory); from.Type() != to.Type() || from.Len() != to.Len() {
		buffer.Finalize()
		return nil, fmt.Errorf("a %T of length %d cannot fill a tensor of shape %s", flat, from.Len(), shape)
	}
	dtypes.CopyAnySlice(memory, flat)
	return buffer, nil
}

// HasSharedBuffers returns true.
func (b *Backend) HasSharedBuffers() bool { return true }

// NewSharedBuffer returns a buffer and the slice over its memory; the values are arbitrary.
func (b *Backend) NewSharedBuffer(device compute.DeviceNum, shape shapes.Shape) (compute.Buffer, any, error) {
	if device != 0 {
		return nil, nil, fmt.Errorf("there is no device %d, only device 0", device)
	}
	memory, err := b.memory.get(shape)
	if err != nil {
		return nil, nil, err
	}
	return b.newBuffer(memory, shape), memory.flat, nil
}

// Finalize marks the backend as no longer usable. Executables and buffers are released one by one.
func (b *Backend) Finalize() { b.finalized.Store(true) }

// IsFinalized tells whether Finalize was called.
func (b *Backend) IsFinalized() bool { return b.finalized.Load() }
