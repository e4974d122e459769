package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"

	"rd/rdlib/model"
)

// dtype is the type of a storage's elements.
type dtype struct {
	storage string // the class in module torch
	bytes   int
	read    func(raw []byte) float32
}

var little = binary.LittleEndian

// dtypes are those that PyTorch writes, complex and quantised ones left out.
var dtypes = []dtype{
	{"FloatStorage", 4, func(b []byte) float32 { return math.Float32frombits(little.Uint32(b)) }},
	{"DoubleStorage", 8, func(b []byte) float32 { return float32(math.Float64frombits(little.Uint64(b))) }},
	{"HalfStorage", 2, func(b []byte) float32 { return float16.FromBits(little.Uint16(b)).Float32() }},
	{"BFloat16Storage", 2, func(b []byte) float32 { return bfloat16.FromBits(little.Uint16(b)).Float32() }},
	{"LongStorage", 8, func(b []byte) float32 { return float32(int64(little.Uint64(b))) }},
	{"IntStorage", 4, func(b []byte) float32 { return float32(int32(little.Uint32(b))) }},
	{"ShortStorage", 2, func(b []byte) float32 { return float32(int16(little.Uint16(b))) }},
	{"CharStorage", 1, func(b []byte) float32 { return float32(int8(b[0])) }},
	{"ByteStorage", 1, func(b []byte) float32 { return float32(b[0]) }},
	{"BoolStorage", 1, func(b []byte) float32 { return float32(b[0]) }},
}

// storage is a run of elements that tensors are cut from.
type storage struct {
	key      string
	dtype    dtype
	elements int // of the whole
	first    int // where a view begins
}

// tensor is a tensor as a pickle describes it.
type tensor struct {
	storage      *storage
	offset       int
	size, stride []int
}

// maxElements bounds what a storage may claim to hold.
const maxElements = 1 << 40

// readStorage reads the id under which a pickle refers to a storage: "storage", class, key, place, number of elements and,
// before PyTorch 1.6, what part of it is meant.
func readStorage(id []any) (any, error) {
	if len(id) < 5 || id[0] != "storage" {
		return nil, fmt.Errorf("an object from outside the pickle is no storage of a tensor")
	}
	class, okClass := id[1].(dtype)
	key, okKey := id[2].(string)
	elements, okElements := id[4].(int)
	if !okClass || !okKey || !okElements || elements < 0 || elements > maxElements {
		return nil, fmt.Errorf("a storage is described by %T, %T and %T: class, key and number are needed", id[1], id[2], id[4])
	}
	s := &storage{key: key, dtype: class, elements: elements}
	if len(id) > 5 && id[5] != nil {
		part, ok := viewOf(id[5])
		if !ok {
			return nil, fmt.Errorf("the part of storage %q that is meant is described by %T", key, id[5])
		}
		s.first = part
	}
	return s, nil
}

// elementsOf returns the number of elements of a size, or false where it cannot be.
func elementsOf(size []int) (int, bool) {
	count := 1
	for _, n := range size {
		if n > 0 && count > math.MaxInt32/n {
			return 0, false
		}
		count *= n
	}
	return count, true
}

// check refuses a tensor that reaches beyond its storage, or that repeats its elements to more than there are.
func (t *tensor) check(name string) error {
	count, ok := elementsOf(t.size)
	last := t.storage.first + t.offset
	for i, n := range t.size {
		if n == 0 {
			return nil
		}
		if n > 1 && t.stride[i] > (math.MaxInt32-last)/(n-1) {
			ok = false
			break
		}
		last += (n - 1) * t.stride[i]
	}
	if !ok || last < 0 || last >= t.storage.elements || count > t.storage.elements {
		return fmt.Errorf("tensor %s %v reaches beyond its storage of %d elements", name, t.size, t.storage.elements)
	}
	return nil
}

// values are the tensor's elements, row by row, out of its storage's bytes.
func (t *tensor) values(raw []byte) model.Tensor {
	count, _ := elementsOf(t.size)
	out := model.Tensor{Shape: t.size, Data: make([]float32, count)}
	index := make([]int, len(t.size))
	at := t.storage.first + t.offset
	for i := range out.Data {
		out.Data[i] = t.storage.dtype.read(raw[at*t.storage.dtype.bytes:])
		for axis := len(index) - 1; axis >= 0; axis-- {
			index[axis]++
			at += t.stride[axis]
			if index[axis] < t.size[axis] {
				break
			}
			at -= t.size[axis] * t.stride[axis]
			index[axis] = 0
		}
	}
	return out
}
