package deploy

import (
	"strings"
	"testing"

	"rd/rdlib/record"
)

func TestCard(t *testing.T) {
	r := &record.Record{Result: record.Result{
		Config:  record.Config{Student: "shufflenet_v2", Method: "rd", Steps: 60, Batch: 32, Dataset: record.Dataset{Name: "images", Phantom: true, Manifest: "0123456789abcdef"}},
		Classes: []string{"benign", "malignant"},
		Counts:  record.Counts{Train: 8, Validation: 1, Test: 2},
		Teacher: &record.Teacher{Name: "large", SHA256: "fedcba9876543210", SawData: true},
		Last:    record.Outcome{TestAccuracy: 0.5, TestCorrect: 1, TestTotal: 2},
		Predictions: []record.Prediction{
			{Path: "a.png", Label: 0, Class: 0}, {Path: "b.png", Label: 1, Class: 0},
		},
	}, Leaks: []string{"b.png"}}
	card, err := Card(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# shufflenet_v2, trained on images by rd", "phantoms", "no diagnosis", "benign, malignant", "8 to train, 1 to validate, 2 to test",
		"without them 1 of 1 are right", "large (sha256 fedcba987654…)", "has seen this data set", "50.0 % (1 of 2, 95 % interval 9.5 to 90.5)", "malignant 0.0 %",
	} {
		if !strings.Contains(card, want) {
			t.Errorf("%q is not in\n%s", want, card)
		}
	}
	r.Result.Last, r.Result.Predictions = record.Outcome{}, nil
	if _, err := Card(r); err == nil {
		t.Error("a record without test images: no error")
	}
}
