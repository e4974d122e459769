package experiments

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rd/rdlib/record"
)

func TestVerdicts(t *testing.T) {
	for _, test := range []struct {
		differences []float64
		p           float64
		want        string
	}{
		{nil, math.NaN(), ""},
		{[]float64{3}, math.NaN(), "one seed"},
		{[]float64{0, 0}, 1, "within noise"},
		{[]float64{4, 4, 4}, math.NaN(), "not tested (no spread)"},
		{[]float64{1, 2, 3}, 0.0741799, "within noise"},       // t = 2√3
		{[]float64{2, 3, 4}, 0.0351, "p = 0.035"},             // t = 3√3
		{[]float64{100, 101, 102}, 0.0000326732, "p < 0.001"}, // t = 101√3
	} {
		p, said := overSeeds(test.differences)
		if math.Abs(p-test.p) > 5e-5 || math.IsNaN(p) != math.IsNaN(test.p) || said != test.want {
			t.Errorf("%v: p %v, %q; want %v, %q", test.differences, p, said, test.p, test.want)
		}
	}
	if verdict(0.05) != withinNoise || verdict(0.0499) != "p = 0.050" {
		t.Error(verdict(0.05), verdict(0.0499))
	}
}

// predict gives a record predictions of 100 test images, of which it names right those from one to another.
func predict(r *record.Record, from, to int) *record.Record {
	r.Result.Classes = []string{"a", "b"}
	r.Result.Last = record.Outcome{TestAccuracy: float64(to-from) / 100, TestCorrect: to - from, TestTotal: 100}
	r.Result.Predictions = nil
	for i := range 100 {
		p := record.Prediction{Path: fmt.Sprint(i), Label: i % 2, Class: i % 2, Probabilities: []float32{0.75, 0.25}}
		if i < from || i >= to {
			p.Class = 1 - p.Class
		}
		if p.Class == 1 {
			p.Probabilities = []float32{0.25, 0.75}
		}
		r.Result.Predictions = append(r.Result.Predictions, p)
	}
	return r
}

func TestTallies(t *testing.T) {
	entry := func(from, to int) Entry { return entryOf(predict(&record.Record{}, from, to)) }
	none := entryOf(&record.Record{})
	found, err := tallies([][]Pair{
		{{entry(0, 60), entry(0, 50)}},                               // 10 to 0: p = 2/1024
		{{entry(0, 50), entry(0, 60)}, {entry(0, 53), entry(3, 56)}}, // the same, and 3 to 3
		{{entry(0, 50), none}}, {},
		{{entry(0, 60), entry(0, 50)}, {entry(0, 50), entry(0, 60)}, {entry(0, 50), entry(0, 50)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		got = append(got, f.String())
	}
	// Holm's factor is 6, the number of tests.
	if want := []string{"p = 0.012", "worse in 1 of 2, p = 0.012", "not tested", "not tested", "better in 1, worse in 1 of 3, p = 0.012"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	other := entry(0, 50)
	other.Record.Result.Predictions[7].Path = "another"
	for _, pair := range []Pair{{entry(0, 50), none}, {none, none}, {entry(0, 50), other}} {
		if _, err := TestPairs([]Pair{pair}); err == nil {
			t.Error("different test images, or none, are tested")
		}
	}
}

func TestMeanOverRows(t *testing.T) {
	table := &Table{Name: "x", Labels: []string{"l"}, Columns: []string{"A", "B", "C"}}
	said, err := table.addMean([][]float64{{1, 2, 3, 4, 5, 6, 7}, {-1, 2, 3}, nil})
	if err != nil {
		t.Fatal(err)
	}
	row := table.Rows[0].Values
	// Of seven rows with one sign p is 2/128; Holm's factor is 2.
	if a := row[0]; a.Mean != 4 || a.Remark != "(n=7) p = 0.031" || row[1].Remark != "(n=3) within noise" || row[2].State != NotRun {
		t.Errorf("%+v", row)
	}
	if !strings.Contains(said, "columns: A +4.00 over 7 (p = 0.031); within noise: B +1.33 over 3; each row") {
		t.Error(said)
	}
}

func TestRDAgainstTheOthers(t *testing.T) {
	p, s, _ := tableWorld(t)
	finish := func(method string, seed uint64, from, to int) {
		c := Cell{Dataset: "busi-phantom", Student: "shufflenet", Method: method, Seed: seed}
		if method != "scratch" {
			c.Teacher = "mini-raddensenet"
		}
		if err := s.Finish(c, predict(recordOf(t, p.Matrix, c, 0), from, to)); err != nil {
			t.Fatal(err)
		}
	}
	for seed := uint64(1); seed <= 2; seed++ {
		finish("scratch", seed, 0, 58)
		finish("hint", seed, 0, 45)
		finish("rd", seed, 0, 60+int(seed))
	}
	table := results(t, p, s).Table3()
	if table.Name != "" || len(table.Beside) != 2 {
		t.Fatalf("%q, %d tables beside it", table.Name, len(table.Beside))
	}
	tests, metrics := table.Beside[0], table.Beside[1]
	if v := tests.value("BUSI ShuffleNet", "student scratch"); math.Abs(v.Mean-3.5) > 1e-9 || v.Remark != withinNoise || v.N != 2 || !v.Signed {
		t.Errorf("%+v", v)
	}
	if v := tests.value("BUSI ShuffleNet", "Hint"); v.Mean != 16.5 || v.Remark != "better in 2 of 2, p < 0.001" {
		t.Errorf("%+v", v)
	}
	if v := tests.value("mean over rows", "Hint"); v.Mean != 16.5 || v.Remark != "(n=1) within noise" {
		t.Errorf("%+v", v)
	}
	if tests.value("BUSI ShuffleNet", "RD") != nil || len(tests.Rows) != 2 {
		t.Errorf("%v, %d rows", tests.Columns, len(tests.Rows))
	}
	text := strings.Join(table.Notes, "\n")
	for _, want := range []string{"Bold against the next best", "beyond noise in 0 of 1 rows.", "within noise: student scratch +3.50 over 1, Hint +16.50 over 1; each row, tested on its test images: tests3.md"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if v := metrics.value("BUSI ShuffleNet mini-raddensenet (for RadDenseNet) RD", "accuracy"); v == nil || v.Mean != 61.5 || v.N != 2 {
		t.Errorf("%+v", v)
	}
	finish("scratch", 1, 0, 45)
	finish("scratch", 2, 0, 45)
	text = strings.Join(results(t, p, s).Table3().Notes, "\n")
	if !strings.Contains(text, "beyond noise in 1 of 1 rows: BUSI ShuffleNet mini-raddensenet (for RadDenseNet): RD over student scratch (better in 2 of 2, p < 0.001).") {
		t.Error(text)
	}
	dir := t.TempDir()
	if err := table.Write(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"table3", "tests3", "metrics"} {
		if written, err := filepath.Glob(filepath.Join(dir, name+".*")); err != nil || len(written) != 4 {
			t.Errorf("%v, %v", written, err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "tests3.tex")); err != nil || !strings.Contains(string(text), `\label{tab:tests3}`) {
		t.Errorf("%v\n%s", err, text)
	}
	// Predictions of the best epoch's students are not kept.
	best := p.Matrix.Training
	best.Report = "best"
	p.Matrix.Training = best
	table = results(t, p, s).Table3()
	if v := table.Beside[0].value("BUSI ShuffleNet", "Hint"); v.Remark != "not tested" {
		t.Errorf("%+v", v)
	}
}

func TestRanksAreSaid(t *testing.T) {
	p, s, put := tableWorld(t)
	for _, student := range []string{"shufflenet", "mobilenet"} {
		put(student, "scratch", 60)
		put(student, "hint", 50)
		put(student, "rd", 70)
	}
	// Two rows in which three methods rank alike: Friedman's χ² is 4 of 2 degrees of freedom, p = e⁻².
	if text := strings.Join(results(t, p, s).Table3().Notes, "\n"); !strings.Contains(text, "over the 2 rows that have these methods, 1 being the best: RD 1.00, student scratch 2.00, Hint 3.00. Friedman's test of all: within noise.") {
		t.Error(text)
	}
	k := Ranking{Labels: []string{"A", "B"}, Ranks: []float64{1, 2}, Rows: 9, Critical: 0.65, Friedman: 0.002}
	if text := k.String(); !strings.HasSuffix(text, "of all: p = 0.002; two whose ranks differ by less than 0.65, Nemenyi's critical difference at 5 %, are within noise of each other.") {
		t.Error(text)
	}
}

func TestComparisonSaysRDAgainstTheOthers(t *testing.T) {
	spec := testSpec(t)
	spec.Methods, spec.Teachers = []string{"scratch", "kd", "rd"}, []string{"a/one.onnx", "a/two.onnx"}
	for seed := uint64(1); seed <= 2; seed++ {
		for c, to := range map[Cell]int{{Method: "scratch"}: 40, {Method: "rd", Teacher: "one"}: 60 + int(seed), {Method: "kd", Teacher: "two"}: 50} {
			c.Student, c.Seed = "shufflenet", seed
			if err := predict(&record.Record{}, 0, to).Write(ReadStore(spec.Out).recordPath(c)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := Render(spec); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(spec.Out, "table.md"))
	if err != nil || !strings.Contains(string(text), "| shufflenet | rd, one | scratch | 2 | +21.5 ± 6.4, p = 0.015 | better in 2 of 2, p < 0.001 |") || strings.Contains(string(text), "| kd, two | 2 | +") {
		t.Errorf("%v\n%s", err, text)
	}
}
