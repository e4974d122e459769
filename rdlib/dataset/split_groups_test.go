package dataset

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// patients are images in groups of 1 to most, whose classes mix as the names of the groups say.
func patients(rng *rand.Rand, classes []int, most int) []Item {
	var items []Item
	for label, n := range classes {
		for n > 0 {
			group := fmt.Sprintf("%d-%d", label, n)
			if rng.IntN(10) == 0 {
				group = "" // a single image
			}
			for range min(n, 1+rng.IntN(most)) {
				l := label
				if group != "" && rng.IntN(8) == 0 {
					l = rng.IntN(len(classes)) // a group of several classes
				}
				items = append(items, Item{Path: fmt.Sprint(len(items)), Label: l, Group: group})
				n--
			}
		}
	}
	return items
}

func TestGroupsStayTogetherAndClassesKeepTheirShare(t *testing.T) {
	classes := []string{"a", "b", "c"}
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		items := patients(rng, []int{400, 120, 60}, 6)
		o, _ := Options{SplitSeed: seed}.resolve()
		if _, err := assignSplits(items, classes, o); err != nil {
			t.Fatal(err)
		}
		part := map[string]Split{}
		d := &Dataset{Classes: classes, Items: items}
		for _, item := range items {
			if before, seen := part[item.Group]; seen && item.Group != "" && before != item.Split {
				t.Fatalf("seed %d: group %s is in %s and %s", seed, item.Group, before, item.Split)
			}
			part[item.Group] = item.Split
		}
		train, val, test := d.Counts(Train), d.Counts(Val), d.Counts(Test)
		for label := range classes {
			n := train[label] + val[label] + test[label]
			if want := share(n, 0.2); test[label] < want-4 || test[label] > want+4 {
				t.Errorf("seed %d, class %d: %d of %d are tested, %d would be without groups", seed, label, test[label], n, want)
			}
			if want := share(n-test[label], 0.1); val[label] < want-4 || val[label] > want+4 || val[label] == 0 {
				t.Errorf("seed %d, class %d: %d of %d validate, %d would without groups", seed, label, val[label], n, want)
			}
		}
	}
}

func TestGroupSplitIsSeeded(t *testing.T) {
	draw := func(seed uint64) []Item {
		items := patients(rand.New(rand.NewPCG(9, 9)), []int{60, 50}, 5)
		o, _ := Options{SplitSeed: seed}.resolve()
		if _, err := assignSplits(items, []string{"a", "b"}, o); err != nil {
			t.Fatal(err)
		}
		return items
	}
	first, again, other := draw(1), draw(1), draw(2)
	same := true
	for i := range first {
		if first[i] != again[i] {
			t.Fatalf("%+v and %+v", first[i], again[i])
		}
		same = same && first[i] == other[i]
	}
	if same {
		t.Error("another seed gives the same split")
	}
}

// A published test part stays; validation is drawn by groups beside it. Two large groups are parted as they can be.
func TestGroupsBesideAPublishedPart(t *testing.T) {
	var items []Item
	for i := range 40 {
		items = append(items, Item{Path: fmt.Sprint(i), Label: i % 2, Group: fmt.Sprint(i / 20), Split: Train})
	}
	items = append(items, Item{Path: "t", Label: 1, Split: Test, Group: "t"})
	o, _ := Options{}.resolve()
	published, err := assignSplits(items, []string{"a", "b"}, o)
	if err != nil || len(published) != 2 {
		t.Fatal(published, err)
	}
	d := &Dataset{Classes: []string{"a", "b"}, Items: items}
	if val, test := d.Counts(Val), d.Counts(Test); val[0] != 10 || val[1] != 10 || test[0] != 0 || test[1] != 1 {
		t.Errorf("validation %v, test %v", val, test)
	}
}
