package golden

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"testing"
)

// Vector is one vector file.
type Vector struct {
	Name    string // the file's base name
	Method  string // what the file is about
	About   string // formulas and conventions, in words
	Inputs  Arrays
	Params  Arrays // before the forward pass
	Outputs Arrays // numbers are arrays of shape []
	Grads   Arrays // of the output loss, unless About says otherwise

	file     string
	sections map[string]json.RawMessage
}

// Open reads a vector file.
func Open(file string) (*Vector, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read a golden vector: %w", err)
	}
	v := &Vector{Name: baseName(file), file: file}
	if err := json.Unmarshal(data, &v.sections); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for name, into := range map[string]any{
		"method": &v.Method, "about": &v.About,
		"inputs": &v.Inputs, "params": &v.Params, "outputs": &v.Outputs, "grads": &v.Grads,
	} {
		section, ok := v.sections[name]
		if !ok {
			continue
		}
		if err := json.Unmarshal(section, into); err != nil {
			return nil, fmt.Errorf("%s, %s: %w", file, name, err)
		}
	}
	return v, nil
}

// Section decodes the file's top-level entry of the given name, and fails the test when there is none.
func (v *Vector) Section(t testing.TB, name string, into any) {
	t.Helper()
	section, ok := v.sections[name]
	if !ok {
		t.Fatalf("%s has no %s", v.file, name)
	}
	if err := json.Unmarshal(section, into); err != nil {
		t.Fatalf("%s, %s: %v", v.file, name, err)
	}
}

// Hyper returns the hyper-parameter of the given name, and fails the test when it is missing or no number.
func (v *Vector) Hyper(t testing.TB, name string) float64 {
	t.Helper()
	var hyper map[string]json.RawMessage
	v.Section(t, "hyper", &hyper)
	value := math.NaN()
	if err := json.Unmarshal(hyper[name], &value); err != nil || math.IsNaN(value) {
		t.Fatalf("%s: the hyper-parameter %s is no number: %q", v.file, name, hyper[name])
	}
	return value
}

// Arrays are arrays by name.
type Arrays map[string]Array

// Get returns the array of the given name, and fails the test when there is none.
func (a Arrays) Get(t testing.TB, name string) Array {
	t.Helper()
	array, ok := a[name]
	if !ok {
		t.Fatalf("the file has no array %s", name)
	}
	return array
}

// Array is an array of any rank, row-major. A scalar has shape [] and one value.
type Array struct {
	Shape []int
	Data  []float64
}

// Scalar is an array of rank 0.
func Scalar(value float64) Array { return Array{Shape: []int{}, Data: []float64{value}} }

// UnmarshalJSON reads {"shape": […], "data": […]}, a number, or null, which is a scalar that is not a number.
func (a *Array) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	if bytes.Equal(data, []byte("null")) {
		*a = Scalar(math.NaN())
		return nil
	}
	if !bytes.HasPrefix(data, []byte("{")) {
		var value float64
		if err := json.Unmarshal(data, &value); err != nil {
			return fmt.Errorf("neither an array nor a number: %w", err)
		}
		*a = Scalar(value)
		return nil
	}
	var read struct {
		Shape *[]int
		Data  []float64
	}
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	if read.Shape == nil {
		return errors.New("an array without a shape")
	}
	size, err := elements(*read.Shape)
	if err != nil {
		return err
	}
	if size != len(read.Data) {
		return fmt.Errorf("an array of shape %v has %d values", *read.Shape, len(read.Data))
	}
	*a = Array{Shape: *read.Shape, Data: read.Data}
	return nil
}

// elements returns the number of values of a shape.
func elements(shape []int) (int, error) {
	size := 1
	for _, d := range shape {
		if d < 0 || d > 0 && size > math.MaxInt32/d {
			return 0, fmt.Errorf("no array can have the shape %v", shape)
		}
		size *= d
	}
	return size, nil
}
