package dataset

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDropLeaks(t *testing.T) {
	files := map[string][]byte{"test/b/2.png": greyPNG(t, 0)} // the first training image again
	for i, path := range []string{"train/a/1.png", "train/a/2.png", "train/a/3.png", "train/b/1.png", "train/b/2.png", "train/b/3.png", "test/a/1.png", "test/b/1.png"} {
		files[path] = greyPNG(t, i)
	}
	dir := write(t, files)
	whole := open(t, dir, Options{ValFraction: -1})
	leaks := whole.Leaks()
	if len(leaks) != 1 || whole.Items[leaks[0]].Path != "test/b/2.png" || len(whole.Indices(Test)) != 3 {
		t.Fatalf("leaks %v of %d test images", leaks, len(whole.Indices(Test)))
	}
	clean := open(t, dir, Options{ValFraction: -1, DropLeaks: true})
	if got := clean.Indices(Dropped); !slices.Equal(got, leaks) || len(clean.Indices(Test)) != 2 || !slices.Equal(clean.Indices(Train), whole.Indices(Train)) || clean.Hash() == whole.Hash() {
		t.Errorf("dropped %v: %d test images, %d training images", got, len(clean.Indices(Test)), len(clean.Indices(Train)))
	}
	if !strings.Contains(clean.Summary(), "1 test image left out") || len(clean.Leaks()) != 0 {
		t.Errorf("%s; leaks %v", clean.Summary(), clean.Leaks())
	}
	manifest := filepath.Join(t.TempDir(), "manifest.json")
	if err := clean.WriteManifest(manifest); err != nil {
		t.Fatal(err)
	}
	if again, err := OpenManifest(t.Context(), dir, manifest, Options{}); err != nil || again.Hash() != clean.Hash() || len(again.Indices(Test)) != 2 {
		t.Errorf("by its manifest: %v", err)
	}
}
