package main

import (
	"os"

	"github.com/spf13/cobra"

	"rd/rdlib/doctor"
)

func doctorCommand() *cobra.Command {
	var asJSON bool
	var data string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "What this machine offers, and the remedy for what is missing",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			report := doctor.Collect(cmd.Context(), doctor.Options{Data: data})
			if asJSON {
				return printJSON(report)
			}
			return report.Write(os.Stdout)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&data, "data", "", "folder of data sets to look at")
	return cmd
}
