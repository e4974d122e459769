package experiments

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

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

// Reproduce computes what is missing of a plan and renders its tables into the store's folder whenever a cell has ended. What
// the cells need, phantoms and miniature teachers, is made under work.
func Reproduce(ctx context.Context, session *rdlib.Session, p *Plan, store *Store, work, command string, numbers []int) error {
	prepared := newPreparation(p, store, work)
	w := &Work{
		Store: store, Cells: p.Cells, Command: command, Options: prepared.options,
		After: func() error { return p.Render(store, numbers) },
	}
	err := w.Run(ctx, session)
	if rendered := p.Render(store, numbers); err == nil {
		err = rendered
	}
	return err
}

// Render writes the tables of the given numbers, or all, from the records in the store.
func (p *Plan) Render(store *Store, numbers []int) error {
	results, err := p.Results(store)
	if err != nil {
		return err
	}
	for _, n := range TableNumbers() {
		if len(numbers) > 0 && !slices.Contains(numbers, n) {
			continue
		}
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
			return &rdlib.UsageError{Err: fmt.Errorf("--table %d: there are %v", n, TableNumbers())}
		}
	}
	return nil
}
