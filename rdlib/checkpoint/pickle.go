package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/types"
)

// unpickle reads the first pickle of data and returns its value and its length. Classes and functions other than those
// of tensors and plain data are refused; storage makes of a persistent id what stands for it. Nothing in a pickle can
// make it panic or take more memory than some times the pickle's size.
func unpickle(data []byte, storage func(id []any) (any, error)) (value any, length int, err error) {
	length, err = pickleLength(data)
	if err != nil {
		return nil, 0, err
	}
	defer func() { // the interpreter trusts its input in places
		if r := recover(); r != nil {
			value, err = nil, fmt.Errorf("its pickle is damaged: %v", r)
		}
	}()
	u := pickle.NewUnpickler(bytes.NewReader(data[:length]))
	u.FindClass = findClass
	u.PersistentLoad = func(id any) (any, error) {
		tuple, ok := id.(*types.Tuple)
		if !ok || storage == nil {
			return nil, fmt.Errorf("an object from outside the pickle, of type %T, is no storage of a tensor", id)
		}
		return storage(*tuple)
	}
	value, err = u.Load()
	return value, length, err
}

// operands are the bytes that follow each code of a pickle: a number of bytes, lines that end in \n, or a length in so
// many bytes and as many bytes as it says. Codes that are not listed, extensions and buffers among them, are refused.
var operands = map[byte]struct{ bytes, lines, length int }{
	'F': {lines: 1}, 'I': {lines: 1}, 'L': {lines: 1}, 'S': {lines: 1}, 'V': {lines: 1}, 'g': {lines: 1}, 'p': {lines: 1}, 'c': {lines: 2}, 'i': {lines: 2},
	'J': {bytes: 4}, 'K': {bytes: 1}, 'M': {bytes: 2}, 'h': {bytes: 1}, 'j': {bytes: 4}, 'q': {bytes: 1}, 'r': {bytes: 4}, 'G': {bytes: 8}, 0x80: {bytes: 1},
	'T': {length: 4}, 'U': {length: 1}, 'X': {length: 4}, 'B': {length: 4}, 'C': {length: 1},
	0x8c: {length: 1}, 0x8d: {length: 8}, 0x8e: {length: 8}, 0x96: {length: 8}, 0x8a: {length: 1}, 0x8b: {length: 4},
}

// bareCodes have no operands.
const bareCodes = "(.012NRabd}el]ost)uQ\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94"

// frameCode announces a frame of so many bytes, whose codes follow as if it were not there.
const frameCode = 0x95

// pickleLength walks over the first pickle of data without reading it: the interpreter would believe any length.
func pickleLength(data []byte) (int, error) {
	at := 0
	for at < len(data) {
		code := data[at]
		start := at
		at++
		rest := uint64(len(data) - at)
		operand, known := operands[code]
		switch {
		case code == frameCode:
			if rest < 8 || binary.LittleEndian.Uint64(data[at:]) > rest-8 {
				return 0, cutShort(start)
			}
			at += 8
		case !known && strings.IndexByte(bareCodes, code) < 0:
			return 0, fmt.Errorf("its pickle has the code 0x%02x at byte %d, which files of weights do not need", code, start)
		case operand.length > 0:
			if rest < uint64(operand.length) {
				return 0, cutShort(start)
			}
			var eight [8]byte
			copy(eight[:], data[at:at+operand.length])
			size := binary.LittleEndian.Uint64(eight[:])
			if size > rest-uint64(operand.length) {
				return 0, cutShort(start)
			}
			at += operand.length + int(size)
		default:
			if rest < uint64(operand.bytes) {
				return 0, cutShort(start)
			}
			at += operand.bytes
			for range operand.lines {
				line := bytes.IndexByte(data[at:], '\n')
				if line < 0 {
					return 0, cutShort(start)
				}
				at += line + 1
			}
		}
		if code == '.' {
			return at, nil
		}
	}
	return 0, cutShort(at)
}

func cutShort(at int) error {
	return fmt.Errorf("its pickle ends within what begins at byte %d: the file is cut short or damaged", at)
}

// plain are classes of data that checkpoints have beside their weights: hyper-parameters, numbers of numpy. An object of
// them is kept as one of which nothing is known.
var plain = []string{
	"argparse.Namespace", "_codecs.encode", "builtins.set", "__builtin__.set", "builtins.frozenset", "__builtin__.frozenset",
	"builtins.complex", "__builtin__.complex", "collections.Counter",
	"numpy.dtype", "numpy.ndarray", "numpy.core.multiarray.scalar", "numpy.core.multiarray._reconstruct",
	"numpy._core.multiarray.scalar", "numpy._core.multiarray._reconstruct", "torch.device", "torch.Size",
}

// findClass returns what stands for a class or function of Python; all that is not listed is refused.
func findClass(module, name string) (any, error) {
	full := module + "." + name
	switch {
	case full == "torch._utils._rebuild_tensor_v2" || full == "torch._utils._rebuild_tensor":
		return rebuildTensor{}, nil
	case full == "torch._utils._rebuild_parameter":
		return rebuildParameter{}, nil
	case full == "collections.defaultdict":
		return newDict{}, nil
	case module == "torch" && slices.ContainsFunc(dtypes, func(d dtype) bool { return d.storage == name }):
		return dtypes[slices.IndexFunc(dtypes, func(d dtype) bool { return d.storage == name })], nil
	case slices.Contains(plain, full), module == "torch" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") == "" && strings.ContainsAny(name, "0123456789"):
		return &unknownObject{}, nil // the second: torch.float32 and its like
	}
	advice := "load it where you trust it and save its state_dict alone, as safetensors"
	if strings.Contains(module, ".nn.") || strings.Contains(module, "models") {
		advice = "it holds a whole model, code and all: " + advice
	}
	return nil, fmt.Errorf("%w: its pickle asks for %s, which is no part of weights, and nothing of it was run; %s", ErrCode, full, advice)
}

// rebuildTensor is PyTorch's function that makes a tensor of storage, offset, size and stride.
type rebuildTensor struct{}

func (rebuildTensor) Call(args ...any) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("a tensor is made of %d things: storage, offset, size and stride are needed", len(args))
	}
	storage, okStorage := args[0].(*storage)
	offset, okOffset := args[1].(int)
	size, okSize := integers(args[2])
	stride, okStride := integers(args[3])
	if !okStorage || !okOffset || !okSize || !okStride || len(size) != len(stride) || offset < 0 {
		return nil, fmt.Errorf("a tensor is made of %T, %T, %T and %T: storage, offset, size and stride are needed", args[0], args[1], args[2], args[3])
	}
	return &tensor{storage: storage, offset: offset, size: size, stride: stride}, nil
}

// integers reads a tuple of numbers that are not negative.
func integers(value any) ([]int, bool) {
	tuple, ok := value.(*types.Tuple)
	if !ok {
		return nil, false
	}
	list := make([]int, tuple.Len())
	for i := range list {
		if list[i], ok = tuple.Get(i).(int); !ok || list[i] < 0 {
			return nil, false
		}
	}
	return list, true
}

// rebuildParameter is PyTorch's function that makes a parameter of a tensor.
type rebuildParameter struct{}

func (rebuildParameter) Call(args ...any) (any, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("a parameter of nothing")
	}
	return args[0], nil
}

// newDict is the class of dictionaries with a default.
type newDict struct{}

func (newDict) Call(...any) (any, error) { return types.NewDict(), nil }

// unknownObject is an object that nobody looks into.
type unknownObject struct{}

func (o *unknownObject) Call(...any) (any, error)  { return o, nil }
func (o *unknownObject) PyNew(...any) (any, error) { return o, nil }
func (o *unknownObject) PySetState(any) error      { return nil }
