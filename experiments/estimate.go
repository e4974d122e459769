package experiments

import (
	"fmt"
	"slices"
	"time"

	"rd/rdlib/model"
)

// Without any record to go by: operations a second of one thread in training, seconds of a step beside them, and seconds to
// build a cell's graphs. They are of an ordinary server processor and only tell minutes from nights.
const (
	assumedRate  = 50e9
	assumedStep  = 0.03 // seconds, whatever the network
	assumedStart = 6.0
	trainingCost = 3.0 // of a step, in forward passes
	teacherCost  = 1.5 // of a method with a teacher, beside the student's own
)

// Estimate is how long the cells of a plan that are not done will take, from the records that are there where they are of
// the same student, else from the operations of its network.
func (p *Plan) Estimate(r *Results) (todo int, total time.Duration) {
	seconds := map[string][]float64{}
	for c, rec := range r.records {
		seconds[c.Student] = append(seconds[c.Student], rec.Run.Seconds)
		method := c.Student + " " + p.Matrix.methodOf(c.Method)
		seconds[method] = append(seconds[method], rec.Run.Seconds)
	}
	sum := 0.0
	for _, c := range p.Cells {
		if r.of(c).records[c] != nil {
			continue
		}
		todo++
		switch known := seconds[c.Student+" "+p.Matrix.methodOf(c.Method)]; {
		case len(known) > 0:
			sum += median(known)
		case len(seconds[c.Student]) > 0:
			sum += median(seconds[c.Student])
		default:
			sum += p.assumed(c)
		}
	}
	return todo, time.Duration(sum * float64(time.Second))
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// assumed is a guess at a cell's seconds.
func (p *Plan) assumed(c Cell) float64 {
	t := p.Matrix.Training
	student, err := model.New(c.Student, model.Config{Classes: 2, Width: t.Width})
	if err != nil {
		return assumedStart
	}
	cost, err := student.Cost(3, t.Size, t.Size)
	if err != nil {
		return assumedStart
	}
	steps := t.Steps
	if t.Epochs > 0 {
		steps = t.Epochs * 100 // some 3000 training images
	}
	seconds := float64(steps) * (assumedStep + trainingCost*2*float64(cost.MACs)*float64(t.Batch)/(assumedRate*float64(t.Threads)))
	if c.Teacher != "" {
		seconds *= teacherCost
	}
	return assumedStart + seconds
}

// Describe tells what a plan would do: for each data set, student and teacher how many cells are done and how many are to
// be computed, and how long that may take.
func (p *Plan) Describe(r *Results) string {
	type line struct{ done, todo, failed int }
	var order []string
	lines := map[string]*line{}
	for _, c := range p.Cells {
		name := fmt.Sprintf("%s, %s", c.Dataset, c.Student)
		if c.Teacher != "" {
			name += ", " + c.Teacher
		} else {
			name += ", no teacher"
		}
		if c.Share != 0 {
			name += fmt.Sprintf(", %d %% of the training images", c.Share)
		}
		l := lines[name]
		if l == nil {
			l = &line{}
			lines[name], order = l, append(order, name)
		}
		switch {
		case r.of(c).records[c] != nil:
			l.done++
		case r.of(c).failed[c] != nil:
			l.failed++
			fallthrough
		default:
			l.todo++
		}
	}
	text := ""
	for _, name := range order {
		l := lines[name]
		text += fmt.Sprintf("%s: %d to compute, %d done", name, l.todo, l.done)
		if l.failed > 0 {
			text += fmt.Sprintf(" (%d failed before and will be tried again)", l.failed)
		}
		text += "\n"
	}
	todo, total := p.Estimate(r)
	text += fmt.Sprintf("%d of %d cells to compute: about %s", todo, len(p.Cells), total.Round(time.Minute/4))
	if len(r.records) == 0 {
		text += ", a guess until the first are done"
	}
	text += "; phantoms, teachers and their features come on top\n"
	rest := len(p.Matrix.block(Block{}, p.Data))
	for _, c := range p.Cells {
		if c.Share == 0 {
			rest--
		}
	}
	if rest > 0 {
		text += fmt.Sprintf("%d further cells of the whole matrix are not run\n", rest)
	}
	for _, missing := range slices.Concat(p.Missing, r.Strange) {
		text += missing + "\n"
	}
	return text
}
