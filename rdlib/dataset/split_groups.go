package dataset

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"
)

// imageGroup are training images that must stay together: those of a group, or a single one without.
type imageGroup struct {
	items  []int
	counts []int // images of each class
}

// assignGroups draws the parts that are not published, whole groups at a time. Groups are gone through in a seeded order,
// again and again, and each is taken or given back when that brings the number of images of each class nearer to what
// assignSplits would take, and leaves every class something to train on; it ends when no group helps. A class of which
// nothing was taken then gives the group that fits best.
func assignGroups(items []Item, classes []string, published []Split, o Options) error {
	name := fnv.New64a()
	name.Write([]byte("groups"))
	rng := rand.New(rand.NewPCG(o.SplitSeed, name.Sum64()))
	for _, draw := range []struct {
		part     Split
		fraction float64
	}{{Test, o.TestFraction}, {Val, o.ValFraction}} {
		if slices.Contains(published, draw.part) || draw.fraction < 0 {
			continue
		}
		groups := trainingGroups(items, len(classes))
		rng.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
		p := newGroupDraw(groups, len(classes), draw.fraction)
		for changed := true; changed; {
			changed = false
			for i := range groups {
				if (p.chosen[i] || p.allowed(i)) && p.error(i) < p.error(-1)-1e-9 {
					p.turn(i)
					changed = true
				}
			}
		}
		for label, class := range classes {
			if p.taken[label] > 0 {
				continue
			}
			best := -1
			for i, g := range groups {
				if g.counts[label] > 0 && !p.chosen[i] && p.allowed(i) && (best < 0 || p.error(i) < p.error(best)) {
					best = i
				}
			}
			if best >= 0 {
				p.turn(best)
			} else if draw.part == Test {
				return badDataset("class %q has too few groups to be both trained on and tested, because a group stays in one part: add images of other groups, or remove the class", class)
			}
		}
		for i, g := range groups {
			for _, k := range g.items {
				if p.chosen[i] {
					items[k].Split = draw.part
				}
			}
		}
	}
	return nil
}

// trainingGroups collects the training images, in the order of their first.
func trainingGroups(items []Item, classes int) []*imageGroup {
	var groups []*imageGroup
	named := map[string]*imageGroup{}
	for i, item := range items {
		if item.Split != Train {
			continue
		}
		g := named[item.Group]
		if g == nil || item.Group == "" {
			g = &imageGroup{counts: make([]int, classes)}
			named[item.Group] = g
			groups = append(groups, g)
		}
		g.items = append(g.items, i)
		g.counts[item.Label]++
	}
	return groups
}

// groupDraw is a part in the making.
type groupDraw struct {
	groups             []*imageGroup
	chosen             []bool
	want, taken, total []int // images of each class
}

func newGroupDraw(groups []*imageGroup, classes int, fraction float64) *groupDraw {
	p := &groupDraw{groups: groups, chosen: make([]bool, len(groups)), want: make([]int, classes), taken: make([]int, classes), total: make([]int, classes)}
	for _, g := range groups {
		for c, n := range g.counts {
			p.total[c] += n
		}
	}
	for c, n := range p.total {
		p.want[c] = share(n, fraction)
	}
	return p
}

// allowed is whether a group that is not chosen can be, and every class keep a training image.
func (p *groupDraw) allowed(i int) bool {
	for c, n := range p.groups[i].counts {
		if n > 0 && p.taken[c]+n >= p.total[c] {
			return false
		}
	}
	return true
}

// error is how far the part is from what is wanted, summed over the classes as squares of relative differences, once group
// i is taken, or given back if it was; −1 leaves all as it is.
func (p *groupDraw) error(i int) float64 {
	sum := 0.0
	for c, want := range p.want {
		n := p.taken[c]
		if i >= 0 {
			n += p.sign(i) * p.groups[i].counts[c]
		}
		relative := float64(n-want) / float64(max(want, 1))
		sum += relative * relative
	}
	return sum
}

// turn takes a group, or gives it back.
func (p *groupDraw) turn(i int) {
	for c, n := range p.groups[i].counts {
		p.taken[c] += p.sign(i) * n
	}
	p.chosen[i] = !p.chosen[i]
}

// sign is how a group's images count when it is turned.
func (p *groupDraw) sign(i int) int {
	if p.chosen[i] {
		return -1
	}
	return 1
}
