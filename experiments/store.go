package experiments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"rd/rdlib/lockfile"
	"rd/rdlib/record"
)

// Store is a folder of results, shared by any number of processes:
//
//	records/CELL.json          the record of a cell that is done
//	records/CELL.failed.json   why a cell failed
//	records/CELL.KEY.checkpoint  how far a cell of that key has come
//	records/CELL.json.KEY      the record of another configuration, set aside; KEY is the start of its key
//	records/CELL.json.damaged  a record that does not match its own hash, set aside
//	claims/CELL.lock           held by the process that computes a cell, and by nothing once that process has ended
type Store struct {
	dir  string
	read map[string]readRecord
}

type readRecord struct {
	size     int64
	modified time.Time
	record   *record.Record
}

// OpenStore makes the folder where it is missing and checks that it can be written.
func OpenStore(dir string) (*Store, error) {
	for _, sub := range []string{"records", "claims"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, fmt.Errorf("results folder: %w; choose another --out", err)
		}
	}
	probe, err := os.CreateTemp(dir, ".writable")
	if err != nil {
		return nil, fmt.Errorf("results folder: %w; choose another --out", err)
	}
	probe.Close()
	os.Remove(probe.Name())
	return ReadStore(dir), nil
}

// ReadStore looks at a folder of results, which need not be there, and never writes to it.
func ReadStore(dir string) *Store { return &Store{dir: dir, read: map[string]readRecord{}} }

func (s *Store) base(c Cell) string {
	return filepath.Join(s.dir, "records", filepath.FromSlash(c.file()))
}
func (s *Store) recordPath(c Cell) string { return s.base(c) + ".json" }
func (s *Store) failure(c Cell) string    { return s.base(c) + ".failed.json" }
func (s *Store) checkpoint(c Cell, key string) string {
	return s.base(c) + "." + short(key) + ".checkpoint"
}
func (s *Store) claim(c Cell) string {
	return filepath.Join(s.dir, "claims", filepath.FromSlash(c.file())+".lock")
}

// Record reads a cell's record, once for each state of its file. Without one the error is fs.ErrNotExist.
func (s *Store) Record(c Cell) (*record.Record, error) {
	path := s.recordPath(c)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if known, ok := s.read[path]; ok && known.size == info.Size() && known.modified.Equal(info.ModTime()) {
		return known.record, nil
	}
	r, err := record.Read(path)
	if err != nil {
		return nil, err
	}
	s.read[path] = readRecord{info.Size(), info.ModTime(), r}
	return r, nil
}

// Records reads the records of cells; a cell without one has no entry.
func (s *Store) Records(cells []Cell) (map[Cell]*record.Record, error) {
	records := map[Cell]*record.Record{}
	for _, c := range cells {
		r, err := s.Record(c)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if errors.Is(err, record.ErrDamaged) {
			err = fmt.Errorf("%w; delete it to compute it again", err)
		}
		if err != nil {
			return nil, err
		}
		records[c] = r
	}
	return records, nil
}

// Claim is the right to compute a cell: one process has it, until it lets go or ends.
type Claim struct{ *lockfile.Lock }

// Claim takes a cell; nil when another process has it.
func (s *Store) Claim(c Cell) (*Claim, error) {
	return s.take(c, lockfile.Try)
}

// WaitClaim takes a cell after another process that has it; waiting is called where there is one.
func (s *Store) WaitClaim(ctx context.Context, c Cell, waiting func()) (*Claim, error) {
	return s.take(c, func(path string) (*lockfile.Lock, error) { return lockfile.Wait(ctx, path, waiting) })
}

// take takes a cell by its lock and notes in it whose it is.
func (s *Store) take(c Cell, lock func(path string) (*lockfile.Lock, error)) (*Claim, error) {
	path := s.claim(c)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("claim %s: %w", c, err)
	}
	held, err := lock(path)
	if err != nil || held == nil {
		return nil, err
	}
	host, _ := os.Hostname()
	held.Note(fmt.Sprintf("process %d on %s since %s\n", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339)))
	return &Claim{held}, nil
}

// Failure says why a cell failed.
type Failure struct {
	Error   string    `json:"error"`
	Time    time.Time `json:"time"`
	Command string    `json:"command,omitempty"`
}

// Failed reads why a cell failed when it was last tried; nil: it did not.
func (s *Store) Failed(c Cell) *Failure {
	data, err := os.ReadFile(s.failure(c))
	if err != nil {
		return nil
	}
	f := &Failure{}
	if json.Unmarshal(data, f) != nil {
		return nil
	}
	return f
}

// Fail notes why a cell failed.
func (s *Store) Fail(c Cell, why error, command string) error {
	data, err := json.MarshalIndent(Failure{why.Error(), time.Now().UTC(), command}, "", " ")
	if err != nil {
		return err
	}
	path := s.failure(c)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("note that %s failed: %w", c, err)
	}
	if err := renameio.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("note that %s failed: %w", c, err)
	}
	return nil
}

// Finish keeps a cell's record and removes what led to it.
func (s *Store) Finish(c Cell, r *record.Record) error {
	if c.Method != r.Result.Config.Method {
		r.Run.ProfileMethod = c.Method
	}
	if err := r.Write(s.recordPath(c)); err != nil {
		return err
	}
	return errors.Join(removed(s.checkpoint(c, r.Result.Key)), removed(s.failure(c)))
}

// removed removes a file that need not be there.
func removed(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Have returns the record of a cell whose configuration has the key; nil when it is to be computed. A damaged record, and
// one of another configuration, are set aside and told; one that was set aside before and has the key comes back.
func (s *Store) Have(c Cell, key string, log io.Writer) (*record.Record, error) {
	path := s.recordPath(c)
	r, err := s.Record(c)
	switch {
	case err == nil && r.Result.Key == key:
		return r, nil
	case err == nil:
		err = s.setAside(path, "."+short(r.Result.Key), fmt.Sprintf("%s is the record of another configuration", path), log)
	case errors.Is(err, record.ErrDamaged):
		err = s.setAside(path, ".damaged", err.Error(), log)
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err != nil {
		return nil, err
	}
	before := path + "." + short(key)
	if r, err := record.Read(before); err == nil && r.Result.Key == key {
		fmt.Fprintf(log, "%s: its record, set aside before, comes back\n", c)
		return r, os.Rename(before, path)
	}
	return nil, nil
}

func short(key string) string { return key[:min(12, len(key))] }

func (s *Store) setAside(path, suffix, why string, log io.Writer) error {
	fmt.Fprintf(log, "%s; it is set aside as %s\n", why, filepath.Base(path)+suffix)
	if err := os.Rename(path, path+suffix); err != nil {
		return fmt.Errorf("set a record aside: %w", err)
	}
	return nil
}
