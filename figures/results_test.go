package figures

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/plot"

	"rd/experiments"
	"rd/rdlib/model"
	"rd/rdlib/record"
)

// The names in this profile are those that a format would read as markup.
const awkwardProfile = `
about: test
data: phantom
training: {size: 32, batch: 8, steps: 6, width: 0.25, views: 1, learning_rate: 1e-3, weight_decay: 0, schedule: cosine, report: last, threads: 1}
miniatures: {per_class: 6, share: 0.01}
datasets:
  - {name: "A & B <i>50 %_{x}^$ #~", phantom: busi, per_class: 20}
  - {name: "a name that is longer than any column of any figure could ever be, φ ≤ ±", phantom: busi, per_class: 20}
teachers: [{name: mini-raddensenet, miniature: true}, {name: mini-lvm-med, miniature: true}]
students: [resnet18, shufflenet]
methods: [{name: scratch}, {name: hint}, {name: kd}, {name: rd}]
seeds: 2
`

// awkwardResults are those of a profile of which a share of the cells has records.
func awkwardResults(t *testing.T, share int) *experiments.Results {
	t.Helper()
	dir := t.TempDir()
	profile := filepath.Join(dir, "test.yaml")
	if err := os.WriteFile(profile, []byte(awkwardProfile), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := experiments.LoadMatrix(profile)
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Plan(experiments.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	store, err := experiments.OpenStore(filepath.Join(dir, "results"))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range p.Cells {
		if share == 0 || i%share != 0 {
			continue
		}
		if err := store.Finish(c, awkwardRecord(t, c, i)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := p.Results(store)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Strange) > 0 {
		t.Fatal(r.Strange)
	}
	return r
}

func awkwardRecord(t *testing.T, c experiments.Cell, i int) *record.Record {
	t.Helper()
	student, err := model.New(c.Student, model.Config{Classes: len(awkward), Width: 0.25})
	if err != nil {
		t.Fatal(err)
	}
	r := &record.Record{}
	r.Result.Key = "key"
	r.Result.Classes = awkward
	s := c.Seed
	r.Result.Config = record.Config{
		Dataset: record.Dataset{Name: c.Dataset, Phantom: true}, Student: student.Name(), Width: 0.25, Method: c.Method, Views: 1, Steps: 6, Batch: 8,
		Seeds: record.Seeds{Split: s, Init: s, Order: s, Augmentation: s}, Input: map[string]any{"height": 32}, Backend: record.Backend{Threads: 1},
		Optimizer: record.Optimizer{LearningRate: 1e-3, Schedule: "cosine"},
	}
	if c.Method == "rd" {
		r.Result.Curves = append(r.Result.Curves, record.Epoch{Phase: "reprogram", Epoch: 1, TrainAccuracy: 1}) // without validation
	}
	for epoch := 1; epoch <= 5; epoch++ {
		v := 0.3 + 0.1*float64(epoch) + 0.01*float64(i%7)
		e := record.Epoch{Phase: "student", Epoch: epoch, TrainAccuracy: v, ValidationAccuracy: &v, Parts: map[string]float64{"ce_s": 1}}
		if c.Method == "rd" {
			e.Parts["cka"] = -v
		}
		r.Result.Curves = append(r.Result.Curves, e)
	}
	r.Result.Last = record.Outcome{TestAccuracy: 0.5 + 0.01*float64(i%9), TestTotal: 100}
	for k := range 20 {
		r.Result.Predictions = append(r.Result.Predictions, record.Prediction{Label: k % len(awkward), Class: (k * k) % len(awkward)})
	}
	return r
}

func TestFiguresOfResults(t *testing.T) {
	for what, share := range map[string]int{"no record": 0, "some": 3, "all": 1} {
		r := awkwardResults(t, share)
		for name, draw := range map[string]func(*experiments.Results, string) error{"curves": Curves, "cka": CKA, "parameters": Parameters, "confusion": Confusions} {
			base := filepath.Join(t.TempDir(), "figures", name)
			if err := draw(r, base); err != nil {
				t.Errorf("%s, %s: %v", name, what, err)
				continue
			}
			rendered(t, base)
		}
	}
}

func TestStudentPhase(t *testing.T) {
	r := awkwardRecord(t, experiments.Cell{Student: "shufflenet", Method: "rd", Seed: 1}, 0)
	if got := studentPhase(r); len(got) != 5 || got[0].Phase != "student" {
		t.Errorf("the student's phase is %v", got)
	}
	if got := studentPhase(&record.Record{}); len(got) != 0 {
		t.Errorf("of a record without curves: %v", got)
	}
}

func TestGroups(t *testing.T) {
	groups, err := awkwardResults(t, 1).Groups()
	if err != nil || len(groups) != 8 {
		t.Fatalf("%d groups, %v; want 2 data sets × 2 students × 2 teachers", len(groups), err)
	}
	for _, g := range groups {
		if len(g.Series) != 4 || len(g.Series[3].Records) != 2 || g.Series[0].Label != "student scratch" || g.Parameters < 1000 {
			t.Errorf("%s, %s, %s: %d series of %d parameters", g.Dataset, g.Student, g.Teacher, len(g.Series), g.Parameters)
		}
	}
}

func TestConfusionWithAwkwardNames(t *testing.T) {
	c := experiments.Cell{Student: "shufflenet", Method: "rd", Seed: 1}
	base := filepath.Join(t.TempDir(), "confusion")
	if err := ConfusionMatrix(&awkwardRecord(t, c, 1).Result, base); err != nil {
		t.Fatal(err)
	}
	rendered(t, base)
}

func TestRoundTicks(t *testing.T) {
	for _, c := range []struct {
		least, most float64
		whole       bool
		want        string
	}{
		{1, 4, true, "1 2 3 4"}, {1, 240, true, "50 100 150 200"}, {0, 1, false, "0 0.2 0.4 0.6 0.8 1"}, {61.2, 88.9, false, "65 70 75 80 85"},
		{1, 1.5, true, "1"}, {3, 3, false, "3"}, {-1.5, 16, false, "0 5 10 15"}, {-6, 6, false, "-6 -4 -2 0 2 4 6"},
	} {
		var labels []string
		for _, tick := range (roundTicks{c.whole}).Ticks(c.least, c.most) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("from %g to %g: %q, want %q", c.least, c.most, got, c.want)
		}
	}
	var _ plot.Ticker = roundTicks{}
}
