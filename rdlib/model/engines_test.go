package model

import (
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"

	"rd/rdlib/backend/ortengine"
	"rd/rdlib/backend/ortlib"
)

// engine is a backend the networks are tested on.
type engine struct {
	name      string
	backend   compute.Backend
	dtype     dtypes.DType
	tolerance float64 // times the tensor's largest absolute value, or times 1 if that is less
}

// engines are the exact one and, where its library is found, the one that trains.
func engines(t *testing.T) []engine {
	t.Helper()
	all := []engine{{"go float64", goBackend(t), dtypes.Float64, 1e-6}}
	if _, err := ortlib.Find(); err != nil {
		t.Logf("not tested on ONNX Runtime: %v", err)
		return all
	}
	backend, err := ortengine.New(ortengine.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(backend.Finalize)
	return append(all, engine{"onnx float32", backend, dtypes.Float32, 1e-4})
}

// goBackend runs one operation at a time: operations that wait for workers inside workers can block each other for good.
func goBackend(t *testing.T) compute.Backend {
	t.Helper()
	backend, err := gobackend.New("ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(backend.Finalize)
	return backend
}
