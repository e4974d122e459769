package experiments

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rd/rdlib"
	"rd/rdlib/record"
)

// adaptedMatrix is the tiny matrix with a transformer that can be adapted.
func adaptedMatrix(t *testing.T, replace ...string) *Matrix {
	t.Helper()
	return tinyMatrix(t, append(replace, "name: mini-raddensenet, paper: RadDenseNet", "name: mini-lvm-med, paper: LVM-Med",
		"  - {name: rd}\n", "  - {name: rd}\n  - {name: finetune}\n  - {name: melo, options: {rank: 4}, source: a script}\n",
		"seeds: 2", "adaptation: {steps: 3, learning_rate: 1e-3, weight_decay: 0, schedule: cosine, student: {name: sp, options: {beta: 1}, source: own}}\nseeds: 2")...)
}

func TestTable4(t *testing.T) {
	m := adaptedMatrix(t)
	p, err := m.Plan(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	// Beside the 32 of the other methods: melo on each data set and student, the teacher fine-tuned once a data set.
	if len(p.Cells) != 32+2*2*2+2*2 {
		t.Errorf("%d cells", len(p.Cells))
	}
	s := newStore(t)
	put := func(student, method string, accuracies ...float64) {
		for i, accuracy := range accuracies {
			c := Cell{Dataset: "busi-phantom", Student: student, Method: method, Teacher: "mini-lvm-med", Seed: uint64(i + 1)}
			r := &record.Record{}
			if student != theTeacher {
				r = recordOf(t, m, c, accuracy)
			}
			switch {
			case student == theTeacher:
				r.Result.Config = record.Config{Dataset: record.Dataset{Phantom: true}, Method: method, Steps: 3, Batch: 8, Seeds: record.SameSeeds(c.Seed), Backend: record.Backend{Threads: 1},
					Optimizer: record.Optimizer{LearningRate: 1e-3, Schedule: "cosine"}}
				r.Result.Last.TestAccuracy = accuracy / 100
			case method == "melo":
				r.Result.Config.Method, r.Result.Config.Options = "sp", map[string]any{"beta": 1.0}
			}
			if err := s.Finish(c, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("shufflenet", "rd", 60, 62)
	put("shufflenet", "melo", 50, 54)
	put(theTeacher, rdlib.FineTune, 90)
	found := results(t, p, s)
	if len(found.Strange) > 0 {
		t.Fatal(found.Strange)
	}
	if unequal := found.unequal(); unequal != nil {
		t.Errorf("an adaptation is taken for a difference: %v", unequal)
	}
	table := found.Table4()
	if v := table.value("BUSI ShuffleNet", "MeLo"); v.Mean != 52 || v.N != 2 || v.Rank != 2 || v.Paper != 83.77 || v.SameAs {
		t.Errorf("%+v", v)
	}
	if v := table.value("BUSI ShuffleNet", "RD"); v.Mean != 61 || v.Rank != 1 || v.Paper != 85.71 {
		t.Errorf("%+v", v)
	}
	if v := table.value("Average of 1 complete rows", "RD"); v.Mean != 61 || !math.IsNaN(v.Paper) {
		t.Errorf("the paper's average is of other rows: %+v", v)
	}
	if v := table.value("BTC MobileNet", "MeLo"); v.State != NotRun || v.Paper != 76.65 {
		t.Errorf("%+v", v)
	}
	if text := table.markdown(); !strings.Contains(text, "repeats BTC/AdaptFormer") || !strings.Contains(text, "sp beta 1") {
		t.Error(text)
	}
	three := found.Table3()
	if v := three.value("BUSI ShuffleNet", "teacher fine-tuned"); v.Mean != 90 || v.Paper != 94.16 {
		t.Errorf("%+v", v)
	}
	if v := three.value("BUSI ShuffleNet", "MeLo"); v != nil {
		t.Error("MeLo stands in Table 3")
	}
	if text := strings.Join(table.Notes, "\n"); strings.Contains(text, "Average ranks") {
		t.Error("methods are ranked over one row")
	}
	put("mobilenet", "rd", 53)
	put("mobilenet", "melo", 54)
	if text := strings.Join(results(t, p, s).Table4().Notes, "\n"); !strings.Contains(text, "Average ranks over the 2 rows that have these methods, 1 being the best: MeLo 1.50, RD 1.50.") {
		t.Error(text)
	}
	// A student of a teacher that was adapted otherwise is not counted.
	c := Cell{Dataset: "busi-phantom", Student: "shufflenet", Method: "melo", Teacher: "mini-lvm-med", Seed: 1}
	if err := s.Finish(c, recordOf(t, m, c, 99)); err != nil {
		t.Fatal(err)
	}
	if v := results(t, p, s).Table4().value("BUSI ShuffleNet", "MeLo"); v.N != 1 || math.Abs(v.Mean-54) > 1e-9 {
		t.Errorf("%+v", v)
	}
}

// TestPapersAverage has the paper's average beside the mean over all of its rows, and over no others.
func TestPapersAverage(t *testing.T) {
	for _, test := range []struct {
		name    string
		replace []string
		paper   float64
	}{
		{"the paper's rows", nil, 82.82},
		{"a row less", []string{"{name: BTC, folders", "{name: another, folders"}, math.NaN()},
		{"another teacher", []string{"name: mini-raddensenet, paper: RadDenseNet", "name: mini-lvm-med"}, math.NaN()},
	} {
		m := adaptedMatrix(t, append(test.replace, "students: [", "students: [resnet18, ",
			"teachers:\n", "  - {name: ISIC, folders: [isic], phantom: isic2018, per_class: 20}\n  - {name: COVID, folders: [covid], phantom: covid_ct, per_class: 20}\nteachers:\n")...)
		p, err := m.Plan(Selection{})
		if err != nil {
			t.Fatal(err)
		}
		r := &Results{plan: p, store: newStore(t), seeds: 1, records: map[Cell]*record.Record{}}
		for _, c := range p.Cells {
			if c.Student != theTeacher && c.Seed == 1 {
				r.records[c] = recordOf(t, m, c, 80)
			}
		}
		table := r.Table4()
		v := table.value("Average of 12 complete rows", "RD")
		if v == nil || v.Mean != 80 || v.Paper != test.paper && !(math.IsNaN(v.Paper) && math.IsNaN(test.paper)) {
			t.Errorf("%s: %+v", test.name, v)
		}
		if test.name == "another teacher" && strings.Contains(table.markdown(), "repeats BTC/AdaptFormer") {
			t.Errorf("%s: doubts about values that are not there", test.name)
		}
	}
}

func TestAdaptationIsChecked(t *testing.T) {
	for _, test := range []struct{ old, new, want string }{
		{"steps: 3,", "", "how long are teachers to be adapted?"},
		{"learning_rate: 1e-3", "\n  learning_rate: 0", "tiny.yaml:31: learning rate 0"},
		{"student: {name: sp,", "student: {name: spp,", `unknown method "spp": did you mean "sp"?`},
		{"{beta: 1}", "{bta: 1}", `unknown option "bta"`},
		{"{rank: 4}", "{rnk: 4}", `unknown option "rnk": did you mean "rank"?`},
		{"name: melo", "name: mello", `unknown method "mello": did you mean "melo"?`},
	} {
		text := strings.NewReplacer("  - {name: rd}\n", "  - {name: rd}\n  - {name: finetune}\n  - {name: melo, options: {rank: 4}, source: a script}\n",
			"seeds: 2", "adaptation: {steps: 3, learning_rate: 1e-3, weight_decay: 0, schedule: cosine, student: {name: sp, options: {beta: 1}, source: own}}\nseeds: 2").Replace(tiny)
		if !strings.Contains(text, test.old) {
			t.Fatalf("%q is not in the matrix", test.old)
		}
		if _, err := parseMatrix("tiny.yaml", []byte(strings.Replace(text, test.old, test.new, 1))); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.new, err)
		}
	}
}

// SAM's encoder is adapted as any transformer, and the table says that its feature is a mean.
func TestTable4OfSAM(t *testing.T) {
	m := adaptedMatrix(t, "file: models/other.onnx,", "file: models/other.onnx, architecture: vit_sam, paper: LVM-Med,")
	root := t.TempDir()
	for _, folder := range []string{"busi", "models"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "models", "other.onnx"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := m.Plan(Selection{Root: root, Tables: []int{4}, Methods: []string{"melo"}})
	if err != nil || len(p.Cells) != 2*2 { // students, seeds
		t.Fatalf("%v, %v", p, err)
	}
	if text := results(t, p, newStore(t)).Table4().markdown(); !strings.Contains(text, "other is mean-pooled: the teacher has no class token") {
		t.Error(text)
	}
}
