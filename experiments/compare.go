// Package experiments plans and runs comparisons: every combination of student, method and seed is a cell, each cell
// leaves one record, and the tables are functions of the records alone.
package experiments

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rd/rdlib"
	"rd/rdlib/distill"
	"rd/rdlib/record"
)

// Spec describes a comparison on one data set.
type Spec struct {
	Title    string
	Base     rdlib.Options // what all cells share; the teacher is one of Teachers
	Teachers []string      // ONNX files; may be empty for methods without a teacher
	Students []string
	Methods  []string
	Seeds    int    // seeds 1 … Seeds, each for split, initialisation, order and augmentation alike
	Out      string // folder of records and table
	Command  string // the command line that makes it, printed under the table
}

// Cell is one combination. Teacher is "" where the method has none, or where the comparison has one only.
type Cell struct {
	Student, Method string
	Seed            uint64
	Teacher         string
}

// Variant is a method with the teacher it learns from, as Cell names it.
type Variant struct{ Method, Teacher string }

func (v Variant) String() string {
	if v.Teacher == "" {
		return v.Method
	}
	return v.Method + ", " + v.Teacher
}

// Variants lists the methods that need no teacher, then for each teacher the others.
func (s *Spec) Variants() []Variant {
	var variants []Variant
	if len(s.Teachers) < 2 {
		for _, method := range s.Methods {
			variants = append(variants, Variant{Method: method})
		}
		return variants
	}
	for _, method := range s.Methods {
		if !s.needsTeacher(method) {
			variants = append(variants, Variant{Method: method})
		}
	}
	for _, teacher := range s.Teachers {
		for _, method := range s.Methods {
			if s.needsTeacher(method) {
				variants = append(variants, Variant{method, teacherName(teacher)})
			}
		}
	}
	return variants
}

// needsTeacher is whether a method reads a teacher; a method that is not known does, so that its error is told.
func (s *Spec) needsTeacher(method string) bool {
	m, err := distill.New(method, s.Base.MethodOptions)
	return err != nil || m.Needs().Teacher()
}

func teacherName(path string) string { return strings.TrimSuffix(filepath.Base(path), ".onnx") }

// teacher is the file of the teacher a cell names.
func (s *Spec) teacher(c Cell) string {
	for _, path := range s.Teachers {
		if len(s.Teachers) == 1 || teacherName(path) == c.Teacher {
			return path
		}
	}
	return ""
}

// Cells lists the combinations row by row of the table: the seeds of one row differ in data and weights only, so they
// share compiled graphs.
func (s *Spec) Cells() []Cell {
	var cells []Cell
	for _, student := range s.Students {
		for _, v := range s.Variants() {
			for seed := range s.Seeds {
				cells = append(cells, Cell{student, v.Method, uint64(seed + 1), v.Teacher})
			}
		}
	}
	return cells
}

func (s *Spec) recordPath(c Cell) string {
	name := c.Student + "-" + c.Method
	if c.Teacher != "" {
		name += "-" + c.Teacher
	}
	return filepath.Join(s.Out, "records", fmt.Sprintf("%s-%d.json", name, c.Seed))
}

// Run runs the cells that have no record yet, writes each record as it comes, and renders the table after every one, so
// that an interruption loses nothing. A cell that fails is reported and the rest goes on; the error then names all that
// failed.
func Run(ctx context.Context, session *rdlib.Session, spec *Spec) error {
	for i, path := range spec.Teachers {
		if slices.ContainsFunc(spec.Teachers[:i], func(other string) bool { return teacherName(other) == teacherName(path) }) {
			return &rdlib.UsageError{Err: fmt.Errorf("two teachers are called %s: rename one file", teacherName(path))}
		}
	}
	for _, cell := range spec.Cells() {
		if err := spec.options(cell).Check(); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(spec.Out, "records"), 0o755); err != nil {
		return fmt.Errorf("results folder: %w; choose another --out", err)
	}
	if err := setAsideDamaged(session, spec); err != nil {
		return err
	}
	if err := spec.computeFeatures(ctx, session); err != nil {
		return err
	}
	cells := spec.Cells()
	var failed []error
	for i, cell := range cells {
		name := fmt.Sprintf("[%d/%d] %s %s seed %d", i+1, len(cells), cell.Student, Variant{cell.Method, cell.Teacher}, cell.Seed)
		err := runCell(ctx, session, spec, cell, name)
		switch {
		case err == nil:
		case rdlib.ExitCode(err) == rdlib.ExitInterrupted, rdlib.ExitCode(err) == rdlib.ExitUsage, rdlib.ExitCode(err) == rdlib.ExitInput:
			return err // the other cells would end the same way
		default:
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
			fmt.Fprintf(session.Log, "%s: failed: %v\n", name, err)
		}
		if err := Render(spec); err != nil {
			return err
		}
	}
	return errors.Join(failed...)
}

// options are a cell's.
func (s *Spec) options(cell Cell) rdlib.Options {
	o := s.Base
	o.Student, o.Method, o.Teacher = cell.Student, cell.Method, s.teacher(cell)
	if len(s.Teachers) > 1 { // the students of one table see the same images
		o.InputOf = s.Teachers[0]
	}
	o.Seeds = record.Seeds{Split: cell.Seed, Init: cell.Seed, Order: cell.Seed, Augmentation: cell.Seed}
	return o
}

// computeFeatures computes all features that the cells without a record need, in one pass over the images for all teachers,
// and with all stages where one of the methods needs them.
func (s *Spec) computeFeatures(ctx context.Context, session *rdlib.Session) error {
	var teachers []string
	var options rdlib.Options
	stages := false
	for _, cell := range s.Cells() {
		if _, err := os.Stat(s.recordPath(cell)); err == nil || !s.needsTeacher(cell.Method) {
			continue
		}
		options = s.options(cell)
		if !slices.Contains(teachers, options.Teacher) {
			teachers = append(teachers, options.Teacher)
		}
		if m, err := distill.New(cell.Method, s.Base.MethodOptions); err == nil && m.Needs().Stages {
			stages = true
		}
	}
	if len(teachers) == 0 {
		return nil
	}
	_, err := session.Features(ctx, options, teachers, stages)
	return err
}

// setAsideDamaged renames records that do not hash to what they say, so that their cells are computed again.
func setAsideDamaged(session *rdlib.Session, spec *Spec) error {
	for _, cell := range spec.Cells() {
		path := spec.recordPath(cell)
		if _, err := record.Read(path); errors.Is(err, record.ErrDamaged) {
			fmt.Fprintf(session.Log, "%v; it is set aside as %s.damaged\n", err, filepath.Base(path))
			if err := os.Rename(path, path+".damaged"); err != nil {
				return fmt.Errorf("set a damaged record aside: %w", err)
			}
		}
	}
	return nil
}

func runCell(ctx context.Context, session *rdlib.Session, spec *Spec, cell Cell, name string) error {
	o := spec.options(cell)
	o.Name = name
	path := spec.recordPath(cell)
	o.Checkpoint = strings.TrimSuffix(path, ".json") + ".checkpoint"
	job, err := session.Prepare(ctx, o)
	if err != nil {
		return err
	}
	done, err := record.Read(path)
	switch {
	case err == nil && done.Result.Key == job.Key:
		if leaks := job.Leaks(); done.Leaks == nil && leaks != nil { // a record from before leaks were noted
			done.Leaks = leaks
			if err := done.Write(path); err != nil {
				return err
			}
		}
		fmt.Fprintf(session.Log, "%s: done before, test accuracy %.1f %%\n", name, 100*done.Result.Last.TestAccuracy)
		return nil
	case err == nil:
		return &rdlib.UsageError{Err: fmt.Errorf("%s is the record of another configuration: choose another --out, or remove it", path)}
	case errors.Is(err, fs.ErrNotExist):
	default:
		return fmt.Errorf("record %s: %w", path, err)
	}
	r, _, err := job.Train(ctx)
	if err != nil {
		return err
	}
	r.Run.Command = spec.Command
	if err := r.Write(path); err != nil {
		return err
	}
	fmt.Fprintf(session.Log, "%s: test accuracy %.1f %% (%d of %d)\n", name, 100*r.Result.Last.TestAccuracy, r.Result.Last.TestCorrect, r.Result.Last.TestTotal)
	return os.RemoveAll(o.Checkpoint)
}

// Records reads the records of a comparison's cells; a cell without one is nil.
func Records(spec *Spec) (map[Cell]*record.Record, error) {
	records := map[Cell]*record.Record{}
	for _, cell := range spec.Cells() {
		r, err := record.Read(spec.recordPath(cell))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		records[cell] = r
	}
	return records, nil
}
