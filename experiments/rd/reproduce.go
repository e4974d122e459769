package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rd/experiments"
	"rd/experiments/profiles"
	"rd/experiments/report"
	"rd/rdlib"
)

// matrixFlags choose a matrix, a part of it, and where its results are.
type matrixFlags struct {
	profile, out string
	selection    experiments.Selection
}

func (m *matrixFlags) add(f *pflag.FlagSet) {
	f.StringVar(&m.profile, "profile", "quick", strings.Join(profiles.Names(), ", ")+", or a YAML file like theirs")
	f.StringVar(&m.selection.Root, "data", "", "folder of the real data sets, each in a folder of its own, and of models/; without it: phantoms")
	f.IntSliceVar(&m.selection.Tables, "table", nil, "tables to make, by number (default: all; 1 alone looks at the data sets on disk anew, 6 alone measures this machine)")
	f.StringVar(&m.selection.Work, "work", "runs", "folder of phantoms, miniature and adapted teachers; teachers that are not below --data are looked for here")
	f.IntVar(&m.selection.Seeds, "seeds", 0, "seeds 1 … N instead of the profile's")
	f.StringSliceVar(&m.selection.Datasets, "datasets", nil, "compute these data sets of the profile only")
	f.StringSliceVar(&m.selection.Teachers, "teachers", nil, "compute these teachers of the profile only")
	f.StringSliceVar(&m.selection.Students, "students", nil, "compute these students of the profile only")
	f.StringSliceVar(&m.selection.Methods, "methods", nil, "compute these methods of the profile only")
	f.StringVar(&m.out, "out", "", "folder of records and tables (default: results/PROFILE)")
}

// plan works out what is asked for.
func (m *matrixFlags) plan(flags *pflag.FlagSet) (*experiments.Plan, error) {
	if err := positive(flags); err != nil {
		return nil, err
	}
	if err := experiments.CheckTables(m.selection.Tables); err != nil {
		return nil, err
	}
	matrix, err := experiments.LoadMatrix(m.profile)
	if err != nil {
		return nil, err
	}
	plan, err := matrix.Plan(m.selection)
	if err != nil {
		return nil, err
	}
	if m.out == "" {
		m.out = plan.OutFolder("results")
	}
	return plan, plan.CheckFolders(m.out)
}

func reproduceCommand() *cobra.Command {
	var session sessionFlags
	var matrix matrixFlags
	var run experiments.Reproduction
	var figureNames []string
	var workers int
	var dryRun, follow bool
	cmd := &cobra.Command{
		Use:   "reproduce",
		Short: "Compute what is missing of a profile's matrix of cells and render its tables and figures",
		Long: `reproduce computes the cells of a profile, data sets × teachers × students × methods × seeds, that have no record yet, and
renders its tables as Markdown, CSV, LaTeX and HTML whenever a cell has ended. On phantoms it makes these and their miniature
teachers on the way; with --data it takes real images and teachers. Run the same command again to go on after an interruption;
run it several times at once, in one folder, and the processes share the cells, as --workers does.

Figures are drawn at the end. For the paper's Figure 2 the students of some cells are trained with their weights kept; with
--figure 1 or 2 alone no other cell is computed.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Table 6 is no matter of cells.
			asked := matrix.selection.Tables
			matrix.selection.Tables = slices.DeleteFunc(slices.Clone(asked), func(n int) bool { return n == experiments.Table6 })
			plan, err := matrix.plan(cmd.Flags())
			if err != nil {
				return err
			}
			if len(matrix.selection.Tables) < len(asked) && !follow && !dryRun {
				if err := reproduceCosts(cmd.Context(), plan, matrix.out, true); err != nil {
					return err
				}
				if len(matrix.selection.Tables) == 0 && len(figureNames) == 0 {
					tellTables(matrix.out, asked)
					return writePage(matrix.out)
				}
			}
			wanted, err := wantedFigures(figureNames, matrix.selection.Tables, plan, matrix.out)
			if err != nil {
				return err
			}
			if dryRun {
				results, err := plan.Results(experiments.ReadStore(matrix.out))
				if err == nil {
					fmt.Print(plan.Describe(results))
				}
				return err
			}
			store, err := plan.OpenStore(matrix.out)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			if follow {
				ctx = whileOpen(ctx, os.Stdin)
			} else {
				results, err := plan.Results(store)
				if err != nil {
					return err
				}
				if wanted.matrix {
					fmt.Fprint(os.Stderr, plan.Describe(results))
				}
			}
			if !wanted.matrix {
				workers = 1
			}
			others, err := startWorkers(ctx, workers-1)
			if err != nil {
				return err
			}
			defer others.stop()
			if session.threads == 0 {
				session.threads = plan.Matrix.Training.Threads
			}
			s, err := session.open()
			if err != nil {
				return err
			}
			defer s.Close()
			run.Plan, run.Store, run.Tables, run.Command = plan, store, matrix.selection.Tables, commandLine("bin/rd")
			if follow {
				return run.Run(ctx, s)
			}
			if !wanted.matrix {
				if err := drawFigures(ctx, wanted.trains, run, s, matrix.out); err != nil {
					return err
				}
				return writePage(matrix.out)
			}
			var without error // of the tables that need no cell, which hold up no other
			switch {
			case len(asked) == 0:
				without = errors.Join(run.Datasets(ctx, s, matrix.selection.Datasets, false), reproduceCosts(ctx, plan, matrix.out, false))
			case slices.Contains(run.Tables, 1):
				without = run.Datasets(ctx, s, matrix.selection.Datasets, true)
			}
			if rdlib.ExitCode(without) == rdlib.ExitInterrupted {
				return without
			}
			err = run.Run(ctx, s)
			if waited := others.wait(); err == nil {
				err = waited
			}
			if err == nil {
				err = plan.Render(store, matrix.selection.Tables)
			}
			if rdlib.ExitCode(err) != rdlib.ExitInterrupted {
				err = errors.Join(err, drawFigures(ctx, wanted.drawn, run, s, matrix.out), drawFigures(ctx, wanted.trains, run, s, matrix.out))
			}
			tellTables(matrix.out, asked)
			if rdlib.ExitCode(err) != rdlib.ExitInterrupted {
				if written := writePage(matrix.out); err == nil {
					err = written
				}
			}
			return errors.Join(without, err)
		},
	}
	f := cmd.Flags()
	session.add(f)
	matrix.add(f)
	f.StringSliceVar(&figureNames, "figure", nil, "figures to draw: "+figuresHelp()+" (default: all; none with --table)")
	f.DurationVar(&run.CheckpointEvery, "checkpoint-every", time.Minute, "time between a cell's checkpoints")
	f.IntVar(&workers, "workers", 1, "processes that share the cells")
	f.BoolVar(&dryRun, "dry-run", false, "say what would be computed and how long it may take, and do nothing")
	f.BoolVar(&follow, "follow", false, "work for another process, until standard input closes")
	f.MarkHidden("follow")
	return cmd
}

// writePage puts what a folder of results holds on its page, and says where that lies.
func writePage(out string) error {
	page := filepath.Join(out, "index.html")
	if err := report.WriteHTML(out, "", page); err != nil {
		return err
	}
	fmt.Printf("page: %s\n", page)
	return nil
}

// tellTables says where everything lies.
func tellTables(out string, numbers []int) {
	if len(numbers) == 0 {
		numbers = append(experiments.TableNumbers(), experiments.Table6)
	}
	for _, n := range numbers {
		base := filepath.Join(out, fmt.Sprintf("table%d", n))
		if _, err := os.Stat(base + ".md"); err == nil {
			fmt.Printf("table %d: %s.md, .csv, .tex, .html\n", n, base)
		}
	}
	fmt.Printf("records: %s\n", filepath.Join(out, "records"))
}
