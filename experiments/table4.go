package experiments

import (
	"fmt"
	"math"
	"slices"

	"rd/rdlib"
	"rd/rdlib/peft"
)

// canAdapt is whether a teacher of that name can be adapted by the methods of Table 4.
func (p *Plan) canAdapt(teacher string) bool {
	t, ok := named(p.Matrix.Teachers, MatrixTeacher.name, teacher)
	return ok && peft.Adapts(p.Matrix.architecture(t))
}

// paper4 are doubts about columns of the paper's Table 4, which follow from its own numbers.
const paper4 = "Of the paper's values: BUSI/AdaptFormer repeats BTC/AdaptFormer and is no fraction of 154 images; ISIC/AdaptFormer equals ISIC/RD; the printed averages hold both; 84.77 (twice) is no fraction of 154, and 75.85 should be 75.86."

// Table4 compares RD with parameter-efficient fine-tuning: teachers that are vision transformers, adapted by each method, and
// students that learn from them. The paper has it for LVM-Med.
func (r *Results) Table4() *Table {
	m := r.plan.Matrix
	t := &contest{Table: &Table{
		Number: 4, Title: fmt.Sprintf("Test accuracy (%%) of students of adapted teachers, and of RD, %s; mean ± standard deviation over seeds (%s)", r.data(), m.Name),
		Labels: []string{"dataset", "student", "teacher"},
	}}
	var methods []string
	for _, method := range m.Methods {
		if adapts(method.method()) && method.method() != rdlib.FineTune {
			methods = append(methods, method.Name)
			t.Columns = append(t.Columns, paperName(method.Name))
		}
	}
	methods = append(methods, "rd")
	t.Columns = append(t.Columns, "RD")
	printed := paperTable(4)
	average := make([][]float64, len(methods))
	ofPaper, averaged := 0, map[[2]string]bool{} // rows that the paper has, and those of them that are averaged
	for _, row := range r.plan.rows(4) {
		names := row.paper()
		delete(names, "teacher")
		values, cells := make([]Value, len(methods)), make([]Cell, len(methods))
		ranked := make([]*Value, len(methods))
		complete := true
		for i, method := range methods {
			paper := math.NaN()
			if row.teacher.Paper == "LVM-Med" {
				paper = paperValue(printed, paperName(method), names)
			}
			cells[i] = Cell{Dataset: row.dataset, Student: row.student, Method: method, Teacher: row.teacher.Name, Share: r.share}
			values[i] = r.accuracy(cells[i], paper)
			values[i].SameAs = r.plan.comparable(row.teacher.Name)
			ranked[i] = &values[i]
			complete = complete && values[i].State == Done
		}
		rank(ranked)
		has := row.teacher.Paper == "LVM-Med" && !math.IsNaN(paperValue(printed, "RD", names))
		if has {
			ofPaper++
		}
		if complete {
			if has {
				averaged[[2]string{row.entry.Name, row.student}] = true
			}
			for i := range values {
				average[i] = append(average[i], values[i].Mean)
			}
		}
		t.add([]string{row.entry.Name, paperName(row.student), row.teacher.label()}, values, cells)
	}
	t.tellSeeds()
	t.addAverage(average, methods, len(averaged) == len(average[0]) && len(averaged) == printed.Nrow()-1) // which has its average, too
	t.Notes = r.notes(func(method MatrixMethod) bool { return slices.Contains(methods, method.Name) }, r.plan.canAdapt)
	for _, teacher := range m.Teachers {
		if m.architecture(teacher) == "vit_sam" && slices.ContainsFunc(r.plan.rows(4), func(row tableRow) bool { return row.teacher.Name == teacher.Name }) {
			t.Notes = append(t.Notes, fmt.Sprintf("%s is mean-pooled: the teacher has no class token, so its feature, and what every method adapts, is the mean over its patches' tokens.", teacher.Name))
		}
	}
	r.judge(t)
	if rows := len(average[0]); rows > 1 && len(methods) > 1 {
		scores := make([][]float64, rows)
		for i := range scores {
			for k := range methods {
				scores[i] = append(scores[i], average[k][i])
			}
		}
		t.Notes = append(t.Notes, rankingNote(newRanking(t.Columns, scores))...)
	}
	if a := m.Adaptation; len(methods) > 1 {
		length := fmt.Sprintf("%d steps", a.Steps)
		if a.Epochs > 0 {
			length = fmt.Sprintf("%d epochs", a.Epochs)
		}
		t.Notes = append(t.Notes, fmt.Sprintf("Adaptation, the same for every method: %s, AdamW, learning rate %g, weight decay %g, %s schedule; then features and logits of the adapted teacher are cached, and students learn from them by %s (%s).",
			length, a.LearningRate, a.WeightDecay, a.Schedule, a.Student.method()+" "+optionsText(a.Student.Options), a.Student.Source))
	}
	if ofPaper > 0 {
		t.Notes = append(t.Notes, paper4)
	}
	return t.Table
}

// addAverage adds a row of means over the rows in which every method is done, with the paper's means where those are its rows.
func (t *Table) addAverage(average [][]float64, methods []string, paper bool) {
	row := TableRow{Labels: []string{"Average", fmt.Sprintf("of %d complete rows", len(average[0])), ""}}
	var ranked []*Value
	for i, method := range methods {
		v := absent(NotRun, math.NaN())
		if paper {
			v.Paper = paperValue(paperTable(4), paperName(method), map[string]string{"dataset": "Average"})
		}
		if len(average[i]) > 0 {
			v.State = Done
			v.mean(slices.Clone(average[i]))
			v.SD = math.NaN() // over rows it would say nothing of seeds
		}
		row.Values = append(row.Values, v)
	}
	for i := range row.Values {
		ranked = append(ranked, &row.Values[i])
	}
	rank(ranked)
	t.Rows = append(t.Rows, row)
}
