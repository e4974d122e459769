package phantom

import (
	"image"
	"math"
	"math/rand/v2"
)

// BrainMRI holds everything that decides how the MRI phantom's images look and how far its four classes overlap.
type BrainMRI struct {
	Matter Uniform `json:"matter"` // grey value of brain, 0…1
	Folds  Uniform `json:"folds"`  // depth of the sulci
	Scalp  Uniform `json:"scalp"`  // brightness of the rim
	Bias   Uniform `json:"bias"`   // brightness across the head
	Noise  Uniform `json:"noise"`
	// Enhancement is a tumour's brightness above the brain's.
	Enhancement Normal `json:"enhancement"`
	// Glioma: irregular, inside, often a bright ring around a dark core, dark swelling around it.
	GliomaSize Uniform `json:"glioma_size"`
	Necrosis   float64 `json:"necrosis"` // probability of a dark core
	Edema      Normal  `json:"edema"`    // darkness of the swelling
	// Meningioma: smooth, even, at the border of the brain.
	MeningiomaSize Uniform `json:"meningioma_size"`
	// Pituitary: small, smooth, on the midline below the middle.
	PituitarySize Uniform `json:"pituitary_size"`
	// Atypical is the probability that a tumour has another kind's place and looks; Faint that it hardly shows; Mimic that
	// a head without tumour has a bright vessel or spot.
	Atypical float64 `json:"atypical"`
	Faint    float64 `json:"faint"`
	Mimic    float64 `json:"mimic"`
}

// DefaultBrainMRI is fixed.
var DefaultBrainMRI = BrainMRI{
	Matter: Uniform{0.28, 0.5}, Folds: Uniform{0.06, 0.18}, Scalp: Uniform{0.45, 0.95}, Bias: Uniform{-0.25, 0.25}, Noise: Uniform{0.012, 0.045},
	Enhancement: Normal{0.3, 0.1, 0.1, 0.55},
	GliomaSize:  Uniform{0.06, 0.13}, Necrosis: 0.7, Edema: Normal{0.09, 0.05, 0, 0.2},
	MeningiomaSize: Uniform{0.05, 0.11}, PituitarySize: Uniform{0.03, 0.06},
	Atypical: 0.12, Faint: 0.18, Mimic: 0.3,
}

// BrainMRIVersion changes whenever the same options give other images.
const BrainMRIVersion = 1

var brainClasses = []string{"glioma_tumor", "meningioma_tumor", "no_tumor", "pituitary_tumor"}

var brainGenerator = generator{
	name: "brain MRI", version: BrainMRIVersion, classes: brainClasses, parameters: DefaultBrainMRI, stream: 0x627261696e6d7269,
	draw: func(class, size int, rng *rand.Rand) (image.Image, string) {
		return DefaultBrainMRI.draw(class, size, rng), ""
	},
}

// head is the geometry of a slice.
type head struct{ x, y, a, b, matter float64 }

func (m BrainMRI) draw(class, size int, rng *rand.Rand) image.Image {
	p := &painting{size: size, rng: rng, tint: [3]float64{1, 1, 1}}
	h := m.slice(p)
	bright := m.Enhancement.draw(rng)
	if p.chance(m.Faint) {
		bright *= 0.35
	}
	name := brainClasses[class]
	if name != "no_tumor" && p.chance(m.Atypical) {
		name = []string{"glioma_tumor", "meningioma_tumor", "pituitary_tumor"}[rng.IntN(3)]
	}
	switch name {
	case "glioma_tumor":
		m.glioma(p, h, bright)
	case "meningioma_tumor":
		m.meningioma(p, h, bright)
	case "pituitary_tumor":
		m.round(p, h.x+0.02*rng.NormFloat64(), h.y+h.b*Uniform{0.25, 0.5}.draw(rng), m.PituitarySize.draw(rng), h.matter+bright)
	case "no_tumor":
		if p.chance(m.Mimic) {
			angle, r := 2*math.Pi*rng.Float64(), Uniform{0.1, 0.8}.draw(rng)
			m.round(p, h.x+r*h.a*math.Cos(angle), h.y+r*h.b*math.Sin(angle), Uniform{0.015, 0.04}.draw(rng), h.matter+0.7*bright)
		}
	}
	bias, turn := m.Bias.draw(rng), 2*math.Pi*rng.Float64()
	p.each(func(i int, x, y float64) {
		p.channels[0][i] *= 1 + bias*((x-0.5)*math.Cos(turn)+(y-0.5)*math.Sin(turn))*2
	})
	p.grain(m.Noise.draw(rng))
	return p.image()
}

// slice draws a head without a tumour.
func (m BrainMRI) slice(p *painting) head {
	v, rng := p.grey(), p.rng
	folds, shade, bend := newNoise(rng), newNoise(rng), newNoise(rng)
	h := head{0.5 + 0.02*rng.NormFloat64(), 0.5 + 0.02*rng.NormFloat64(), Uniform{0.34, 0.44}.draw(rng), Uniform{0.4, 0.47}.draw(rng), m.Matter.draw(rng)}
	depth, scalp := m.Folds.draw(rng), m.Scalp.draw(rng)
	fluid := Uniform{0.05, 0.2}.draw(rng) // dark, as in T1
	ventricle, gap := Uniform{0.02, 0.055}.draw(rng), Uniform{0.02, 0.045}.draw(rng)
	white := Uniform{0.03, 0.12}.draw(rng)
	p.each(func(i int, x, y float64) {
		wx, wy := x+0.012*bend.at(5*x, 5*y), y+0.012*bend.at(5*x+9, 5*y)
		r := math.Hypot((wx-h.x)/h.a, (wy-h.y)/h.b)
		fold := 1 - math.Abs(folds.at(15*x+2*shade.at(4*x, 4*y), 15*y))
		level := h.matter - depth*math.Pow(fold, 5)*smooth((r-0.25)/0.4) + white*smooth((0.7-r)/0.3) + 0.03*shade.at(6*x, 6*y)
		midline := (wx - h.x) / 0.008
		level -= 0.6 * depth * math.Exp(-midline*midline)
		for _, side := range []float64{-1, 1} {
			level = mix(level, fluid, oval(wx, wy, h.x+side*(gap+0.25*math.Abs(wy-h.y)), h.y-0.02, ventricle, 3.2*ventricle, 0.3))
		}
		skull, rim := (r-0.92)/0.035, (r-1)/0.03
		level = mix(level, 0.05, math.Exp(-skull*skull))
		v[i] = level*smooth((1.05-r)/0.05) + scalp*math.Exp(-rim*rim)
	})
	return h
}

// glioma draws an irregular tumour inside the brain.
func (m BrainMRI) glioma(p *painting, h head, bright float64) {
	rng := p.rng
	angle, r := 2*math.Pi*rng.Float64(), Uniform{0.2, 0.62}.draw(rng)
	size := m.GliomaSize.draw(rng)
	b := body{
		x: h.x + r*h.a*math.Cos(angle), y: h.y + r*h.b*math.Sin(angle), halfWidth: size * Uniform{0.8, 1.25}.draw(rng), halfHeight: size,
		tilt: math.Pi * rng.Float64(), shape: newOutline(rng, Outline{Lobulation: 0.22, Angles: 0.06}),
	}
	edema, texture := m.Edema.draw(rng), newNoise(rng)
	around := b
	around.halfWidth, around.halfHeight = 1.7*b.halfWidth, 1.7*b.halfHeight
	p.fill(around, 0.5, func(i int, inside, _, _ float64) { p.add(i, -edema*inside) })
	p.fill(b, 0.25, func(i int, inside, x, y float64) {
		p.towards(i, inside, h.matter+bright*(1+0.6*texture.at(22*x, 22*y)))
	})
	if p.chance(m.Necrosis) {
		core := b
		core.halfWidth, core.halfHeight = 0.6*b.halfWidth, 0.6*b.halfHeight
		p.fill(core, 0.3, func(i int, inside, _, _ float64) { p.towards(i, inside, h.matter-0.12) })
	}
}

// meningioma draws a smooth, even tumour against the skull.
func (m BrainMRI) meningioma(p *painting, h head, bright float64) {
	rng := p.rng
	angle, size := 2*math.Pi*rng.Float64(), m.MeningiomaSize.draw(rng)
	x, y := h.x+(0.86*h.a-0.7*size)*math.Cos(angle), h.y+(0.86*h.b-0.7*size)*math.Sin(angle)
	b := body{x: x, y: y, halfWidth: size, halfHeight: 1.25 * size, tilt: angle, shape: newOutline(rng, Outline{Lobulation: 0.08})}
	p.fill(b, 0.12, func(i int, inside, px, py float64) {
		here := smooth((0.93 - math.Hypot((px-h.x)/h.a, (py-h.y)/h.b)) / 0.04)
		p.towards(i, inside*here, h.matter+bright)
	})
}

// round draws a small even disc.
func (m BrainMRI) round(p *painting, x, y, size, level float64) {
	b := body{x: x, y: y, halfWidth: size, halfHeight: 0.9 * size, shape: newOutline(p.rng, Outline{Lobulation: 0.08})}
	p.fill(b, 0.18, func(i int, inside, _, _ float64) { p.towards(i, inside, level) })
}
