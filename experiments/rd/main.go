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

	"rd/rdlib"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := rootCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rd:", err)
	}
	os.Exit(rdlib.ExitCode(err))
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
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &rdlib.UsageError{Err: fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(doctorCommand(), distillCommand(), predictCommand(), teacherCommand(), methodsCommand(),
		benchCommand(), phantomCommand(), pretrainCommand(), compareCommand(), reproduceCommand())
	return root
}

func unknownCommand(cmd *cobra.Command, name string) error {
	message := fmt.Sprintf("unknown command %q", name)
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		message += fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
	}
	return &rdlib.UsageError{Err: errors.New(message + " See `rd --help`.")}
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
