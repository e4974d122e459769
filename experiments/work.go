package experiments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rd/rdlib"
	"rd/rdlib/record"
)

// claimPoll is how often a process looks whether another one is done with a cell.
const claimPoll = time.Second

// Work is a list of cells to compute into one store. Several processes may work on one list: each cell is computed once.
type Work struct {
	Store           *Store
	Cells           []Cell
	Command         string        // noted in the records
	CheckpointEvery time.Duration // 0 is a minute
	// Options makes what a cell needs, such as its data, and returns its options.
	Options func(context.Context, *rdlib.Session, Cell) (rdlib.Options, error)
	// Own computes the cells of theTeacher and keeps their records; done: it was there.
	Own   func(ctx context.Context, session *rdlib.Session, c Cell, name string) (r *record.Record, done bool, err error)
	After func() error     // called when a cell has ended, to render tables; nil: nothing is
	Stop  func(error) bool // whether the other cells would end as this one did; nil: never
}

// Run computes the cells that have no record yet and writes each record as it comes, so that an interruption loses
// nothing. A cell that fails is noted and told, and the rest goes on; the error then wraps all errors of cells. Cells that
// another process computes are waited for, and taken over when it ends without having finished them.
func (w *Work) Run(ctx context.Context, session *rdlib.Session) error {
	started := time.Now()
	number := map[Cell]int{}
	for i, c := range w.Cells {
		number[c] = i + 1
	}
	failed := &failedCells{of: len(w.Cells)}
	var computing time.Duration // of so many cells
	computed, over := 0, 0
	left, told := w.Cells, false
	for len(left) > 0 {
		var busy []Cell
		for _, c := range left {
			name := fmt.Sprintf("[%d/%d] %s", number[c], len(w.Cells), c)
			if computed > 0 {
				rest := time.Duration(len(w.Cells)-over) * computing / time.Duration(computed)
				name = fmt.Sprintf("[%d/%d, about %s left] %s", number[c], len(w.Cells), rest.Round(time.Second), c)
			}
			begun := time.Now()
			outcome, err := w.try(ctx, session, c, name, started)
			if outcome == others {
				busy = append(busy, c)
				continue
			}
			over++
			if outcome == trained {
				computing += time.Since(begun)
				computed++
			}
			var cell *cellError
			if err != nil && !errors.As(err, &cell) {
				return err
			}
			if cell != nil {
				fmt.Fprintf(session.Log, "%s: failed: %s\n", name, failed.note(cell.error))
			}
			if w.After != nil {
				if err := w.After(); err != nil {
					return err
				}
			}
		}
		if len(busy) == len(left) {
			if !told {
				fmt.Fprintf(session.Log, "waiting for another process that computes %s\n", busy[0])
				told = true
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(claimPoll):
			}
		}
		left = busy
	}
	if len(failed.errors) > 0 {
		return failed
	}
	return nil
}

// failedCells are the errors of cells, each told when its cell failed.
type failedCells struct {
	errors []error
	of     int // cells
}

// note keeps an error and returns what there is to tell of it.
func (f *failedCells) note(err error) string {
	known := slices.ContainsFunc(f.errors, func(other error) bool { return other.Error() == err.Error() })
	f.errors = append(f.errors, err)
	if known {
		return "for a reason told above"
	}
	return err.Error()
}

func (f *failedCells) Error() string {
	return fmt.Sprintf("%d of %d cells failed, as told above; why is noted in the .failed.json files among the records, too", len(f.errors), f.of)
}

func (f *failedCells) Unwrap() []error { return f.errors }

// cellError is a failure of one cell alone.
type cellError struct{ error }

// outcome is how an attempt at a cell ended.
type outcome int

const (
	ended  outcome = iota // with an error
	others                // not begun: another process has it
	before                // it was done already
	trained
)

// try computes a cell unless it is done.
func (w *Work) try(ctx context.Context, session *rdlib.Session, c Cell, name string, started time.Time) (outcome, error) {
	if err := ctx.Err(); err != nil {
		return ended, err
	}
	claim, err := w.Store.Claim(c)
	if err != nil {
		return ended, err
	}
	if claim == nil {
		return others, nil
	}
	defer claim.Release()
	if f := w.Store.Failed(c); f != nil && f.Time.After(started) {
		return ended, &cellError{errors.New("in another process, which says why")}
	}
	r, done, err := w.compute(ctx, session, c, name)
	if err == nil {
		last, when, how := r.Result.Last, "", trained
		if done {
			when, how = "done before, ", before
		}
		fmt.Fprintf(session.Log, "%s: %stest accuracy %.1f %% (%d of %d)\n", name, when, 100*last.TestAccuracy, last.TestCorrect, last.TestTotal)
		return how, nil
	}
	if rdlib.ExitCode(err) == rdlib.ExitInterrupted || w.Stop != nil && w.Stop(err) {
		return ended, err
	}
	if err := w.Store.Fail(c, err, w.Command); err != nil {
		return ended, err
	}
	return ended, &cellError{err}
}

// compute returns the cell's record, which is kept, and whether it was there before.
func (w *Work) compute(ctx context.Context, session *rdlib.Session, c Cell, name string) (r *record.Record, done bool, err error) {
	if c.Student == theTeacher {
		return w.Own(ctx, session, c, name)
	}
	o, err := w.Options(ctx, session, c)
	if err != nil {
		return nil, false, err
	}
	o.Name, o.Command, o.CheckpointEvery = name, w.Command, w.CheckpointEvery
	job, err := session.Prepare(ctx, o)
	if err != nil {
		return nil, false, err
	}
	job.Keep(w.Store.checkpoint(c, job.Key))
	if r, err = w.Store.Have(c, job.Key, session.Log); err != nil {
		return nil, false, err
	}
	if r != nil {
		if leaks := job.Leaks(); r.Leaks == nil && leaks != nil { // a record from before leaks were noted
			r.Leaks = leaks
			return r, true, w.Store.Finish(c, r)
		}
		return r, true, nil
	}
	if r, _, err = job.Train(ctx); err != nil {
		return nil, false, err
	}
	return r, false, w.Store.Finish(c, r)
}
