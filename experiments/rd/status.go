package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"rd/experiments"
)

func statusCommand() *cobra.Command {
	var matrix matrixFlags
	var asJSON, every bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say which cells of a profile are done, running, failed or missing",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := matrix.plan(cmd.Flags())
			if err != nil {
				return err
			}
			status, err := plan.Status(experiments.ReadStore(matrix.out))
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(status)
			}
			for _, c := range status.Cells {
				name := experiments.Cell{Dataset: c.Dataset, Student: c.Student, Method: c.Method, Teacher: c.Teacher, Seed: c.Seed, Share: c.Share}
				switch {
				case c.State == "running":
					fmt.Printf("running: %s (%s)\n", name, c.By)
				case c.State == "failed":
					fmt.Printf("failed:  %s: %s\n", name, c.Error)
				case every:
					fmt.Printf("%-8s %s\n", c.State+":", name)
				}
			}
			for _, text := range append(status.Strange, status.Missing...) {
				fmt.Println(text)
			}
			n := status.Counts
			fmt.Printf("%s: %d done, %d running, %d failed, %d missing, of %d cells\n", status.Out, n.Done, n.Running, n.Failed, n.Missing, len(status.Cells))
			return nil
		},
	}
	f := cmd.Flags()
	matrix.add(f)
	f.BoolVar(&asJSON, "json", false, "print one line of JSON with every cell")
	f.BoolVar(&every, "all", false, "list the cells that are done or missing, too")
	return cmd
}
