// Package lockfile makes one process among several the only one to do a thing. A lock is held on an open file: the
// operating system lets go of it when its process ends, however that ends, so that no lock outlives its process or the machine.
package lockfile

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// poll is how often a waiting process looks whether the other one is done.
const poll = 100 * time.Millisecond

// Lock is a lock that is held.
type Lock struct{ held *flock.Flock }

// Try takes the lock on the file path, which is made; nil when another process holds it.
func Try(path string) (*Lock, error) {
	for {
		l := flock.New(path, flock.SetPermissions(0o666))
		locked, err := l.TryLock()
		switch {
		case err != nil:
			l.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		case !locked:
			return nil, l.Close()
		case current(l):
			return &Lock{l}, nil
		}
		l.Close()
	}
}

// Wait takes the lock on the file path as soon as it can be had; waiting is called once when it can't be had at once.
func Wait(ctx context.Context, path string, waiting func()) (*Lock, error) {
	for told := false; ; {
		l, err := Try(path)
		if err != nil || l != nil {
			return l, err
		}
		if !told {
			waiting()
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(poll):
		}
	}
}

// Held tells whether a process holds the lock on the file path now.
func Held(path string) bool {
	if _, err := os.Stat(path); err != nil {
		return false
	}
	l, err := Try(path)
	if l != nil {
		l.Release()
	}
	return err == nil && l == nil
}

// Note writes text into the lock's file, for people.
func (l *Lock) Note(text string) error { return os.WriteFile(l.held.Path(), []byte(text), 0o666) }

// Release lets go of the lock and removes its file.
func (l *Lock) Release() error {
	err := os.Remove(l.held.Path()) // while it is held: whoever waits for it sees in current that it is gone
	if closed := l.held.Close(); err == nil {
		err = closed
	}
	return err
}

// current tells whether the lock is on the file that bears the name now: its last owner has removed it before letting go.
func current(l *flock.Flock) bool {
	held, err := l.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(l.Path())
	return err == nil && os.SameFile(held, named)
}
