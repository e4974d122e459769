package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"rd/experiments"
	"rd/figures"
	"rd/rdlib/model"
)

func compareCommand() *cobra.Command {
	spec := experiments.Spec{}
	var session sessionFlags
	cmd := &cobra.Command{
		Use:   "compare --data DIR --teacher FILE.onnx --out DIR",
		Short: "Compare methods and students over seeds on one data set; one record per cell, one table",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(map[string]string{"--data": spec.Base.Data, "--out": spec.Out}); err != nil {
				return err
			}
			if err := positive(cmd.Flags()); err != nil {
				return err
			}
			if spec.Title == "" {
				spec.Title = filepath.Base(filepath.Clean(spec.Base.Data))
			}
			spec.Command = commandLine("bin/rd")
			s, err := session.open()
			if err != nil {
				return err
			}
			defer s.Close()
			if err := experiments.Run(cmd.Context(), s, &spec); err != nil {
				return err
			}
			return present(&spec, filepath.Join(spec.Out, "comparison"))
		},
	}
	f := cmd.Flags()
	trainingFlags(f, &spec.Base)
	f.StringArrayVar(&spec.Teachers, "teacher", nil, "foundation model, an ONNX file; may be given several times (required by methods with a teacher)")
	session.add(f)
	f.StringVar(&spec.Title, "title", "", "heading of the table (default: the data folder's name)")
	f.StringSliceVar(&spec.Students, "students", model.Students(), "students")
	f.StringSliceVar(&spec.Methods, "methods", []string{"scratch", "direct", "rd"}, "methods")
	f.IntVar(&spec.Seeds, "seeds", 3, "seeds 1 … N")
	f.StringVar(&spec.Out, "out", "", "folder of records and table (required)")
	return cmd
}

// present draws the comparison, copies its table to standard output and says where everything lies.
func present(spec *experiments.Spec, figure string) error {
	if err := figures.Comparison(spec, figure); err != nil {
		return err
	}
	table, err := os.ReadFile(filepath.Join(spec.Out, "table.md"))
	if err != nil {
		return err
	}
	fmt.Printf("%s\nTable: %s and .csv; figure: %s.pdf, .svg, .png; records: %s\n", table,
		filepath.Join(spec.Out, "table.md"), figure, filepath.Join(spec.Out, "records"))
	return nil
}
