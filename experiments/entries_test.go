package experiments

import (
	"math"
	"path/filepath"
	"testing"
)

func TestEntriesOfCommittedRecords(t *testing.T) {
	entries, err := ReadEntries(filepath.Join("..", "results", "busi-densenet121_96_mri"))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 27 {
		t.Fatalf("%d entries, want 27", len(entries))
	}
	pairs := Pairs(entries, "rd", "scratch")
	gains := Gains(pairs)
	if len(pairs) != 9 || len(gains) != 3 {
		t.Fatalf("%d pairs and %d gains, want 9 and 3", len(pairs), len(gains))
	}
	for _, g := range gains { // as the committed table has it
		want := map[string][2]float64{"resnet18": {1.1, 9.3}, "shufflenet_v2": {-0.6, 4.3}, "mobilenet_v2": {-2.6, 4.3}}[g.Student]
		if math.Abs(g.Mean-want[0]) > 0.05 || math.Abs(g.Half-want[1]) > 0.05 || g.Verdict != "within noise" {
			t.Errorf("%+v, want %v within noise", g, want)
		}
	}
	tests, err := TestPairs(pairs)
	if err != nil {
		t.Fatal(err)
	}
	for i, test := range tests {
		p := pairs[i]
		if got, want := test.OnlyFirst-test.OnlySecond, p.First.Right-p.Second.Right; got != want {
			t.Errorf("%s, seed %d: the discordant images differ by %d, the right ones by %d", test.Student, test.Seed, got, want)
		}
		if test.Holm < test.P || test.Low > p.First.Accuracy || test.High < p.First.Accuracy {
			t.Errorf("%+v of accuracy %.1f", test, p.First.Accuracy)
		}
	}
	pairs[0].Second.Record = pairs[1].First.Record
	if _, err := TestPairs(pairs); err == nil {
		t.Error("pairs of different test images: no error")
	}
}

func TestEntriesOfNothing(t *testing.T) {
	if _, err := ReadEntries(t.TempDir()); err == nil {
		t.Error("a folder without records: no error")
	}
}
