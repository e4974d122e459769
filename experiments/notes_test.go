package experiments

import (
	"strings"
	"testing"
)

// Phantoms that are given as one's own images are counted, and named as what they are.
func TestPhantomsGivenAsOnesOwnImages(t *testing.T) {
	m := tinyMatrix(t)
	m.profile = "mine.yaml"
	c := Cell{Dataset: "busi", Student: "shufflenet", Method: "scratch", Seed: 1}
	p := &Plan{Matrix: m, Data: Real, Cells: []Cell{c}, root: "images", entries: map[string]MatrixDataset{"busi": m.Datasets[0]}}
	s := newStore(t)
	r := recordOf(t, m, c, 60)
	if err := s.Finish(c, r); err != nil {
		t.Fatal(err)
	}
	if text := results(t, p, s).Table3().Title; !strings.Contains(text, "real images") {
		t.Error(text)
	}
	r.Result.Config.Dataset.Phantom = true
	if err := s.Finish(c, r); err != nil {
		t.Fatal(err)
	}
	found := results(t, p, s)
	text := found.Table3().markdown()
	if len(found.Strange) > 0 || strings.Contains(text, "real images") || !strings.Contains(text, "phantoms (synthetic) in part at least") || !strings.Contains(text, "--profile mine.yaml --data images") {
		t.Errorf("%v\n%s", found.Strange, text)
	}
}
