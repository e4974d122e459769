package phantom

import (
	"math"
	"math/rand/v2"
)

// Opacities says how one pattern of dense lung is distributed.
type Opacities struct {
	Count      Normal  `json:"count"`      // patches
	HalfWidth  Normal  `json:"half_width"` // of one patch
	Aspect     Normal  `json:"aspect"`     // height over width
	Density    Normal  `json:"density"`    // where it is densest: HU in CT, brightness above the lung's in an X-ray
	Spread     float64 `json:"spread"`     // standard deviation of the density among the patches of an image
	Edge       Normal  `json:"edge"`       // blur of the border, in parts of the radius
	Angles     Normal  `json:"angles"`     // unevenness of the border
	Patchy     Normal  `json:"patchy"`     // 0 even … 1 with gaps
	Reticular  Normal  `json:"reticular"`  // density of the net of lines inside
	Peripheral Normal  `json:"peripheral"` // pull towards the lung's border; negative: to its middle
	Down       Normal  `json:"down"`       // pull downwards in the image: the back in an axial slice, the base in an X-ray
	OneSided   float64 `json:"one_sided"`  // probability that all lie in one lung
}

// lungs is an image in which it is known where the lungs are.
type lungs struct {
	*canvas
	rng    *rand.Rand
	inside *canvas // part of each pixel that is lung
	depth  *canvas // distance to the lung's border, negative outside
}

func newLungs(size int, rng *rand.Rand) *lungs {
	return &lungs{canvas: newCanvas(size), rng: rng, inside: newCanvas(size), depth: newCanvas(size)}
}

// place finds a point in the lungs. side is −1 for the one on the left of the image, 1 for the right, 0 for both.
func (l *lungs) place(peripheral, down, side float64) (at point, found bool) {
	best := math.Inf(-1)
	for range 60 {
		p := point{l.rng.Float64(), l.rng.Float64()}
		if side*(p.x-0.5) < 0 {
			p.x = 1 - p.x
		}
		depth := l.depth.at(p.x, p.y)
		if depth < 0.01 {
			continue
		}
		// Of those that fit the best wins, by chance as far as the pulls are weak.
		if score := -9*peripheral*depth + 1.8*down*p.y + 0.5*l.rng.NormFloat64(); score > best {
			best, at, found = score, p, true
		}
	}
	return at, found
}

// opacities adds a pattern of patches: add is called with the part of a lung's pixel that a patch covers and its density there.
func (l *lungs) opacities(o Opacities, add func(i int, part, density float64)) {
	rng := l.rng
	side := 0.0
	if rng.Float64() < o.OneSided {
		side = float64(2*rng.IntN(2) - 1)
	}
	peripheral, down, density := o.Peripheral.draw(rng), o.Down.draw(rng), o.Density.draw(rng)
	patchy, reticular := o.Patchy.draw(rng), o.Reticular.draw(rng)
	texture, net := newNoise(rng), newNoise(rng)
	for range int(math.Round(o.Count.draw(rng))) {
		at, found := l.place(peripheral, down, side)
		if !found {
			return
		}
		half, aspect := o.HalfWidth.draw(rng), math.Sqrt(o.Aspect.draw(rng))
		b := body{at.x, at.y, half / aspect, half * aspect, 0.4 * rng.NormFloat64(),
			newOutline(rng, Outline{Lobulation: o.Angles.draw(rng), Angles: o.Angles.draw(rng)})}
		here := density + o.Spread*rng.NormFloat64()
		l.cover(b, o.Edge.draw(rng), func(i int, part float64) {
			x, y := float64(i%l.size)/float64(l.size), float64(i/l.size)/float64(l.size)
			part *= l.inside.v[i] * min(max(1-patchy*(0.5+texture.at(13*x, 13*y)), 0), 1)
			ridge := 1 - math.Abs(net.at(24*x, 24*y))
			add(i, part, here+reticular*(2*ridge*ridge-1))
		})
	}
}
