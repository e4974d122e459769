package lockfile

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestOneHoldsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	if Held(path) {
		t.Error("a lock that was never taken is held")
	}
	l, err := Try(path)
	if err != nil || l == nil {
		t.Fatal(l, err)
	}
	if other, err := Try(path); other != nil || err != nil {
		t.Errorf("a second lock: %v, %v", other, err)
	}
	if err := l.Note("me"); err != nil || !Held(path) {
		t.Error("not held after a note", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	told := 0
	if _, err := Wait(ctx, path, func() { told++ }); !errors.Is(err, context.DeadlineExceeded) || told != 1 {
		t.Errorf("waiting: %v, told %d times", err, told)
	}
	if err := l.Release(); err != nil || Held(path) {
		t.Errorf("released: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file stays")
	}
	if _, err := Try(filepath.Join(path, "in a folder that is not there", "x")); err == nil {
		t.Error("no error without a folder")
	}
}

// Many take and release the lock; never two at once, although each removes the file.
func TestNeverTwo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	var inside, rounds atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				l, err := Try(path)
				if err != nil {
					t.Error(err)
					return
				}
				if l == nil {
					continue
				}
				if inside.Add(1) != 1 {
					t.Error("two at once")
				}
				rounds.Add(1)
				inside.Add(-1)
				if err := l.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if rounds.Load() == 0 {
		t.Error("nobody had it")
	}
}

// A process that is killed lets go of its lock.
func TestKilled(t *testing.T) {
	path := os.Getenv("LOCKFILE_HELD_BY_CHILD")
	if path != "" {
		if l, err := Try(path); err != nil || l == nil {
			os.Exit(1)
		}
		os.Stdout.WriteString("held\n")
		time.Sleep(time.Minute)
		return
	}
	path = filepath.Join(t.TempDir(), "x.lock")
	child := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	child.Env = append(os.Environ(), "LOCKFILE_HELD_BY_CHILD="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	if !Held(path) {
		t.Error("the child does not hold it")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait()
	if Held(path) {
		t.Error("the dead child holds it still")
	}
	if l, err := Try(path); err != nil || l == nil {
		t.Errorf("it cannot be taken over: %v, %v", l, err)
	}
}
