package dataset

import (
	"fmt"
	"slices"
	"testing"
)

func newSampler(t testing.TB, n, batch int, seed uint64) *Sampler {
	t.Helper()
	s, err := NewSampler(n, batch, seed)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSamplerEpochsArePermutations(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {1, 4}, {3, 8}, {7, 7}, {8, 3}, {10, 5}, {33, 32}, {65, 32}, {100, 32}} {
		n, batch := size[0], size[1]
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			s := newSampler(t, n, batch, 42)
			var orders [][]int
			for epoch := range 4 {
				var items []int
				for range s.BatchesPerEpoch() {
					next, e := s.Next()
					if len(next) != batch || e != epoch {
						t.Fatalf("%d images of epoch %d, want %d of %d", len(next), e, batch, epoch)
					}
					items = append(items, next...)
				}
				sorted := slices.Sorted(slices.Values(items[:n]))
				for i, item := range sorted {
					if i != item {
						t.Fatalf("epoch %d is no permutation: %v", epoch, items[:n])
					}
				}
				if n >= batch { // the last batch repeats none of its own images
					last := slices.Clone(items[len(items)-batch:])
					slices.Sort(last)
					if len(slices.Compact(last)) != batch {
						t.Fatalf("the last batch repeats images: %v", last)
					}
				}
				for _, item := range items {
					if item < 0 || item >= n {
						t.Fatalf("image %d of %d", item, n)
					}
				}
				orders = append(orders, items)
			}
			if n > 6 && slices.Equal(orders[0], orders[1]) {
				t.Error("two epochs have the same order")
			}
		})
	}
}

func TestSamplerSeeds(t *testing.T) {
	a, b, c := newSampler(t, 50, 8, 1), newSampler(t, 50, 8, 1), newSampler(t, 50, 8, 2)
	x, _ := a.Next()
	y, _ := b.Next()
	z, _ := c.Next()
	if !slices.Equal(x, y) || slices.Equal(x, z) {
		t.Errorf("%v %v %v", x, y, z)
	}
}

// A sampler restored, or skipped ahead, gives what one that never stopped gives.
func TestSamplerRestores(t *testing.T) {
	const n, batch, total = 45, 8, 40
	whole := newSampler(t, n, batch, 9)
	var states []State
	var batches [][]int
	for range total {
		states = append(states, whole.State())
		items, _ := whole.Next()
		batches = append(batches, items)
	}
	for stop := range total {
		restored := newSampler(t, n, batch, 9)
		restored.Next() // it need not be fresh
		if err := restored.Restore(states[stop]); err != nil {
			t.Fatal(err)
		}
		skipped := newSampler(t, n, batch, 9)
		skipped.Skip(stop)
		for i := stop; i < total; i++ {
			r, _ := restored.Next()
			s, _ := skipped.Next()
			if !slices.Equal(r, batches[i]) || !slices.Equal(s, batches[i]) {
				t.Fatalf("stopped at %d, batch %d: %v and %v, want %v", stop, i, r, s, batches[i])
			}
		}
	}
}

func TestSamplerRefuses(t *testing.T) {
	for _, size := range [][2]int{{0, 4}, {4, 0}, {-1, 1}} {
		if _, err := NewSampler(size[0], size[1], 0); err == nil {
			t.Errorf("%v was taken", size)
		}
	}
	s := newSampler(t, 10, 4, 0)
	for _, state := range []State{{-1, 0}, {0, -1}, {0, 4}} {
		if err := s.Restore(state); err == nil {
			t.Errorf("%+v was taken", state)
		}
	}
	if err := s.Restore(State{2, 3}); err != nil || s.State() != (State{3, 0}) { // the end of an epoch is the start of the next
		t.Errorf("%+v, %v", s.State(), err)
	}
}

func TestViewIsSeededAndFair(t *testing.T) {
	if View(1, 2, 3, 1) != 0 || View(1, 2, 3, 0) != 0 {
		t.Error("a single view is the image as it is")
	}
	for _, views := range []int{2, 5} {
		counts := make([]int, views)
		differ := 0
		for epoch := range 20 {
			for item := range 500 {
				v := View(7, epoch, item, views)
				if v != View(7, epoch, item, views) {
					t.Fatal("not a function of its arguments")
				}
				if v != View(8, epoch, item, views) {
					differ++
				}
				counts[v]++
			}
		}
		for v, n := range counts {
			if want := 10000 / views; n < want*9/10 || n > want*11/10 {
				t.Errorf("view %d of %d was chosen %d times of 10000", v, views, n)
			}
		}
		if differ < 1000 {
			t.Errorf("another seed changes %d of 10000", differ)
		}
	}
}

func TestEvaluationBatches(t *testing.T) {
	for _, size := range [][2]int{{0, 4}, {1, 4}, {4, 4}, {5, 4}, {11, 3}} {
		next := 0
		for _, b := range EvaluationBatches(size[0], size[1]) {
			if len(b.Items) != size[1] || b.Valid < 1 {
				t.Fatalf("%v: %+v", size, b)
			}
			for _, item := range b.Items[:b.Valid] {
				if item != next {
					t.Fatalf("%v: image %d comes at %d", size, item, next)
				}
				next++
			}
			for _, item := range b.Items {
				if item >= size[0] {
					t.Fatalf("%v: image %d", size, item)
				}
			}
		}
		if next != size[0] {
			t.Errorf("%v: %d images", size, next)
		}
	}
}
