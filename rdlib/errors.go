package rdlib

import (
	"context"
	"errors"
	"fmt"

	"rd/rdlib/train"
)

// Exit codes of the command rd, one for each kind of ending.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitInput       = 3
	ExitInterrupted = 130
)

// UsageError is a mistake in how something was called: an unknown student, a step count of zero.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// InputError is bad input data: images, a teacher or a model file that cannot be used.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }
func (e *InputError) Unwrap() error { return e.Err }

// ExitCode maps an error to the command's exit code.
func ExitCode(err error) int {
	var usage *UsageError
	var input *InputError
	switch {
	case err == nil:
		return ExitDone
	case errors.Is(err, train.ErrInterrupted), errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.As(err, &usage), errors.Is(err, train.ErrOtherCell):
		return ExitUsage
	case errors.As(err, &input):
		return ExitInput
	}
	return ExitFailed
}

func usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// asInput marks an error as bad input, unless it is an interruption.
func asInput(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return &InputError{err}
}
