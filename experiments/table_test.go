package experiments

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rd/rdlib/record"
)

func testSpec(t *testing.T) *Spec {
	t.Helper()
	return &Spec{Title: "a title", Students: []string{"shufflenet", "mobilenet"}, Methods: []string{"scratch", "rd"}, Seeds: 3, Out: t.TempDir(), Command: "the command"}
}

// put writes the record of a cell with so many of 50 test images right.
func put(t *testing.T, spec *Spec, c Cell, last, best int) {
	t.Helper()
	r := &record.Record{}
	r.Result.Config.Dataset.Phantom = true
	r.Result.Last = record.Outcome{TestAccuracy: float64(last) / 50, TestCorrect: last, TestTotal: 50}
	r.Result.Best = record.Outcome{TestAccuracy: float64(best) / 50, TestCorrect: best, TestTotal: 50}
	if err := r.Write(ReadStore(spec.Out).recordPath(c)); err != nil {
		t.Fatal(err)
	}
}

func TestRows(t *testing.T) {
	spec := testSpec(t)
	for seed, right := range []int{30, 32, 34} {
		put(t, spec, Cell{Student: "shufflenet", Method: "scratch", Seed: uint64(seed + 1)}, right, right)
		put(t, spec, Cell{Student: "shufflenet", Method: "rd", Seed: uint64(seed + 1)}, right+4, right+1)
	}
	put(t, spec, Cell{Student: "mobilenet", Method: "scratch", Seed: 1}, 25, 25)
	records, err := Records(spec)
	if err != nil {
		t.Fatal(err)
	}
	rows := Rows(spec, records)
	if len(rows) != 4 {
		t.Fatalf("%d rows, want one for each student and method", len(rows))
	}
	rd := rows[1]
	if rd.Seeds != 3 || rd.TestImages != 50 || math.Abs(rd.Last-72) > 1e-9 || math.Abs(rd.LastSD-4) > 1e-9 || math.Abs(rd.Best-66) > 1e-9 {
		t.Errorf("shufflenet rd: %+v", rd)
	}
	if math.Abs(rd.Gain-8) > 1e-9 || math.Abs(rd.GainHalf) > 1e-9 {
		t.Errorf("the gain at equal seeds is %g ± %g, want 8 ± 0", rd.Gain, rd.GainHalf)
	}
	if one := rows[2]; one.Seeds != 1 || !math.IsNaN(one.LastSD) || !math.IsNaN(one.Gain) {
		t.Errorf("one seed of scratch: %+v", one)
	}
	if none := rows[3]; none.Seeds != 0 {
		t.Errorf("a row without records: %+v", none)
	}
}

func TestRenderIsAFunctionOfTheRecords(t *testing.T) {
	spec := testSpec(t)
	for seed, rightAndGain := range [][2]int{{30, -3}, {32, 4}, {34, 2}} {
		right, gain := rightAndGain[0], rightAndGain[1]
		put(t, spec, Cell{Student: "shufflenet", Method: "scratch", Seed: uint64(seed + 1)}, right, right)
		put(t, spec, Cell{Student: "shufflenet", Method: "rd", Seed: uint64(seed + 1)}, right+gain, right)
	}
	var first []byte
	for range 2 {
		if err := Render(spec); err != nil {
			t.Fatal(err)
		}
		table, err := os.ReadFile(filepath.Join(spec.Out, "table.md"))
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = table
		} else if string(first) != string(table) {
			t.Error("rendered twice, the tables differ")
		}
	}
	for _, text := range []string{"# a title", "64.0 ± 4.0", "within noise", "| mobilenet | rd | 0 | not run |", "phantom", "`the command`"} {
		if !strings.Contains(string(first), text) {
			t.Errorf("the table does not say %q:\n%s", text, first)
		}
	}
}

func TestRecordsDamaged(t *testing.T) {
	spec := testSpec(t)
	cell := Cell{Student: "shufflenet", Method: "rd", Seed: 1}
	put(t, spec, cell, 1, 1)
	data, err := os.ReadFile(ReadStore(spec.Out).recordPath(cell))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(data), `"test_correct": 1`, `"test_correct": 2`, 1)
	if err := os.WriteFile(ReadStore(spec.Out).recordPath(cell), []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Records(spec); err == nil || !strings.Contains(err.Error(), "shufflenet-rd-1.json") {
		t.Errorf("a record changed by hand: %v", err)
	}
}

func TestLeaksAreShownApart(t *testing.T) {
	spec := testSpec(t)
	spec.Students, spec.Seeds = []string{"shufflenet"}, 2
	for seed := range uint64(2) {
		for method, right := range map[string]int{"scratch": 2, "rd": 3} {
			r := &record.Record{}
			r.Result.Last = record.Outcome{TestAccuracy: float64(6+right) / 10, TestCorrect: 6 + right, TestTotal: 10}
			for i := range 10 {
				p := record.Prediction{Path: fmt.Sprint(i)}
				if i < 6 {
					r.Leaks = append(r.Leaks, p.Path)
				}
				if i >= 6+right {
					p.Class = 1
				}
				r.Result.Predictions = append(r.Result.Predictions, p)
			}
			if err := r.Write(ReadStore(spec.Out).recordPath(Cell{Student: "shufflenet", Method: method, Seed: seed + 1})); err != nil {
				t.Fatal(err)
			}
		}
	}
	records, err := Records(spec)
	if err != nil {
		t.Fatal(err)
	}
	rows := Rows(spec, records)
	if rd := rows[1]; rd.Last != 90 || rd.CleanImages != "4" || rd.Clean != 75 || math.Abs(rd.Gain-10) > 1e-9 || math.Abs(rd.CleanGain-25) > 1e-9 {
		t.Errorf("%+v", rd)
	}
	if err := Render(spec); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(spec.Out, "table.md"))
	if err != nil || !strings.Contains(string(text), "| shufflenet | rd | 4 | 75.0 ± 0.0 | +25.0 ± 0.0, not tested (no spread) |") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestAShareOfTheTrainingImagesIsTold(t *testing.T) {
	spec := testSpec(t)
	r := &record.Record{}
	r.Result.Config.Dataset.TrainShare = 0.25
	r.Result.Counts = record.Counts{Train: 12, Unused: 36, Test: 9}
	if text := provenance(spec, map[Cell]*record.Record{spec.Cells()[0]: r}); !strings.Contains(text, "12 training") || !strings.Contains(text, "a share of 0.25 of the training images; 36 are not used") {
		t.Error(text)
	}
}

func TestSeveralTeachersShareScratch(t *testing.T) {
	spec := testSpec(t)
	spec.Teachers = []string{"a/one.onnx", "b/two.onnx"}
	var names []string
	for _, v := range spec.Variants() {
		names = append(names, v.String())
	}
	if got := strings.Join(names, "; "); got != "scratch; rd, one; rd, two" {
		t.Errorf("variants: %s", got)
	}
	if n := len(spec.Cells()); n != 2*3*3 {
		t.Errorf("%d cells", n)
	}
	c := Cell{Student: "mobilenet", Method: "rd", Seed: 2, Teacher: "two"}
	if o := spec.options(c); o.Teacher != "b/two.onnx" || o.InputOf != "a/one.onnx" || !strings.HasSuffix(ReadStore(spec.Out).recordPath(c), "mobilenet-rd-two-2.json") {
		t.Errorf("%s, %s", o.Teacher, ReadStore(spec.Out).recordPath(c))
	}
	spec.Teachers = append(spec.Teachers, "c/one.onnx")
	if err := Run(t.Context(), nil, spec); err == nil || !strings.Contains(err.Error(), "two teachers are called one") {
		t.Errorf("two teachers of one name: %v", err)
	}
}
