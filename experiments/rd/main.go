// Command rd distils foundation models into small students and regenerates every table and figure of the study.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rd/rdlib"
	"rd/rdlib/spelling"
	"rd/rdlib/train"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := rootCommand().ExecuteContext(ctx)
	stop()
	code := rdlib.ExitCode(err)
	switch {
	case code == rdlib.ExitInterrupted && !errors.Is(err, train.ErrInterrupted):
		fmt.Fprintln(os.Stderr, "rd: interrupted; run the same command again: what was finished is kept")
	case err != nil:
		fmt.Fprintln(os.Stderr, "rd:", err)
	}
	os.Exit(code)
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "rd",
		Short: "Reprogramming Distillation: a small, verified student from a frozen foundation model",
		Long: `rd distils a frozen foundation model (an ONNX file) into a small student on your own images.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 bad input data, 130 interrupted.`,
		SilenceUsage:               true,
		SilenceErrors:              true,
		SuggestionsMinimumDistance: 2,
		RunE:                       helpOrUnknown,
		Args:                       cobra.ArbitraryArgs,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		var unknown *pflag.NotExistError
		if errors.As(err, &unknown) {
			var known []string
			cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
			if meant := spelling.Misspelt(unknown.GetSpecifiedName(), known); meant != "" {
				err = fmt.Errorf("%w (did you mean --%s?)", err, meant)
			}
		}
		return &rdlib.UsageError{Err: fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(doctorCommand(), distillCommand(), predictCommand(),
		group("teacher", "Look at foundation models, make them of published weights", teacherInspectCommand(), teacherExportCommand()), featuresCommand(), methodsCommand(),
		group("bench", "Measure speed and memory", benchStepCommand(), benchAdaptCommand()), phantomCommand(), group("data", "Look at data sets", dataVerifyCommand(), dataSheetCommand()),
		pretrainCommand(), adaptCommand(), probeCommand(), compareCommand(), boundariesCommand(), miniaturesCommand(), reproduceCommand(), statusCommand(), costCommand(), auditCommand(), reportCommand())
	return root
}

// group is a command that only holds others.
func group(name, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: name, Short: short, RunE: helpOrUnknown, Args: cobra.ArbitraryArgs, SuggestionsMinimumDistance: 2}
	cmd.AddCommand(commands...)
	return cmd
}

// helpOrUnknown is what a command without a job of its own does: help, or an error for a name it does not know.
func helpOrUnknown(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	message := fmt.Sprintf("unknown command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		message += fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
	}
	return &rdlib.UsageError{Err: errors.New(message + " See `" + cmd.CommandPath() + " --help`.")}
}

// exactly is cobra's argument count check as a usage error.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return &rdlib.UsageError{Err: fmt.Errorf("%s takes %s; see `%s --help`", cmd.CommandPath(), what, cmd.CommandPath())}
		}
		return nil
	}
}
