package figures

import (
	"os"
	"path/filepath"
	"testing"

	"rd/rdlib/record"
)

func TestConfusionMatrix(t *testing.T) {
	result := &record.Result{Classes: []string{"benign", "malignant", "normal"}}
	for i := range 60 {
		result.Predictions = append(result.Predictions, record.Prediction{Label: i % 3, Class: (i * i / 7) % 3})
	}
	result.Last.TestTotal = 60
	counts, total := Confusion(result), 0
	for _, row := range counts {
		for _, n := range row {
			total += n
		}
	}
	if total != 60 {
		t.Fatalf("the matrix counts %d of 60 images", total)
	}
	base := filepath.Join(t.TempDir(), "deep", "confusion")
	if err := ConfusionMatrix(result, base); err != nil {
		t.Fatal(err)
	}
	for _, ext := range []string{".pdf", ".svg", ".png"} {
		if info, err := os.Stat(base + ext); err != nil || info.Size() < 1000 {
			t.Errorf("%s: %v", ext, err)
		}
	}
}
