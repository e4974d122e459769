package audit

import (
	"fmt"

	"gonum.org/v1/gonum/mathext"
)

// Size is how many test images a data set has.
type Size struct {
	Dataset   string
	Images    int64
	Given     bool // by the caller or the tables, not found from the accuracies
	Cells     int
	Explained int // cells that are k/n, rounded or truncated
}

func (s Size) String() string {
	how := "found"
	if s.Given {
		how = "given"
	}
	return fmt.Sprintf("%s: %d test images (%s), of which %d of %d accuracies are a share", s.Dataset, s.Images, how, s.Explained, s.Cells)
}

const (
	enough  = 0.9   // share of cells that the number of test images has to explain
	chance  = 0.05  // how likely chance may explain as many, all smaller numbers tried
	largest = 20000 // numbers of test images that are tried
)

// findImages is the smallest number of test images that explains at least 90 % of the cells, and more than chance would; where
// there is none, the number whose success is least due to chance, if it explains half of them. ok is whether there is one.
func findImages(cells []*cell) (n int64, ok bool) {
	limit := int64(largest)
	for _, c := range cells {
		limit = min(limit, c.accuracy.whole())
	}
	best, bestChance := int64(0), chance
	for n := int64(1); n <= limit; n++ {
		explained := explainedBy(cells, n)
		if 2*explained < len(cells) {
			continue
		}
		p := float64(n) * chanceOf(cells, n)
		if float64(explained) >= enough*float64(len(cells)) && p < chance {
			return n, true
		}
		if p < bestChance {
			best, bestChance = n, p
		}
	}
	return best, best > 0
}

// explainedBy counts the cells that are a share of n test images for each of their seeds.
func explainedBy(cells []*cell, n int64) int {
	explained := 0
	for _, c := range cells {
		if _, how := c.accuracy.of(n * c.seeds); how != noFit {
			explained++
		}
	}
	return explained
}

// chanceOf is the probability that as many different accuracies, drawn from all that can be printed, are a share of n test images.
// A share is printed in one of two ways, rounded or truncated, which differ for every second.
func chanceOf(cells []*cell, n int64) float64 {
	type printed struct {
		number
		seeds int64
	}
	different, explained, share := map[printed]bool{}, 0, 0.0
	for _, c := range cells {
		key := printed{c.accuracy, c.seeds}
		if different[key] {
			continue
		}
		different[key] = true
		share = max(share, min(1, 1.5*float64(n*c.seeds)/float64(c.accuracy.whole())))
		if _, how := c.accuracy.of(n * c.seeds); how != noFit {
			explained++
		}
	}
	if explained == 0 || share == 1 {
		return 1
	}
	// P(X ≥ e) of a binomial X, precise where it is tiny.
	return mathext.RegIncBeta(float64(explained), float64(len(different)-explained+1), share)
}
