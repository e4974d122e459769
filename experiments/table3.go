package experiments

import (
	"fmt"
	"math"
	"slices"

	rdstat "rd/rdlib/stat"
)

// tableRow is one row of Table 3: a student on a data set, with a teacher.
type tableRow struct {
	entry   MatrixDataset
	dataset string // as cells name it
	student string
	teacher MatrixTeacher
}

// rows are those of the matrix that are computed, in part at least, or that the paper's Table 3 has.
func (p *Plan) rows() []tableRow {
	computed := map[Cell]bool{}
	blocks := p.Matrix.Run
	if len(blocks) == 0 {
		blocks = []Block{{}}
	}
	for _, b := range blocks {
		for _, c := range p.Matrix.block(b, p.Data) {
			computed[Cell{Dataset: c.Dataset, Student: c.Student, Teacher: c.Teacher}] = true
		}
	}
	paper := paperTable(3)
	var rows []tableRow
	for _, d := range p.Matrix.Datasets {
		for _, student := range p.Matrix.Students {
			for _, t := range p.Matrix.Teachers {
				if !t.teaches(d.Name, p.Data) {
					continue
				}
				row := tableRow{d, folderOf(d.Name, p.Data), student, t}
				printed := paperValue(paper, "RD", row.paper())
				if computed[Cell{Dataset: row.dataset, Student: student, Teacher: t.Name}] || !math.IsNaN(printed) {
					rows = append(rows, row)
				}
			}
		}
	}
	return rows
}

// paper is what the paper's Table 3 calls the row.
func (r tableRow) paper() map[string]string {
	return map[string]string{"dataset": r.entry.Name, "student": paperName(r.student), "teacher": r.teacher.Paper}
}

// Table3 compares all methods: a row for each data set, student and teacher, a column for each method.
func (r *Results) Table3() *Table {
	m := r.plan.Matrix
	t := &Table{
		Number: 3, Title: fmt.Sprintf("Test accuracy (%%) of students by method, %s; mean ± standard deviation over seeds (%s)", r.plan.data(), m.Name),
		Labels: []string{"dataset", "student", "teacher"}, Columns: []string{"student scratch", "teacher fine-tuned"},
	}
	var methods []string
	for _, method := range m.Methods {
		if method.Name != "scratch" {
			methods = append(methods, method.Name)
			t.Columns = append(t.Columns, paperName(method.Name))
		}
	}
	paper := paperTable(3)
	seedCounts := map[int]bool{}
	for _, row := range r.plan.rows() {
		printed := func(column string) float64 { return paperValue(paper, paperName(column), row.paper()) }
		values := []Value{
			r.accuracy(row.dataset, row.student, "scratch", "", printed("scratch")),
			absent(NotRun, printed("finetuned")),
		}
		for _, method := range methods {
			entry, _ := named(m.Methods, MatrixMethod.name, method)
			teacher := ""
			if m.needsTeacher(entry) {
				teacher = row.teacher.Name
			}
			values = append(values, r.accuracy(row.dataset, row.student, method, teacher, printed(method)))
		}
		var students []*Value
		for i := range values {
			values[i].SameAs = r.plan.comparable(row.teacher.Name) || i == 0 && r.plan.comparable("")
			if i != 1 {
				students = append(students, &values[i])
			}
			if values[i].N > 0 {
				seedCounts[values[i].N] = true
			}
		}
		rank(students)
		t.Rows = append(t.Rows, TableRow{[]string{row.entry.Name, paperName(row.student), row.teacher.label()}, values})
	}
	for _, row := range t.Rows {
		for i := range row.Values {
			if v := &row.Values[i]; v.State == Done && len(seedCounts) > 1 {
				v.Remark = fmt.Sprintf("(n=%d)", v.N) + v.Remark
			}
		}
	}
	t.Notes = r.notes()
	return t
}

// label is the teacher's name and the paper's it stands for.
func (t MatrixTeacher) label() string {
	if t.Paper == "" || t.Original {
		return t.Name
	}
	return fmt.Sprintf("%s (for %s)", t.Name, t.Paper)
}

// Table5 is what RD gains over the student alone, for each teacher and data set: the mean over students of the mean over
// seeds of the difference at equal seeds.
func (r *Results) Table5() *Table {
	m := r.plan.Matrix
	t := &Table{
		Number: 5, Title: fmt.Sprintf("Gain of RD over the student alone, points of test accuracy, mean over students, %s; ± standard deviation over seeds (%s)", r.plan.data(), m.Name),
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

// tables are those that a matrix can fill.
var tables = map[int]func(*Results) *Table{3: (*Results).Table3, 5: (*Results).Table5}

// TableNumbers lists the tables that can be made.
func TableNumbers() []int { return []int{3, 5} }

// wanted is whether a cell is part of one of the tables asked for.
func (p *Plan) wanted(numbers []int) func(Cell) bool {
	if len(numbers) == 0 || slices.Contains(numbers, 3) {
		return func(Cell) bool { return true }
	}
	return func(c Cell) bool { return c.Method == "scratch" || c.Method == "rd" }
}
