package ortengine

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// Buffer is a tensor in memory that Go and ONNX Runtime share.
type Buffer struct {
	backend *Backend
	shape   shapes.Shape
	cleanup runtime.Cleanup

	mu    sync.Mutex
	block *block // nil once finalised
}

var _ compute.Buffer = (*Buffer)(nil)

var errFinalized = errors.New("the buffer was finalised or donated and can no longer be used")

func (b *Backend) newBuffer(memory *block, shape shapes.Shape) *Buffer {
	buffer := &Buffer{backend: b, shape: shape, block: memory}
	// Tensors may be dropped without being finalised: their memory then comes back when the collector finds out.
	buffer.cleanup = runtime.AddCleanup(buffer, b.memory.put, memory)
	return buffer
}

// Backend returns the backend that made the buffer.
func (b *Buffer) Backend() compute.Backend { return b.backend }

// Finalize gives the memory back; slices got from Data must not be used any more.
func (b *Buffer) Finalize() error {
	if memory := b.take(); memory != nil {
		b.backend.memory.put(memory)
	}
	return nil
}

// take empties the buffer and returns what was in it, nil if it was empty already.
func (b *Buffer) take() *block {
	b.mu.Lock()
	defer b.mu.Unlock()
	memory := b.block
	if memory != nil {
		b.cleanup.Stop()
		b.block = nil
	}
	return memory
}

func (b *Buffer) held() (*block, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.block == nil {
		return nil, errFinalized
	}
	return b.block, nil
}

// Shape returns the shape of the tensor.
func (b *Buffer) Shape() (shapes.Shape, error) { return b.shape, nil }

// DeviceNum returns 0: there is one device, the processor.
func (b *Buffer) DeviceNum() (compute.DeviceNum, error) { return 0, nil }

// ToFlatData copies the values to flat, a slice of the tensor's type and length.
func (b *Buffer) ToFlatData(flat any) error {
	memory, err := b.held()
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(b)
	if reflect.TypeOf(flat) != reflect.TypeOf(memory.flat) {
		return fmt.Errorf("cannot copy a tensor of shape %s to a %T", b.shape, flat)
	}
	if n := reflect.ValueOf(flat).Len(); n != b.shape.Size() {
		return fmt.Errorf("cannot copy a tensor of shape %s to a slice of length %d", b.shape, n)
	}
	dtypes.CopyAnySlice(flat, memory.flat)
	return nil
}

// Data returns the values themselves, a slice of the tensor's type, valid until the buffer is finalised.
func (b *Buffer) Data() (any, error) {
	memory, err := b.held()
	if err != nil {
		return nil, err
	}
	return memory.flat, nil
}

// CopyToDevice returns a copy.
func (b *Buffer) CopyToDevice(device compute.DeviceNum) (compute.Buffer, error) {
	memory, err := b.held()
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(b)
	return b.backend.BufferFromFlatData(device, memory.flat, b.shape)
}
