package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rd/rdlib/model"
)

// The functions below write pickles, each returning the codes that put one value on the stack, as Python's pickler of
// protocol 2 chooses them.

func pyText(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func pyInt(n int) string { return "J" + string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }

func pyTuple(values ...string) string { return "(" + strings.Join(values, "") + "t" }

func pyInts(numbers []int) string {
	values := make([]string, len(numbers))
	for i, n := range numbers {
		values[i] = pyInt(n)
	}
	return pyTuple(values...)
}

func pyGlobal(module, name string) string { return "c" + module + "\n" + name + "\n" }

func pyCall(function string, arguments ...string) string {
	return function + pyTuple(arguments...) + "R"
}

// pyDict takes keys and values in turn.
func pyDict(pairs ...string) string { return "}(" + strings.Join(pairs, "") + "u" }

// pyOrderedDict is as a module's state_dict gives it, with an attribute.
func pyOrderedDict(pairs ...string) string {
	return pyCall(pyGlobal("collections", "OrderedDict")) + "(" + strings.Join(pairs, "") + "u" + pyDict(pyText("_metadata"), pyDict()) + "b"
}

func pyStorage(class, key string, elements int) string {
	return pyTuple(pyText("storage"), pyGlobal("torch", class), pyText(key), pyText("cpu"), pyInt(elements)) + "Q"
}

func pyTensor(storage string, offset int, size, stride []int) string {
	return pyCall(pyGlobal("torch._utils", "_rebuild_tensor_v2"), storage, pyInt(offset), pyInts(size), pyInts(stride), "\x89", pyCall(pyGlobal("collections", "OrderedDict")))
}

func pickled(value string) []byte { return []byte("\x80\x02" + value + ".") }

// rowMajor are the strides of a dense tensor.
func rowMajor(size []int) []int {
	stride := make([]int, len(size))
	step := 1
	for i := len(size) - 1; i >= 0; i-- {
		stride[i] = step
		step *= size[i]
	}
	return stride
}

func floatBytes(values []float32) []byte {
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return raw
}

// torchFile collects the storages of what torch.save writes; each one's key is its number.
type torchFile struct{ storages []pyBytes }

type pyBytes struct {
	raw     []byte
	element int // bytes of one
}

// add stores bytes and returns their key.
func (f *torchFile) add(raw []byte, element int) string {
	f.storages = append(f.storages, pyBytes{raw, element})
	return fmt.Sprint(len(f.storages) - 1)
}

// stateDict adds weights, a storage each, and returns the pairs of their dictionary, with a counter beside each running_var.
func (f *torchFile) stateDict(w model.Weights) []string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(w)) {
		t := w[name]
		storage := pyStorage("FloatStorage", f.add(floatBytes(t.Data), 4), len(t.Data))
		pairs = append(pairs, pyText(name), pyCall(pyGlobal("torch._utils", "_rebuild_parameter"), pyTensor(storage, 0, t.Shape, rowMajor(t.Shape)), "\x88", pyCall(pyGlobal("collections", "OrderedDict"))))
		if module, ok := strings.CutSuffix(name, "running_var"); ok {
			counter := pyStorage("LongStorage", f.add(make([]byte, 8), 8), 1)
			pairs = append(pairs, pyText(module+"num_batches_tracked"), pyTensor(counter, 0, nil, nil))
		}
	}
	return pairs
}

// zip is the file since PyTorch 1.6.
func (f *torchFile) zip(t testing.TB, root string) []byte {
	t.Helper()
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	put := func(name string, data []byte) {
		w, err := archive.CreateHeader(&zip.FileHeader{Name: "archive/" + name, Method: zip.Store})
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("data.pkl", pickled(root))
	put("byteorder", []byte("little"))
	for key, s := range f.storages {
		put(fmt.Sprint("data/", key), s.raw)
	}
	put("version", []byte("3\n"))
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// legacyStart is a pickle of legacyMagic.
var legacyStart = []byte("\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.")

// legacy is the file before PyTorch 1.6.
func (f *torchFile) legacy(root string) []byte {
	out := slices.Clone(legacyStart)
	out = append(out, pickled("M\xe9\x03")...)
	out = append(out, pickled(pyDict(pyText("little_endian"), "\x88"))...)
	// Storages are described by six things in these files.
	out = append(out, pickled(strings.ReplaceAll(root, "tQ", "NtQ"))...)
	var keys []string
	for key := range f.storages {
		keys = append(keys, pyText(fmt.Sprint(key)))
	}
	out = append(out, pickled("]("+strings.Join(keys, "")+"e")...)
	for _, s := range f.storages {
		out = binary.LittleEndian.AppendUint64(out, uint64(len(s.raw)/s.element))
		out = append(out, s.raw...)
	}
	return out
}

func writeFile(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weights.pth")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// saved writes weights as torch.save does, the state_dict as it is.
func saved(t testing.TB, w model.Weights) string {
	t.Helper()
	var f torchFile
	root := pyOrderedDict(f.stateDict(w)...)
	return writeFile(t, f.zip(t, root))
}
