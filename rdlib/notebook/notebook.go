// Package notebook shows results in a GoNB notebook (tables, plots, images, live curves, progress) and ends a cell with a
// plain message when something fails. Outside a notebook everything is plain text.
//
// A notebook that is executed without a reader, with RD_HEADLESS set, shows only what two executions have in common: no
// progress, no rates, no times.
package notebook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"

	"rd/rdlib/progress"
	"rd/rdlib/train"
)

// HeadlessEnv names the environment variable that is set when nobody watches.
const HeadlessEnv = "RD_HEADLESS"

// out is where text goes outside a notebook.
var out io.Writer = os.Stdout

// gone is closed when the kernel that runs the cell has ended.
var gone = make(chan struct{})

func init() {
	if gonbui.IsNotebook {
		progress.Watch = watch
		go follow(os.Getppid())
	}
}

// follow ends the cell when its kernel has ended: nobody would see what it does.
func follow(kernel int) {
	for os.Getppid() == kernel {
		time.Sleep(time.Second)
	}
	close(gone)
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Signal(syscall.SIGTERM)
	}
}

// settle waits until what was sent to the kernel is shown.
func settle() {
	done := make(chan struct{})
	go func() {
		gonbui.Sync()
		close(done)
	}()
	select {
	case <-done:
	case <-gone:
	}
}

// Headless is whether the notebook is executed without a reader.
func Headless() bool { return os.Getenv(HeadlessEnv) != "" }

// Context ends when the cell is interrupted or its kernel has ended: training then keeps a checkpoint and stops.
func Context() context.Context {
	// SIGPIPE is what writing to a kernel that has ended brings.
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	return ctx
}

// Check ends the cell with the error's message, where there is one.
func Check(err error) {
	if err == nil {
		return
	}
	settle()
	switch {
	case errors.Is(err, train.ErrInterrupted):
		fmt.Fprintln(os.Stderr, "stopped; what was trained is kept: run this cell again to go on.", err)
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "stopped: run this cell again.")
	default:
		fmt.Fprintln(os.Stderr, "error:", err)
	}
	os.Exit(1)
}

// Must is a call's result; a call that failed ends the cell with its message.
func Must[T any](value T, err error) T {
	Check(err)
	return value
}

// Say shows a line of text, which may hold Markdown. Unlike what is printed it keeps its place among tables and plots.
func Say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	show(map[protocol.MIMEType]any{protocol.MIMETextMarkdown: text, protocol.MIMETextPlain: text})
}

// show sends an output in several forms, one of them text/plain, and waits until it is there. Outside a notebook the plain
// text is written.
func show(forms map[protocol.MIMEType]any) {
	if !gonbui.IsNotebook {
		fmt.Fprintln(out, forms[protocol.MIMETextPlain])
		return
	}
	gonbui.SendData(&protocol.DisplayData{Data: forms})
	settle()
	if err := gonbui.Error(); err != nil {
		fmt.Fprintln(os.Stderr, "error: the notebook does not answer:", err)
		os.Exit(1)
	}
}
