package experiments

import (
	"fmt"
	"math"

	rdstat "rd/rdlib/stat"
)

// Table5 is what RD gains over the student alone, for each teacher and data set: the mean over students of the mean over
// seeds of the difference at equal seeds.
func (r *Results) Table5() *Table {
	m := r.plan.Matrix
	t := &Table{
		Number: 5, Title: fmt.Sprintf("Gain of RD over the student alone, points of test accuracy, mean over students, %s; ± standard deviation over seeds (%s)", r.data(), m.Name),
		Labels: []string{"foundation model"},
	}
	paper := paperTable(5)
	sizes := TableRow{Labels: []string{"images"}}
	for _, d := range m.Datasets {
		t.Columns = append(t.Columns, d.Name)
		size := Value{Text: "not run", Mean: math.NaN(), SD: math.NaN(), Paper: math.NaN()}
		for c, rec := range r.records {
			if n := rec.Result.Counts; c.Dataset == folderOf(d.Name, r.plan.Data) {
				size.Text = fmt.Sprint(n.Train + n.Validation + n.Test)
			}
		}
		sizes.Values = append(sizes.Values, size)
	}
	t.Rows = append(t.Rows, sizes)
	var teachers []MatrixTeacher
	for _, teacher := range m.Teachers {
		if teacher.Miniature != (r.plan.Data == Phantom) {
			continue
		}
		row := TableRow{Labels: []string{teacher.label()}, Values: make([]Value, len(m.Datasets))}
		for i, d := range m.Datasets {
			row.Values[i] = r.gain(d, teacher, paperValue(paper, d.Name, map[string]string{"foundation_model": teacher.Paper}))
		}
		t.Rows, teachers = append(t.Rows, row), append(teachers, teacher)
	}
	var duels []duel
	for i, d := range m.Datasets {
		column := make([]Value, len(teachers))
		var ranked []*Value
		for k := range teachers {
			ranked = append(ranked, &t.Rows[1+k].Values[i])
		}
		rank(ranked)
		for k, v := range ranked {
			column[k] = *v
		}
		first, second := duelists(column)
		if first < 0 {
			continue
		}
		best := duel{name: fmt.Sprintf("%s: %s over %s", d.Name, teachers[first].label(), teachers[second].label())}
		for _, student := range m.Students {
			cell := Cell{Dataset: folderOf(d.Name, r.plan.Data), Student: student, Method: "rd", Share: r.share}
			one, other := cell, cell
			one.Teacher, other.Teacher = teachers[first].Name, teachers[second].Name
			best.pairs = append(best.pairs, r.pairs(one, other)...)
		}
		duels = append(duels, best)
	}
	t.Notes = append(r.notes(overScratch, anyTeacher), fmt.Sprintf("Behind a gain: the p-value of Student's t-test over seeds, with Holm's correction for all gains of the table, or “%s”; of one seed nothing can be said.", withinNoise))
	if err := t.correctGains(); err != nil {
		t.Notes = append(t.Notes, fmt.Sprintf("The gains could not be tested: %v.", err))
	}
	note, err := r.boldNote(duels, "columns")
	if err != nil {
		note = fmt.Sprintf("Bold values could not be tested: %v.", err)
	}
	if note != "" {
		t.Notes = append(t.Notes, note)
	}
	return t
}

// correctGains puts behind each gain whether it is more than noise, all of them considered.
func (t *Table) correctGains() error {
	var p []float64
	var tested []*Value
	for _, row := range t.Rows {
		for i := range row.Values {
			if v := &row.Values[i]; v.Signed && v.State == Done && !math.IsNaN(v.p) {
				p, tested = append(p, v.p), append(tested, v)
			}
		}
	}
	holm, err := rdstat.Holm(p)
	for i := range holm {
		tested[i].Remark = verdict(holm[i])
	}
	return err
}

// gain is RD's over scratch on one data set with one teacher.
func (r *Results) gain(d MatrixDataset, teacher MatrixTeacher, paper float64) Value {
	v := absent(NotRun, paper)
	v.Signed, v.SameAs = true, r.plan.comparable(teacher.Name)
	if !teacher.teaches(d.Name, r.plan.Data) {
		return v
	}
	dataset := folderOf(d.Name, r.plan.Data)
	bySeed := map[uint64][]float64{}
	for _, student := range r.plan.Matrix.Students {
		alone := r.seedsOf(&v, dataset, student, "scratch", "")
		for seed, accuracy := range r.seedsOf(&v, dataset, student, "rd", teacher.Name) {
			if base, ok := alone[seed]; ok {
				bySeed[seed] = append(bySeed[seed], accuracy-base)
			}
		}
	}
	var gains []float64
	for _, differences := range bySeed {
		var of Value
		of.mean(differences)
		gains = append(gains, of.Mean)
	}
	switch {
	case len(gains) > 0:
		v.State = Done
		v.mean(gains)
		v.p, v.Remark = overSeeds(gains)
	case len(v.Failures) > 0:
		v.State, v.Records = Failed, nil
	default:
		v.Records = nil
	}
	return v
}
