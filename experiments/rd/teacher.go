package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"rd/rdlib"
	"rd/rdlib/foundation"
)

func teacherInspectCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect FILE.onnx",
		Short: "What an ONNX model takes and gives, its side-car file, and whether it computes what the side-car says",
		Args:  exactly(1, "one ONNX file"),
		RunE: func(_ *cobra.Command, args []string) error {
			report, err := foundation.Inspect(args[0])
			if err != nil {
				return &rdlib.InputError{Err: err}
			}
			write := func() error { return report.Write(os.Stdout) }
			if asJSON {
				write = func() error { return printJSON(report) }
			}
			if err := write(); err != nil {
				return err
			}
			if strings.HasPrefix(report.CheckState, "failed") {
				return fmt.Errorf("%s does not compute what its side-car says: copy both again", args[0])
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
