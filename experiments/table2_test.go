package experiments

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rd/experiments/profiles"
	"rd/rdlib"
)

// ablatedPlan is the tiny matrix with variants of rd, on COVID where the paper has its ablation, and on BTC without.
func ablatedPlan(t *testing.T, s Selection) *Plan {
	t.Helper()
	m := tinyMatrix(t, "name: BUSI,", "name: COVID,", "datasets: [BUSI]", "datasets: [COVID]", "  - {name: rd}\n", variants+"  - {name: rd}\n  - {name: direct}\n",
		"seeds: 2\n", "seeds: 2\nrun:\n  - {datasets: [COVID], students: [shufflenet]}\n  - {datasets: [BTC], methods: [scratch, direct, rd]}\n")
	p, err := m.Plan(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlanOfVariants(t *testing.T) {
	// COVID: scratch, hint, kd, rd, direct and four variants; BTC: scratch, direct and rd of two students; two seeds each.
	p := ablatedPlan(t, Selection{})
	if len(p.Cells) != 2*9+2*2*3 {
		t.Errorf("%d cells", len(p.Cells))
	}
	c := Cell{Dataset: "covid-phantom", Student: "shufflenet", Method: "direct+kd", Teacher: "mini-raddensenet", Seed: 1}
	if !slices.Contains(p.Cells, c) || c.file() != "covid-phantom/shufflenet-direct+kd-mini-raddensenet-1" {
		t.Errorf("%s is not planned", c)
	}
	if got := p.Matrix.methodOf("direct+kd"); got != "rd" {
		t.Errorf("direct+kd is a variant of %s", got)
	}
	for table, want := range map[int]int{2: 2 * 6, 3: 2*5 + 2*2*3, 5: 2*2 + 2*2*2} {
		if p := ablatedPlan(t, Selection{Tables: []int{table}}); len(p.Cells) != want {
			t.Errorf("Table %d: %d cells, want %d: %v", table, len(p.Cells), want, p.Cells)
		}
	}
	if p := ablatedPlan(t, Selection{Methods: []string{"phi-depth-1"}, Seeds: 1}); len(p.Cells) != 1 {
		t.Errorf("%v", p.Cells)
	}
	if slices.ContainsFunc(p.BoundaryCells(), p.ablates) {
		t.Error("Figure 2 shows a variant")
	}
}

func TestNoTable2WithoutVariants(t *testing.T) {
	m := tinyMatrix(t)
	if _, err := m.Plan(Selection{Tables: []int{3, 2}}); rdlib.ExitCode(err) != rdlib.ExitUsage || !strings.Contains(err.Error(), "no variant") {
		t.Errorf("%v", err)
	}
	p, s, _ := tableWorld(t)
	if err := p.Render(s, nil); err != nil || isFile(filepath.Join(s.dir, "table2.csv")) || !isFile(filepath.Join(s.dir, "table3.csv")) {
		t.Errorf("%v", err)
	}
}

func TestTable2(t *testing.T) {
	p, s := ablatedPlan(t, Selection{}), newStore(t)
	put := func(method string, accuracies ...float64) {
		for i, accuracy := range accuracies {
			c := Cell{Dataset: "covid-phantom", Student: "shufflenet", Method: method, Teacher: "mini-raddensenet", Seed: uint64(i + 1)}
			if err := s.Finish(c, recordOf(t, p.Matrix, c, accuracy)); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("direct", 50, 54)
	put("co-training", 60, 64)
	put("co-training+kd", 61, 69)
	put("rd", 70, 70)
	put("phi-depth-1", 66, 66)
	table := results(t, p, s).Table2()
	row := func(name string) string { return "COVID ShuffleNet mini-raddensenet (for RadDenseNet) " + name + " " }
	var order []string
	for _, r := range table.Rows {
		order = append(order, strings.Join(r.Labels[3:], " "))
	}
	want := []string{"direct 1 0 0 0 ", "direct+kd 1 0 1 0 direct", "co-training 0 1 0 0 direct", "co-training+kd 0 1 1 0 co-training", "rd (default) 0 1 1 1 co-training+kd", "phi-depth-1 0 1 1 1 rd (default)"}
	if !slices.Equal(order, want) {
		t.Errorf("rows %q, want %q", order, want)
	}
	for name, want := range map[string][3]float64{ // accuracy, gain, the paper's
		"direct": {52, math.NaN(), 75.86}, "co-training": {62, 10, 80.79}, "co-training+kd": {65, 3, 82.27}, "rd": {70, 5, 85.71}, "phi-depth-1": {66, -4, math.NaN()},
	} {
		if name == "rd" {
			name = "rd (default)"
		}
		a, g := table.value(row(name), "accuracy"), table.value(row(name), "gain")
		same := func(x, y float64) bool { return x == y || math.IsNaN(x) && math.IsNaN(y) }
		if !same(a.Mean, want[0]) || !same(g.Mean, want[1]) || !same(a.Paper, want[2]) || a.N != 2 || a.SameAs || len(a.Records) != 2 {
			t.Errorf("%s: %+v, %+v", name, a, g)
		}
	}
	if v := table.value(row("direct+kd"), "accuracy"); v.State != NotRun || !math.IsNaN(v.Paper) {
		t.Errorf("%+v", v)
	}
	if v := table.value(row("direct+kd"), "gain"); v.State != NotRun {
		t.Errorf("%+v", v)
	}
	// Differences 1 and 5: 3 ± 12.706·√2/√2·2 of two seeds.
	if half, v := table.value(row("co-training+kd"), "±"), table.value(row("co-training+kd"), "verdict"); math.Abs(half.Mean-2*12.7062) > 1e-3 || v.Text != "within noise" {
		t.Errorf("%+v, %+v", half, v)
	}
	if v := table.value(row("co-training"), "verdict"); v.Text == "within noise" || v.Text == "" {
		t.Errorf("%+v", v)
	}
	for _, text := range []string{"| direct | 1 | 0 | 0 | 0 |", "75.86†", "85.71 is no COVID cell", "other options than these switches: phi-depth-1.", "phi-depth 2", "decay-end 0"} {
		if !strings.Contains(table.markdown(), text) {
			t.Errorf("%q is not in\n%s", text, table.markdown())
		}
	}
	three := results(t, p, s).Table3()
	if slices.Contains(three.Columns, "co-training") || !slices.Contains(three.Columns, "RD") || strings.Contains(strings.Join(three.Notes, " "), "phi-depth-1") {
		t.Errorf("variants of rd in Table 3: %q", three.Columns)
	}
	groups, err := results(t, p, s).Groups()
	if err != nil || len(groups) != 1 || len(groups[0].Series) != 2 {
		t.Errorf("%+v, %v", groups, err)
	}
}

func TestGainsAreOfEqualSeeds(t *testing.T) {
	p, s := ablatedPlan(t, Selection{}), newStore(t)
	for _, x := range []struct {
		method   string
		seed     uint64
		accuracy float64
	}{{"direct", 1, 50}, {"direct", 2, 90}, {"co-training", 1, 60}} {
		c := Cell{Dataset: "covid-phantom", Student: "shufflenet", Method: x.method, Teacher: "mini-raddensenet", Seed: x.seed}
		if err := s.Finish(c, recordOf(t, p.Matrix, c, x.accuracy)); err != nil {
			t.Fatal(err)
		}
	}
	table, row := results(t, p, s).Table2(), "COVID ShuffleNet mini-raddensenet (for RadDenseNet) co-training "
	if v, says := table.value(row, "gain"), table.value(row, "verdict"); v.Mean != 10 || v.N != 1 || !strings.Contains(says.Text, "one seed") {
		t.Errorf("%+v, %+v", v, says)
	}
}

// What the rows of each profile switch on follows from their options.
func TestSwitchesOfTheProfiles(t *testing.T) {
	want := map[string]string{"direct": "1000", "direct+kd": "1010", "co-training": "0100", "co-training+kd": "0110", "co-training+cka": "0101", "rd": "0111"}
	for _, name := range profiles.Names() {
		m, err := LoadMatrix(name)
		if err != nil {
			t.Fatal(err)
		}
		all := m.ablations()
		found := 0
		for _, a := range all {
			words := strings.Join(a.words(), "")
			switch switched, main := want[a.method.Name]; {
			case main:
				found++
				if words != switched || a.open {
					t.Errorf("%s: %s switches %s, want %s; open %v", name, a.method.Name, words, switched, a.open)
				}
			case !a.open || words != want["rd"]:
				t.Errorf("%s: %s switches %s; open %v", name, a.method.Name, words, a.open)
			}
			base, ok := a.extends(all)
			if over := map[string]string{"direct": "", "direct+kd": "direct", "co-training": "direct", "co-training+kd": "co-training", "co-training+cka": "co-training", "rd": "co-training+kd"}; ok != (a.method.Name != "direct") ||
				base.method.Name != over[a.method.Name] && !a.open || a.open && base.method.Name != "rd" {
				t.Errorf("%s: %s extends %q", name, a.method.Name, base.method.Name)
			}
		}
		if found != len(want) {
			t.Errorf("%s has %d of the rows %v", name, found, want)
		}
	}
}

// A variant is compared with the row of its own switches, and with what the profile's own rd is.
func TestVariantsOfAnotherDefault(t *testing.T) {
	m := tinyMatrix(t, "  - {name: rd}\n", "  - {name: rd, options: {temperature: 2}, source: own}\n"+variants+"  - {name: cold, method: rd, options: {temperature: 1}, source: own}\n"+
		"  - {name: direct}\n  - {name: direct-deep, method: direct, options: {phi-depth: 3}, source: own}\n  - {name: direct-same, method: rd, options: {temperature: 2, cotrain: off, alpha: 0, kd: off, cka: off}, source: own}\n")
	all := m.ablations()
	got := map[string]string{}
	for _, a := range all {
		base, _ := a.extends(all)
		got[a.method.Name] = fmt.Sprint(a.open, " ", base.method.Name)
	}
	for name, want := range map[string]string{"rd": "false ", "cold": "true rd", "phi-depth-1": "true rd", "co-training": "true ", "direct": "false ", "direct-deep": "true direct"} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
}

// Records of variants have the method's own name and options; as entries they are told apart.
func TestEntriesOfVariants(t *testing.T) {
	p, s := ablatedPlan(t, Selection{}), newStore(t)
	for _, method := range []string{"rd", "co-training"} {
		c := Cell{Dataset: "covid-phantom", Student: "shufflenet", Method: method, Teacher: "mini-raddensenet", Seed: 1}
		if err := s.Finish(c, recordOf(t, p.Matrix, c, 50)); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := ReadEntries(s.dir)
	if err != nil || len(entries) != 2 || entries[0].Method != "co-training" || entries[1].Method != "rd" || entries[0].Record.Result.Config.Method != "rd" {
		t.Errorf("%+v, %v", entries, err)
	}
	if pairs := Pairs(entries, "rd", "co-training"); len(pairs) != 1 {
		t.Errorf("%+v", pairs)
	}
}

// Variants of other methods than rd and direct are columns of the tables of methods.
func TestVariantsAreColumns(t *testing.T) {
	m := adaptedMatrix(t, "  - {name: hint,", "  - {name: hint-light, method: hint, options: {beta: 1}, source: own}\n  - {name: melo-8, method: melo, options: {rank: 8}, source: own}\n  - {name: hint,")
	p, err := m.Plan(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	for method, accuracy := range map[string]float64{"hint-light": 60, "melo-8": 70} {
		c := Cell{Dataset: "busi-phantom", Student: "shufflenet", Method: method, Teacher: "mini-lvm-med", Seed: 1}
		r := recordOf(t, m, c, accuracy)
		if method == "melo-8" {
			r.Result.Config.Method, r.Result.Config.Options = "sp", map[string]any{"beta": 1.0}
		}
		if err := s.Finish(c, r); err != nil {
			t.Fatal(err)
		}
	}
	entry, _ := named(m.Methods, MatrixMethod.name, "hint-light")
	if got := m.methodOptions(entry)["alpha"]; got != "1" {
		t.Errorf("the weight of plain KD is %q in a variant of a compared method", got)
	}
	found := results(t, p, s)
	if v := found.Table3().value("BUSI ShuffleNet", "hint-light"); v == nil || v.Mean != 60 || !math.IsNaN(v.Paper) {
		t.Errorf("%+v", v)
	}
	if v := found.Table4().value("BUSI ShuffleNet", "melo-8"); v == nil || v.Mean != 70 || found.Table3().value("BUSI ShuffleNet", "melo-8") != nil {
		t.Errorf("%+v", v)
	}
}
