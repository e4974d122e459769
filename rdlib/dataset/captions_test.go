package dataset

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadCaptions(t *testing.T) {
	for _, c := range []struct{ name, text, problem string }{
		{"good", "caption,path\na bright ring,ring/1.png\n\"two discs, dark\",disc/2.png\n", ""},
		{"empty", "", "must begin with a header"},
		{"column", "path,text\na.png,x\n", `no column "caption"`},
		{"twice", "path,caption\na.png,x\na.png,y\n", "line 3 of"},
		{"blank", "path,caption\na.png, \n", "a.png has no caption"},
		{"outside", "path,caption\n../a.png,x\n", "no path below the folder"},
		{"ragged", "path,caption\na.png\n", "wrong number of fields"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, CaptionsFile), []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			captions, err := ReadCaptions(dir)
			if c.problem == "" {
				if err != nil || captions["disc/2.png"] != "two discs, dark" || len(captions) != 2 {
					t.Fatalf("%v, %v", captions, err)
				}
				return
			}
			if !errors.Is(err, ErrDataset) || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%v, want %q", err, c.problem)
			}
		})
	}
	if _, err := ReadCaptions(t.TempDir()); !errors.Is(err, ErrDataset) {
		t.Errorf("a folder without captions: %v", err)
	}
}
