package rdlib

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"rd/rdlib/dataset"
	"rd/rdlib/record"
	"rd/rdlib/train"
)

// corpus is what a foundation model is pre-trained on: the images of several data sets, one after the other, the classes
// of each set numbered behind those of the sets before; sets with the same class names share a head.
type corpus struct {
	sets        []corpusSet
	train, test images
}

type corpusSet struct {
	record.PretrainingSet
	data  *dataset.Dataset
	first int // number of its first class
}

// images are items of several data sets, in order. They are a dataset.Augmentable.
type images struct {
	stores []*dataset.Store
	list   []corpusImage
}

type corpusImage struct {
	set, item int
	label     int
}

func (m *images) Len() int        { return len(m.list) }
func (m *images) Label(i int) int { return m.list[i].label }
func (m *images) Tensor(i int, flip bool, dst []float32) error {
	return m.stores[m.list[i].set].Tensor(m.list[i].item, flip, dst)
}
func (m *images) Augmented(i int, a *dataset.Augmentation, rng *rand.Rand, dst []float32) error {
	return m.stores[m.list[i].set].Augmented(m.list[i].item, a, rng, dst)
}

// corpus opens the data sets and picks the images: all but each set's test part to train on, that part to look at
// afterwards, without images whose pixels the target holds and without any that came before.
func (s *Session) corpus(ctx context.Context, dirs []string, target, layout string, seed uint64) (*corpus, error) {
	taken := map[string]bool{} // by pixels
	inTarget := map[string]bool{}
	if target != "" {
		d, err := s.dataset(ctx, dataKey{dir: target, layout: layout, seed: seed})
		if err != nil {
			return nil, err
		}
		for _, item := range d.Items {
			inTarget[item.Pixels] = true
		}
	}
	c := &corpus{}
	for k, dir := range dirs {
		d, err := s.dataset(ctx, dataKey{dir: dir, layout: layout, seed: seed})
		if err != nil {
			return nil, err
		}
		first := c.head(d.Classes)
		set := corpusSet{data: d, first: first, PretrainingSet: record.PretrainingSet{
			Name: folderName(dir), Phantom: d.Phantom != nil, Manifest: d.Hash(), Classes: d.Classes,
		}}
		for i, item := range d.Items {
			switch {
			case inTarget[item.Pixels]:
				set.InTarget++
				continue
			case taken[item.Pixels]:
				set.Duplicates++
				continue
			}
			taken[item.Pixels] = true
			image := corpusImage{set: k, item: i, label: first + item.Label}
			if item.Split == dataset.Test {
				set.Test++
				c.test.list = append(c.test.list, image)
			} else {
				set.Train++
				c.train.list = append(c.train.list, image)
			}
		}
		if set.Train == 0 {
			return nil, &InputError{fmt.Errorf("no image of %s is left to pre-train on: %d are in the target, %d came before", dir, set.InTarget, set.Duplicates)}
		}
		c.sets = append(c.sets, set)
	}
	return c, nil
}

// load decodes the images at the input size.
func (c *corpus) load(ctx context.Context, s *Session, dirs []string, layout string, seed uint64, p dataset.Preprocess) error {
	for _, dir := range dirs {
		store, err := s.store(ctx, storeKey{dataKey{dir: dir, layout: layout, seed: seed}, p}, true)
		if err != nil {
			return err
		}
		c.train.stores = append(c.train.stores, store)
	}
	c.test.stores = c.train.stores
	return nil
}

// head is the number of the first class of a new set's head: that of an earlier set with the same class names, or the next.
func (c *corpus) head(classes []string) int {
	next := 0
	for _, set := range c.sets {
		if slices.Equal(set.Classes, classes) {
			return set.first
		}
		next = max(next, set.first+len(set.Classes))
	}
	return next
}

// heads are the numbers of classes of the heads, in their order.
func (c *corpus) heads() []int {
	var heads []int
	next := 0
	for _, set := range c.sets {
		if set.first == next {
			heads = append(heads, len(set.Classes))
			next += len(set.Classes)
		}
	}
	return heads
}

// classes is how many classes all heads have together.
func (c *corpus) classes() int {
	sum := 0
	for _, n := range c.heads() {
		sum += n
	}
	return sum
}

// name joins the names of the sets.
func (c *corpus) name() string {
	var names []string
	for _, set := range c.sets {
		names = append(names, set.Name)
	}
	return strings.Join(names, "+")
}

// phantom is whether any image is synthetic.
func (c *corpus) phantom() bool {
	return slices.ContainsFunc(c.sets, func(set corpusSet) bool { return set.Phantom })
}

// hash names the images that are trained on and held out: the sets' manifests and what was picked of them.
func (c *corpus) hash() string {
	sum := sha256.New()
	for _, set := range c.sets {
		fmt.Fprintf(sum, "set %s\n", set.Manifest)
	}
	for _, part := range []images{c.train, c.test} {
		fmt.Fprintf(sum, "part\n")
		for _, image := range part.list {
			fmt.Fprintf(sum, "%d %d\n", image.set, image.item)
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// correct fills in how many held-out images each set's head names right, given the probabilities over all classes.
func (c *corpus) correct(probabilities [][]float32) {
	counts := make([]int, len(c.sets))
	for i, image := range c.test.list {
		set := c.sets[image.set]
		own := probabilities[i][set.first : set.first+len(set.Classes)]
		if set.first+train.ArgMax(own) == image.label {
			counts[image.set]++
		}
	}
	for k := range c.sets {
		c.sets[k].TestCorrect = &counts[k]
	}
}
