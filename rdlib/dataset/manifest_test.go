package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestManifestRepeatsTheSplit(t *testing.T) {
	dir := folderOf(t, map[string]int{"wrap/a": 9, "wrap/b": 8})
	writeFile(t, filepath.Join(dir, "wrap", "a", "bad.png"), []byte("text"))
	d := open(t, dir, Options{SplitSeed: 5})
	path := filepath.Join(t.TempDir(), "manifest.json")
	if err := d.WriteManifest(path); err != nil {
		t.Fatal(err)
	}
	// Images that came later are not of the manifest.
	writeFile(t, filepath.Join(dir, "wrap", "a", "later.png"), greyPNG(t, 77))
	for _, root := range []string{dir, filepath.Join(dir, "wrap")} {
		again, err := OpenManifest(context.Background(), root, path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again.Manifest(), d.Manifest()) || again.Hash() != d.Hash() {
			t.Errorf("%+v\n%+v", again.Manifest(), d.Manifest())
		}
	}
	data, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(data), dir) {
		t.Errorf("the manifest holds a path of this machine (%v):\n%s", err, data)
	}
}

func TestManifestNamesWhatChanged(t *testing.T) {
	dir := folderOf(t, map[string]int{"a": 9, "b": 8})
	d := open(t, dir, Options{})
	path := filepath.Join(t.TempDir(), "manifest.json")
	if err := d.WriteManifest(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "a", "a (2).png")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "b", "b (3).png"), greyPNG(t, 12345))
	_, err := OpenManifest(context.Background(), dir, path, Options{})
	if !errors.Is(err, ErrDataset) || !strings.Contains(err.Error(), "a/a (2).png is missing") || !strings.Contains(err.Error(), "b/b (3).png is not the file") || !strings.Contains(err.Error(), "2 of the 17") {
		t.Errorf("error %v", err)
	}
	if _, err := OpenManifest(context.Background(), filepath.Join(dir, "nothing"), path, Options{}); !errors.Is(err, ErrDataset) {
		t.Errorf("missing folder: %v", err)
	}
}

func TestReadManifestRefusesNonsense(t *testing.T) {
	d := open(t, folderOf(t, map[string]int{"a": 4, "b": 4}), Options{})
	path := filepath.Join(t.TempDir(), "manifest.json")
	for name, change := range map[string]func(*Manifest){
		"version":       func(m *Manifest) { m.Version = 99 },
		"out of":        func(m *Manifest) { m.Items[0].Path = "../x.png" },
		"twice":         func(m *Manifest) { m.Items[1] = m.Items[0] },
		"label 7":       func(m *Manifest) { m.Items[0].Label = 7 },
		"part":          func(m *Manifest) { m.Items[0].Split = "exam" },
		"checksum":      func(m *Manifest) { m.Items[0].SHA256 = strings.Repeat("0", 64) },
		"names 1 class": func(m *Manifest) { m.Classes = m.Classes[:1] },
	} {
		m := d.Manifest()
		m.Items = append([]Item(nil), m.Items...)
		change(m)
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, data)
		if _, err := ReadManifest(path); !errors.Is(err, ErrDataset) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), path) {
			t.Errorf("want an error about %q, not %v", name, err)
		}
	}
	writeFile(t, path, []byte(`{"version": 1, "classes": ["a"`))
	if _, err := ReadManifest(path); !errors.Is(err, ErrDataset) || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("error %v", err)
	}
	if _, err := ReadManifest(path + "x"); !errors.Is(err, ErrDataset) {
		t.Errorf("error %v", err)
	}
}

// Manifests of version 1 know neither groups nor pixels.
func TestOldManifestsAreRead(t *testing.T) {
	dir := folderOf(t, map[string]int{"a": 9, "b": 8})
	d := open(t, dir, Options{})
	m := d.Manifest()
	m.Version, m.Items = 1, append([]Item(nil), m.Items...)
	for i := range m.Items {
		m.Items[i].Pixels = ""
	}
	data, err := json.Marshal(m)
	if err != nil || strings.Contains(string(data), "pixels") {
		t.Fatal(err)
	}
	again, err := OpenManifest(context.Background(), dir, writeFile(t, filepath.Join(t.TempDir(), "old.json"), data), Options{})
	if err != nil || again.Hash() != d.Hash() || !reflect.DeepEqual(again.Items, d.Items) {
		t.Errorf("%v", err)
	}
}
