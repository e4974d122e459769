package rdlib

import (
	"path/filepath"
	"strings"
	"testing"

	"rd/rdlib/dataset"
)

func TestTaskTeacher(t *testing.T) {
	w := openWorkplace(t)
	s, _ := w.session(t, SessionOptions{})
	adapted := filepath.Join(t.TempDir(), "adapted.onnx")
	r, err := s.Adapt(t.Context(), w.adaptation(FineTune), adapted)
	if err != nil {
		t.Fatal(err)
	}
	d, err := dataset.Open(t.Context(), w.data, dataset.Options{SplitSeed: 1})
	if err != nil {
		t.Fatal(err)
	}
	// classes are those of the test images.
	classes := func(teacher string) (string, []int) {
		t.Helper()
		p, err := openTaskTeacher(t.Context(), teacher, d, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer p.teacher.Close()
		m := p.model()
		var images []float32
		for _, i := range d.Indices(dataset.Test) {
			img, err := d.Image(i)
			if err != nil {
				t.Fatal(err)
			}
			images = append(images, m.Tensor(img)...)
		}
		got, err := m.Classify(images)
		if err != nil {
			t.Fatal(err)
		}
		return m.Name, got
	}

	_, got := classes(adapted)
	if len(got) != len(r.Result.Predictions) {
		t.Fatalf("%d classes of %d test images", len(got), len(r.Result.Predictions))
	}
	for i, p := range r.Result.Predictions {
		if got[i] != p.Class {
			t.Errorf("%s: an adapted teacher says class %d, its record %d", p.Path, got[i], p.Class)
		}
	}
	if name, got := classes(w.teacher); !strings.HasSuffix(name, "linear probe") || len(got) != len(r.Result.Predictions) {
		t.Errorf("%s gives %d classes", name, len(got))
	}

	other := *d
	other.Classes = append(other.Classes[:len(other.Classes)-1:len(other.Classes)-1], "another")
	if _, err := openTaskTeacher(t.Context(), adapted, &other, 1); ExitCode(err) != ExitInput || !strings.Contains(err.Error(), "another") {
		t.Errorf("a teacher of other classes: %v", err)
	}
	if _, err := openTaskTeacher(t.Context(), filepath.Join(t.TempDir(), "no.onnx"), d, 1); ExitCode(err) != ExitInput {
		t.Errorf("a teacher that is not there: %v", err)
	}
}
