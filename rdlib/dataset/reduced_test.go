package dataset

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shares are those of the tests, in ascending order.
var shares = []float64{0.001, 0.02, 0.1, 0.25, 0.5, 0.9, 1}

// singles is a data set of single images, so many training images of each class, and some of the other parts.
func singles(seed uint64, train ...int) *Dataset {
	d := &Dataset{Name: "singles", SplitSeed: seed}
	for label, n := range train {
		d.Classes = append(d.Classes, fmt.Sprintf("class %d", label))
		for i := range n + 5 {
			part := Train
			if i >= n {
				part = []Split{Val, Test, Test, Dropped, Test}[i-n]
			}
			d.Items = append(d.Items, Item{Path: fmt.Sprintf("%d/%d.png", label, i), Label: label, Split: part})
		}
	}
	return d
}

func reduced(t *testing.T, d *Dataset, share float64) *Dataset {
	t.Helper()
	r, err := d.Reduced(share)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReducedKeepsItsShareOfEachClass(t *testing.T) {
	for _, c := range []struct {
		share float64
		want  []int
	}{
		{0.1, []int{40, 13, 2, 1, 1}}, {0.25, []int{100, 33, 4, 1, 1}}, {0.5, []int{200, 65, 8, 2, 1}},
		{1e-9, []int{1, 1, 1, 1, 1}}, {1, []int{400, 130, 15, 3, 1}},
	} {
		d := singles(7, 400, 130, 15, 3, 1)
		r := reduced(t, d, c.share)
		if got := r.Counts(Train); !slices.Equal(got, c.want) {
			t.Errorf("a share of %g: %v images of the classes, want %v", c.share, got, c.want)
		}
		for i, item := range r.Items {
			if was := d.Items[i].Split; item.Split != was && !(was == Train && item.Split == Unused) {
				t.Errorf("a share of %g: %s was in %s and is in %s", c.share, item.Path, was, item.Split)
			}
		}
		if slices.ContainsFunc(d.Items, func(i Item) bool { return i.Split == Unused }) || d.TrainShare != 0 {
			t.Fatal("the whole data set was changed")
		}
	}
}

// nested checks that each share's training images are among the next one's, and that no class is without any.
func nested(t *testing.T, d *Dataset) {
	t.Helper()
	before := map[int]bool{}
	for _, share := range shares {
		r := reduced(t, d, share)
		now := map[int]bool{}
		for _, i := range r.Indices(Train) {
			now[i] = true
		}
		for i := range before {
			if !now[i] {
				t.Fatalf("seed %d: %s is left out at %g and was kept at less", d.SplitSeed, d.Items[i].Path, share)
			}
		}
		for label, n := range r.Counts(Train) {
			if n == 0 && d.Counts(Train)[label] > 0 {
				t.Fatalf("seed %d: a share of %g has no image of %s", d.SplitSeed, share, d.Classes[label])
			}
		}
		before = now
	}
	if len(before) != len(d.Indices(Train)) {
		t.Errorf("seed %d: a share of 1 has %d of %d images", d.SplitSeed, len(before), len(d.Indices(Train)))
	}
}

func TestReducedIsNestedAndSeeded(t *testing.T) {
	for seed := range uint64(20) {
		nested(t, singles(seed, 97, 41, 5, 1))
	}
	first, again, other := reduced(t, singles(1, 80, 40), 0.25), reduced(t, singles(1, 80, 40), 0.25), reduced(t, singles(2, 80, 40), 0.25)
	if !slices.Equal(first.Items, again.Items) {
		t.Error("the same seed gives other images")
	}
	if slices.Equal(first.Items, other.Items) {
		t.Error("another seed gives the same images")
	}
	// Another class does not change which images of a class are kept.
	if larger := reduced(t, singles(1, 80, 60), 0.25); !slices.Equal(first.Indices(Train)[:20], larger.Indices(Train)[:20]) {
		t.Errorf("images of the first class: %v, with a larger second one %v", first.Indices(Train)[:20], larger.Indices(Train)[:20])
	}
	// No image is kept more often than others.
	times := make([]int, 40)
	for seed := range uint64(2000) {
		for _, i := range reduced(t, singles(seed, 40), 0.25).Indices(Train) {
			times[i]++
		}
	}
	for i, n := range times { // 500 expected, standard deviation 19.4
		if n < 400 || n > 600 {
			t.Errorf("image %d is kept %d times of 2000, a quarter is expected", i, n)
		}
	}
}

func TestReducedKeepsGroupsTogether(t *testing.T) {
	for seed := range uint64(30) {
		d := &Dataset{Classes: []string{"a", "b", "c"}, SplitSeed: seed, Items: patients(rand.New(rand.NewPCG(seed, 1)), []int{400, 120, 60}, 6)}
		for i := range d.Items {
			d.Items[i].Split = Train
		}
		nested(t, d)
		for _, share := range shares {
			r := reduced(t, d, share)
			part := map[string]Split{}
			for _, item := range r.Items {
				if before, seen := part[item.Group]; seen && item.Group != "" && before != item.Split {
					t.Fatalf("seed %d, a share of %g: group %s is in %s and %s", seed, share, item.Group, before, item.Split)
				}
				part[item.Group] = item.Split
			}
			if got, want := float64(len(r.Indices(Train))), share*float64(len(d.Items)); math.Abs(got-want) > 18 { // a group of each class
				t.Errorf("seed %d, a share of %g: %g of %d images", seed, share, got, len(d.Items))
			}
		}
	}
}

// A class that stands only in groups with rarer ones has an image at every share too.
func TestReducedKeepsAClassThatIsNeverTheRarest(t *testing.T) {
	for seed := range uint64(30) {
		d := &Dataset{Classes: []string{"common", "first", "second"}, SplitSeed: seed}
		add := func(group, label int) {
			d.Items = append(d.Items, Item{Path: fmt.Sprint(len(d.Items)), Label: label, Group: fmt.Sprint(group), Split: Train})
		}
		for group := range 20 {
			add(group, 1+group%2)
			if group < 6 { // most groups of the rarer classes have none of the common one
				for range 10 {
					add(group, 0)
				}
			}
		}
		nested(t, d)
	}
}

func TestReducedRefuses(t *testing.T) {
	d := singles(1, 10, 10)
	for _, share := range []float64{0, -0.1, 1.01, math.NaN(), math.Inf(1)} {
		if r, err := d.Reduced(share); err == nil || r != nil || !strings.Contains(err.Error(), "above 0 and at most 1") {
			t.Errorf("a share of %g: %v", share, err)
		}
	}
	if _, err := reduced(t, d, 0.5).Reduced(0.5); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("reduced twice: %v", err)
	}
}

func TestManifestOfAReducedDataset(t *testing.T) {
	dir := folderOf(t, map[string]int{"a": 20, "b": 15})
	whole := open(t, dir, Options{SplitSeed: 3})
	r := reduced(t, whole, 0.25)
	if r.Hash() == whole.Hash() || reduced(t, whole, 1).Hash() != whole.Hash() {
		t.Error("the hash tells what is trained on, and nothing else")
	}
	if !strings.Contains(r.Summary(), "a share of 0.25 of the training images, 21 are not used") {
		t.Error(r.Summary())
	}
	path := filepath.Join(t.TempDir(), "manifest.json")
	if err := r.WriteManifest(path); err != nil {
		t.Fatal(err)
	}
	again, err := OpenManifest(t.Context(), dir, path, Options{})
	if err != nil || again.Hash() != r.Hash() || again.TrainShare != 0.25 || !slices.Equal(again.Indices(Train), r.Indices(Train)) {
		t.Errorf("by its manifest: %+v, %v", again, err)
	}
}
