package experiments

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rd/rdlib"
)

// sizeWorld is a plan with shares of the training images, and keeps records of accuracies at equal seeds, from seed 1.
func sizeWorld(t *testing.T, replace ...string) (*Plan, *Store, func(method string, share int, accuracies ...float64)) {
	t.Helper()
	m := tinyMatrix(t, append(replace, "seeds: 2\n", "seeds: 2\nrun:\n  - {}\n  - {datasets: [BUSI], students: [shufflenet], methods: [scratch, rd], shares: [50, 10]}\n")...)
	p, err := m.Plan(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	return p, s, func(method string, share int, accuracies ...float64) {
		t.Helper()
		for i, accuracy := range accuracies {
			c := Cell{Dataset: "busi-phantom", Student: "shufflenet", Method: method, Seed: uint64(i + 1), Share: share}
			if method == "rd" {
				c.Teacher = "mini-raddensenet"
			}
			r := recordOf(t, m, c, accuracy)
			if share != 0 {
				r.Result.Counts.Train = 300*share/100 + i
			}
			if err := s.Finish(c, r); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestTrainingSizes(t *testing.T) {
	p, s, put := sizeWorld(t)
	put("scratch", 10, 40, 44)
	put("rd", 10, 50, 50)
	put("scratch", 50, 60)
	put("scratch", 0, 70, 80)
	put("rd", 0, 71)
	curves := results(t, p, s).TrainingSizes()
	if len(curves) != 1 || len(curves[0].Points) != 3 || curves[0].Student != "ShuffleNet" || curves[0].Dataset != "BUSI" {
		t.Fatalf("%+v", curves)
	}
	ten, half, all := curves[0].Points[0], curves[0].Points[1], curves[0].Points[2]
	// Gains 10 and 6: mean 8, standard deviation √8, t(0.975; 1) = 12.7062.
	if ten.Share != 10 || ten.Gain.Mean != 8 || math.Abs(ten.Half.Mean-12.7062*2) > 1e-3 || ten.Scratch.Mean != 42 || ten.RD.N != 2 || !slices.Equal(ten.Images, []int{30, 31}) {
		t.Errorf("%+v", ten)
	}
	if half.Share != 50 || half.Gain.State != NotRun || half.Scratch.Mean != 60 || half.RD.State != NotRun || !slices.Equal(half.Images, []int{150}) {
		t.Errorf("%+v", half)
	}
	if all.Share != 100 || math.Abs(all.Gain.Mean-1) > 1e-9 || all.Gain.N != 1 || !math.IsNaN(all.Half.Mean) || all.Scratch.N != 2 {
		t.Errorf("%+v", all)
	}
}

func TestTrainingSizeTable(t *testing.T) {
	p, s, put := sizeWorld(t)
	put("scratch", 10, 40, 44)
	put("rd", 10, 50, 54)
	put("scratch", 0, 70, 80)
	put("rd", 0, 71, 75)
	put("rd", 50, 60)
	base, err := results(t, p, s).WriteTrainingSize()
	if err != nil || base != filepath.Join(s.dir, "training-size") {
		t.Fatal(base, err)
	}
	for ext, wants := range map[string][]string{
		".md": {
			"# Test accuracy (%) and gain", "| BUSI | ShuffleNet | mini-raddensenet (for RadDenseNet) | 10 % | 30–31 | 42.00 ± 2.83 (n=2) [1](records/busi-phantom/shufflenet-scratch-1-share10.json)",
			"| +10.00 (n=2) | 0.00 (n=2) | not tested (no spread) |", "| 50 % | 150 | not run | 60.00 (n=1) [1](records/busi-phantom/shufflenet-rd-mini-raddensenet-1-share50.json) | not run | not run | not run |",
			"| -2.00 (n=2) | 38.12 (n=2) | within noise |", "as many steps on every share",
		},
		".csv":  {"dataset,student,teacher,share,training images,student scratch,RD,gain,±,verdict", "10 %,30–31,42.00,52.00,10.00,0.00,not tested (no spread)"},
		".tex":  {`\label{tab:training-size}`, `10 \% & 30--31 &`},
		".html": {"<h1>Test accuracy (%) and gain"},
	} {
		text, err := os.ReadFile(base + ext)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(text), want) {
				t.Errorf("%q is not in\n%s", want, text)
			}
		}
	}
	p, s, _ = sizeWorld(t, "  steps: 2\n", "  epochs: 2\n")
	if notes := strings.Join(results(t, p, s).TrainingSizeTable().Notes, "\n"); !strings.Contains(notes, "fewer steps on a smaller one") {
		t.Error(notes)
	}
}

// Students of a share are no part of the tables of methods.
func TestSharesStayOutOfOtherTables(t *testing.T) {
	p, s, put := sizeWorld(t)
	put("scratch", 0, 70, 80)
	put("rd", 0, 71, 75)
	files := func() (all string) {
		if err := p.Render(s, nil); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"table3.md", "table3.csv", "table5.md", "table5.csv"} {
			text, err := os.ReadFile(filepath.Join(s.dir, name))
			if err != nil {
				t.Fatal(err)
			}
			all += string(text)
		}
		return all
	}
	before := files()
	put("scratch", 10, 1, 2)
	put("rd", 10, 3, 4)
	put("rd", 50, 99, 99)
	if after := files(); after != before {
		t.Errorf("%s\nis not\n%s", after, before)
	}
	status, err := p.Status(s)
	if err != nil || status.Counts.Done != 4+6 || status.Counts.Missing != len(p.Cells)-10 {
		t.Errorf("%+v, %v", status.Counts, err)
	}
	pairs := func() (n int) {
		entries, err := ReadEntries(s.dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range Gains(Pairs(entries, "rd", "scratch")) {
			n += g.Seeds
		}
		return n
	}
	if n := pairs(); n != 2+2 { // all images, 10 %
		t.Errorf("%d pairs", n)
	}
}

// A record at the place of another share is not counted.
func TestRecordsOfAnotherShareAreNotCounted(t *testing.T) {
	p, s, put := sizeWorld(t)
	put("rd", 10, 50)
	c := Cell{Dataset: "busi-phantom", Student: "shufflenet", Method: "rd", Teacher: "mini-raddensenet", Seed: 1, Share: 10}
	for _, share := range []int{0, 50} {
		strange := c
		strange.Share = share
		if err := s.Finish(c, recordOf(t, p.Matrix, strange, 50)); err != nil {
			t.Fatal(err)
		}
		r := results(t, p, s)
		if len(r.Strange) != 1 || !strings.Contains(r.Strange[0], "share of the training images is") || r.of(c).records[c] != nil {
			t.Errorf("%v", r.Strange)
		}
	}
}

func TestCheckTrainingSize(t *testing.T) {
	p, _, _ := sizeWorld(t)
	if err := p.CheckTrainingSize(); err != nil || !p.HasShares() {
		t.Error(err)
	}
	if err := tinyPlan(t).CheckTrainingSize(); rdlib.ExitCode(err) != rdlib.ExitUsage || !strings.Contains(err.Error(), "profile tiny") || tinyPlan(t).HasShares() {
		t.Error(err)
	}
}
