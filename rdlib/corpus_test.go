package rdlib

import (
	"slices"
	"testing"

	"rd/rdlib/record"
)

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
