package model

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestSafetensorsRoundTrip(t *testing.T) {
	net := build(t, "shufflenet", Config{Classes: 3, Width: 0.25})
	w := net.Init(5)
	w["fc.bias"].Data[0] = float32(math.Inf(1))
	meta := map[string]string{"classes": `["a","b\n","ü"]`, "empty": ""}
	dir := t.TempDir()
	first, second := filepath.Join(dir, "a.safetensors"), filepath.Join(dir, "b.safetensors")
	for _, path := range []string{first, second} {
		if err := SaveSafetensors(path, w, meta); err != nil {
			t.Fatal(err)
		}
	}
	a, _ := os.ReadFile(first)
	b, _ := os.ReadFile(second)
	if !bytes.Equal(a, b) {
		t.Error("equal weights gave different bytes")
	}
	got, gotMeta, err := net.LoadWeights(first)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, w) || !reflect.DeepEqual(gotMeta, meta) {
		t.Error("what was read is not what was written")
	}
	if !bytes.Contains(a, []byte(`"conv1.1.num_batches_tracked":{"dtype":"I64","shape":[],`)) {
		t.Error("the counters that PyTorch expects are missing")
	}
}

// TestSafetensorsFromPython reads a file that the Python package safetensors wrote.
func TestSafetensorsFromPython(t *testing.T) {
	got, meta, err := LoadSafetensors(filepath.Join("testdata", "python.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	want := Weights{
		"a.weight":       {[]int{2, 3}, []float32{-0.5, -0.25, 0, 0.25, 0.5, 0.75}},
		"b.half":         {[]int{3}, []float32{1.5, -2.25, 65504}},
		"c.double":       {[]int{1, 1}, []float32{0.1}},
		"bn.running_var": {[]int{2}, []float32{1, 2}},
		"empty":          {[]int{0, 3}, []float32{}},
	}
	if !reflect.DeepEqual(got, want) || meta["format"] != "pt" || meta["note"] != "ü" {
		t.Errorf("read %v with %v, want %v", got, meta, want)
	}
}

// file assembles a safetensors file from its parts.
func file(header string, body ...byte) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), body...)
}

func TestSafetensorsHalfPrecision(t *testing.T) {
	got, _, err := decodeSafetensors(file(`{"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}`, 0x80, 0x3f, 0x20, 0xc0))
	if err != nil || !reflect.DeepEqual(got["x"].Data, []float32{1, -2.5}) {
		t.Errorf("BF16 read as %v, %v", got, err)
	}
}

func TestDamagedSafetensors(t *testing.T) {
	net := build(t, "shufflenet", Config{Classes: 2, Width: 0.1})
	var written bytes.Buffer
	if err := encodeSafetensors(&written, net.Init(1), nil); err != nil {
		t.Fatal(err)
	}
	whole := written.Bytes()
	entry := func(e string) string { return `{"x":` + e + `}` }
	cases := map[string][]byte{
		"empty":                 {},
		"seven bytes":           make([]byte, 7),
		"no header":             make([]byte, 8),
		"huge header":           bytes.Repeat([]byte{0xff}, 64),
		"header beyond the end": binary.LittleEndian.AppendUint64(nil, 1000),
		"cut short":             whole[:len(whole)/2],
		"cut by a byte":         whole[:len(whole)-1],
		"a byte too many":       append(bytes.Clone(whole), 0),
		"not JSON":              file("hello, world"),
		"an array":              file("[]"),
		"text behind":           file(`{} {}`),
		"unfinished":            file(`{"x":`),
		"a number":              file(entry(`7`)),
		"null":                  file(entry(`null`)),
		"no type":               file(entry(`{"shape":[1],"data_offsets":[0,4]}`), 0, 0, 0, 0),
		"unknown type":          file(entry(`{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}`), 0, 0, 0, 0),
		"integers":              file(entry(`{"dtype":"I64","shape":[1],"data_offsets":[0,8]}`), make([]byte, 8)...),
		"negative size":         file(entry(`{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}`), 0, 0, 0, 0),
		"overflow":              file(entry(`{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}`), 0, 0, 0, 0),
		"negative offset":       file(entry(`{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}`), 0, 0, 0, 0),
		"offsets backwards":     file(entry(`{"dtype":"F32","shape":[1],"data_offsets":[4,0]}`), 0, 0, 0, 0),
		"beyond the end":        file(entry(`{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`), 0, 0, 0, 0),
		"shape does not fit":    file(entry(`{"dtype":"F32","shape":[3],"data_offsets":[0,4]}`), 0, 0, 0, 0),
		"a gap":                 file(entry(`{"dtype":"F32","shape":[1],"data_offsets":[4,8]}`), make([]byte, 8)...),
		"overlap":               file(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 0, 0, 0, 0),
		"a name twice":          file(`{"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`),
		"metadata not text":     file(`{"__metadata__":{"a":1}}`),
	}
	for name, data := range cases {
		path := filepath.Join(t.TempDir(), "damaged.safetensors")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if w, _, err := LoadSafetensors(path); err == nil || w != nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, error %v; want an error that names the file", name, w, err)
		}
	}
	if _, _, err := LoadSafetensors(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file gives %v", err)
	}
}

func FuzzSafetensors(f *testing.F) {
	f.Add(file(`{"x":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]}}`, 1, 2, 3, 4))
	f.Add(file(`{"__metadata__":{"a":"b"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		w, _, err := decodeSafetensors(data)
		if err != nil {
			return
		}
		for name, tensor := range w {
			if len(tensor.Data) != elements(tensor.Shape) {
				t.Errorf("tensor %s of shape %v has %d values", name, tensor.Shape, len(tensor.Data))
			}
		}
	})
}

// TestCheckWeightsListsEverything: one message names every tensor that does not fit.
func TestCheckWeightsListsEverything(t *testing.T) {
	net := build(t, "mobilenet", Config{Classes: 2, Width: 0.1})
	w := net.Init(1)
	delete(w, "features.0.0.weight")
	delete(w, "features.18.1.running_var")
	w["head.weight"] = Tensor{Shape: []int{1}, Data: []float32{0}}
	w["classifier.1.weight"] = Tensor{Shape: []int{1000, 1280}, Data: make([]float32, 1280000)}
	w["classifier.1.bias"] = Tensor{Shape: []int{2}, Data: []float32{0}}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := SaveSafetensors(path, w, nil); err == nil {
		t.Error("a tensor whose length and shape differ was written")
	}
	w["classifier.1.bias"] = Tensor{Shape: []int{3}, Data: make([]float32, 3)}
	if err := SaveSafetensors(path, w, nil); err != nil {
		t.Fatal(err)
	}
	_, _, err := net.LoadWeights(path)
	if err == nil {
		t.Fatal("weights that do not fit were loaded")
	}
	for _, part := range []string{path, "missing: features.0.0.weight", "missing: features.18.1.running_var", "unexpected: head.weight", "wrong shape: classifier.1.weight", "wrong shape: classifier.1.bias", "5 of"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v\ndoes not say %q", err, part)
		}
	}
	if err := SaveSafetensors(filepath.Join(t.TempDir(), "no", "such", "folder"), w, nil); err == nil {
		t.Error("written to a folder that does not exist")
	}
}
