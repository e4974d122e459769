package experiments

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"rd/rdlib"
)

// Seeds of the phantoms and of the miniature teachers; fixed, so that everyone compares on the same images.
const (
	phantomSeed  = 2024
	pretrainSeed = 7
)

// OutFolder is where a plan's results lie below a folder of results: the matrix's name, and the kind of data where it is not
// the one the matrix is meant for.
func (p *Plan) OutFolder(results string) string {
	name := p.Matrix.Name
	if p.Data != p.Matrix.Data {
		name += "-" + p.Data
	}
	return filepath.Join(results, name)
}

// Reproduction says where and how a plan is computed.
type Reproduction struct {
	Plan            *Plan
	Store           *Store
	Tables          []int         // those to render; none: all
	Command         string        // noted in the records
	CheckpointEvery time.Duration // 0 is a minute
}

// Run computes what is missing and renders the tables into the store's folder whenever a cell has ended.
func (r Reproduction) Run(ctx context.Context, session *rdlib.Session) error {
	prepared := newPreparation(r)
	w := &Work{
		Store: r.Store, Cells: r.Plan.Cells, Command: r.Command, CheckpointEvery: r.CheckpointEvery, Options: prepared.options, Own: prepared.own,
		After: func() error { return r.Plan.Render(r.Store, r.Tables) },
	}
	return w.Run(ctx, session)
}

// Render writes the tables of the given numbers, or all, from the records in the store.
func (p *Plan) Render(store *Store, numbers []int) error {
	results, err := p.Results(store)
	if err != nil {
		return err
	}
	for _, n := range p.tables(numbers) {
		if err := tables[n](results).Write(store.dir); err != nil {
			return err
		}
	}
	return nil
}

// CheckTables refuses numbers of tables that cannot be made.
func CheckTables(numbers []int) error {
	for _, n := range numbers {
		if _, known := tables[n]; !known {
			return &rdlib.UsageError{Err: fmt.Errorf("--table %d: there are 1 to %d", n, Table6)}
		}
	}
	return nil
}
