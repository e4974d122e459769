package ortengine

import (
	"testing"

	"github.com/gomlx/compute/support/backendtest"
)

func newBackend(t testing.TB) *Backend {
	t.Helper()
	backend, err := New(Options{})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(backend.Finalize)
	return backend
}

func TestCompliance(t *testing.T) {
	backendtest.RunAll(t, newBackend(t), nil)
}
