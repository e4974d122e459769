package ortengine

import (
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	ort "github.com/yalue/onnxruntime_go"
)

// alignment of every block of memory, a cache line: sums then run over the same lanes in every run, which makes
// equal runs give equal bits.
const alignment = 64

// block is memory of Go's that ONNX Runtime reads and writes as a tensor, under one or several shapes.
type block struct {
	key    string
	memory []byte
	flat   any // []T over the same memory
	dtype  dtypes.DType

	mu    sync.Mutex
	views []view
}

// view is a block seen as a tensor of certain dimensions.
type view struct {
	dims  []int
	value *ort.CustomDataTensor
}

func blockKey(shape shapes.Shape) string { return fmt.Sprint(int(shape.DType), shape.Dimensions) }

func newBlock(shape shapes.Shape) (*block, error) {
	if _, found := elementTypes[shape.DType]; !found {
		return nil, fmt.Errorf("ONNX Runtime has no tensors of type %s", shape.DType)
	}
	size := max(int(shape.ByteSize()), 1)
	memory := make([]byte, size+alignment)
	skip := (alignment - int(uintptr(unsafe.Pointer(&memory[0]))%alignment)) % alignment
	memory = memory[skip : skip+size : skip+size]
	b := &block{key: blockKey(shape), memory: memory, dtype: shape.DType}
	if shape.Size() == 0 {
		b.flat = dtypes.MakeAnySlice(shape.DType, 0)
	} else {
		b.flat = dtypes.UnsafeAnySliceFromBytes(unsafe.Pointer(&memory[0]), shape.DType, shape.Size())
	}
	return b, nil
}

// as returns the block as a tensor of the given dimensions, none for a scalar; it stays the block's.
func (b *block) as(dims []int) (*ort.CustomDataTensor, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range b.views {
		if slices.Equal(v.dims, dims) {
			return v.value, nil
		}
	}
	shape := make(ort.Shape, 0, max(len(dims), 1))
	for _, d := range dims {
		shape = append(shape, int64(d))
	}
	if len(dims) == 0 {
		shape = append(shape, 1)
	}
	value, err := ort.NewCustomDataTensor(shape, b.memory, ort.TensorElementDataType(elementTypes[b.dtype]))
	if err != nil {
		return nil, fmt.Errorf("make an ONNX Runtime tensor of shape %v: %w", dims, err)
	}
	b.views = append(b.views, view{slices.Clone(dims), value})
	return value, nil
}

func (b *block) free() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range b.views {
		v.value.Destroy()
	}
	b.views = nil
}

// recycler keeps blocks that are no longer needed for the next output of the same type and shape. It keeps no more of a kind
// than the executables that are alive return in one run.
type recycler struct {
	mu     sync.Mutex
	wanted map[string]int
	idle   map[string][]*block
}

func newRecycler() *recycler {
	return &recycler{wanted: make(map[string]int), idle: make(map[string][]*block)}
}

// want raises (or, with a negative count, lowers) the number of blocks of a kind worth keeping.
func (r *recycler) want(key string, count int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wanted[key] += count
	for len(r.idle[key]) > r.wanted[key] {
		last := len(r.idle[key]) - 1
		r.idle[key][last].free()
		r.idle[key] = r.idle[key][:last]
	}
}

// get returns a block for the shape, with whatever was last written to it.
func (r *recycler) get(shape shapes.Shape) (*block, error) {
	key := blockKey(shape)
	r.mu.Lock()
	if idle := r.idle[key]; len(idle) > 0 {
		b := idle[len(idle)-1]
		r.idle[key] = idle[:len(idle)-1]
		r.mu.Unlock()
		return b, nil
	}
	r.mu.Unlock()
	return newBlock(shape)
}

func (r *recycler) put(b *block) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.idle[b.key]) < r.wanted[b.key] {
		r.idle[b.key] = append(r.idle[b.key], b)
		return
	}
	b.free()
}
