package experiments

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"rd/rdlib"
	"rd/rdlib/boundary"
)

// BoundarySize says how finely the paper's Figure 2 is drawn and measured; what is 0 has its default. A profile that does not
// say it draws the figure when asked for it only.
type BoundarySize struct {
	Triplets   int `yaml:"triplets"`             // to measure agreement on; 0 is 20
	Rows       int `yaml:"rows"`                 // triplets that are drawn; 0 is 3
	Resolution int `yaml:"resolution"`           // points along each side of a plane that is drawn
	Coarse     int `yaml:"agreement_resolution"` // of one that is measured
}

func (s BoundarySize) options() boundary.Options {
	return boundary.Options{Rows: cmp.Or(s.Rows, 3), Resolution: s.Resolution, Coarse: s.Coarse}
}

// boundaryModels is how many students Figure 2 shows at most.
const boundaryModels = 5

// boundaryMethods are those that Figure 2 shows before others.
var boundaryMethods = []string{"rd", "direct", "kd", "scratch"}

// BoundaryCells are the cells whose students Figure 2 shows: of the first seed, of the student, data set and teacher for
// which the plan has the most methods beside RD. None, where the plan has no RD.
func (p *Plan) BoundaryCells() []Cell {
	var best []Cell
	for _, rd := range p.Cells {
		if rd.Method != "rd" || rd.Seed != 1 || rd.Share != 0 {
			continue
		}
		var beside []Cell
		for _, c := range p.Cells {
			if c.Dataset == rd.Dataset && c.Student == rd.Student && (c.Teacher == rd.Teacher || c.Teacher == "") && c.Seed == 1 && c.Share == 0 && !p.ablates(c) {
				beside = append(beside, c)
			}
		}
		if len(beside) > len(best) {
			best = beside
		}
	}
	rank := func(c Cell) int {
		if i := slices.Index(boundaryMethods, c.Method); i >= 0 {
			return i
		}
		return len(boundaryMethods)
	}
	slices.SortStableFunc(best, func(a, b Cell) int { return rank(a) - rank(b) })
	return best[:min(len(best), boundaryModels)]
}

// Boundaries trains the students of Figure 2 where they are not there, keeps their records, and compares their decision
// regions with those of the teacher: fine-tuned, where that is part of the plan, else a linear classifier on its frozen
// features. The students lie in the plan's folder of work.
func (r Reproduction) Boundaries(ctx context.Context, session *rdlib.Session) (*boundary.Study, error) {
	m := r.Plan.Matrix
	cells := r.Plan.BoundaryCells()
	if len(cells) == 0 {
		return nil, &rdlib.UsageError{Err: errors.New("the figure of decision regions needs students of RD with seed 1, and none is chosen")}
	}
	o := rdlib.BoundaryOptions{
		Triplets: cmp.Or(m.Boundaries.Triplets, 20), Study: m.Boundaries.options(), Seed: 1, SplitSeed: 1, Threads: m.Training.Threads,
		DropLeaks: m.Training.DropLeaks, Log: session.Log,
	}
	prepared := newPreparation(r)
	reference := ""
	for i, c := range cells {
		cell, err := prepared.options(ctx, session, c)
		if err != nil {
			return nil, err
		}
		cell.Name, cell.Command, cell.CheckpointEvery = fmt.Sprintf("[figure 2, %d/%d] %s", i+1, len(cells), c), r.Command, r.CheckpointEvery
		folder, err := r.student(ctx, session, c, cell)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c, err)
		}
		o.Models = append(o.Models, filepath.Join(folder, rdlib.StudentFile))
		if c.Method != "rd" {
			continue
		}
		o.Data = cell.Data
		if o.Teacher, reference, err = r.reference(ctx, session, prepared, c, cell); err != nil {
			return nil, err
		}
	}
	study, err := rdlib.Boundaries(ctx, o)
	if err != nil {
		return nil, err
	}
	study.Dataset = r.Plan.entries[cells[0].Dataset].Name
	study.Models[0].Name = reference
	for i, c := range cells {
		study.Models[i+1].Name = methodLabel(c.Method)
	}
	return study, nil
}

// reference is the file of the teacher, given RD's cell and its options, and what the figure calls it.
func (r Reproduction) reference(ctx context.Context, session *rdlib.Session, prepared *preparation, rd Cell, o rdlib.Options) (path, name string, err error) {
	c := Cell{Dataset: rd.Dataset, Student: theTeacher, Method: rdlib.FineTune, Teacher: rd.Teacher, Seed: rd.Seed}
	if !slices.Contains(r.Plan.Cells, c) {
		return o.Teacher, rd.Teacher + ", linear probe", nil
	}
	claim, err := r.claim(ctx, session, c)
	if err != nil {
		return "", "", err
	}
	defer claim.Release()
	rec, err := session.Adapt(ctx, prepared.adaptation(c, o), prepared.adaptedFile(c))
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", c, err)
	}
	if _, err := r.Store.Record(c); errors.Is(err, fs.ErrNotExist) {
		if err := r.Store.Finish(c, rec); err != nil {
			return "", "", err
		}
	}
	return prepared.adaptedFile(c), rd.Teacher + ", fine-tuned", nil
}

// student trains the cell's student, unless it is there, and returns its folder. The record goes into the store, where
// there is none yet; meanwhile no other process computes the cell.
func (r Reproduction) student(ctx context.Context, session *rdlib.Session, c Cell, o rdlib.Options) (string, error) {
	job, err := session.Prepare(ctx, o)
	if err != nil {
		return "", err
	}
	claim, err := r.claim(ctx, session, c)
	if err != nil {
		return "", err
	}
	defer claim.Release()
	folder := filepath.Join(r.Plan.workFolder(), "students", filepath.FromSlash(c.file())+"-"+short(job.Key))
	rec, err := session.Distill(ctx, o, folder)
	if err != nil {
		return "", err
	}
	stored, err := r.Store.Record(c)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return folder, r.Store.Finish(c, rec)
	case err == nil && stored.Result.Key == rec.Result.Key && stored.ResultSHA256 != rec.ResultSHA256:
		fmt.Fprintf(session.Log, "warning: %s: trained again, the student is not the one of the record: was that made on another machine?\n", c)
	}
	return folder, nil // what else is wrong with a record the matrix tells
}

// claim takes a cell, after another process that has it.
func (r Reproduction) claim(ctx context.Context, session *rdlib.Session, c Cell) (*Claim, error) {
	return r.Store.WaitClaim(ctx, c, func() { fmt.Fprintf(session.Log, "waiting for another process that computes %s\n", c) })
}
