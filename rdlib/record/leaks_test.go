package record

import (
	"path/filepath"
	"testing"
)

// A record made before leaks were looked for, and one made now, have the same result.
func TestLeaksStandOutsideTheResult(t *testing.T) {
	r := &Record{Result: Result{Predictions: []Prediction{{Path: "a", Label: 1, Class: 1}, {Path: "b"}, {Path: "c", Class: 1}}}}
	if err := r.Seal(); err != nil {
		t.Fatal(err)
	}
	before := r.ResultSHA256
	r.Leaks = []string{"b"}
	path := filepath.Join(t.TempDir(), "r.json")
	if err := r.Write(path); err != nil {
		t.Fatal(err)
	}
	again, err := Read(path)
	if err != nil || again.ResultSHA256 != before {
		t.Fatalf("%v", err)
	}
	if correct, total := again.WithoutLeaks(); correct != 1 || total != 2 {
		t.Errorf("%d of %d", correct, total)
	}
	again.Leaks = nil
	if correct, total := again.WithoutLeaks(); correct != 2 || total != 3 {
		t.Errorf("without leaks: %d of %d", correct, total)
	}
}
