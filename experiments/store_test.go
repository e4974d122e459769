package experiments

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rd/rdlib"
	"rd/rdlib/record"
)

var someCell = Cell{Dataset: "busi-phantom", Student: "shufflenet", Method: "rd", Teacher: "mini", Seed: 1}

func newStore(t *testing.T) *Store {
	t.Helper()
	s, err := OpenStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// keyed is a record of a configuration.
func keyed(key string) *record.Record {
	r := &record.Record{}
	r.Result.Key = key
	return r
}

func TestRecordOfAnotherConfigurationIsSetAsideAndComesBack(t *testing.T) {
	s := newStore(t)
	const a, b = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"
	if err := s.Finish(someCell, keyed(a)); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	if r, err := s.Have(someCell, a, &log); err != nil || r == nil || log.Len() > 0 {
		t.Fatalf("%v, %v, %s", r, err, log.String())
	}
	if r, err := s.Have(someCell, b, &log); err != nil || r != nil || !strings.Contains(log.String(), "another configuration") {
		t.Fatalf("%v, %v, %s", r, err, log.String())
	}
	if err := s.Finish(someCell, keyed(b)); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Have(someCell, a, &log); err != nil || r == nil || r.Result.Key != a {
		t.Fatalf("the first does not come back: %v, %v", r, err)
	}
	if r, err := s.Have(someCell, b, &log); err != nil || r == nil || r.Result.Key != b {
		t.Fatalf("the second does not come back: %v, %v", r, err)
	}
}

func TestDamagedRecordIsSetAside(t *testing.T) {
	s := newStore(t)
	for _, text := range []string{"", "{", `{"result": {}, "result_sha256": "1"}`, "\x00\x01"} {
		if err := os.MkdirAll(filepath.Dir(s.recordPath(someCell)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.recordPath(someCell), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Records([]Cell{someCell}); err == nil || !strings.HasSuffix(err.Error(), "delete it to compute it again") {
			t.Errorf("%q: %v", text, err)
		}
		var log bytes.Buffer
		if r, err := s.Have(someCell, "a", &log); r != nil || err != nil || !strings.Contains(log.String(), "damaged record") || strings.Contains(log.String(), "delete") {
			t.Errorf("%q: %v, %v, %s", text, r, err, log.String())
		}
		if isFile(s.recordPath(someCell)) || !isFile(s.recordPath(someCell)+".damaged") {
			t.Errorf("%q: not set aside", text)
		}
	}
}

func TestUnwritableFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(filepath.Join(file, "results")); err == nil || !strings.Contains(err.Error(), "--out") {
		t.Errorf("%v", err)
	}
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(dir); err == nil || !strings.Contains(err.Error(), "--out") {
		t.Errorf("%v", err)
	}
}

func TestOneClaimAtATime(t *testing.T) {
	s := newStore(t)
	first, err := s.Claim(someCell)
	if err != nil || first == nil {
		t.Fatal(first, err)
	}
	if second, err := ReadStore(s.dir).Claim(someCell); second != nil || err != nil {
		t.Errorf("a second claim: %v, %v", second, err)
	}
	other := someCell
	other.Seed++
	if c, err := s.Claim(other); c == nil || err != nil {
		t.Errorf("another cell: %v, %v", c, err)
	}
	first.Release()
	if c, err := s.Claim(someCell); c == nil || err != nil {
		t.Errorf("released, it cannot be had: %v, %v", c, err)
	}
}

func TestFailuresAreNotedAndTheRestGoesOn(t *testing.T) {
	s := newStore(t)
	cells := []Cell{someCell, {Student: "mobilenet", Method: "scratch", Seed: 1}, {Student: "shufflenet", Method: "scratch", Seed: 1}}
	rendered := 0
	w := &Work{
		Store: s, Cells: cells, Command: "the command",
		Options: func(_ context.Context, _ *rdlib.Session, c Cell) (rdlib.Options, error) {
			return rdlib.Options{}, &rdlib.InputError{Err: errors.New("no data for " + c.Student)}
		},
		After: func() error { rendered++; return nil },
	}
	session := &rdlib.Session{Log: logFile(t)}
	err := w.Run(t.Context(), session)
	if err == nil || !strings.HasPrefix(err.Error(), "3 of 3 cells failed") || rdlib.ExitCode(err) != rdlib.ExitInput || rendered != 3 {
		t.Errorf("%v, rendered %d times", err, rendered)
	}
	log, err := os.ReadFile(session.Log.Name())
	if err != nil || strings.Count(string(log), "no data for shufflenet") != 1 || strings.Count(string(log), "no data for mobilenet") != 1 {
		t.Errorf("%v, each reason is to be told once:\n%s", err, log)
	}
	f := s.Failed(someCell)
	if f == nil || f.Error != "no data for shufflenet" || f.Command != "the command" {
		t.Fatalf("%+v", f)
	}
	// It is tried again by the next run, and not by one that began before it failed.
	tried := 0
	w.Options = func(context.Context, *rdlib.Session, Cell) (rdlib.Options, error) {
		tried++
		return rdlib.Options{}, errors.New("again")
	}
	if how, err := w.try(t.Context(), session, someCell, "", f.Time.Add(-time.Second)); how != ended || err == nil || tried != 0 {
		t.Errorf("%v, %v, tried %d times", how, err, tried)
	}
	if w.Run(t.Context(), session); tried != 3 {
		t.Errorf("tried %d times", tried)
	}
	if err := s.Finish(someCell, keyed("a")); err != nil || s.Failed(someCell) != nil {
		t.Errorf("done, it counts as failed still: %v", err)
	}
}

func TestWaitsForOthersAndTakesOver(t *testing.T) {
	s := newStore(t)
	claim, err := ReadStore(s.dir).Claim(someCell)
	if err != nil || claim == nil {
		t.Fatal(err)
	}
	tried := 0
	w := &Work{Store: s, Cells: []Cell{someCell}, Options: func(context.Context, *rdlib.Session, Cell) (rdlib.Options, error) {
		tried++
		return rdlib.Options{}, errors.New("mine now")
	}}
	time.AfterFunc(100*time.Millisecond, func() { claim.Release() })
	if err := w.Run(t.Context(), &rdlib.Session{Log: logFile(t)}); err == nil || tried != 1 {
		t.Errorf("%v, tried %d times", err, tried)
	}
}

func logFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
