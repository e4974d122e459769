package experiments

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rd/rdlib/record"
)

// data says in a title what the images are.
func (r *Results) data() string {
	if r.plan.Data == Phantom {
		return "phantoms (synthetic images)"
	}
	for _, rec := range r.records {
		if rec.Result.Config.Dataset.Phantom {
			return "images that are phantoms (synthetic) in part at least"
		}
	}
	return "real images"
}

// notes say below a table of methods what its numbers were computed from, read off the records.
func (r *Results) notes() []string {
	return r.notesOn(func(method MatrixMethod) bool { return !method.ablates() })
}

// notesOn are the notes of a table that has some methods of the matrix.
func (r *Results) notesOn(has func(MatrixMethod) bool) []string {
	p := r.plan
	m, t := p.Matrix, p.Matrix.Training
	var notes []string
	if p.Data == Phantom {
		notes = append(notes, "Data and teachers are phantoms, synthetic images and miniature models trained on synthetic images: no claim about real data rests on them.")
	}
	notes = append(notes, r.datasetNotes()...)
	notes = append(notes, r.teacherNotes()...)
	length := fmt.Sprintf("%d steps", t.Steps)
	if t.Epochs > 0 {
		length = fmt.Sprintf("%d epochs", t.Epochs)
	}
	report := "the student of the last epoch"
	if t.Report == "best" {
		report = "the student of the epoch with the best accuracy on validation images"
	}
	notes = append(notes, fmt.Sprintf("The same for every student: width %g, %d×%d pixels, %s of %d images, AdamW, learning rate %g, weight decay %g, %s schedule, random initialisation, no augmentation but mirror images as second views (%d views), weight of plain KD %g in all compared methods but KD itself; reported is %s.",
		cmp.Or(t.Width, 1), t.Size, t.Size, length, t.Batch, t.LearningRate, t.WeightDecay, t.Schedule, t.Views, t.PlainKD, report))
	var options []string
	for _, method := range m.Methods {
		if len(method.Options) == 0 || !has(method) {
			continue
		}
		options = append(options, fmt.Sprintf("%s %s (%s)", paperName(method.Name), optionsText(method.Options), method.Source))
	}
	if len(options) > 0 {
		notes = append(notes, "Options: "+strings.Join(options, "; ")+".")
	}
	notes = append(notes, r.unequal()...)
	notes = append(notes, p.Missing...)
	for _, strange := range r.Strange {
		notes = append(notes, "Not counted: "+strange)
	}
	all := len(p.Matrix.block(Block{}, p.Data))
	return append(notes, fmt.Sprintf("Cells of the whole matrix: %d done, %d failed, %d not run. Command: %s.",
		len(r.records), len(r.failed), max(0, all-len(r.records)-len(r.failed)), p.Command()))
}

// optionsText names options and their values.
func optionsText(options map[string]string) string {
	var set []string
	for _, name := range slices.Sorted(maps.Keys(options)) {
		set = append(set, name+" "+options[name])
	}
	return strings.Join(set, ", ")
}

// Command is the command that reproduces the matrix's tables.
func (p *Plan) Command() string {
	command := "bin/rd reproduce --profile " + p.Matrix.profile
	if p.Data != Phantom {
		command += " --data " + p.root
	}
	return command
}

// sorted lists the cells that are done in a fixed order.
func (r *Results) sorted() []Cell {
	return slices.SortedFunc(maps.Keys(r.records), func(a, b Cell) int { return strings.Compare(a.file(), b.file()) })
}

// datasetNotes tells the images of each data set.
func (r *Results) datasetNotes() []string {
	var parts []string
	told := map[string]bool{}
	for _, d := range r.plan.Matrix.Datasets {
		for _, c := range r.sorted() {
			rec := r.records[c]
			if c.Dataset != folderOf(d.Name, r.plan.Data) || told[c.Dataset] {
				continue
			}
			told[c.Dataset] = true
			n := rec.Result.Counts
			part := fmt.Sprintf("%s %d training, %d validation, %d test", d.Name, n.Train, n.Validation, n.Test)
			if len(rec.Leaks) > 0 {
				part += fmt.Sprintf(" (pixels of %d are in another part too)", len(rec.Leaks))
			}
			if n.Dropped > 0 {
				part += fmt.Sprintf(" (%d left out, whose pixels are in another part)", n.Dropped)
			}
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return []string{"Images with seed 1: " + strings.Join(parts, "; ") + "."}
}

// teacherNotes tells each teacher's file, and what it has seen.
func (r *Results) teacherNotes() []string {
	var notes []string
	told := map[string]bool{}
	for _, c := range r.sorted() {
		t := r.records[c].Result.Teacher
		if t == nil || adapts(r.plan.Matrix.methodOf(c.Method)) {
			continue
		}
		saw := ""
		if t.SawData {
			saw = ", which has seen " + c.Dataset + " in pre-training: what its students reach there says nothing about new images"
		}
		note := fmt.Sprintf("Teacher %s (sha256 %.12s…), frozen, features cached%s.", c.Teacher, t.SHA256, saw)
		if !told[note] {
			told[note] = true
			notes = append(notes, note)
		}
	}
	slices.Sort(notes)
	return notes
}

// unequal tells where records of one data set and seed do not share what all methods of a table must share.
func (r *Results) unequal() []string {
	type group struct {
		dataset string
		seed    uint64
	}
	shared := func(rec *record.Record) map[string]string {
		c := rec.Result.Config
		return map[string]string{
			"images": c.Dataset.Manifest, "input": fmt.Sprint(c.Input), "steps": fmt.Sprint(c.Steps), "optimizer": fmt.Sprint(c.Optimizer),
			"augmentation": fmt.Sprint(c.Augment), "backend": fmt.Sprint(c.Backend),
		}
	}
	first := map[group]map[string]string{}
	teachers := map[string]string{}
	differing := map[string]bool{}
	for _, c := range r.sorted() {
		if c.Student == theTeacher { // adaptation has a length of its own
			continue
		}
		rec := r.records[c]
		own := shared(rec)
		g := group{c.Dataset, c.Seed}
		if first[g] == nil {
			first[g] = own
		}
		for what, value := range own {
			if first[g][what] != value {
				differing[fmt.Sprintf("%s of %s", what, c.Dataset)] = true
			}
		}
		if t := rec.Result.Teacher; t != nil && !adapts(r.plan.Matrix.methodOf(c.Method)) { // every adaptation gives another file
			if before := teachers[c.Teacher]; before != "" && before != t.SHA256 {
				differing["file of teacher "+c.Teacher] = true
			}
			teachers[c.Teacher] = t.SHA256
		}
	}
	if len(differing) == 0 {
		return nil
	}
	return []string{"NOT THE SAME in all records: " + strings.Join(slices.Sorted(maps.Keys(differing)), ", ") + ". Methods cannot be compared across that."}
}
