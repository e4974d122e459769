package boundary

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Triplets draws n triplets of images, given each image's label; a triplet is three indices. Its images are of three
// classes, or, where the labels hold fewer, of all there are. An image is taken again only when its class is used up, so
// that triplets depend on each other as little as the number of images lets them.
func Triplets(labels []int, n int, seed uint64) ([][3]int, error) {
	if n < 1 {
		return nil, fmt.Errorf("%d triplets: at least 1 is needed", n)
	}
	if len(labels) < 3 {
		return nil, fmt.Errorf("%d images: a triplet needs three", len(labels))
	}
	rng := rand.New(rand.NewPCG(seed, 0x747269706c657473))
	members := map[int][]int{}
	for i, label := range labels {
		members[label] = append(members[label], i)
	}
	var classes []int
	for class := range members {
		classes = append(classes, class)
	}
	slices.Sort(classes)
	left := map[int][]int{}
	// take draws an image of a class that is not among those taken; false where the class has no other.
	take := func(class int, taken []int) (int, bool) {
		for range 2 {
			for k, i := range left[class] {
				if !slices.Contains(taken, i) {
					left[class] = slices.Delete(left[class], k, k+1)
					return i, true
				}
			}
			left[class] = slices.Clone(members[class])
			rng.Shuffle(len(left[class]), func(i, j int) { left[class][i], left[class][j] = left[class][j], left[class][i] })
		}
		return 0, false
	}
	triplets := make([][3]int, n)
	for t := range triplets {
		rng.Shuffle(len(classes), func(i, j int) { classes[i], classes[j] = classes[j], classes[i] })
		var taken []int
		for turn := 0; len(taken) < 3; turn++ {
			if i, ok := take(classes[turn%len(classes)], taken); ok {
				taken = append(taken, i)
			}
		}
		triplets[t] = [3]int(taken)
	}
	return triplets, nil
}
