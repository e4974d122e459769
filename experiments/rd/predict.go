package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"rd/rdlib"
)

func predictCommand() *cobra.Command {
	var modelPath string
	var asJSON bool
	var threads int
	cmd := &cobra.Command{
		Use:   "predict --model student.onnx IMAGE…",
		Short: "Classify images with an exported student",
		RunE: func(_ *cobra.Command, args []string) error {
			if err := required(map[string]string{"--model": modelPath}); err != nil {
				return err
			}
			if len(args) == 0 {
				return &rdlib.UsageError{Err: fmt.Errorf("name at least one image")}
			}
			predictions, err := rdlib.Predict(modelPath, args, threads)
			if predictions != nil && asJSON {
				return errors.Join(printJSON(predictions), err)
			}
			for _, p := range predictions {
				fmt.Printf("%s\t%s\t%.1f %%\n", p.File, p.Class, 100*p.Probabilities[p.Class])
			}
			return err
		},
	}
	cmd.Flags().StringVar(&modelPath, "model", "", "the exported student (required)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().IntVar(&threads, "threads", 0, "threads (0: one per processor)")
	return cmd
}
