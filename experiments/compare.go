// Package experiments plans and runs comparisons: every combination of student, method and seed is a cell, each cell
// leaves one record, and the tables are functions of the records alone.
package experiments

import (
	"context"
	"fmt"
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
				cells = append(cells, Cell{Student: student, Method: v.Method, Seed: uint64(seed + 1), Teacher: v.Teacher})
			}
		}
	}
	return cells
}

// Run computes the cells that have no record yet, see Work, and renders the table after every one.
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
	store, err := OpenStore(spec.Out)
	if err != nil {
		return err
	}
	if err := spec.computeFeatures(ctx, session, store); err != nil {
		return err
	}
	work := &Work{
		Store: store, Cells: spec.Cells(), Command: spec.Command, CheckpointEvery: spec.Base.CheckpointEvery,
		Options: func(_ context.Context, _ *rdlib.Session, c Cell) (rdlib.Options, error) { return spec.options(c), nil },
		After:   func() error { return Render(spec) },
		Stop: func(err error) bool {
			return rdlib.ExitCode(err) == rdlib.ExitUsage || rdlib.ExitCode(err) == rdlib.ExitInput
		},
	}
	return work.Run(ctx, session)
}

// options are a cell's.
func (s *Spec) options(cell Cell) rdlib.Options {
	o := s.Base
	o.Student, o.Method, o.Teacher = cell.Student, cell.Method, s.teacher(cell)
	if len(s.Teachers) > 1 { // the students of one table see the same images
		o.InputOf = s.Teachers[0]
	}
	o.Seeds = record.SameSeeds(cell.Seed)
	return o
}

// computeFeatures computes all features that the cells without a record need, in one pass over the images for all teachers,
// and with all stages where one of the methods needs them.
func (s *Spec) computeFeatures(ctx context.Context, session *rdlib.Session, store *Store) error {
	var teachers []string
	var options rdlib.Options
	stages := false
	for _, cell := range s.Cells() {
		if isFile(store.recordPath(cell)) || !s.needsTeacher(cell.Method) {
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

// Records reads the records of a comparison's cells; a cell without one is nil.
func Records(spec *Spec) (map[Cell]*record.Record, error) {
	return ReadStore(spec.Out).Records(spec.Cells())
}
