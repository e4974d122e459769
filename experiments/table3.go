package experiments

import (
	"fmt"
	"math"
	"strings"

	"rd/rdlib"
)

// tableRow is one row of Table 3: a student on a data set, with a teacher.
type tableRow struct {
	entry   MatrixDataset
	dataset string // as cells name it
	student string
	teacher MatrixTeacher
}

// rows are those of the matrix that are computed, in part at least, or that the paper's table of the number has; of Table 4
// those whose teacher can be adapted.
func (p *Plan) rows(number int) []tableRow {
	computed := map[Cell]bool{}
	wanted := p.wanted([]int{number})
	for _, b := range p.Matrix.blocks() {
		for _, c := range p.Matrix.block(b, p.Data) {
			if !wanted(c) {
				continue
			}
			computed[Cell{Dataset: c.Dataset, Student: c.Student, Teacher: c.Teacher}] = true
		}
	}
	paper := paperTable(number)
	var rows []tableRow
	for _, d := range p.Matrix.Datasets {
		for _, student := range p.Matrix.Students {
			for _, t := range p.Matrix.Teachers {
				if !t.teaches(d.Name, p.Data) || number == 4 && !p.canAdapt(t.Name) {
					continue
				}
				row := tableRow{d, folderOf(d.Name, p.Data), student, t}
				names := row.paper()
				if number == 4 { // it is about one teacher
					delete(names, "teacher")
				}
				printed := paperValue(paper, "RD", names)
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
	t := &contest{Table: &Table{
		Number: 3, Title: fmt.Sprintf("Test accuracy (%%) of students by method, %s; mean ± standard deviation over seeds (%s)", r.data(), m.Name),
		Labels: []string{"dataset", "student", "teacher"}, Columns: []string{"student scratch", "teacher fine-tuned"},
	}}
	var methods []string
	for _, method := range m.Methods {
		if method.Name != "scratch" && !adapts(method.method()) && !method.ablates() {
			methods = append(methods, method.Name)
			t.Columns = append(t.Columns, paperName(method.Name))
		}
	}
	paper := paperTable(3)
	for _, row := range r.plan.rows(3) {
		printed := func(column string) float64 { return paperValue(paper, paperName(column), row.paper()) }
		cells := []Cell{
			{Dataset: row.dataset, Student: row.student, Method: "scratch", Share: r.share},
			{Dataset: row.dataset, Student: theTeacher, Method: rdlib.FineTune, Teacher: row.teacher.Name, Share: r.share},
		}
		values := []Value{r.accuracy(cells[0], printed("scratch")), r.accuracy(cells[1], printed("finetuned"))}
		for _, method := range methods {
			entry, _ := named(m.Methods, MatrixMethod.name, method)
			teacher := ""
			if m.needsTeacher(entry) {
				teacher = row.teacher.Name
			}
			cell := Cell{Dataset: row.dataset, Student: row.student, Method: method, Teacher: teacher, Share: r.share}
			cells, values = append(cells, cell), append(values, r.accuracy(cell, printed(method)))
		}
		var students []*Value
		for i := range values {
			values[i].SameAs = r.plan.comparable(row.teacher.Name) || i == 0 && r.plan.comparable("")
			if i != 1 {
				students = append(students, &values[i])
			}
		}
		rank(students)
		t.add([]string{row.entry.Name, paperName(row.student), row.teacher.label()}, values, cells)
	}
	t.tellSeeds()
	t.Notes = r.notes(func(method MatrixMethod) bool { return !method.ablates() && !adapts(method.method()) }, anyTeacher)
	r.judge(t)
	t.Notes = append(t.Notes, r.rankNote()...)
	t.Beside = append(t.Beside, r.Metrics())
	return t.Table
}

// tellSeeds puts the number of seeds beside each mean, where they differ.
func (t *Table) tellSeeds() {
	counts := map[int]bool{}
	for _, row := range t.Rows {
		for _, v := range row.Values {
			if v.N > 0 {
				counts[v.N] = true
			}
		}
	}
	if len(counts) < 2 {
		return
	}
	for _, row := range t.Rows {
		for i := range row.Values {
			if v := &row.Values[i]; v.State == Done {
				v.Remark = strings.TrimSpace(fmt.Sprintf("(n=%d) %s", v.N, v.Remark))
			}
		}
	}
}

// label is the teacher's name and the paper's it stands for.
func (t MatrixTeacher) label() string {
	if t.Paper == "" || t.Original {
		return t.Name
	}
	return fmt.Sprintf("%s (for %s)", t.Name, t.Paper)
}
