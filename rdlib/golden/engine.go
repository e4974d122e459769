package golden

import (
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/tensors"

	"rd/rdlib/backend/ortengine"
	"rd/rdlib/backend/ortlib"
)

// Engine is a backend with the data type and the tolerance it is tested in.
type Engine struct {
	Name      string
	Backend   compute.Backend
	DType     dtypes.DType
	Tolerance float64
}

// Engines are the exact one and one in float32: ONNX Runtime, which trains, or the Go backend where ONNX Runtime's
// library is not found.
func Engines(t testing.TB) []Engine {
	t.Helper()
	if _, err := ortlib.Find(); err != nil {
		t.Logf("not tested on ONNX Runtime: %v", err)
		return []Engine{Exact(t), {"go float32", GoBackend(t), dtypes.Float32, Float32Tolerance}}
	}
	backend, err := ortengine.New(ortengine.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(backend.Finalize)
	return []Engine{Exact(t), {"onnx float32", backend, dtypes.Float32, Float32Tolerance}}
}

// Exact is the Go backend in float64.
func Exact(t testing.TB) Engine {
	t.Helper()
	return Engine{"go float64", GoBackend(t), dtypes.Float64, Float64Tolerance}
}

// GoBackend opens the Go backend. It runs one operation at a time: operations that wait for workers inside workers can
// block each other for good.
func GoBackend(t testing.TB) compute.Backend {
	t.Helper()
	backend, err := gobackend.New("ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(backend.Finalize)
	return backend
}

// Tensor returns the array as a tensor of type Float64, Float32 or Int32.
func (a Array) Tensor(t testing.TB, dtype dtypes.DType) *tensors.Tensor {
	t.Helper()
	switch dtype {
	case dtypes.Float64:
		return tensors.FromFlatDataAndDimensions(slices.Clone(a.Data), a.Shape...)
	case dtypes.Float32:
		return tensors.FromFlatDataAndDimensions(Convert[float32](a.Data), a.Shape...)
	case dtypes.Int32:
		return tensors.FromFlatDataAndDimensions(Convert[int32](a.Data), a.Shape...)
	}
	t.Fatalf("no tensors of type %s are made of arrays", dtype)
	return nil
}

// ArrayOf returns a tensor of type Float64 or Float32 as an array.
func ArrayOf(t testing.TB, tensor *tensors.Tensor) Array {
	t.Helper()
	a := Array{Shape: slices.Clone(tensor.Shape().Dimensions)}
	var err error
	switch dtype := tensor.DType(); dtype {
	case dtypes.Float64:
		a.Data, err = tensors.CopyFlatData[float64](tensor)
	case dtypes.Float32:
		var data []float32
		data, err = tensors.CopyFlatData[float32](tensor)
		a.Data = Convert[float64](data)
	default:
		t.Fatalf("no arrays are made of tensors of type %s", dtype)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Convert converts each value.
func Convert[To, From float64 | float32 | int32](data []From) []To {
	out := make([]To, len(data))
	for i, v := range data {
		out[i] = To(v)
	}
	return out
}
