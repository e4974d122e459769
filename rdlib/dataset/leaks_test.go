package dataset

import "testing"

func TestDropLeaks(t *testing.T) {
	files := map[string][]byte{"test/b/2.png": greyPNG(t, 0)} // the first training image again
	for i, path := range []string{"train/a/1.png", "train/a/2.png", "train/a/3.png", "train/b/1.png", "train/b/2.png", "train/b/3.png", "test/a/1.png", "test/b/1.png"} {
		files[path] = greyPNG(t, i)
	}
	dir := write(t, files)
	whole := open(t, dir, Options{ValFraction: -1})
	leaks := whole.Leaks()
	if len(leaks) != 1 || len(whole.Indices(Test)) != 3 {
		t.Fatalf("leaks %v of %d test images", leaks, len(whole.Indices(Test)))
	}
	for i := range leaks {
		if whole.Items[i].Path != "test/b/2.png" {
			t.Errorf("%s leaks", whole.Items[i].Path)
		}
	}
	clean := open(t, dir, Options{ValFraction: -1, DropLeaks: true})
	if clean.Dropped != 1 || len(clean.Indices(Test)) != 2 || len(clean.Indices(Train)) != len(whole.Indices(Train)) || clean.Hash() == whole.Hash() {
		t.Errorf("dropped %d: %d test images, %d training images", clean.Dropped, len(clean.Indices(Test)), len(clean.Indices(Train)))
	}
}
