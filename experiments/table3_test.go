package experiments

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-gota/gota/dataframe"

	"rd/rdlib/model"
	"rd/rdlib/record"
)

// recordOf is a record of a cell as the matrix asks for it, with an accuracy in per cent.
func recordOf(t *testing.T, m *Matrix, c Cell, accuracy float64) *record.Record {
	t.Helper()
	student, err := model.New(c.Student, model.Config{Classes: 2, Width: m.Training.Width})
	if err != nil {
		t.Fatal(err)
	}
	r := &record.Record{}
	r.Result.Key = "key"
	r.Result.Config = record.Config{
		Dataset: record.Dataset{Name: c.Dataset, Phantom: strings.HasSuffix(c.Dataset, "-phantom"), TrainShare: c.share()}, Student: student.Name(), Width: m.Training.Width,
		Method: m.methodOf(c.Method), Views: m.Training.Views, Steps: m.Training.Steps, Batch: m.Training.Batch, Seeds: record.SameSeeds(c.Seed),
		Input: map[string]any{"height": m.Training.Size}, Backend: record.Backend{Threads: m.Training.Threads}, Epochs: m.Training.Epochs,
		Optimizer: record.Optimizer{LearningRate: m.Training.LearningRate, WeightDecay: m.Training.WeightDecay, Schedule: m.Training.Schedule},
	}
	if c.Teacher != "" {
		r.Result.Teacher = &record.Teacher{Name: c.Teacher, SHA256: "0123456789abcdef"}
	}
	r.Result.Counts = record.Counts{Train: 300, Validation: 40, Test: 100}
	r.Result.Last = record.Outcome{TestAccuracy: accuracy / 100, TestTotal: 100}
	return r
}

func tableWorld(t *testing.T) (*Plan, *Store, func(student, method string, accuracies ...float64)) {
	t.Helper()
	p, err := tinyMatrix(t).Plan(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	return p, s, func(student, method string, accuracies ...float64) {
		for i, accuracy := range accuracies {
			c := Cell{Dataset: "busi-phantom", Student: student, Method: method, Seed: uint64(i + 1)}
			if method != "scratch" {
				c.Teacher = "mini-raddensenet"
			}
			if err := s.Finish(c, recordOf(t, p.Matrix, c, accuracy)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func results(t *testing.T, p *Plan, s *Store) *Results {
	t.Helper()
	r, err := p.Results(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// value is the one of a row that begins with the labels, in the column of a heading.
func (t *Table) value(labels string, column string) *Value {
	for i := range t.Rows {
		for k, name := range t.Columns {
			if name == column && strings.HasPrefix(strings.Join(t.Rows[i].Labels, " "), labels) {
				return &t.Rows[i].Values[k]
			}
		}
	}
	return nil
}

func TestTable3(t *testing.T) {
	p, s, put := tableWorld(t)
	put("shufflenet", "scratch", 60, 64)
	put("shufflenet", "hint", 70, 70)
	put("shufflenet", "rd", 66, 68)
	failed := Cell{Dataset: "busi-phantom", Student: "shufflenet", Method: "kd", Teacher: "mini-raddensenet", Seed: 1}
	if err := s.Fail(failed, errors.New("loss is not finite"), ""); err != nil {
		t.Fatal(err)
	}
	table := results(t, p, s).Table3()
	row := "BUSI ShuffleNet"
	if v := table.value(row, "student scratch"); v.Mean != 62 || math.Abs(v.SD-2*math.Sqrt2) > 1e-12 || v.N != 2 || v.Rank != 0 || v.Paper != 81.82 || len(v.Records) != 2 {
		t.Errorf("scratch: %+v", v)
	}
	if v := table.value(row, "Hint"); v.Rank != 1 || v.Paper != 83.77 || v.SameAs {
		t.Errorf("hint: %+v", v)
	}
	if v := table.value(row, "RD"); v.Rank != 2 || v.Paper != 85.71 {
		t.Errorf("rd: %+v", v)
	}
	if v := table.value(row, "KD"); v.State != Failed || len(v.Failures) != 1 || !math.IsNaN(v.Paper) {
		t.Errorf("kd: %+v", v)
	}
	if v := table.value(row, "teacher fine-tuned"); v.State != NotRun || v.Paper != 86.36 {
		t.Errorf("fine-tuned: %+v", v)
	}
	if v := table.value("BTC MobileNet", "RD"); v.State != NotRun || v.Paper != 79.95 {
		t.Errorf("not run: %+v", v)
	}
	for format, want := range map[string][]string{
		table.markdown(): {"**70.00 ± 0.00** [1](records/busi-phantom/shufflenet-hint-mini-raddensenet-1.json)", "<u>67.00 ± 1.41</u>", "paper 85.71†", "failed [1](records/busi-phantom/shufflenet-kd-mini-raddensenet-1.failed.json)", "no claim about real data"},
		table.latex():    {`\toprule`, `\textbf{70.00 $\pm$ 0.00}`, `\underline{67.00 $\pm$ 1.41}`, `85.71$^\dagger$`, "% records/busi-phantom/shufflenet-scratch-1.json"},
	} {
		for _, text := range want {
			if !strings.Contains(format, text) {
				t.Errorf("%q is not in\n%s", text, format)
			}
		}
	}
	html, err := table.html()
	if err != nil || !strings.Contains(string(html), `<strong>70.00 ± 0.00</strong>`) || !strings.Contains(string(html), `href="records/busi-phantom/shufflenet-hint-mini-raddensenet-1.json"`) {
		t.Errorf("%v\n%s", err, html)
	}
	csv, err := table.csv()
	if err != nil {
		t.Fatal(err)
	}
	frame := dataframe.ReadCSV(strings.NewReader(string(csv)))
	if frame.Err != nil || frame.Nrow() != len(table.Rows) || frame.Col("RD").Float()[0] != 67 || frame.Col("KD state").Records()[0] != "failed" || frame.Col("RD n").Records()[0] != "2" {
		t.Errorf("%v\n%s", frame.Err, csv)
	}
}

func TestTable5(t *testing.T) {
	p, s, put := tableWorld(t)
	put("shufflenet", "scratch", 60, 64)
	put("shufflenet", "rd", 66, 68)
	put("mobilenet", "scratch", 50, 50)
	put("mobilenet", "rd", 52, 54)
	// Gains: seed 1 (6+2)/2 = 4, seed 2 (4+4)/2 = 4.
	table := results(t, p, s).Table5()
	if v := table.value("mini-raddensenet", "BUSI"); v.Mean != 4 || v.SD != 0 || v.N != 2 || v.Paper != 5.19 || len(v.Records) != 8 || v.Remark != "not tested (no spread)" {
		t.Errorf("%+v", v)
	}
	if v := table.value("images", "BUSI"); v.Text != "440" {
		t.Errorf("%+v", v)
	}
	if v := table.value("mini-raddensenet", "BTC"); v.State != NotRun || v.Paper != 1.86 || v.Records != nil {
		t.Errorf("%+v", v)
	}
	put("shufflenet", "rd", 66, 50)
	if v := results(t, p, s).Table5().value("mini-raddensenet", "BUSI"); v.Remark != "within noise" {
		t.Errorf("%+v", v)
	}
}

func TestRecordsOfAnotherConfigurationAreNotCounted(t *testing.T) {
	p, s, put := tableWorld(t)
	put("shufflenet", "scratch", 60, 64)
	c := Cell{Dataset: "busi-phantom", Student: "shufflenet", Method: "scratch", Seed: 1}
	for what, change := range map[string]func(*record.Config){
		"steps":   func(c *record.Config) { c.Steps = 9 },
		"batch":   func(c *record.Config) { c.Batch = 9 },
		"size":    func(c *record.Config) { c.Input = map[string]any{"height": 64} },
		"student": func(c *record.Config) { c.Student = "resnet18" },
		"phantom": func(c *record.Config) { c.Dataset.Phantom = false },
		"threads": func(c *record.Config) { c.Backend.Threads = 9 },
		"seeds":   func(c *record.Config) { c.Seeds.Split = 9 },
	} {
		r := recordOf(t, p.Matrix, c, 99)
		change(&r.Result.Config)
		if err := s.Finish(c, r); err != nil {
			t.Fatal(err)
		}
		found := results(t, p, s)
		table := found.Table3()
		if v := table.value("BUSI ShuffleNet", "student scratch"); v.N != 1 || v.Mean != 64 || len(found.Strange) != 1 || !strings.Contains(found.Strange[0], what) || !strings.Contains(table.markdown(), "Not counted") {
			t.Errorf("%s: %+v, %v", what, v, found.Strange)
		}
	}
	hint := Cell{Dataset: "busi-phantom", Student: "shufflenet", Method: "hint", Teacher: "mini-raddensenet", Seed: 1}
	r := recordOf(t, p.Matrix, hint, 99)
	r.Result.Config.Options = map[string]any{"beta": 1.0}
	if err := s.Finish(hint, r); err != nil {
		t.Fatal(err)
	}
	if found := results(t, p, s); found.records[hint] != nil {
		t.Error("a record with another option counts")
	}
}

func TestWhatTheMethodsOfATableMustShare(t *testing.T) {
	p, s, put := tableWorld(t)
	put("shufflenet", "scratch", 60, 64)
	put("shufflenet", "rd", 66, 68)
	if text := results(t, p, s).Table3().markdown(); strings.Contains(text, "NOT THE SAME") {
		t.Error(text)
	}
	c := Cell{Dataset: "busi-phantom", Student: "shufflenet", Method: "rd", Teacher: "mini-raddensenet", Seed: 2}
	r := recordOf(t, p.Matrix, c, 68)
	r.Result.Config.Dataset.Manifest = "other images"
	r.Result.Teacher.SHA256 = "another file"
	if err := s.Finish(c, r); err != nil {
		t.Fatal(err)
	}
	if text := results(t, p, s).Table3().markdown(); !strings.Contains(text, "NOT THE SAME in all records: file of teacher mini-raddensenet, images of busi-phantom") {
		t.Error(text)
	}
}

func TestTheSameRecordsGiveTheSameFiles(t *testing.T) {
	p, s, put := tableWorld(t)
	put("shufflenet", "scratch", 60, 64)
	put("shufflenet", "hint", 61, 70)
	put("mobilenet", "rd", 66, 68)
	var first map[string]string
	for range 3 {
		if err := p.Render(ReadStore(s.dir), nil); err != nil {
			t.Fatal(err)
		}
		files := map[string]string{}
		for _, name := range []string{"table3.md", "table3.csv", "table3.tex", "table3.html", "table4.md", "table4.csv", "table5.md", "table5.csv", "table5.tex", "table5.html"} {
			data, err := os.ReadFile(filepath.Join(s.dir, name))
			if err != nil {
				t.Fatal(err)
			}
			files[name] = string(data)
			if first != nil && first[name] != files[name] {
				t.Errorf("%s differs", name)
			}
		}
		first = files
	}
}

func TestPaperComparison(t *testing.T) {
	v := Value{Mean: 86, SD: math.NaN(), N: 1, Paper: 85.71, SameAs: true}
	if got := v.paper(); got != "85.71 (+0.29)" {
		t.Error(got)
	}
	v.SameAs = false
	if got := v.paper(); got != "85.71†" {
		t.Error(got)
	}
	m := tinyMatrix(t, "size: 32", "size: 224", "  steps: 2\n", "  epochs: 240\n", "data: phantom", "data: real", "file: models/other.onnx, ", "file: models/other.onnx, paper: LVM-Med, original: true, ")
	p := &Plan{Matrix: m, Data: Real}
	if !p.comparable("other") || !p.comparable("") || p.comparable("mini-raddensenet") {
		t.Error("which values may be compared with the paper's")
	}
	if p.Data = Phantom; p.comparable("") {
		t.Error("phantoms are compared with the paper")
	}
}

// TestWideTablesAreParted has no column of a wide table lost, and none twice.
func TestWideTablesAreParted(t *testing.T) {
	for columns, want := range map[int][]int{0: {0}, 1: {1}, 8: {8}, 9: {4, 5}, 16: {8, 8}, 17: {5, 6, 6}} {
		table := &Table{Number: 9, Title: "Title", Labels: []string{"row"}}
		row := TableRow{Labels: []string{"r"}}
		for i := range columns {
			table.Columns = append(table.Columns, fmt.Sprintf("head%02d", i))
			row.Values = append(row.Values, wordsValue(fmt.Sprintf("value%02d", i)))
		}
		table.Rows, table.Notes = []TableRow{row}, []string{"a note"}
		var sizes []int
		text := table.latex()
		for _, part := range strings.Split(text, "\\toprule")[1:] {
			sizes = append(sizes, strings.Count(part, "head"))
			if strings.Count(part, "value") != strings.Count(part, "head") || !strings.Contains(part, "r &") && columns > 0 {
				t.Errorf("%d columns, a part: %s", columns, part)
			}
		}
		if !slices.Equal(sizes, want) {
			t.Errorf("%d columns in parts of %v, want %v", columns, sizes, want)
		}
		for i := range columns {
			if name := fmt.Sprintf("head%02d", i); strings.Count(text, name) != 1 {
				t.Errorf("%d columns: %s stands %d times", columns, name, strings.Count(text, name))
			}
		}
		floats := strings.Count(text, "\\begin{table}") + strings.Count(text, "\\begin{table*}")
		if floats != len(want) || strings.Count(text, "a note") != 1 || strings.Count(text, "\\label{") != 1 || strings.Count(text, "\\addtocounter{table}{-1}") != len(want)-1 {
			t.Errorf("%d columns: %s", columns, text)
		}
		if wide := strings.Contains(text, "\\begin{table*}"); wide != (columns >= 6) {
			t.Errorf("%d columns: across both text columns: %v", columns, wide)
		}
	}
}

func TestNamesAreEscaped(t *testing.T) {
	table := &Table{Number: 9, Title: `a_b & <i>`, Labels: []string{"x"}, Columns: []string{"50 %"}, Rows: []TableRow{{[]string{`$\x|*<script>`}, []Value{absent(NotRun, math.NaN())}}}}
	html, err := table.html()
	if err != nil || strings.Contains(string(html), "<script>") || strings.Contains(string(html), "<i>") {
		t.Errorf("%s, %v", html, err)
	}
	if text := table.latex(); !strings.Contains(text, `a\_b \& \textless{}i\textgreater{}`) || !strings.Contains(text, `\$\textbackslash{}x\textbar{}*\textless{}script\textgreater{}`) || !strings.Contains(text, `50 \%`) {
		t.Error(text)
	}
	if text := table.markdown(); !strings.Contains(text, `$\\x\|\*&lt;script&gt;`) {
		t.Error(text)
	}
}
