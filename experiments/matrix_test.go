package experiments

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rd/experiments/profiles"
	"rd/rdlib"
)

// tiny is a matrix that is right; tests change a part of it.
const tiny = `about: a test
data: phantom
training:
  size: 32
  batch: 8
  steps: 2
  width: 0.5
  views: 2
  learning_rate: 5e-3
  weight_decay: 0.01
  schedule: cosine
  plain_kd: 1
  report: last
  threads: 1
miniatures: {per_class: 6, share: 0.01}
datasets:
  - {name: BUSI, folders: [busi], phantom: busi, per_class: 20}
  - {name: BTC, folders: [btc], phantom: btc, per_class: 20}
teachers:
  - {name: mini-raddensenet, paper: RadDenseNet, miniature: true}
  - {name: other, file: models/other.onnx, datasets: [BUSI]}
students: [shufflenet, mobilenet]
methods:
  - {name: scratch}
  - {name: hint, options: {beta: 100}, source: a script}
  - {name: kd, options: {alpha: 0.9}, source: a script}
  - {name: rd}
seeds: 2
`

// variants of rd for the matrix.
const variants = `  - {name: direct+kd, method: rd, options: {cotrain: off, alpha: 0, cka: off}, source: a script}
  - {name: co-training, method: rd, options: {kd: off, cka: off}, source: a script}
  - {name: co-training+kd, method: rd, options: {cka: off}, source: a script}
  - {name: phi-depth-1, method: rd, options: {phi-depth: 1}, source: a script}
`

func tinyMatrix(t *testing.T, replace ...string) *Matrix {
	t.Helper()
	m, err := parseMatrix("tiny.yaml", []byte(strings.NewReplacer(replace...).Replace(tiny)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestProfilesAreRight(t *testing.T) {
	for _, name := range profiles.Names() {
		m, err := LoadMatrix(name)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if m.Name != name || m.About == "" {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func TestMistakesAreToldWithFileAndLine(t *testing.T) {
	for _, test := range []struct{ name, old, new, want string }{
		{"unknown field", "students: [", "studnets: [", `tiny.yaml:22: unknown field "studnets": did you mean "students"?`},
		{"unknown field within", "weight_decay", "weigth_decay", `tiny.yaml:10: unknown field "weigth_decay": did you mean "weight_decay"?`},
		{"unknown student", "[shufflenet, mobilenet]", "[shufflenet, mobilnet]", `tiny.yaml:22: unknown student "mobilnet": did you mean "mobilenet"?`},
		{"unknown method", "name: hint", "name: hnt", `tiny.yaml:25: unknown method "hnt": did you mean "hint"?`},
		{"unknown option", "{beta: 100}", "{bta: 100}", `tiny.yaml:25: method hint: unknown option "bta": did you mean "beta"?`},
		{"option out of range", "{beta: 100}", "{beta: -1}", `tiny.yaml:25: method hint: option beta=-1: it takes a number from 0`},
		{"options without source", ", source: a script}\n  - {name: kd", "}\n  - {name: kd", "tiny.yaml:25: method hint: its options have no source"},
		{"unknown phantom", "phantom: btc", "phantom: btcc", `tiny.yaml:18: unknown phantom "btcc": did you mean "btc"?`},
		{"unknown data set of a teacher", "datasets: [BUSI]}", "datasets: [BUS]}", `tiny.yaml:21: unknown data set "BUS": did you mean "BUSI"?`},
		{"unknown miniature", "name: mini-raddensenet", "name: mini-raddensnet", `tiny.yaml:20: unknown miniature "mini-raddensnet"`},
		{"unknown teacher of the paper", "paper: RadDenseNet", "paper: RadDensNet", `tiny.yaml:20: unknown teacher of the paper "RadDensNet": did you mean "RadDenseNet"?`},
		{"twice", "[shufflenet, mobilenet]", "[shufflenet, shufflenet]", `tiny.yaml:22: "shufflenet" stands twice`},
		{"method twice", "  - {name: rd}", "  - {name: rd}\n  - {name: rd}", `tiny.yaml:28: "rd" stands twice, in tiny.yaml:27 already`},
		{"a variant that names no method", "  - {name: rd}", "  - {name: rd}\n  - {name: rd-deep, options: {phi-depth: 3}, source: own}", `tiny.yaml:28: unknown method "rd-deep": did you mean "rkd"? A variant names the method it is of: method: rd`},
		{"a variant of no method", "  - {name: rd}", "  - {name: deep, method: hnt, options: {phi-depth: 3}, source: own}", `tiny.yaml:27: unknown method "hnt": did you mean "hint"?`},
		{"a variant with the name of another method", "  - {name: rd}", "  - {name: at, method: rd, options: {phi-depth: 3}, source: own}", "tiny.yaml:27: a variant of rd cannot be called at"},
		{"two variants of one name", "  - {name: rd}", "  - {name: deep, method: rd, options: {phi-depth: 3}, source: own}\n  - {name: deep, method: rd, options: {phi-depth: 4}, source: own}", `tiny.yaml:28: "deep" stands twice, in tiny.yaml:27 already`},
		{"a variant that is none", "  - {name: rd}", "  - {name: rd}\n  - {name: deep, method: rd, options: {phi-depth: 2}, source: own}", "tiny.yaml:28: deep is the same as rd in tiny.yaml:27"},
		{"a variant of an adaptation that is none", "  - {name: rd}", "  - {name: melo}\n  - {name: melo-again, method: melo}", "tiny.yaml:28: melo-again is the same as melo in tiny.yaml:27"},
		{"an option of a variant", "  - {name: rd}", "  - {name: deep, method: rd, options: {phi-dept: 3}, source: own}", `tiny.yaml:27: method rd: unknown option "phi-dept": did you mean "phi-depth"?`},
		{"schedule", "schedule: cosine", "schedule: cosin", "tiny.yaml:11: unknown learning-rate schedule \"cosin\""},
		{"learning rate", "learning_rate: 5e-3", "learning_rate: -1", "tiny.yaml:9: learning rate -1"},
		{"weight decay", "weight_decay: 0.01", "weight_decay: -1", "tiny.yaml:10: weight decay -1"},
		{"no size", "  size: 32\n", "", "tiny.yaml:3: size is not given"},
		{"size", "size: 32", "size: 4", "tiny.yaml:4: size 4 of the student's images"},
		{"steps below 0", "steps: 2", "steps: -2", "tiny.yaml:6: 0 epochs, -2 steps"},
		{"width", "width: 0.5", "width: -1", "tiny.yaml:7: "},
		{"views", "views: 2", "views: 3", "tiny.yaml:8: views 3"},
		{"resolution", "seeds: 2", "seeds: 2\nboundaries:\n  rows: 1\n  resolution: 1", "tiny.yaml:31: "},
		{"phantoms a class", "phantom: busi, per_class: 20", "phantom: busi,\n     per_class: 2", "tiny.yaml:18: data set BUSI: per_class 2"},
		{"report", "report: last", "report: lst", `tiny.yaml:13: training.report "lst": did you mean "last"?`},
		{"no length", "  steps: 2\n", "", "tiny.yaml:3: how long is it to train? Give epochs or steps"},
		{"both lengths", "  steps: 2\n", "  steps: 2\n  epochs: 2\n", "tiny.yaml:3: give epochs or steps, not both"},
		{"seeds", "seeds: 2", "seeds: 0", "tiny.yaml:28: seeds 0: 1 to 1000 are possible"},
		{"seeds that are no number", "seeds: 2", "seeds: two", "tiny.yaml:28: "},
		{"cells planned twice", "seeds: 2\n", "seeds: 2\nrun:\n  - {datasets: [BUSI]}\n  - {students: [mobilenet]}\n", "tiny.yaml:31: busi-phantom mobilenet scratch seed 1 is planned in tiny.yaml:30 already"},
		{"a share of all", "seeds: 2\n", "seeds: 2\nrun:\n  - {}\n  - shares: [10, 100]\n", "tiny.yaml:31: share 100: 1 to 99 per cent"},
		{"a share of nothing", "seeds: 2\n", "seeds: 2\nrun:\n  - {shares: [0]}\n", "tiny.yaml:30: share 0: 1 to 99 per cent"},
		{"a share that is no per cent", "seeds: 2\n", "seeds: 2\nrun:\n  - {shares: [0.25]}\n", "tiny.yaml:30: "},
		{"a share twice", "seeds: 2\n", "seeds: 2\nrun:\n  - {shares: [10, 25, 10]}\n", "tiny.yaml:30: share 10 stands twice"},
		{"shares planned twice", "seeds: 2\n", "seeds: 2\nrun:\n  - {shares: [10, 25], datasets: [BUSI]}\n  - {shares: [25], methods: [rd]}\n", "tiny.yaml:31: busi-phantom shufflenet rd, mini-raddensenet seed 1, 25 % of the training images is planned in tiny.yaml:30 already"},
		{"unknown name in a block", "seeds: 2\n", "seeds: 2\nrun:\n  - {datasets: [BUSY]}\n", `tiny.yaml:30: unknown data set "BUSY": did you mean "BUSI"?`},
		{"a file outside the root", "models/other.onnx", "../other.onnx", "tiny.yaml:21: file \"../other.onnx\" does not lie below the root"},
		{"a name with a slash", "name: other", "name: a/b", `name "a/b": slashes`},
		{"no YAML", "students: [", "students: [[", "tiny.yaml:"},
		{"batch", "  batch: 8", "  batch: 0", "tiny.yaml:5: batch 0: at least 2"},
		{"threads", "threads: 1", "threads: 0", "tiny.yaml:14: threads 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(tiny, test.old) {
				t.Fatalf("%q is not in the matrix", test.old)
			}
			_, err := parseMatrix("tiny.yaml", []byte(strings.Replace(tiny, test.old, test.new, 1)))
			if err == nil || !strings.Contains(err.Error(), test.want) || rdlib.ExitCode(err) != rdlib.ExitUsage {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	_, err := parseMatrix("tiny.yaml", []byte(strings.NewReplacer("name: hint", "name: hnt", "mobilenet]", "mobilnet]").Replace(tiny)))
	if err == nil || !strings.Contains(err.Error(), "hnt") || !strings.Contains(err.Error(), "mobilnet") {
		t.Error(err)
	}
}

func TestUnknownProfile(t *testing.T) {
	if _, err := LoadMatrix("quik"); err == nil || !strings.Contains(err.Error(), "quick") || rdlib.ExitCode(err) != rdlib.ExitUsage {
		t.Errorf("%v", err)
	}
}

func TestPlan(t *testing.T) {
	m := tinyMatrix(t)
	p, err := m.Plan(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	// 2 data sets × 2 students × (scratch, and three methods with the miniature) × 2 seeds
	if len(p.Cells) != 2*2*4*2 || p.Data != Phantom || p.OutFolder("results") != filepath.Join("results", "tiny") {
		t.Errorf("%d cells of %s in %s", len(p.Cells), p.Data, p.OutFolder("results"))
	}
	if first := p.Cells[0]; first.String() != "busi-phantom shufflenet scratch seed 1" {
		t.Errorf("the first cell is %s", first)
	}
	if slices.ContainsFunc(p.Cells, func(c Cell) bool { return c.Teacher == "other" }) {
		t.Error("a teacher from real images on phantoms")
	}
	p, err = m.Plan(Selection{Seeds: 1, Students: []string{"mobilenet"}, Tables: []int{5}, Datasets: []string{"BTC"}})
	if err != nil || len(p.Cells) != 2 {
		t.Errorf("%v, %v", p, err)
	}
	for _, s := range []Selection{{Students: []string{"mobilnet"}}, {Seeds: -1}, {Root: "nowhere"}, {Teachers: []string{"x"}}} {
		if _, err := m.Plan(s); rdlib.ExitCode(err) != rdlib.ExitUsage {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

func TestPlanOfShares(t *testing.T) {
	m := tinyMatrix(t, "seeds: 2\n", "seeds: 2\nrun:\n  - {}\n  - {datasets: [BUSI], students: [mobilenet], methods: [scratch, rd], seeds: 1, shares: [50, 10]}\n")
	p, err := m.Plan(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	whole := 2 * 2 * 4 * 2
	if len(p.Cells) != whole+4 || !slices.Equal(m.shares(), []int{10, 50}) {
		t.Fatalf("%d cells, shares %v", len(p.Cells), m.shares())
	}
	files := map[string]bool{}
	for _, c := range p.Cells {
		files[c.file()] = true
	}
	for _, want := range []string{"busi-phantom/mobilenet-scratch-1", "busi-phantom/mobilenet-scratch-1-share10", "busi-phantom/mobilenet-rd-mini-raddensenet-1-share50"} {
		if !files[want] {
			t.Errorf("no cell has the file %s", want)
		}
	}
	if len(files) != len(p.Cells) {
		t.Errorf("%d files of %d cells", len(files), len(p.Cells))
	}
	// What is one of the tables has all training images.
	for _, s := range []Selection{{Tables: []int{3}}, {Tables: []int{5}, Students: []string{"mobilenet"}}} {
		p, err := m.Plan(s)
		if err != nil || len(p.Cells) == 0 || slices.ContainsFunc(p.Cells, func(c Cell) bool { return c.Share != 0 }) {
			t.Errorf("%+v: %v, %v", s, p, err)
		}
	}
	if p, err := m.Plan(Selection{Seeds: 3, Methods: []string{"rd"}, Students: []string{"mobilenet"}, Datasets: []string{"BUSI"}}); err != nil || len(p.Cells) != 3+2*3 {
		t.Errorf("%v, %v", p, err)
	}
	if len(p.rows(3)) != len(tinyPlan(t).rows(3)) || slices.ContainsFunc(p.BoundaryCells(), func(c Cell) bool { return c.Share != 0 }) {
		t.Error("tables and Figure 2 know nothing of shares")
	}
	text := p.Describe(results(t, p, newStore(t)))
	if !strings.Contains(text, "busi-phantom, mobilenet, mini-raddensenet, 10 % of the training images: 1 to compute") || strings.Contains(text, "further cells") {
		t.Error(text)
	}
}

func tinyPlan(t *testing.T) *Plan {
	t.Helper()
	p, err := tinyMatrix(t).Plan(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlanOfRealData(t *testing.T) {
	m := tinyMatrix(t)
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "busi"), 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := m.Plan(Selection{Root: root})
	if err != nil || len(p.Cells) != 2*2 || len(p.Missing) != 2 || p.OutFolder("r") != filepath.Join("r", "tiny-real") { // scratch alone: no teacher is there
		t.Fatalf("%+v, %v", p, err)
	}
	if text := strings.Join(p.Missing, "\n"); !strings.Contains(text, "BTC") || !strings.Contains(text, filepath.Join("models", "other.onnx")) {
		t.Errorf("missing: %s", text)
	}
	if err := os.MkdirAll(filepath.Join(root, "models"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "models", "other.onnx"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if p, err = m.Plan(Selection{Root: root}); err != nil || len(p.Cells) != 2*4*2 || !slices.Equal(p.teacherFiles("busi"), []string{filepath.Join(root, "models", "other.onnx")}) {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestPlainKD(t *testing.T) {
	m := tinyMatrix(t)
	for method, want := range map[string]string{"hint": "1", "kd": "0.9", "rd": "", "scratch": ""} {
		entry, _ := named(m.Methods, MatrixMethod.name, method)
		if got := m.methodOptions(entry)["alpha"]; got != want {
			t.Errorf("%s: alpha %q, want %q", method, got, want)
		}
		if entry.Options["alpha"] == "1" {
			t.Errorf("%s: the matrix itself was changed", method)
		}
	}
}
