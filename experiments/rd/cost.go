package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/shirou/gopsutil/v4/load"
	"github.com/spf13/cobra"

	"rd/experiments"
	"rd/rdlib"
	"rd/rdlib/deploy"
)

// costOptions are those of Table 6.
func costOptions() rdlib.CostOptions {
	return rdlib.CostOptions{Models: experiments.CostModels(), Size: 224, Classes: 2, Batches: []int{1, 32}, Runs: 20, Limit: 10 * time.Second}
}

func costCommand() *cobra.Command {
	o := costOptions()
	var out string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "cost",
		Short: "Parameters, operations, file size and latency of the networks",
		Long: `cost counts parameters and operations of networks from their descriptions, in the paper's units and plain ones, exports them
as ONNX with random weights and measures how long ONNX Runtime takes for a batch of 1 and of 32 images. With --out it writes
the measurement and Table 6 to a folder.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := positive(cmd.Flags()); err != nil {
				return err
			}
			c, err := measureCosts(cmd.Context(), o)
			if err != nil {
				return err
			}
			if out != "" {
				if err := c.Write(out); err != nil {
					return err
				}
			}
			if asJSON {
				return printJSON(c.Models)
			}
			for _, m := range c.Models {
				fmt.Printf("%s: %d parameters, %d multiply-accumulates; in the paper's units %.2f M, %.2f G; ONNX file %d bytes\n", m.Model, m.Parameters, m.MACs, m.PaperParams, m.PaperFLOPs, m.ONNXBytes)
				for _, batch := range o.Batches {
					l := m.Latency[fmt.Sprintf("batch%d", batch)]
					fmt.Printf("  batch %d: %.2f ms (%.2f–%.2f, %d runs)\n", batch, l.Median, l.Low, l.High, l.Runs)
				}
			}
			if out != "" {
				fmt.Printf("table 6: %s.md, .csv, .tex, .html\n", filepath.Join(out, "table6"))
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.Models, "models", o.Models, "architectures; beside the students there are those of teachers")
	f.IntVar(&o.Size, "size", o.Size, "height and width of the images")
	f.IntVar(&o.Classes, "classes", o.Classes, "classes")
	f.Float64Var(&o.Width, "width", 1, "width multiplier")
	f.IntSliceVar(&o.Batches, "batches", o.Batches, "images a run, of each measurement of latency")
	f.IntVar(&o.Runs, "runs", o.Runs, "runs of each measurement, at most: after ten seconds it ends, with three at least")
	f.IntVar(&o.Threads, "threads", 0, "threads of ONNX Runtime (0: one per processor)")
	f.StringVar(&out, "out", "", "folder to write cost.json and Table 6 to")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// reproduceCosts renders Table 6 into a folder, from its record where there is one. Else costs are measured now, or, as a measurement is
// another one each time, only counted.
func reproduceCosts(ctx context.Context, plan *experiments.Plan, out string, measure bool) error {
	c, err := experiments.ReadCost(out)
	if err != nil {
		return err
	}
	if c != nil {
		return c.Write(out)
	}
	o := costOptions()
	if !measure {
		o.Batches = nil
	}
	if c, err = measureCosts(ctx, o); err != nil {
		return err
	}
	if measure {
		return c.Write(out)
	}
	c.Command = plan.Command()
	return c.Table().Write(out)
}

// measureCosts measures on this machine.
func measureCosts(ctx context.Context, o rdlib.CostOptions) (*experiments.CostRecord, error) {
	c := &experiments.CostRecord{Size: o.Size, Classes: o.Classes, Width: o.Width, Threads: o.Threads, Cores: runtime.NumCPU(), CPU: rdlib.CPU(), Command: commandLine("bin/rd")}
	c.Host, _ = os.Hostname()
	c.Started = time.Now().UTC().Format(time.RFC3339)
	if average, err := load.Avg(); err == nil {
		c.Load = average.Load1
	}
	for _, name := range o.Models {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "%s\n", name)
		one := o
		one.Models = []string{name}
		costs, err := rdlib.Costs(one)
		if err != nil {
			return nil, err
		}
		c.Models = append(c.Models, costs...)
	}
	c.Runtime = "ONNX Runtime " + deploy.RuntimeVersion()
	return c, nil
}
