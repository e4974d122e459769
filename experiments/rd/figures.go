package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"

	"rd/experiments"
	"rd/figures"
	"rd/rdlib"
	"rd/rdlib/spelling"
)

// figure is one that reproduce draws beside the tables.
type figure struct {
	name    string
	number  int // the paper's; 0: it has none
	records bool
	// draw draws it from a matrix, with base as its path without extension.
	draw func(ctx context.Context, run experiments.Reproduction, s *rdlib.Session, base string) error
}

func matrixFigures() []figure {
	return []figure{
		{name: "overview", number: 1, draw: func(_ context.Context, _ experiments.Reproduction, _ *rdlib.Session, base string) error {
			return figures.Overview(base)
		}},
		{name: "boundaries", number: 2, draw: drawBoundaries},
		{name: "curves", records: true, draw: ofResults(figures.Curves)},
		{name: "cka", records: true, draw: ofResults(figures.CKA)},
		{name: "parameters", records: true, draw: ofResults(figures.Parameters)},
		{name: latency, records: true, draw: ofResults(drawLatency)},
		{name: "confusion", records: true, draw: ofResults(figures.Confusions)},
		{name: "ranks", records: true, draw: ofResults(figures.Ranks)},
		{name: experiments.TrainingSize, records: true, draw: ofResults(drawTrainingSize)},
	}
}

// ofResults is a figure drawn from the records of a matrix.
func ofResults(draw func(*experiments.Results, string) error) func(context.Context, experiments.Reproduction, *rdlib.Session, string) error {
	return func(_ context.Context, run experiments.Reproduction, _ *rdlib.Session, base string) error {
		results, err := run.Plan.Results(run.Store)
		if err != nil {
			return err
		}
		return draw(results, base)
	}
}

// latency is the name of a figure that needs a measurement.
const latency = "latency"

// drawLatency draws accuracy against the latency that was measured.
func drawLatency(results *experiments.Results, base string) error {
	costs, err := results.Costs()
	if err != nil {
		return err
	}
	return figures.Latency(results, costs, base)
}

// drawTrainingSize draws the gain against the number of training images and writes the table of its numbers.
func drawTrainingSize(results *experiments.Results, base string) error {
	path, err := results.WriteTrainingSize()
	if err != nil {
		return err
	}
	fmt.Printf("table %s: %s.md, .csv, .tex, .html\n", experiments.TrainingSize, path)
	return figures.TrainingSize(results, base)
}

// drawBoundaries draws the decision regions and writes the agreements beside them as JSON.
func drawBoundaries(ctx context.Context, run experiments.Reproduction, s *rdlib.Session, base string) error {
	study, err := run.Boundaries(ctx, s)
	if err != nil {
		return err
	}
	if err := figures.Boundaries(study, base); err != nil {
		return err
	}
	data, err := json.MarshalIndent(study, "", " ")
	if err != nil {
		return fmt.Errorf("encode agreements: %w", err)
	}
	if err := renameio.WriteFile(base+".json", append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write agreements: %w", err)
	}
	printAgreements(study)
	return nil
}

// figuresHelp lists what --figure takes.
func figuresHelp() string {
	var names []string
	for _, f := range matrixFigures() {
		if f.number > 0 {
			names = append(names, fmt.Sprintf("%d or %s", f.number, f.name))
		} else {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, ", ")
}

// figurePlan are the figures that a command draws.
type figurePlan struct {
	trains []figure // that train students again
	drawn  []figure // from its records
	matrix bool     // whether it is wanted at all
}

// wantedFigures are the figures named, or, where neither figures nor tables are, all. Decision regions, which can take hours,
// are among all where the profile says how finely, gains by training-set size where the plan has shares, and accuracy against latency where
// that was measured. The matrix is left out where none of the figures needs it and no table is asked for.
func wantedFigures(named []string, tables []int, plan *experiments.Plan, out string) (figurePlan, error) {
	chosen := matrixFigures()
	if plan.Matrix.Boundaries == (experiments.BoundarySize{}) || len(plan.BoundaryCells()) == 0 {
		chosen = slices.DeleteFunc(chosen, func(f figure) bool { return f.name == "boundaries" })
	}
	if !plan.HasShares() {
		chosen = slices.DeleteFunc(chosen, func(f figure) bool { return f.name == experiments.TrainingSize })
	}
	_, unmeasured := plan.Costs(out)
	if unmeasured != nil {
		chosen = slices.DeleteFunc(chosen, func(f figure) bool { return f.name == latency })
	}
	p := figurePlan{matrix: len(named) == 0 || len(tables) > 0}
	if len(named) > 0 || len(tables) > 0 {
		var err error
		if chosen, err = chosenFigures(named); err != nil {
			return p, err
		}
	}
	for _, f := range chosen {
		if f.name == latency && unmeasured != nil {
			return p, fmt.Errorf("--figure %s: %w", latency, unmeasured)
		}
		if f.name == experiments.TrainingSize {
			if err := plan.CheckTrainingSize(); err != nil {
				return p, err
			}
		}
		if f.records {
			p.drawn, p.matrix = append(p.drawn, f), true
		} else {
			p.trains = append(p.trains, f)
		}
	}
	return p, nil
}

// chosenFigures are those named, each by its name or the paper's number.
func chosenFigures(named []string) ([]figure, error) {
	all := matrixFigures()
	var known []string
	for _, f := range all {
		known = append(known, f.name)
	}
	var chosen []figure
	for _, name := range named {
		i := slices.IndexFunc(all, func(f figure) bool { return name == f.name || f.number > 0 && name == strconv.Itoa(f.number) })
		if i < 0 {
			return nil, &rdlib.UsageError{Err: fmt.Errorf("--figure %s: did you mean %s? There are %s", name, spelling.Nearest(name, known), figuresHelp())}
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// drawFigures draws figures into the folder figures of the results. One that fails does not hold up the others.
func drawFigures(ctx context.Context, chosen []figure, run experiments.Reproduction, s *rdlib.Session, out string) error {
	var failed []error
	for _, f := range chosen {
		base := filepath.Join(out, "figures", f.name)
		err := f.draw(ctx, run, s, base)
		if err == nil {
			fmt.Printf("figure %s: %s.pdf, .svg, .png\n", f.name, base)
			continue
		}
		failed = append(failed, fmt.Errorf("figure %s: %w", f.name, err))
		if rdlib.ExitCode(err) == rdlib.ExitInterrupted {
			break
		}
	}
	return errors.Join(failed...)
}
