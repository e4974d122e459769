package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"rd/rdlib"
)

func benchStepCommand() *cobra.Command {
	var o rdlib.BenchOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "step",
		Short: "Seconds of a training step on random images; compilation is left out",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			result, err := rdlib.BenchStep(o)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(result)
			}
			fmt.Printf("%s, %s, %dx%d, batch %d, %s with %d threads: %.4f s a step (median of %d), peak memory %.0f MiB\n",
				result.Student, result.Method, result.Size, result.Size, result.Batch, result.Backend, result.Threads,
				result.SecondsPerStep, len(result.All), result.PeakRSSMiB)
			if result.Profile == nil {
				return nil
			}
			return result.Profile.Write(os.Stdout)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Student, "student", "resnet18", studentHelp())
	f.StringVar(&o.Method, "method", "scratch", "see 'rd methods'; or, with an architecture of teachers, how it is adapted: "+strings.Join(rdlib.Adaptations(), ", "))
	f.Float64Var(&o.Width, "width", 1, "width multiplier")
	f.IntVar(&o.Size, "size", 64, "height and width of the images")
	f.IntVar(&o.Batch, "batch", 32, "images a step")
	f.IntVar(&o.Steps, "steps", 10, "steps to measure")
	f.IntVar(&o.Threads, "threads", 0, "threads of the backend (0: one per processor)")
	f.StringVar(&o.Backend, "backend", "", "xla:cuda, xla:cpu, onnx or go (default: GOMLX_BACKEND, else the best at hand)")
	f.StringVar(&o.Profile, "profile", "", "write the backend's profile to files with this prefix and summarise it")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
