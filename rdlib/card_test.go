package rdlib

import (
	"strings"
	"testing"

	"rd/rdlib/dataset"
	"rd/rdlib/foundation"
	"rd/rdlib/record"
)

// cardRecord is of three classes, one of which the test part lacks; 8 of 10 images are named right.
func cardRecord() *record.Record {
	r := &record.Record{ResultSHA256: "abc", Leaks: []string{"0.png"}, Run: record.Run{Command: "bin/rd distill --data 'a ``` b'"}}
	r.Result = record.Result{
		Key: "key", Classes: []string{"be|nign", "<script>alert(1)</script>\n# heading", "normal"},
		Config: record.Config{
			Dataset: record.Dataset{Name: "bu*si*", Manifest: "0123"}, Student: "resnet18", Width: 1, Method: "rd", Options: map[string]any{"beta": 1.0},
			Input: dataset.DefaultPreprocess(48, 64), Steps: 7, Batch: 4, Backend: record.Backend{Name: "onnx", Threads: 2},
		},
		Counts:  record.Counts{Train: 20, Test: 10, Skipped: 3},
		Teacher: &record.Teacher{Name: "dense[net]", SHA256: "4567", SawData: true},
		Last:    record.Outcome{TestCorrect: 8, TestTotal: 10},
	}
	for i := range 10 {
		p := record.Prediction{Path: string(rune('0'+i)) + ".png", Label: i % 2, Class: i % 2}
		if i < 2 {
			p.Class = 2
		}
		r.Result.Predictions = append(r.Result.Predictions, p)
	}
	return r
}

func TestModelCard(t *testing.T) {
	side := &foundation.SideCar{Licence: "CC BY-NC 4.0", Pretraining: &foundation.Pretraining{Data: "scans & reports"}}
	text, err := ModelCard(cardRecord(), side)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Model card: resnet18 for bu\\*si\\*\n", "48×64 pixels", "20 training, 0 validation and 10 test images", "3 unreadable images were left out",
		"| accuracy | 80.0 % (8 of 10; 49.0–94.3 %) |", "| accuracy without the images that are in another part | 88.9 % (8 of 9; ", // Wilson's interval of 8/10
		"| balanced accuracy | 80.0 % |", `| be\|nign | 80.0 % (4 of 5; `, "&lt;script&gt;alert(1)&lt;/script&gt; # heading", "| normal | no test image |",
		"No test image is of class normal", "The teacher has seen this data set", `dense\[net\], sha256 4567`, "Pre-trained on: scans &amp; reports.",
		"Licence: CC BY-NC 4.0. It may bind the student too.", "````\nbin/rd distill --data 'a ``` b'\n````", "It is no medical device", "0123", "| cell | key |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for _, never := range []string{"<script>", "\n# heading", "phantom", "<no value>", "calls every test image"} {
		if strings.Contains(text, never) {
			t.Errorf("%q is in\n%s", never, text)
		}
	}
}

func TestModelCardOfLittle(t *testing.T) {
	r := cardRecord()
	r.Result.Config.Dataset.Phantom, r.Result.Teacher, r.Leaks, r.Run.Command = true, nil, nil, ""
	r.Result.Config.Dataset.TrainShare, r.Result.Counts.Unused = 0.25, 60
	for i := range r.Result.Predictions {
		r.Result.Predictions[i].Class = 0
	}
	text, err := ModelCard(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Trained on phantoms", "60 further training images were not used: it was trained on a share of 0.25.", "None: the student was trained on the labels alone", `It calls every test image be\|nign.`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "Licence") || strings.Contains(text, "Command") || strings.Contains(text, "another part") {
		t.Error(text)
	}
	r.Result.Teacher = &record.Teacher{Name: "unknown"}
	if text, err := ModelCard(r, nil); err != nil || !strings.Contains(text, "Licence: not stated") {
		t.Errorf("%v\n%s", err, text)
	}
	r.Result.Predictions[0].Class = 9
	if _, err := ModelCard(r, nil); err == nil {
		t.Error("a class that is not there is described")
	}
	r.Result.Predictions = nil
	if text, err := ModelCard(r, nil); err != nil || strings.Contains(text, "macro-F1") {
		t.Errorf("%v\n%s", err, text)
	}
}
