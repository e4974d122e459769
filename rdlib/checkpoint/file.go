// Package checkpoint reads published weights into the architectures of package model: safetensors files and PyTorch
// checkpoints, whose pickles are read and never run. Names are mapped from those of the known publications; whatever is
// missing, unexpected or of another shape is an error that lists it.
package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"rd/rdlib/model"
)

// Format is how a file of weights is written.
type Format string

// The formats that Read knows.
const (
	Safetensors   Format = "safetensors"
	PyTorch       Format = "PyTorch"
	PyTorchLegacy Format = "PyTorch before 1.6"
)

// File is a file of weights.
type File struct {
	Path    string            `json:"file"`
	Format  Format            `json:"format"`
	Bytes   int64             `json:"bytes"`
	Wrapper string            `json:"wrapper,omitempty"` // the entry that holds the weights, such as state_dict; "" where nothing wraps them
	Other   []string          `json:"other,omitempty"`   // what else is in the file, not read
	Meta    map[string]string `json:"meta,omitempty"`    // of safetensors
	Weights model.Weights     `json:"-"`                 // under the names of the file, num_batches_tracked left out
}

var (
	// ErrFormat says that a file is no file of weights that can be read.
	ErrFormat = errors.New("no readable file of weights")
	// ErrCode says that a pickle asks for something that is no part of weights. Nothing of it was run.
	ErrCode = errors.New("refused")
)

// Sniff tells the format by a file's first bytes; "" for any other file.
func Sniff(path string) (Format, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read weights: %w", err)
	}
	defer f.Close()
	start := make([]byte, 16)
	n, err := io.ReadFull(f, start)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return "", fmt.Errorf("read weights %s: %w", path, err)
	}
	start = start[:n]
	switch {
	case bytes.HasPrefix(start, []byte("PK\x03\x04")):
		return PyTorch, nil
	case n > 2 && start[0] == 0x80 && start[1] >= 2 && start[1] <= 5: // a pickle of such a protocol
		return PyTorchLegacy, nil
	case n > 8 && start[8] == '{' && binary.LittleEndian.Uint64(start) < 1<<32:
		return Safetensors, nil
	}
	return "", nil
}

// Read reads a file of weights: safetensors, or what torch.save wrote of a state_dict. Where several entries of a
// checkpoint hold weights, key says which; "" finds the one there is, or the usual one (state_dict, model, …). Integers
// become float32 as floats do.
//
// A file that is cut short, damaged or of another kind gives an error that wraps ErrFormat; a pickle that asks for
// anything but tensors and plain data, one that wraps ErrCode.
func Read(path, key string) (*File, error) {
	format, err := Sniff(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read weights: %w", err)
	}
	file := &File{Path: path, Format: format, Bytes: info.Size()}
	switch format {
	case Safetensors:
		if file.Weights, file.Meta, err = model.LoadSafetensors(path); err != nil {
			err = fmt.Errorf("%w: %w", ErrFormat, err)
		}
	case PyTorch, PyTorchLegacy:
		err = file.readPyTorch(key)
	default:
		err = fmt.Errorf("%w: %s is neither safetensors nor what torch.save writes: give the weights as one of these", ErrFormat, path)
	}
	if err != nil {
		return nil, err
	}
	if len(file.Weights) == 0 {
		return nil, fmt.Errorf("%w: %s holds no tensors", ErrFormat, path)
	}
	return file, nil
}

// Parameters counts the values of all tensors.
func (f *File) Parameters() int {
	count := 0
	for _, t := range f.Weights {
		count += len(t.Data)
	}
	return count
}
