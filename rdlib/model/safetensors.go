package model

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/google/renameio/v2"
)

// The safetensors format: the header's length as a little-endian uint64, a JSON header that maps each tensor's name to its
// dtype, shape and place, and the tensors' bytes one after another without gaps.

// maxHeader is the longest header the format's reference reader accepts.
const maxHeader = 100_000_000

// metadataKey is the header's entry for free text.
const metadataKey = "__metadata__"

// batchCount is the batch-normalisation counter that PyTorch keeps beside the running statistics. Nothing computes with
// it, so it is written as 0 and left out when read.
const batchCount = "num_batches_tracked"

type tensorEntry struct {
	DType   string    `json:"dtype"`
	Shape   []int     `json:"shape"`
	Offsets [2]uint64 `json:"data_offsets"`
}

// SaveSafetensors writes the weights as float32 and the metadata beside them, replacing the file in one step. Equal
// arguments give equal bytes. Beside each running_var stands a num_batches_tracked of 0, so that PyTorch's strict
// load_state_dict accepts the file.
func SaveSafetensors(path string, w Weights, meta map[string]string) error {
	file, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644), renameio.WithExistingPermissions())
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer file.Cleanup()
	if err := encodeSafetensors(file, w, meta); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// encodeSafetensors writes tensor after tensor: a checkpoint may have gigabytes of them.
func encodeSafetensors(to io.Writer, w Weights, meta map[string]string) error {
	header := map[string]any{}
	if len(meta) > 0 {
		header[metadataKey] = meta
	}
	var offset uint64
	place := func(name, dtype string, shape []int, bytes uint64) {
		header[name] = tensorEntry{dtype, append([]int{}, shape...), [2]uint64{offset, offset + bytes}}
		offset += bytes
	}
	names := slices.Sorted(maps.Keys(w))
	var counters int
	for _, name := range names {
		if module, ok := strings.CutSuffix(name, ".running_var"); ok {
			place(module+"."+batchCount, "I64", nil, 8)
			counters++
		}
	}
	for _, name := range names {
		t := w[name]
		if name == metadataKey || len(t.Data) != elements(t.Shape) {
			return fmt.Errorf("tensor %q of shape %v has %d values", name, t.Shape, len(t.Data))
		}
		place(name, "F32", t.Shape, 4*uint64(len(t.Data)))
	}
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	out := bufio.NewWriterSize(to, 1<<20)
	out.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(text))))
	out.Write(text)
	out.Write(make([]byte, 8*counters))
	for _, name := range names {
		for _, v := range w[name].Data {
			out.Write(binary.LittleEndian.AppendUint32(out.AvailableBuffer(), math.Float32bits(v)))
		}
	}
	return out.Flush() // or the first error of a Write
}

// LoadSafetensors reads a file of float tensors (F64, F32, F16, BF16), all returned as float32, and its metadata.
// num_batches_tracked is left out. A file that is cut short, garbage, or lies about its own layout gives an error that
// names it.
func LoadSafetensors(path string) (Weights, map[string]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read weights: %w", err)
	}
	w, meta, err := decodeSafetensors(data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s is not a readable safetensors file: %w; export or copy it again", path, err)
	}
	return w, meta, nil
}

func decodeSafetensors(data []byte) (Weights, map[string]string, error) {
	if len(data) < 8 {
		return nil, nil, fmt.Errorf("it has %d bytes, fewer than the 8 of the header's length", len(data))
	}
	length := binary.LittleEndian.Uint64(data)
	switch {
	case length > maxHeader:
		return nil, nil, fmt.Errorf("its header claims %d bytes, more than the format's limit of %d", length, maxHeader)
	case length > uint64(len(data)-8):
		return nil, nil, fmt.Errorf("its header claims %d bytes, but only %d follow", length, len(data)-8)
	}
	entries, meta, err := decodeHeader(data[8 : 8+length])
	if err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	body := data[8+length:]
	names := slices.Collect(maps.Keys(entries))
	slices.SortFunc(names, func(a, b string) int {
		x, y := entries[a].Offsets, entries[b].Offsets
		return slices.Compare(append(x[:], 0), append(y[:], 0))
	})
	w := Weights{}
	var end uint64
	for _, name := range names {
		e := entries[name]
		if e.Offsets[0] != end {
			return nil, nil, fmt.Errorf("tensor %q begins at byte %d, but the one before it ends at %d", name, e.Offsets[0], end)
		}
		size, err := e.size()
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		if e.Offsets[1] < e.Offsets[0] || e.Offsets[1]-e.Offsets[0] != size {
			return nil, nil, fmt.Errorf("tensor %q of type %s and shape %v needs %d bytes, but its place is %v", name, e.DType, e.Shape, size, e.Offsets)
		}
		end = e.Offsets[1]
		if end > uint64(len(body)) {
			return nil, nil, fmt.Errorf("tensor %q ends at byte %d, but only %d are there: the file is cut short", name, end, len(body))
		}
		if strings.HasSuffix(name, "."+batchCount) {
			continue
		}
		values, err := e.floats(body[e.Offsets[0]:end])
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		w[name] = Tensor{Shape: e.Shape, Data: values}
	}
	if end != uint64(len(body)) {
		return nil, nil, fmt.Errorf("%d bytes follow the last tensor", uint64(len(body))-end)
	}
	return w, meta, nil
}

// decodeHeader reads the JSON object entry by entry, so that a name used twice is noticed.
func decodeHeader(text []byte) (map[string]tensorEntry, map[string]string, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, nil, errors.New("it is not a JSON object")
	}
	entries, meta := map[string]tensorEntry{}, map[string]string(nil)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		name := token.(string) // a key of a JSON object
		if _, twice := entries[name]; twice || (name == metadataKey && meta != nil) {
			return nil, nil, fmt.Errorf("%q stands there twice", name)
		}
		if name == metadataKey {
			meta = map[string]string{}
			err = d.Decode(&meta)
		} else {
			var e tensorEntry
			err = d.Decode(&e)
			entries[name] = e
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%q: %w", name, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, nil, errors.New("text follows the JSON object")
	}
	return entries, meta, nil
}

// elementSize is the bytes of one element of each dtype that may stand in a file of weights.
var elementSize = map[string]uint64{"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2}

// size returns the bytes the tensor needs.
func (e tensorEntry) size() (uint64, error) {
	size, ok := elementSize[e.DType]
	if !ok {
		return 0, fmt.Errorf("its type %q is none of F64, F32, F16, BF16", e.DType)
	}
	for _, d := range e.Shape {
		if d < 0 || (d > 0 && size > math.MaxInt64/uint64(d)) {
			return 0, fmt.Errorf("its shape %v is impossible", e.Shape)
		}
		size *= uint64(d)
	}
	return size, nil
}

func (e tensorEntry) floats(raw []byte) ([]float32, error) {
	values := make([]float32, uint64(len(raw))/elementSize[e.DType])
	little := binary.LittleEndian
	for i := range values {
		switch e.DType {
		case "F64":
			values[i] = float32(math.Float64frombits(little.Uint64(raw[8*i:])))
		case "F32":
			values[i] = math.Float32frombits(little.Uint32(raw[4*i:]))
		case "F16":
			values[i] = float16.FromBits(little.Uint16(raw[2*i:])).Float32()
		case "BF16":
			values[i] = bfloat16.FromBits(little.Uint16(raw[2*i:])).Float32()
		default:
			return nil, fmt.Errorf("its type %s is not a float", e.DType)
		}
	}
	return values, nil
}
