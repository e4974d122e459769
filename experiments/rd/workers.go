package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// workers are further processes of this command that share its cells. They end when the pipe to them closes: when they are
// told to stop, and when this process ends in whatever way.
type workers struct {
	commands []*exec.Cmd
	pipes    []io.Closer
	done     []chan error
}

// startWorkers starts n processes with this one's arguments.
func startWorkers(ctx context.Context, n int) (*workers, error) {
	w := &workers{}
	program, err := os.Executable()
	if err != nil && n > 0 {
		return nil, fmt.Errorf("start workers: %w", err)
	}
	args := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(arg string) bool { return strings.HasPrefix(arg, "--workers=") })
	if i := slices.Index(args, "--workers"); i >= 0 && i+1 < len(args) {
		args = slices.Delete(args, i, i+2)
	}
	for i := range n {
		cmd := exec.Command(program, append(args[:len(args):len(args)], "--follow")...)
		pipe, err := cmd.StdinPipe()
		if err != nil {
			return w, fmt.Errorf("start worker %d: %w", i+2, err)
		}
		messages, err := cmd.StderrPipe()
		if err != nil {
			return w, fmt.Errorf("start worker %d: %w", i+2, err)
		}
		if err := cmd.Start(); err != nil {
			w.stop()
			return w, fmt.Errorf("start worker %d: %w", i+2, err)
		}
		done := make(chan error, 1)
		go func() {
			lines := bufio.NewScanner(messages)
			for lines.Scan() {
				fmt.Fprintf(os.Stderr, "worker %d: %s\n", i+2, lines.Text())
			}
			done <- cmd.Wait()
		}()
		w.commands, w.pipes, w.done = append(w.commands, cmd), append(w.pipes, pipe), append(w.done, done)
	}
	return w, nil
}

// wait waits for the workers. What cells failed they say themselves; a worker that was killed is told, and is no error: its
// cells are taken over.
func (w *workers) wait() error {
	var errs []error
	for i, done := range w.done {
		err := <-done
		var exit *exec.ExitError
		switch {
		case err == nil:
		case errors.As(err, &exit) && !exit.Exited():
			fmt.Fprintf(os.Stderr, "worker %d: %v\n", i+2, err)
		default:
			errs = append(errs, fmt.Errorf("worker %d: %w", i+2, err))
		}
	}
	w.done = nil
	return errors.Join(errs...)
}

// stop ends the workers and waits for them.
func (w *workers) stop() {
	if w == nil {
		return
	}
	for _, pipe := range w.pipes {
		pipe.Close()
	}
	w.wait()
}

// whileOpen is a context that ends when a file does.
func whileOpen(ctx context.Context, file io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		io.Copy(io.Discard, file)
		cancel()
	}()
	return ctx
}
