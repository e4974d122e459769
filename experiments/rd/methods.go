package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"rd/rdlib/distill"
)

func methodsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "methods",
		Short: "Every method with its options, their defaults and where they come from",
		Args:  exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Print(distill.Describe())
			return err
		},
	}
}
