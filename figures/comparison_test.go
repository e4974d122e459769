package figures

import (
	"os"
	"path/filepath"
	"testing"

	"rd/experiments"
	"rd/rdlib/record"
)

func TestComparison(t *testing.T) {
	dir := t.TempDir()
	spec := &experiments.Spec{Title: "a title", Students: []string{"resnet18", "shufflenet"}, Methods: []string{"scratch", "direct", "rd"}, Seeds: 2, Out: dir}
	base := filepath.Join(dir, "comparison")
	if err := Comparison(spec, base); err != nil {
		t.Fatalf("without any record: %v", err)
	}
	for i, cell := range spec.Cells()[:5] { // one student is not complete
		r := &record.Record{}
		r.Result.Last = record.Outcome{TestAccuracy: 0.6 + float64(i)/50, TestTotal: 50}
		r.Result.Predictions = []record.Prediction{{Label: 0}, {Label: 0}, {Label: 1}}
		if err := r.Write(filepath.Join(dir, "records", cell.Student+"-"+cell.Method+"-"+string(rune('0'+cell.Seed))+".json")); err != nil {
			t.Fatal(err)
		}
	}
	if err := Comparison(spec, base); err != nil {
		t.Fatal(err)
	}
	for _, ext := range []string{".pdf", ".svg", ".png"} {
		if info, err := os.Stat(base + ext); err != nil || info.Size() < 1000 {
			t.Errorf("%s: %v", ext, err)
		}
	}
	records, err := experiments.Records(spec)
	if err != nil || len(records) != 5 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	if got := majority(records); got < 66.6 || got > 66.7 {
		t.Errorf("the largest class is %g %% of the test images, want two thirds", got)
	}
}
