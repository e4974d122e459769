package foundation

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// lockPoll is how often a waiting process looks whether the other one is done.
const lockPoll = 100 * time.Millisecond

// lock makes this process the only one that computes the cache at path. The lock goes with the process, however it ends.
func lock(ctx context.Context, path string, notify func(string)) (unlock func(), err error) {
	name := path + ".lock"
	told := false
	for {
		l := flock.New(name, flock.SetPermissions(0o666))
		locked, err := l.TryLock()
		if err == nil && !locked {
			if !told {
				notify(path + ": waiting for another process that is computing it")
				told = true
			}
			locked, err = l.TryLockContext(ctx, lockPoll)
		}
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("lock feature cache %s: %w", path, err)
		}
		if current(l, name) {
			return func() {
				os.Remove(name) // while it is held: whoever waits for it sees below that it is gone
				l.Close()
			}, nil
		}
		l.Close()
	}
}

// current tells whether the lock is on the file that bears the name now: its last owner has removed it before letting go.
func current(l *flock.Flock, name string) bool {
	held, err := l.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(name)
	return err == nil && os.SameFile(held, named)
}
