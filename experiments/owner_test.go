package experiments

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rd/experiments/profiles"
	"rd/rdlib"
)

// planOf reads and plans a profile file with the given text.
func planOf(t *testing.T, path, text, work string) *Plan {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := LoadMatrix(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Plan(Selection{Work: work})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTwoProfilesOfOneNameDoNotMix(t *testing.T) {
	dir := t.TempDir()
	results, work := filepath.Join(dir, "results", "mine"), filepath.Join(dir, "runs")
	p := planOf(t, filepath.Join(dir, "a", "mine.yaml"), tiny, work)
	if err := p.CheckFolders(results); err != nil {
		t.Fatalf("new folders: %v", err)
	}
	if _, err := p.OpenStore(results); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(p.workFolder(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := p.Matrix.own(p.workFolder()); err != nil {
		t.Fatal(err)
	}
	edited := planOf(t, filepath.Join(dir, "a", "mine.yaml"), strings.Replace(tiny, "seeds: 2", "seeds: 3", 1), work)
	if err := edited.CheckFolders(results); err != nil {
		t.Errorf("the same file, edited: %v", err)
	}
	other := planOf(t, filepath.Join(dir, "b", "mine.yaml"), tiny, work)
	err := other.CheckFolders(results)
	if err == nil || rdlib.ExitCode(err) != rdlib.ExitUsage {
		t.Fatalf("another file of that name: %v", err)
	}
	for _, want := range []string{filepath.Join(dir, "a", "mine.yaml"), "rename the profile file", "--out", "--work", ownerFile} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the message does not say %q: %v", want, err)
		}
	}
	ours, err := LoadMatrix("ci")
	if err != nil {
		t.Fatal(err)
	}
	if err := ours.checkOwner(results, "--out"); err == nil {
		t.Error("a profile that comes with rd takes the folder of a file")
	}
	if err := ours.own(dir); err != nil || isFile(filepath.Join(dir, ownerFile)) {
		t.Errorf("a profile that comes with rd has no file to note: %v", err)
	}
	// Both moved together.
	if err := os.Rename(dir, dir+"-moved"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir + "-moved") })
	moved := planOf(t, filepath.Join(dir+"-moved", "a", "mine.yaml"), tiny, filepath.Join(dir+"-moved", "runs"))
	if err := moved.CheckFolders(filepath.Join(dir+"-moved", "results", "mine")); err != nil {
		t.Errorf("moved with its results: %v", err)
	}
}

func TestProfileNamedAsOneOfRd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quick.yaml")
	text, _, err := profiles.Read("quick")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		text string
		want string
	}{
		{string(text), ""},
		{tiny, "rd has a profile of that name, too"},
	} {
		if err := os.WriteFile(path, []byte(test.text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := LoadMatrix(path)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || rdlib.ExitCode(err) != rdlib.ExitUsage) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}
