package dataset

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
)

// share is how many of n images of a class are set apart for a fraction: the largest number that is strictly less than
// the fraction, but at least 1, and never all. A test part of one fifth so leaves more than four training images for
// each test image; of BUSI's 437, 210 and 133 images it takes 87 + 41 + 26 = 154, the paper's number, where rounding
// down would take 155.
func share(n int, fraction float64) int {
	if n < 2 {
		return 0
	}
	most := int(math.Ceil(fraction*float64(n)-1e-9)) - 1 // 1e-9: 0.2·n may come out a little above a whole number
	return min(max(most, 1), n-1)
}

// assignSplits fills in what is not published: the test part is drawn from the training part class by class, then the
// validation part. items must be sorted. Each class is shuffled by a stream of its own, so that adding images to one
// class leaves the others' split as it is.
func assignSplits(items []Item, classes []string, o Options) (published []Split, err error) {
	for _, part := range []Split{Train, Val, Test} {
		if slices.ContainsFunc(items, func(i Item) bool { return i.Split == part }) {
			published = append(published, part)
		}
	}
	for i := range items {
		if items[i].Split == "" {
			items[i].Split = Train
		}
	}
	if slices.ContainsFunc(items, func(i Item) bool { return i.Group != "" }) {
		return published, assignGroups(items, classes, published, o)
	}
	for label, class := range classes {
		var train []int
		for i, item := range items {
			if item.Label == label && item.Split == Train {
				train = append(train, i)
			}
		}
		name := fnv.New64a()
		name.Write([]byte(class))
		rng := rand.New(rand.NewPCG(o.SplitSeed, name.Sum64()))
		rng.Shuffle(len(train), func(i, j int) { train[i], train[j] = train[j], train[i] })
		draw := func(part Split, fraction float64) {
			if slices.Contains(published, part) || fraction < 0 {
				return
			}
			n := share(len(train), fraction)
			for _, i := range train[:n] {
				items[i].Split = part
			}
			train = train[n:]
		}
		if len(train) == 1 && !slices.Contains(published, Test) {
			return nil, badDataset("class %q has a single readable image, which cannot be both trained on and tested: add images, or remove the class", class)
		}
		draw(Test, o.TestFraction)
		draw(Val, o.ValFraction)
	}
	return published, nil
}

// checkGroups refuses a published split that has images of one group in more than one part.
func checkGroups(root string, items []Item) error {
	for _, group := range splitGroups(items) {
		var first, other Item
		for _, item := range items {
			if item.Group != group || item.Split == "" {
				continue
			}
			if first.Split == "" {
				first = item
			} else if item.Split != first.Split {
				other = item
				break
			}
		}
		return badDataset("group %q of %s is on both sides of the published split: %s is in %s and %s in %s: move one, or leave the split out", group, root, first.Path, first.Split, other.Path, other.Split)
	}
	return nil
}

// splitGroups are the groups that a published split has in more than one part, in the order of the items.
func splitGroups(items []Item) []string {
	part := map[string]Split{}
	var split []string
	for _, item := range items {
		if item.Group == "" || item.Split == "" {
			continue
		}
		before, seen := part[item.Group]
		if !seen {
			part[item.Group] = item.Split
		} else if before != item.Split && !slices.Contains(split, item.Group) {
			split = append(split, item.Group)
		}
	}
	return split
}
