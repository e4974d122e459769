package rdlib

import (
	"slices"
	"testing"

	"rd/rdlib/foundation"
	"rd/rdlib/record"
)

func TestSeenDataAreKnown(t *testing.T) {
	info := &foundation.Info{SideCar: &foundation.SideCar{Pretraining: &foundation.Pretraining{Seen: []string{"isic2018", "BTC"}}}}
	for data, want := range map[string]bool{"btc": true, "isic2018-part": true, "isic2018": true, "busi": false, "btcx": false} {
		if hasSeen(info, data) != want {
			t.Errorf("%s seen: %v", data, !want)
		}
	}
	if hasSeen(nil, "btc") || hasSeen(&foundation.Info{}, "btc") {
		t.Error("a teacher without a side-car has seen something")
	}
}

func TestSetsOfTheSameClassesShareAHead(t *testing.T) {
	c := &corpus{}
	for _, classes := range [][]string{{"a", "b"}, {"x", "y", "z"}, {"a", "b"}, {"a", "c"}} {
		c.sets = append(c.sets, corpusSet{first: c.head(classes), PretrainingSet: record.PretrainingSet{Classes: classes}})
	}
	var firsts []int
	for _, set := range c.sets {
		firsts = append(firsts, set.first)
	}
	if !slices.Equal(firsts, []int{0, 2, 0, 5}) || !slices.Equal(c.heads(), []int{2, 3, 2}) || c.classes() != 7 {
		t.Errorf("heads begin at %v, have %v classes, %d in all", firsts, c.heads(), c.classes())
	}
}
