package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rd/rdlib/backend/ortlib"
	"rd/rdlib/boundary"
	"rd/rdlib/dataset"
	"rd/rdlib/deploy"
	"rd/rdlib/model"
)

// exportStudent writes an untrained student.
func exportStudent(t *testing.T, path, method string, size int, seed uint64, classes ...string) {
	t.Helper()
	net, err := model.New("shufflenet", model.Config{Classes: len(classes), Width: 0.25})
	if err != nil {
		t.Fatal(err)
	}
	m := deploy.Metadata{Name: net.Name(), Classes: classes, Preprocess: dataset.DefaultPreprocess(size, size), Provenance: map[string]string{"method": method}}
	if err := deploy.Export(path, net, net.Init(seed), m); err != nil {
		t.Fatal(err)
	}
}

func TestBoundaries(t *testing.T) {
	if _, err := ortlib.Find(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	must(t, "phantom", "--out", path("images"), "--size", "32", "--per-class", "20")
	classes := []string{"benign", "malignant", "normal"}
	exportStudent(t, path("a.onnx"), "rd", 32, 1, classes...)
	exportStudent(t, path("b.onnx"), "kd", 24, 2, classes...)
	exportStudent(t, path("strange.onnx"), "kd", 32, 3, "cat", "dog", "normal")
	var s boundary.Study
	out := must(t, "boundaries", "--data", path("images"), "--reference", path("a.onnx"), "--model", path("a.onnx"), "--model", path("b.onnx"),
		"--out", path("figures/regions"), "--triplets", "3", "--rows", "2", "--resolution", "12", "--json")
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(s.Models) != 3 || s.Models[1].Agreement.Mean != 1 || s.Models[1].IoU.Mean != 1 {
		t.Errorf("a student does not agree with itself: %+v", s.Models)
	}
	if !s.Phantom || s.Triplets != 3 || len(s.Rows) != 2 || s.Coarse != 12 || len(s.Models[2].Agreement.Each) != 3 {
		t.Errorf("%s", out)
	}
	for _, row := range s.Rows {
		if row.Images[0].Label == row.Images[1].Label || row.Images[0].Label == row.Images[2].Label || row.Images[1].Label == row.Images[2].Label {
			t.Errorf("a triplet of %v has not all three classes", row.Images)
		}
	}
	for _, ext := range []string{".pdf", ".svg", ".png"} {
		if _, err := os.Stat(path("figures/regions") + ext); err != nil {
			t.Error(err)
		}
	}
	text := must(t, "boundaries", "--data", path("images"), "--model", path("b.onnx"), "--model", path("a.onnx"), "--out", path("two"), "--triplets", "2", "--resolution", "6")
	if !strings.Contains(text, "reference: kd") || !strings.Contains(text, "rd: agreement ") {
		t.Errorf("the first student is not the reference:\n%s", text)
	}

	// One picture in all images: no two test images differ.
	picture, err := os.ReadFile(firstImage(t, path("images")))
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range classes {
		for i := range 10 {
			copied := filepath.Join(path("same"), class, fmt.Sprintf("%d.png", i))
			if err := os.MkdirAll(filepath.Dir(copied), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(copied, picture, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{2, "--model", []string{"--data", path("images"), "--out", path("x")}},
		{2, "--resolution", []string{"--data", path("images"), "--out", path("x"), "--model", path("a.onnx"), "--resolution", "0"}},
		{2, "resolution 1", []string{"--data", path("images"), "--out", path("x"), "--model", path("a.onnx"), "--resolution", "1"}},
		{2, "--triplets", []string{"--data", path("images"), "--out", path("x"), "--model", path("a.onnx"), "--triplets", "-1"}},
		{3, "missing.onnx", []string{"--data", path("images"), "--out", path("x"), "--model", path("missing.onnx")}},
		{3, "PHANTOM.json", []string{"--data", path("images"), "--out", path("x"), "--model", path("images/PHANTOM.json")}},
		{3, "strange.onnx", []string{"--data", path("images"), "--out", path("x"), "--model", path("a.onnx"), "--model", path("strange.onnx")}},
		{3, "nowhere", []string{"--data", path("nowhere"), "--out", path("x"), "--model", path("a.onnx")}},
		{3, "three different images", []string{"--data", path("same"), "--out", path("x"), "--model", path("a.onnx")}},
	} {
		_, errs, code := run(t, append([]string{"boundaries"}, c.args...)...)
		if code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("rd boundaries %q: exit code %d, want %d and %q in\n%s", c.args, code, c.code, c.says, errs)
		}
	}
}

// firstImage is a PNG file below a folder.
func firstImage(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*", "*.png"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no image below %s: %v", dir, err)
	}
	return found[0]
}
