package figures

import (
	"path/filepath"
	"slices"
	"testing"

	"rd/experiments"
)

func TestRanks(t *testing.T) {
	for what, share := range map[string]int{"no record": 0, "some": 3, "all": 1} {
		base := filepath.Join(t.TempDir(), "ranks")
		if err := Ranks(awkwardResults(t, share), base); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		rendered(t, base)
	}
	r := awkwardResults(t, 1)
	groups, err := r.Groups()
	if err != nil {
		t.Fatal(err)
	}
	groups[3].Series = groups[3].Series[:2] // such a group does not count
	k, err := r.Ranking(groups)
	if err != nil || k == nil || k.Rows != 7 || len(k.Labels) != 4 || !slices.IsSorted(k.Ranks) || !(k.Friedman > 0) {
		t.Errorf("%+v, %v", k, err)
	}
}

func TestAlike(t *testing.T) {
	k := ranking{&experiments.Ranking{Ranks: []float64{1, 1.5, 2.4, 3.2, 5}, Critical: 1.5}}
	if got := k.alike(); !slices.Equal(got, [][2]int{{0, 2}, {2, 3}}) {
		// 1.5 to 3.2 is 1.7 apart, 2.4 to 3.2 only 0.8
		t.Errorf("alike are %v", got)
	}
	if got := (ranking{&experiments.Ranking{Ranks: []float64{1, 2, 3}, Critical: 0.5}}).alike(); len(got) != 0 {
		t.Errorf("all differ, and alike are %v", got)
	}
	if got := (ranking{&experiments.Ranking{Ranks: []float64{1, 2, 3}, Critical: 9}}).alike(); !slices.Equal(got, [][2]int{{0, 2}}) {
		t.Errorf("none differ, and alike are %v", got)
	}
}
