package experiments

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"rd/rdlib/distill"
)

// The data set of the paper's Table 2, which names none, is told from its values.
const (
	paperAblation = "COVID"
	paper2        = "The paper's Table 2 names neither data set nor student nor teacher. Its four values are fractions of COVID's 203 test images and stand beside COVID here; 85.71 is no COVID cell of its Tables 3 and 4."
)

// Table2 takes RD apart: a row for each switch of the paper's ablation, and for each option that the paper leaves open, with what it
// gains over the row that it extends.
func (r *Results) Table2() *Table {
	m := r.plan.Matrix
	t := &Table{
		Number: 2, Title: fmt.Sprintf("Ablation of RD: test accuracy (%%) of students, and gain in points, %s (%s)", r.data(), m.Name),
		Labels:  []string{"dataset", "student", "teacher", "row", "direct reprogramming", "co-training", "KD", "CKA", "gain over"},
		Columns: []string{"accuracy", "gain", "±", "verdict"},
	}
	all := m.ablations()
	computed := map[Cell]bool{}
	for _, c := range r.plan.chosen() {
		c.Seed = 0
		computed[c] = true
	}
	for _, group := range r.plan.rows(2) {
		for _, a := range all {
			printed := math.NaN()
			if !a.open && group.entry.Name == paperAblation {
				printed = paperValue(paperTable(2), "accuracy", a.paper())
			}
			c := Cell{Dataset: group.dataset, Student: group.student, Teacher: group.teacher.Name, Method: a.method.Name}
			if !computed[c] && math.IsNaN(printed) {
				continue
			}
			accuracy := r.accuracy(c, printed)
			over, values := "", []Value{accuracy, wordsValue("–"), wordsValue("–"), wordsValue("–")}
			if base, ok := a.extends(all); ok {
				gain, half, said := r.gainOver(c, base.method.Name)
				over, values = base.label(), []Value{accuracy, gain, half, wordsValue(cmp.Or(said, string(gain.State)))}
			}
			labels := []string{group.entry.Name, paperName(group.student), group.teacher.label(), a.label()}
			t.Rows = append(t.Rows, TableRow{append(append(labels, a.words()...), over), values})
		}
	}
	if err := t.correctGains(); err != nil {
		t.Notes = append(t.Notes, fmt.Sprintf("The gains could not be tested: %v.", err))
	}
	for _, row := range t.Rows {
		if gain := &row.Values[1]; gain.Remark != "" {
			row.Values[3], gain.Remark = wordsValue(gain.Remark), ""
		}
	}
	t.tellSeeds()
	t.Notes = append(t.Notes, m.ablationNotes(all)...)
	if slices.ContainsFunc(t.Rows, func(row TableRow) bool { return !math.IsNaN(row.Values[0].Paper) }) {
		t.Notes = append(t.Notes, paper2)
	}
	t.Notes = append(t.Notes, r.notes(MatrixMethod.ablates, anyTeacher)...)
	return t
}

// gainOver is what a cell's method gains over another at equal seeds, the half width of its interval, and the verdict on it
// alone.
func (r *Results) gainOver(c Cell, over string) (gain, half Value, said string) {
	base := c
	base.Method = over
	return gainOf(r.differences(r.pairs(c, base)))
}

// label is the row's name.
func (a ablation) label() string {
	if a.method.Name == "rd" {
		return "rd (default)"
	}
	return a.method.Name
}

// words are the row's switches, 1 or 0, in the order of the paper's columns.
func (s switches) words() []string {
	var words []string
	for _, on := range []bool{s.direct, s.cotraining, s.kd, s.cka} {
		words = append(words, map[bool]string{true: "1", false: "0"}[on])
	}
	return words
}

// paper is what the paper's Table 2 has in the row with the switches.
func (s switches) paper() map[string]string {
	words := s.words()
	return map[string]string{"direct_reprogramming": words[0], "cotraining_reprogramming": words[1], "kd": words[2], "cka": words[3]}
}

// defaultOptions are all options of the matrix's RD.
func (m *Matrix) defaultOptions() map[string]string {
	options := map[string]string{}
	for _, d := range distill.Describe() {
		for _, o := range d.Options {
			if d.Name == "rd" {
				options[o.Name] = o.Default
			}
		}
	}
	rd, _ := named(m.Methods, MatrixMethod.name, "rd")
	maps.Copy(options, rd.Options)
	return options
}

// ablationNotes say what the rows are.
func (m *Matrix) ablationNotes(all []ablation) []string {
	var open []string
	for _, a := range all {
		if a.open {
			open = append(open, a.method.Name)
		}
	}
	notes := []string{
		"direct: φ and g learn from the teacher's features first, then the student through that g. co-training: CE(y, z_s) + α·CE(y, z_t), student, φ and g together. KD and CKA add β·KL(z_t, z_s) and β·CKA(f_t, f_s). direct with KD: φ stays as it was learnt first, and KL is added to the student's CE.",
		"The default: " + optionsText(m.defaultOptions()) + ".",
		"Accuracy: mean ± standard deviation over seeds. Gain: mean of the differences to the row under “gain over” at equal seeds; ±: half width of its 95 % t-interval over seeds; verdict: p-value of the t-test, with Holm's correction for all gains of the table, or within noise.",
	}
	if len(open) > 0 {
		notes = slices.Insert(notes, 2, "Rows that differ from the default in other options than these switches: "+strings.Join(open, ", ")+".")
	}
	return notes
}
