package experiments

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rd/rdlib/distill"
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

// anyTeacher is of tables that have all teachers.
func anyTeacher(string) bool { return true }

// overScratch is whether a method is one of those whose difference is RD's gain.
func overScratch(method MatrixMethod) bool { return method.Name == "rd" || method.Name == "scratch" }

// notes say below a table what its numbers were computed from, read off the records: of the methods and teachers it has.
func (r *Results) notes(has func(MatrixMethod) bool, teacher func(name string) bool) []string {
	p := r.plan
	m, t := p.Matrix, p.Matrix.Training
	var notes []string
	if p.Data == Phantom {
		notes = append(notes, "Data and teachers are phantoms, synthetic images and miniature models trained on synthetic images: no claim about real data rests on them.")
	}
	notes = append(notes, r.datasetNotes()...)
	notes = append(notes, r.teacherNotes(has, teacher)...)
	length := fmt.Sprintf("%d steps", t.Steps)
	if t.Epochs > 0 {
		length = fmt.Sprintf("%d epochs", t.Epochs)
	}
	report := "the student of the last epoch"
	if t.Report == "best" {
		report = "the student of the epoch with the best accuracy on validation images"
	}
	views := "each image and its mirror image"
	if t.Views == 1 {
		views = "each image as it is"
	}
	notes = append(notes, fmt.Sprintf("The same for every student: width multiplier %g, random initialisation, %d×%d pixels, %s, %s of %d images, AdamW, learning rate %g, weight decay %g, %s schedule; reported is %s.",
		cmp.Or(t.Width, 1), t.Size, t.Size, views, length, t.Batch, t.LearningRate, t.WeightDecay, t.Schedule, report))
	if t.PlainKD > 0 && slices.ContainsFunc(m.Methods, func(method MatrixMethod) bool {
		return has(method) && distill.Compared(method.method()) && method.Options["alpha"] == ""
	}) {
		notes = append(notes, fmt.Sprintf("Compared methods that do not set alpha have KD on logits beside their own term, with weight %g.", t.PlainKD))
	}
	var options []string
	for _, method := range m.Methods {
		if len(method.Options) == 0 || !has(method) {
			continue
		}
		options = append(options, fmt.Sprintf("%s %s (%s)", paperName(method.Name), optionsText(method.Options), method.Source))
	}
	if len(options) > 0 {
		notes = append(notes, "Options, where they are not the defaults of rd methods, and their source: "+strings.Join(options, "; ")+".")
	}
	notes = append(notes, r.unequal()...)
	for _, missing := range p.Missing {
		notes = append(notes, "At the last run: "+missing+".")
	}
	for _, strange := range r.Strange {
		notes = append(notes, "Not counted: "+strange)
	}
	all := len(p.Matrix.block(Block{}, p.Data))
	return append(notes, fmt.Sprintf("Of the whole profile, all tables and seeds: %d trained, %d failed, %d not run. Command: %s.",
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
			part := fmt.Sprintf("%s %d training, %d validation and %d test images", d.Name, n.Train, n.Validation, n.Test)
			if len(rec.Leaks) > 0 {
				part += fmt.Sprintf(" (%d of the test images with the pixels of an image in another part)", len(rec.Leaks))
			}
			if n.Dropped > 0 {
				part += fmt.Sprintf(" (%d more with the pixels of an image in another part are left out)", n.Dropped)
			}
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return []string{"Data, with the split of seed 1: " + strings.Join(parts, "; ") + "."}
}

// teacherNotes tells the file of each teacher whose features students of some methods learn from, and what it has seen.
func (r *Results) teacherNotes(has func(MatrixMethod) bool, teacher func(name string) bool) []string {
	var files, seen []string
	for _, c := range r.sorted() {
		t := r.records[c].Result.Teacher
		method, _ := named(r.plan.Matrix.Methods, MatrixMethod.name, c.Method)
		if t == nil || adapts(method.method()) || !has(method) || !teacher(c.Teacher) {
			continue
		}
		file := fmt.Sprintf("%s (sha256 %.12s…)", c.Teacher, t.SHA256)
		if t.Phantom && r.plan.Data != Phantom {
			file += ", pre-trained on phantoms (synthetic images) in part at least"
		}
		files = append(files, file)
		if t.SawData {
			seen = append(seen, fmt.Sprintf("%s has seen %s in pre-training: what its students reach there says nothing about new images.", c.Teacher, c.Dataset))
		}
	}
	if len(files) == 0 {
		return nil
	}
	slices.Sort(files)
	slices.Sort(seen)
	return append([]string{"Students learn from features of teachers that stay as they are: " + strings.Join(slices.Compact(files), ", ") + "."}, slices.Compact(seen)...)
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
