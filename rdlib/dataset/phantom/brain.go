package phantom

import (
	"image"
	"math"
	"math/rand/v2"
	"slices"
)

// BrainMRIVersion changes whenever the same options give other images.
const BrainMRIVersion = 2

// BrainMRI holds everything that decides how btc images look, and how far the four classes overlap. Signals are in parts
// of the brightest the display shows.
type BrainMRI struct {
	HalfWidth Uniform `json:"half_width"` // of the head in an axial slice
	Aspect    Uniform `json:"aspect"`     // height over width there
	Turn      Normal  `json:"turn"`       // radians
	White     Uniform `json:"white"`      // signal of white matter
	Grey      Uniform `json:"grey"`       // of grey matter, in parts of the white
	Fluid     Uniform `json:"fluid"`      // of cerebrospinal fluid
	Fat       Uniform `json:"fat"`        // of scalp, orbit and marrow
	Sulci     Uniform `json:"sulci"`      // width, 1 is even
	Ventricle Uniform `json:"ventricle"`  // size, 1 is even
	Mottle    Uniform `json:"mottle"`     // slow variation of the signal
	Bias      Uniform `json:"bias"`       // loss of signal across the image
	Noise     Uniform `json:"noise"`      // standard deviation of each part of the complex signal
	Blur      Uniform `json:"blur"`       // in 1/96 of the side

	// Views are the weights of high, middle and low axial slices, sagittal and coronal ones; the pituitary gland lies in
	// the last three, so that its tumours are drawn from PituitaryViews.
	Views          [5]float64 `json:"views"`
	PituitaryViews [5]float64 `json:"pituitary_views"`

	Enhancement Normal    `json:"enhancement"` // signal of a tumour that takes up contrast medium
	Glioma      BrainMass `json:"glioma"`
	Meningioma  BrainMass `json:"meningioma"`
	Pituitary   BrainMass `json:"pituitary"`
	Necrosis    float64   `json:"necrosis"`      // probability that a glioma has a dark core in a bright ring
	NonBright   float64   `json:"non_enhancing"` // and that it takes up no contrast medium: a dark, blurred patch
	// Atypical is the probability that an image shows what another class's images show.
	Atypical float64 `json:"atypical"`
	// Faint is the probability that a tumour takes up little contrast medium, FaintEnhancement.
	Faint            float64 `json:"faint"`
	FaintEnhancement Normal  `json:"faint_enhancement"`
	// Mimic is the probability that a head without tumour holds a bright vessel, a dark old infarct or a thick gland.
	Mimic float64 `json:"mimic"`
}

// BrainMass says how one kind of tumour is distributed.
type BrainMass struct {
	HalfWidth     Normal `json:"half_width"`
	Aspect        Normal `json:"aspect"`
	Lobulation    Normal `json:"lobulation"`
	Angles        Normal `json:"angles"`
	Edge          Normal `json:"edge"`          // blur of the border, in parts of the radius
	Heterogeneity Normal `json:"heterogeneity"` // of the signal inside
	Oedema        Normal `json:"oedema"`        // loss of signal around it
}

// DefaultBrainMRI is fixed.
var DefaultBrainMRI = BrainMRI{
	HalfWidth:      Uniform{0.33, 0.42},
	Aspect:         Uniform{1.1, 1.25},
	Turn:           Normal{0, 0.06, -0.15, 0.15},
	White:          Uniform{0.38, 0.55},
	Grey:           Uniform{0.62, 0.85},
	Fluid:          Uniform{0.06, 0.16},
	Fat:            Uniform{0.6, 1},
	Sulci:          Uniform{0.5, 1.5},
	Ventricle:      Uniform{0.6, 1.5},
	Mottle:         Uniform{0.01, 0.05},
	Bias:           Uniform{0, 0.3},
	Noise:          Uniform{0.01, 0.035},
	Blur:           Uniform{0.25, 0.55},
	Views:          [5]float64{0.2, 0.32, 0.24, 0.12, 0.12},
	PituitaryViews: [5]float64{0, 0, 0.44, 0.28, 0.28},
	Enhancement:    Normal{0.78, 0.1, 0.5, 1},
	Glioma: BrainMass{
		HalfWidth: Normal{0.1, 0.03, 0.04, 0.17}, Aspect: Normal{1, 0.25, 0.5, 1.6}, Lobulation: Normal{0.2, 0.08, 0.05, 0.4},
		Angles: Normal{0.05, 0.03, 0, 0.15}, Edge: Normal{0.25, 0.08, 0.1, 0.5}, Heterogeneity: Normal{0.2, 0.08, 0.02, 0.4},
		Oedema: Normal{0.1, 0.05, 0, 0.2},
	},
	Meningioma: BrainMass{
		HalfWidth: Normal{0.095, 0.03, 0.04, 0.16}, Aspect: Normal{1, 0.15, 0.7, 1.4}, Lobulation: Normal{0.08, 0.05, 0, 0.2},
		Angles: Normal{0.02, 0.02, 0, 0.1}, Edge: Normal{0.1, 0.04, 0.04, 0.25}, Heterogeneity: Normal{0.05, 0.04, 0, 0.2},
		Oedema: Normal{0.03, 0.05, 0, 0.15},
	},
	Pituitary: BrainMass{
		HalfWidth: Normal{0.058, 0.018, 0.025, 0.11}, Aspect: Normal{1.15, 0.2, 0.7, 1.7}, Lobulation: Normal{0.1, 0.05, 0, 0.25},
		Angles: Normal{0.03, 0.02, 0, 0.1}, Edge: Normal{0.12, 0.05, 0.05, 0.3}, Heterogeneity: Normal{0.07, 0.05, 0, 0.25},
	},
	Necrosis:         0.55,
	NonBright:        0.15,
	Atypical:         0.06,
	Faint:            0.1,
	FaintEnhancement: Normal{0.5, 0.06, 0.38, 0.62},
	Mimic:            0.25,
}

// brainClasses in the order of their folders.
var brainClasses = []string{"glioma_tumor", "meningioma_tumor", "no_tumor", "pituitary_tumor"}

var brainGenerator = generator{
	name: "brain MRI", version: BrainMRIVersion, classes: brainClasses, parameters: DefaultBrainMRI, stream: 0x627261696e6d7269,
	draw: func(class, size int, rng *rand.Rand) (image.Image, description) {
		return DefaultBrainMRI.draw(class, size, rng), description{}
	},
}

// draw makes one image of a class.
func (m BrainMRI) draw(class, size int, rng *rand.Rand) image.Image {
	name := brainClasses[class]
	if rng.Float64() < m.Atypical {
		others := slices.DeleteFunc(slices.Clone(brainClasses), func(other string) bool { return other == name })
		name = others[rng.IntN(len(others))]
	}
	views := m.Views
	if name == "pituitary_tumor" {
		views = m.PituitaryViews
	}
	h := newHead(m, max(choose(rng, views[:]), 0), size, rng)
	bright := m.Enhancement.draw(rng)
	if rng.Float64() < m.Faint {
		bright = m.FaintEnhancement.draw(rng)
	}
	switch name {
	case "glioma_tumor":
		h.glioma(m, bright)
	case "meningioma_tumor":
		h.meningioma(m.Meningioma, bright)
	case "pituitary_tumor":
		h.pituitary(m.Pituitary, bright)
	case "no_tumor":
		if rng.Float64() < m.Mimic {
			h.mimic(m, bright)
		}
	}
	return h.scan(m)
}

// glioma adds an irregular tumour in the white matter, with swelling around it.
func (h *head) glioma(m BrainMRI, bright float64) {
	rng := h.rng
	at, found := h.place(0.12, 1)
	if !found {
		return
	}
	b := m.Glioma.body(rng, at)
	edge, texture := m.Glioma.Edge.draw(rng), newNoise(rng)
	heterogeneity := m.Glioma.Heterogeneity.draw(rng)
	h.oedema(b, m.Glioma.Oedema.draw(rng))
	dark := h.signal.grey - 0.12
	if rng.Float64() < m.NonBright {
		h.within(b, 0.5, func(i int, part, x, y float64) {
			h.v[i] = mix(h.v[i], dark+0.4*heterogeneity*texture.at(20*x, 20*y), 0.9*part)
		})
		return
	}
	h.within(b, edge, func(i int, part, x, y float64) {
		h.v[i] = mix(h.v[i], bright+heterogeneity*texture.at(24*x, 24*y), part)
	})
	if rng.Float64() < m.Necrosis {
		core := b
		ring := Uniform{0.5, 0.75}.draw(rng)
		core.halfWidth, core.halfHeight = ring*b.halfWidth, ring*b.halfHeight
		core.shape = newOutline(rng, Outline{Lobulation: 0.2, Angles: 0.12})
		h.within(core, 0.25, func(i int, part, _, _ float64) { h.v[i] = mix(h.v[i], dark-0.05, part) })
	}
}

// meningioma adds a smooth, even tumour that sits on the skull or on the fold between the hemispheres.
func (h *head) meningioma(o BrainMass, bright float64) {
	rng := h.rng
	at, found := h.place(0.005, 0.05)
	if !found {
		return
	}
	b := o.body(rng, at)
	heterogeneity, texture := o.Heterogeneity.draw(rng), newNoise(rng)
	h.oedema(b, o.Oedema.draw(rng))
	// A thin cleft of fluid parts it from the brain.
	cleft := b
	cleft.halfWidth, cleft.halfHeight = 1.12*b.halfWidth, 1.12*b.halfHeight
	h.within(cleft, 0.1, func(i int, part, _, _ float64) { h.v[i] = mix(h.v[i], h.signal.fluid+0.1, 0.5*part) })
	h.within(b, o.Edge.draw(rng), func(i int, part, x, y float64) {
		h.v[i] = mix(h.v[i], bright+heterogeneity*texture.at(20*x, 20*y), part)
	})
	// The membrane beside it thickens: the tail.
	tail := b
	tail.halfWidth, tail.halfHeight = 1.9*b.halfWidth, 1.9*b.halfHeight
	h.within(tail, 0.2, func(i int, part, _, _ float64) {
		if h.depth.v[i] < 0.035 {
			h.v[i] = mix(h.v[i], bright, 0.6*part)
		}
	})
}

// pituitary adds a round tumour that grows upwards from the sella.
func (h *head) pituitary(o BrainMass, bright float64) {
	rng := h.rng
	b := o.body(rng, h.sella)
	b.tilt = 0.2 * rng.NormFloat64()
	if h.upright {
		b.y -= 0.6 * b.halfHeight
	}
	heterogeneity, texture := o.Heterogeneity.draw(rng), newNoise(rng)
	h.cover(b, o.Edge.draw(rng), func(i int, part float64) {
		x, y := float64(i%h.size)/float64(h.size), float64(i/h.size)/float64(h.size)
		h.v[i] = mix(h.v[i], bright+heterogeneity*texture.at(20*x, 20*y), part)
	})
}

// mimic adds what is no tumour and may look like one.
func (h *head) mimic(m BrainMRI, bright float64) {
	rng := h.rng
	kind := rng.IntN(3)
	at, found := h.place(0.02, 0.5)
	switch {
	case kind == 0 && h.hasSella: // a thick gland
		o := m.Pituitary
		o.HalfWidth = Normal{0.025, 0.006, 0.015, 0.04}
		h.pituitary(o, 0.85*bright)
	case kind == 1 && found: // an old infarct
		o := m.Glioma
		b := o.body(rng, at)
		b.halfWidth, b.halfHeight = 0.6*b.halfWidth, 0.6*b.halfHeight
		h.within(b, 0.35, func(i int, part, _, _ float64) { h.v[i] = mix(h.v[i], h.signal.fluid+0.1, part) })
	case found: // a vessel along or across the slice
		h.vessels.stroke(wander(rng, at, 2*math.Pi*rng.Float64(), Uniform{0.01, 0.15}.draw(rng), 0.3, 5), 0.012, 0.007, bright)
	}
}

// body draws a mass's form.
func (o BrainMass) body(rng *rand.Rand, at point) body {
	half, aspect := o.HalfWidth.draw(rng), math.Sqrt(o.Aspect.draw(rng))
	return body{at.x, at.y, half / aspect, half * aspect, math.Pi * rng.Float64(),
		newOutline(rng, Outline{Lobulation: o.Lobulation.draw(rng), Angles: o.Angles.draw(rng)})}
}

// oedema darkens the white matter around a mass, with fingers.
func (h *head) oedema(b body, loss float64) {
	rng := h.rng
	reach := Uniform{1.5, 2.2}.draw(rng)
	b.halfWidth, b.halfHeight = reach*b.halfWidth, reach*b.halfHeight
	b.shape = newOutline(rng, Outline{Lobulation: 0.2, Angles: 0.15})
	h.within(b, 0.35, func(i int, part, _, _ float64) { h.v[i] -= loss * part })
}

// within covers a body as far as it lies in the skull.
func (h *head) within(b body, edge float64, visit func(i int, part, x, y float64)) {
	h.cover(b, edge, func(i int, part float64) {
		if part *= h.inside.v[i]; part > 0 {
			visit(i, part, float64(i%h.size)/float64(h.size), float64(i/h.size)/float64(h.size))
		}
	})
}

// place finds a point of the brain whose depth below the surface lies between two values, or the deepest that was found.
func (h *head) place(low, high float64) (at point, found bool) {
	deepest := 0.0
	for range 300 {
		p := point{h.rng.Float64(), h.rng.Float64()}
		depth := h.depth.at(p.x, p.y)
		if h.inside.at(p.x, p.y) < 0.9 || depth > high || depth <= deepest {
			continue
		}
		at, found, deepest = p, true, depth
		if depth > low {
			break
		}
	}
	return at, found
}

// scan lays the vessels over the slice and shows it as the receiver does: uneven, blurred, with the noise of a magnitude.
func (h *head) scan(m BrainMRI) image.Image {
	rng := h.rng
	for i, v := range h.vessels.v {
		h.v[i] = max(h.v[i], v)
	}
	h.soften(m.Blur.draw(rng))
	bias, turn := m.Bias.draw(rng), 2*math.Pi*rng.Float64()
	sin, cos := math.Sincos(turn)
	sigma := m.Noise.draw(rng)
	for i := range h.v {
		x, y := float64(i%h.size)/float64(h.size)-0.5, float64(i/h.size)/float64(h.size)-0.5
		signal := h.v[i]*(1-bias*(x*cos+y*sin)) + sigma*rng.NormFloat64()
		h.v[i] = math.Hypot(signal, sigma*rng.NormFloat64())
	}
	return h.grey()
}
