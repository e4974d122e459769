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
	columns := make([][]*Value, len(m.Datasets))
	for _, teacher := range m.Teachers {
		if teacher.Miniature != (r.plan.Data == Phantom) {
			continue
		}
		row := TableRow{Labels: []string{teacher.label()}, Values: make([]Value, len(m.Datasets))}
		for i, d := range m.Datasets {
			row.Values[i] = r.gain(d, teacher, paperValue(paper, d.Name, map[string]string{"foundation_model": teacher.Paper}))
			columns[i] = append(columns[i], &row.Values[i])
		}
		t.Rows = append(t.Rows, row)
	}
	for _, column := range columns {
		rank(column)
	}
	t.Notes = append(r.notes(), "A gain whose 95 % t-interval over seeds holds 0 is within noise; of one seed nothing can be said.")
	return t
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
		mean, half := rdstat.MeanInterval(gains)
		switch {
		case v.N < 2:
			v.Remark = "(one seed)"
		case math.Abs(mean) <= half:
			v.Remark = "within noise"
		}
	case len(v.Failures) > 0:
		v.State, v.Records = Failed, nil
	default:
		v.Records = nil
	}
	return v
}
