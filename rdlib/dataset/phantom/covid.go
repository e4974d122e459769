package phantom

import (
	"image"
	"math"
	"math/rand/v2"
)

// LungCT holds everything that decides how the CT phantom's images look and how far its two classes overlap.
type LungCT struct {
	Tissue  Uniform `json:"tissue"` // grey value of soft tissue, 0…1, in a window for lungs
	Air     Uniform `json:"air"`    // of the lungs
	Noise   Uniform `json:"noise"`
	Vessels Uniform `json:"vessels"` // number of branches from each hilum
	// Covid: patches of ground glass, several, soft, near the border of the lungs.
	Patches   Normal  `json:"patches"`
	PatchSize Uniform `json:"patch_size"`
	Glass     Normal  `json:"glass"`     // their brightness above the lung's
	Periphery Uniform `json:"periphery"` // distance from the lung's middle, in parts of its radius
	// Other: one of nothing, a nodule, a dense consolidation, dark bubbles.
	Consolidation Normal `json:"consolidation"` // brightness
	// Atypical is the probability that an image looks as the other class's do, Faint that a finding hardly shows.
	Atypical float64 `json:"atypical"`
	Faint    float64 `json:"faint"`
}

// DefaultLungCT is fixed.
var DefaultLungCT = LungCT{
	Tissue: Uniform{0.72, 0.95}, Air: Uniform{0.12, 0.32}, Noise: Uniform{0.015, 0.05}, Vessels: Uniform{5, 9},
	Patches: Normal{3, 1.6, 1, 7}, PatchSize: Uniform{0.04, 0.1}, Glass: Normal{0.26, 0.08, 0.08, 0.45}, Periphery: Uniform{0.45, 0.95},
	Consolidation: Normal{0.4, 0.1, 0.15, 0.6},
	Atypical:      0.12, Faint: 0.2,
}

// LungCTVersion changes whenever the same options give other images.
const LungCTVersion = 1

var covidClasses = []string{"CT_COVID", "CT_NonCOVID"}

var covidGenerator = generator{
	name: "lung CT", version: LungCTVersion, classes: covidClasses, parameters: DefaultLungCT, stream: 0x6c756e672d6374,
	draw: func(class, size int, rng *rand.Rand) (image.Image, string) {
		return DefaultLungCT.draw(class, size, rng), ""
	},
}

// lung is one lung in the slice.
type lung struct{ x, y, a, b, side float64 }

func (l LungCT) draw(class, size int, rng *rand.Rand) image.Image {
	p := &painting{size: size, rng: rng, tint: [3]float64{1, 1, 1}}
	lungs, air := l.chest(p)
	covid := covidClasses[class] == "CT_COVID"
	if p.chance(l.Atypical) {
		covid = !covid
	}
	strength := 1.0
	if p.chance(l.Faint) {
		strength = 0.35
	}
	if covid {
		l.groundGlass(p, lungs, strength)
	} else {
		l.other(p, lungs, air, strength)
	}
	p.grain(l.Noise.draw(rng))
	return p.image()
}

// chest draws the slice without a finding.
func (l LungCT) chest(p *painting) (lungs [2]lung, air float64) {
	v, rng := p.grey(), p.rng
	bend, mottle := newNoise(rng), newNoise(rng)
	tissue := l.Tissue.draw(rng)
	air = l.Air.draw(rng)
	a, b := Uniform{0.43, 0.5}.draw(rng), Uniform{0.33, 0.44}.draw(rng)
	apart, top := Uniform{0.19, 0.23}.draw(rng), Uniform{0.45, 0.5}.draw(rng)
	heart := Uniform{0.09, 0.17}.draw(rng)
	width, height := Uniform{0.14, 0.17}.draw(rng), Uniform{0.21, 0.28}.draw(rng)
	for k, side := range []float64{-1, 1} {
		lungs[k] = lung{0.5 + side*apart, top, width * Uniform{0.93, 1.07}.draw(rng), height * Uniform{0.93, 1.07}.draw(rng), side}
	}
	p.each(func(i int, x, y float64) {
		wx, wy := x+0.02*bend.at(4*x, 4*y), y+0.02*bend.at(4*x+7, 4*y)
		level := tissue + 0.04*mottle.at(7*x, 7*y)
		for _, lung := range lungs {
			level = mix(level, air+0.03*mottle.at(16*x, 16*y), oval(wx, wy, lung.x, lung.y, lung.a, lung.b, 0.05))
		}
		level = mix(level, tissue, oval(wx, wy, 0.52, top-0.02, heart, 1.1*heart, 0.08))
		level = mix(level, min(1, tissue+0.2), oval(x, y, 0.5, 0.5+0.72*b, 0.055, 0.05, 0.2))
		level = mix(level, tissue-0.25, oval(x, y, 0.5, 0.5+0.86*b, 0.02, 0.018, 0.3))
		v[i] = mix(0.02, level, oval(wx, wy, 0.5, 0.5, a, b, 0.03))
		if table := math.Abs(y - 0.5 - b*1.08 - 0.25*(x-0.5)*(x-0.5)); table < 0.008 {
			v[i] = max(v[i], 0.3)
		}
	})
	for _, lung := range lungs {
		for range int(l.Vessels.draw(rng)) {
			l.vessel(p, lung.x-0.6*lung.side*lung.a, lung.y+0.03, 2*math.Pi*rng.Float64(), Uniform{0.006, 0.011}.draw(rng), tissue, lung)
		}
	}
	return lungs, air
}

// vessel draws a branching bright line that stays inside a lung.
func (l LungCT) vessel(p *painting, x, y, angle, width, level float64, within lung) {
	rng := p.rng
	for width > 0.003 {
		x, y = x+0.008*math.Cos(angle), y+0.008*math.Sin(angle)
		if math.Hypot((x-within.x)/within.a, (y-within.y)/within.b) > 0.95 {
			return
		}
		dot := body{x: x, y: y, halfWidth: width, halfHeight: width, shape: &ellipse}
		p.fill(dot, 0.5, func(i int, inside, _, _ float64) { p.towards(i, 0.6*inside, level) })
		angle += 0.25 * rng.NormFloat64()
		width *= 0.965
		if p.chance(0.06) {
			l.vessel(p, x, y, angle+Uniform{-1, 1}.draw(rng), 0.7*width, level, within)
		}
	}
}

// groundGlass draws the patches of one class.
func (l LungCT) groundGlass(p *painting, lungs [2]lung, strength float64) {
	rng := p.rng
	for range int(math.Round(l.Patches.draw(rng))) {
		lung := lungs[rng.IntN(2)]
		angle, r := Uniform{-0.9, 1.4}.draw(rng), l.Periphery.draw(rng) // outwards and downwards rather than up
		x, y := lung.x+lung.side*r*lung.a*math.Cos(angle), lung.y+r*lung.b*math.Sin(angle)
		l.patch(p, lung, x, y, l.PatchSize.draw(rng), strength*l.Glass.draw(rng), Uniform{0.5, 0.9}.draw(rng))
	}
}

// patch brightens part of a lung, mottled.
func (l LungCT) patch(p *painting, lung lung, x, y, size, bright, edge float64) {
	rng := p.rng
	texture := newNoise(rng)
	shape := body{x: x, y: y, halfWidth: size * Uniform{0.8, 1.4}.draw(rng), halfHeight: size, tilt: math.Pi * rng.Float64(), shape: newOutline(rng, Outline{Lobulation: 0.3, Angles: 0.15})}
	p.fill(shape, edge, func(i int, inside, px, py float64) {
		here := smooth((1.02 - math.Hypot((px-lung.x)/lung.a, (py-lung.y)/lung.b)) / 0.1)
		p.add(i, bright*inside*here*(1+0.5*texture.at(30*px, 30*py)))
	})
}

// other draws what the other class holds.
func (l LungCT) other(p *painting, lungs [2]lung, air, strength float64) {
	rng := p.rng
	lung := lungs[rng.IntN(2)]
	x, y := lung.x+0.5*lung.a*(2*rng.Float64()-1), lung.y+0.6*lung.b*(2*rng.Float64()-1)
	switch rng.IntN(5) {
	case 0, 1: // nothing
	case 2: // a nodule
		size := Uniform{0.015, 0.04}.draw(rng)
		l.patch(p, lung, x, y, size, strength*(l.Consolidation.draw(rng)+0.1), 0.25)
	case 3: // a dense consolidation
		l.patch(p, lung, x, lung.y+0.6*lung.b, Uniform{0.07, 0.13}.draw(rng), strength*l.Consolidation.draw(rng), 0.35)
	case 4: // dark bubbles
		for range 6 + rng.IntN(14) {
			lung := lungs[rng.IntN(2)]
			size := Uniform{0.012, 0.03}.draw(rng)
			bubble := body{x: lung.x + 0.8*lung.a*(2*rng.Float64()-1), y: lung.y + 0.8*lung.b*(2*rng.Float64()-1), halfWidth: size, halfHeight: size, shape: &ellipse}
			p.fill(bubble, 0.4, func(i int, inside, _, _ float64) { p.towards(i, 0.8*strength*inside, 0.4*air) })
		}
	}
}
