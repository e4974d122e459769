package boundary

import (
	"errors"
	"slices"
)

// ErrGrids is returned for regions that are not on the same grid.
var ErrGrids = errors.New("the regions of two classifiers are not on the same grid: decide them on one plane, with one resolution and margin")

func sameGrid(a, b *Regions) error {
	if a.Grid != b.Grid || len(a.Class) != len(b.Class) || len(a.Class) == 0 {
		return ErrGrids
	}
	return nil
}

// Agreement is the share of the points, in [0, 1], that two classifiers give the same class.
func Agreement(a, b *Regions) (float64, error) {
	if err := sameGrid(a, b); err != nil {
		return 0, err
	}
	same := 0
	for i, class := range a.Class {
		if class == b.Class[i] {
			same++
		}
	}
	return float64(same) / float64(len(a.Class)), nil
}

// IoU is the mean, over the classes that either classifier gives, of the points that both give the class, as a share of
// those that at least one does: |A∩B| / |A∪B|, in [0, 1].
func IoU(a, b *Regions) (float64, error) {
	if err := sameGrid(a, b); err != nil {
		return 0, err
	}
	classes := int(max(slices.Max(a.Class), slices.Max(b.Class))) + 1
	both, either := make([]int, classes), make([]int, classes)
	for i, class := range a.Class {
		other := b.Class[i]
		either[class]++
		if other == class {
			both[class]++
		} else {
			either[other]++
		}
	}
	sum, seen := 0.0, 0
	for class, n := range either {
		if n > 0 {
			sum += float64(both[class]) / float64(n)
			seen++
		}
	}
	return sum / float64(seen), nil
}
