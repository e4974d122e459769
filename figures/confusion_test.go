package figures

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rd/rdlib/record"
)

func TestConfusionMatrix(t *testing.T) {
	result := &record.Result{Classes: []string{"benign", "malignant", "normal"}}
	for i := range 60 {
		result.Predictions = append(result.Predictions, record.Prediction{Label: i % 3, Class: (i * i / 7) % 3})
	}
	result.Last.TestTotal = 60
	base := filepath.Join(t.TempDir(), "deep", "confusion")
	if err := ConfusionMatrix(result, base); err != nil {
		t.Fatal(err)
	}
	if got := wrap("one two three", 7); got != "one two\nthree" {
		t.Errorf("wrapped to %q", got)
	}
	again := filepath.Join(t.TempDir(), "again")
	time.Sleep(1100 * time.Millisecond) // a date in the file would differ now
	if err := ConfusionMatrix(result, again); err != nil {
		t.Fatal(err)
	}
	if err := ConfusionMatrix(&record.Result{Classes: result.Classes}, filepath.Join(t.TempDir(), "empty")); err != nil {
		t.Errorf("a record without predictions: %v", err)
	}
	result.Predictions[0].Class = 3
	if err := ConfusionMatrix(result, again); err == nil {
		t.Error("a class that is none of the names was drawn")
	}
	for _, ext := range []string{".pdf", ".svg", ".png"} {
		first, err := os.ReadFile(base + ext)
		if err != nil || len(first) < 1000 {
			t.Errorf("%s: %d bytes, %v", ext, len(first), err)
		}
		if second, err := os.ReadFile(again + ext); err != nil || !bytes.Equal(first, second) {
			t.Errorf("%s: drawn twice, the files differ (%v)", ext, err)
		}
	}
}
