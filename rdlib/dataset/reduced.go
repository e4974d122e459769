package dataset

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
)

// CheckShare says why a share of the training images cannot be had: it must be above 0 and at most 1.
func CheckShare(share float64) error {
	if !(share > 0 && share <= 1) {
		return fmt.Errorf("share %v of the training images: it must be above 0 and at most 1", share)
	}
	return nil
}

// Reduced is the data set with a share of its training images, in (0, 1]; the others are in the part Unused, and validation
// and test part are as they were. Of each class that share is kept, rounded, and at least one image. Which images that are
// follows from the split's seed, and those of a smaller share are among those of a larger one. Images of a group are kept
// together or not at all: groups are parted by their rarest class, and of each part so many are kept that their images come
// nearest to the share. It is an error that the share is out of range, or that d is reduced already.
func (d *Dataset) Reduced(share float64) (*Dataset, error) {
	if err := CheckShare(share); err != nil {
		return nil, err
	}
	if d.TrainShare > 0 {
		return nil, fmt.Errorf("%s is reduced to a share of %g of its training images already: reduce the whole data set", d.Name, d.TrainShare)
	}
	r := *d
	r.TrainShare, r.Items = share, slices.Clone(d.Items)
	groups := trainingGroups(d.Items, len(d.Classes))
	kept := make(map[*imageGroup]bool, len(groups))
	strata := d.strata(groups)
	for _, stratum := range strata {
		for _, g := range stratum[:nearest(stratum, share)] {
			kept[g] = true
		}
	}
	for _, g := range indispensable(strata, len(d.Classes)) {
		kept[g] = true
	}
	for _, g := range groups {
		for _, i := range g.items {
			if !kept[g] {
				r.Items[i].Split = Unused
			}
		}
	}
	return &r, nil
}

// strata parts groups by the rarest class that each holds an image of, in an order that the split's seed gives; each class has a
// stream of its own.
func (d *Dataset) strata(groups []*imageGroup) [][]*imageGroup {
	total := d.Counts(Train)
	strata := make([][]*imageGroup, len(d.Classes))
	for _, g := range groups {
		rarest := -1
		for label, n := range g.counts {
			if n > 0 && (rarest < 0 || total[label] < total[rarest]) {
				rarest = label
			}
		}
		strata[rarest] = append(strata[rarest], g)
	}
	for label, stratum := range strata {
		name := fnv.New64a()
		name.Write([]byte("share of " + d.Classes[label]))
		rng := rand.New(rand.NewPCG(d.SplitSeed, name.Sum64()))
		rng.Shuffle(len(stratum), func(i, j int) { stratum[i], stratum[j] = stratum[j], stratum[i] })
	}
	return strata
}

// nearest is how many groups, from the first, hold the number of images that is nearest to a share of all; the larger number
// where two are as near.
func nearest(groups []*imageGroup, share float64) int {
	all := 0
	for _, g := range groups {
		all += len(g.items)
	}
	wanted := share * float64(all)
	best, images := 0, 0
	least := wanted
	for i, g := range groups {
		images += len(g.items)
		if off := math.Abs(float64(images) - wanted); off <= least+1e-9 { // 1e-9: 0.1·15 may come out a little below 1.5
			best, least = i+1, off
		}
	}
	return best
}

// indispensable are the groups that every share holds, so that no class is without an image: the first of each stratum, and
// for each class that none of these has the first that has it.
func indispensable(strata [][]*imageGroup, classes int) []*imageGroup {
	var groups []*imageGroup
	for _, stratum := range strata {
		if len(stratum) > 0 {
			groups = append(groups, stratum[0])
		}
	}
	for label := range classes {
		has := func(g *imageGroup) bool { return g.counts[label] > 0 }
		if slices.ContainsFunc(groups, has) {
			continue
		}
		for _, stratum := range strata {
			if i := slices.IndexFunc(stratum, has); i >= 0 {
				groups = append(groups, stratum[i])
				break
			}
		}
	}
	return groups
}
