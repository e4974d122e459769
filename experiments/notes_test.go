package experiments

import (
	"strings"
	"testing"

	"rd/rdlib/record"
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

// TestNotesAreOfTheTable has no table tell of methods and teachers that it does not have.
func TestNotesAreOfTheTable(t *testing.T) {
	m := adaptedMatrix(t, "  - {name: other,", "  - {name: mini-pmc-clip, miniature: true}\n  - {name: other,")
	p, err := m.Plan(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	for _, c := range []Cell{
		{Dataset: "busi-phantom", Student: "shufflenet", Method: "rd", Teacher: "mini-lvm-med", Seed: 1},
		{Dataset: "busi-phantom", Student: "shufflenet", Method: "hint", Teacher: "mini-pmc-clip", Seed: 1},
		{Dataset: "busi-phantom", Student: "shufflenet", Method: "rd", Teacher: "mini-pmc-clip", Seed: 1},
	} {
		r := recordOf(t, m, c, 60)
		r.Result.Teacher = &record.Teacher{SHA256: "0123456789abcdef", SawData: c.Method == "hint"}
		if err := s.Finish(c, r); err != nil {
			t.Fatal(err)
		}
	}
	found := results(t, p, s)
	const seen = "mini-pmc-clip has seen busi-phantom in pre-training"
	for _, test := range []struct {
		table     *Table
		has, lack []string
	}{
		{found.Table3(), []string{"Hint beta 100", "mini-lvm-med (sha256 0123456789ab…)", "mini-pmc-clip (", seen, "KD on logits beside their own term, with weight 1."}, []string{"MeLo rank 4"}},
		{found.Table4(), []string{"MeLo rank 4", "mini-lvm-med ("}, []string{"Hint beta", "mini-pmc-clip (", seen, "KD on logits beside"}},
		{found.Table5(), []string{"mini-lvm-med (", "mini-pmc-clip ("}, []string{"Hint beta", "MeLo rank", seen, "KD on logits beside"}},
	} {
		text := strings.Join(test.table.Notes, "\n")
		for _, want := range test.has {
			if strings.Count(text, want) != 1 {
				t.Errorf("Table %d does not say %q once:\n%s", test.table.Number, want, text)
			}
		}
		for _, other := range test.lack {
			if strings.Contains(text, other) {
				t.Errorf("Table %d says %q, which is of others:\n%s", test.table.Number, other, text)
			}
		}
	}
	m.Training.PlainKD = 0
	if text := results(t, p, ReadStore(s.dir)).Table3().markdown(); strings.Contains(text, "KD on logits beside") {
		t.Error(text)
	}
}
