package phantom

import (
	"image"
	"math"
	"math/rand/v2"
)

// ChestXRay holds everything that decides how the X-ray phantom's images look and how far its four classes overlap.
type ChestXRay struct {
	Dark   Uniform `json:"dark"`  // grey value of the lungs, 0…1
	Light  Uniform `json:"light"` // of the tissue around
	Ribs   Uniform `json:"ribs"`  // their brightness
	Marks  Uniform `json:"marks"` // vessels in the lungs
	Noise  Uniform `json:"noise"`
	Bright Normal  `json:"bright"` // of a finding above the lung
	// COVID19: hazy patches in both lungs, outside and below. PNEUMONIA: one dense area in one lung. TURBERCULOSIS:
	// spots and sometimes a ring in the upper part of a lung.
	Patches   Normal  `json:"patches"`
	PatchSize Uniform `json:"patch_size"`
	LobeSize  Uniform `json:"lobe_size"`
	Spots     Normal  `json:"spots"`
	Cavity    float64 `json:"cavity"` // probability of a ring
	// Atypical is the probability that a diseased lung looks as another class's; Faint that a finding hardly shows; Mimic
	// that a normal image has a faint shadow.
	Atypical float64 `json:"atypical"`
	Faint    float64 `json:"faint"`
	Mimic    float64 `json:"mimic"`
}

// DefaultChestXRay is fixed.
var DefaultChestXRay = ChestXRay{
	Dark: Uniform{0.16, 0.36}, Light: Uniform{0.55, 0.8}, Ribs: Uniform{0.03, 0.1}, Marks: Uniform{0.04, 0.12}, Noise: Uniform{0.008, 0.035},
	Bright:  Normal{0.24, 0.07, 0.08, 0.42},
	Patches: Normal{4, 1.3, 2, 7}, PatchSize: Uniform{0.05, 0.1}, LobeSize: Uniform{0.08, 0.15}, Spots: Normal{6, 2.5, 2, 12}, Cavity: 0.5,
	Atypical: 0.12, Faint: 0.18, Mimic: 0.25,
}

// ChestXRayVersion changes whenever the same options give other images.
const ChestXRayVersion = 1

// chestClasses are spelt as the published folders are.
var chestClasses = []string{"COVID19", "NORMAL", "PNEUMONIA", "TURBERCULOSIS"}

var chestGenerator = generator{
	name: "chest X-ray", version: ChestXRayVersion, classes: chestClasses, parameters: DefaultChestXRay, stream: 0x63686573747872,
	draw: func(class, size int, rng *rand.Rand) (image.Image, string) {
		return DefaultChestXRay.draw(class, size, rng), ""
	},
}

// lung is one of the two.
type lung struct{ x, y, a, b, side float64 }

func (c ChestXRay) draw(class, size int, rng *rand.Rand) image.Image {
	p := &painting{size: size, rng: rng, tint: [3]float64{1, 1, 1}}
	lungs := c.thorax(p)
	bright := c.Bright.draw(rng)
	if p.chance(c.Faint) {
		bright *= 0.35
	}
	name := chestClasses[class]
	if name != "NORMAL" && p.chance(c.Atypical) {
		name = []string{"COVID19", "PNEUMONIA", "TURBERCULOSIS"}[rng.IntN(3)]
	}
	switch name {
	case "COVID19":
		for k := range int(math.Round(c.Patches.draw(rng))) {
			lung := lungs[k%2]
			c.shadow(p, lung, lung.x+lung.side*lung.a*Uniform{0.2, 0.8}.draw(rng), lung.y+lung.b*Uniform{-0.1, 0.75}.draw(rng), c.PatchSize.draw(rng), 0.75*bright, 0.8)
		}
	case "PNEUMONIA":
		lung := lungs[rng.IntN(2)]
		c.shadow(p, lung, lung.x+lung.a*Uniform{-0.3, 0.3}.draw(rng), lung.y+lung.b*Uniform{-0.3, 0.65}.draw(rng), c.LobeSize.draw(rng), 1.15*bright, 0.5)
	case "TURBERCULOSIS":
		c.tuberculosis(p, lungs[rng.IntN(2)], bright)
	case "NORMAL":
		if p.chance(c.Mimic) {
			lung := lungs[rng.IntN(2)]
			c.shadow(p, lung, lung.x, lung.y+lung.b*Uniform{-0.6, 0.6}.draw(rng), c.PatchSize.draw(rng), 0.45*bright, 0.8)
		}
	}
	p.grain(c.Noise.draw(rng))
	return p.image()
}

// thorax draws a chest without a finding.
func (c ChestXRay) thorax(p *painting) (lungs [2]lung) {
	v, rng := p.grey(), p.rng
	bend, fine := newNoise(rng), newNoise(rng)
	dark, light, ribs, marks := c.Dark.draw(rng), c.Light.draw(rng), c.Ribs.draw(rng), c.Marks.draw(rng)
	apart, top := Uniform{0.19, 0.24}.draw(rng), Uniform{0.42, 0.48}.draw(rng)
	for k, side := range []float64{-1, 1} {
		lungs[k] = lung{0.5 + side*apart, top, Uniform{0.14, 0.18}.draw(rng), Uniform{0.3, 0.37}.draw(rng), side}
	}
	heart, count, phase := Uniform{0.1, 0.15}.draw(rng), Uniform{8, 11}.draw(rng), 2*math.Pi*rng.Float64()
	slope, shoulders := Uniform{0.5, 1.1}.draw(rng), Uniform{0.3, 0.42}.draw(rng)
	p.each(func(i int, x, y float64) {
		wx, wy := x+0.015*bend.at(3*x, 3*y), y+0.015*bend.at(3*x+5, 3*y)
		level := light + 0.05*bend.at(5*x, 5*y+3)
		for _, lung := range lungs {
			inside := oval(wx, wy, lung.x, lung.y, lung.a*(0.85+0.25*(wy-lung.y+lung.b)/(2*lung.b)), lung.b, 0.1)
			side := math.Abs(x-lung.x) / lung.a
			arc := y + slope*0.12*side*side
			rib := math.Pow(math.Max(0, math.Sin(2*math.Pi*count*arc+phase)), 2)
			hilum := math.Exp(-math.Pow((x-lung.x+0.7*lung.side*lung.a)/0.07, 2) - math.Pow((y-lung.y-0.02)/0.1, 2))
			here := dark + ribs*rib + marks*math.Pow(1-math.Abs(fine.at(13*x, 13*y)), 7)*(0.4+hilum) + 0.12*hilum
			level = mix(level, here, inside)
		}
		level = mix(level, light, 0.95*oval(wx, wy, 0.5, 0.5, 0.05, 0.6, 0.35))
		level = mix(level, light, 0.9*oval(wx, wy, 0.55, 0.62, heart, 0.95*heart, 0.25))
		level = mix(level, light+0.05, smooth((y-0.84-0.03*math.Cos(9*(x-0.5)))/0.06))
		if neck := smooth((shoulders*math.Abs(x-0.5) - y + 0.02) / 0.05); math.Abs(x-0.5) > 0.12 {
			level = mix(level, 0.06, neck)
		}
		collar := (y - 0.13 - 0.5*math.Pow(math.Abs(x-0.5)-0.2, 2)) / 0.012
		v[i] = level + 0.5*ribs*math.Exp(-collar*collar)
	})
	return lungs
}

// shadow brightens part of a lung softly.
func (c ChestXRay) shadow(p *painting, lung lung, x, y, size, bright, edge float64) {
	rng := p.rng
	texture := newNoise(rng)
	b := body{x: x, y: y, halfWidth: size * Uniform{0.8, 1.2}.draw(rng), halfHeight: size * Uniform{0.8, 1.3}.draw(rng), tilt: math.Pi * rng.Float64(), shape: newOutline(rng, Outline{Lobulation: 0.25, Angles: 0.1})}
	p.fill(b, edge, func(i int, inside, px, py float64) {
		here := smooth((1.08 - math.Hypot((px-lung.x)/lung.a, (py-lung.y)/lung.b)) / 0.15)
		p.add(i, bright*inside*here*(1+0.35*texture.at(18*px, 18*py)))
	})
}

// tuberculosis draws spots, and sometimes a ring, in the upper part of a lung.
func (c ChestXRay) tuberculosis(p *painting, lung lung, bright float64) {
	rng := p.rng
	x, y := lung.x+0.2*lung.a*rng.NormFloat64(), lung.y-lung.b*Uniform{0.3, 0.65}.draw(rng)
	for range int(math.Round(c.Spots.draw(rng))) {
		c.shadow(p, lung, x+0.05*rng.NormFloat64(), y+0.06*rng.NormFloat64(), Uniform{0.015, 0.035}.draw(rng), 0.9*bright, 0.6)
	}
	if p.chance(c.Cavity) {
		size := Uniform{0.03, 0.06}.draw(rng)
		ring := body{x: x, y: y, halfWidth: size, halfHeight: size, shape: newOutline(rng, Outline{Lobulation: 0.1})}
		s := &canvas{size: p.size}
		s.each(ring, 1.5, func(i int, r float64) {
			t := (r - 1) / 0.25
			p.add(i, 1.1*bright*math.Exp(-t*t))
		})
	}
}
