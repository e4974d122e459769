package experiments

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rd/rdlib/record"
)

func testProbe() *record.Probe {
	random := func(correct, clean int) *record.ProbeOutcome {
		return &record.ProbeOutcome{Correct: correct, Clean: clean}
	}
	return &record.Probe{
		Dataset: "busi", Teacher: "a teacher", Command: "the command",
		Seeds: []record.ProbeSeed{
			{Seed: 1, Total: 100, Clean: 80, Teacher: record.ProbeOutcome{Correct: 60, Clean: 40}, Random: random(50, 36)},
			{Seed: 2, Total: 100, Teacher: record.ProbeOutcome{Correct: 64}, Random: random(58, 0)}, // no leak in this split
		},
	}
}

func TestProbeRows(t *testing.T) {
	rows := ProbeRows(testProbe())
	if len(rows) != 2 {
		t.Fatalf("%d rows: %+v", len(rows), rows)
	}
	all, clean := rows[0], rows[1]
	if all.TestImages != "100" || all.Mean != 62 || all.Random != 54 || all.Gain != 8 {
		t.Errorf("all: %+v", all)
	}
	if clean.TestImages != "80–100" || clean.Mean != 57 || clean.Random != 51.5 || clean.Gain != 5.5 {
		t.Errorf("clean: %+v", clean)
	}
	p := testProbe()
	for i := range p.Seeds {
		p.Seeds[i].Random, p.Seeds[i].Clean = nil, 0
	}
	if rows := ProbeRows(p); len(rows) != 1 || !math.IsNaN(rows[0].Gain) || strings.Contains(rows[0].String(), "gain") {
		t.Errorf("without random weights: %v", rows)
	}
}

func TestProbesAreRenderedFromTheirRecords(t *testing.T) {
	dir := t.TempDir()
	if err := WriteProbe(dir, testProbe()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "table.md"))
	if err != nil || !strings.Contains(string(text), "| busi | 80–100 clean | a teacher | 2 | 57.0 | 51.5 | +5.5") || !strings.Contains(string(text), "the command") {
		t.Errorf("%s, %v", text, err)
	}
	for name, data := range map[string]string{"damaged": "{", "empty": "{}"} {
		path := filepath.Join(dir, "records", name+".json")
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := RenderProbes(dir); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}
