package phantom

import (
	"math"
	"math/rand/v2"
)

// head is a slice of a head as T1-weighted MRI after contrast medium shows it. Its own coordinates have the skin of the
// skull at a distance of 1: u to the right of the image, v downwards.
type head struct {
	*canvas
	rng           *rand.Rand
	x, y          float64
	width, height float64
	sin, cos      float64
	signal        struct{ white, grey, fluid, fat, bone, muscle, blood float64 }
	scalp, skull  float64 // thickness
	sulci         float64
	ventricle     float64
	folds, warp   *noise

	inside   *canvas // part of each pixel that lies in the skull
	depth    *canvas // distance below the surface of the brain
	vessels  *canvas // signal of what shines
	hasSella bool
	sella    point // where the pituitary gland lies
	upright  bool  // its tumours grow upwards in the image
}

const (
	highSlice = iota
	middleSlice
	lowSlice
	sagittalSlice
	coronalSlice
)

// newHead draws a slice of healthy anatomy.
func newHead(m BrainMRI, view, size int, rng *rand.Rand) *head {
	h := &head{canvas: newCanvas(size), rng: rng, inside: newCanvas(size), depth: newCanvas(size), vessels: newCanvas(size),
		folds: newNoise(rng), warp: newNoise(rng), width: m.HalfWidth.draw(rng), sulci: m.Sulci.draw(rng), ventricle: m.Ventricle.draw(rng),
		scalp: Uniform{0.014, 0.032}.draw(rng), skull: Uniform{0.014, 0.028}.draw(rng)}
	h.signal.white = m.White.draw(rng)
	h.signal.grey = h.signal.white * m.Grey.draw(rng)
	h.signal.fluid, h.signal.fat = m.Fluid.draw(rng), m.Fat.draw(rng)
	h.signal.bone, h.signal.muscle, h.signal.blood = 0.04, Uniform{0.25, 0.38}.draw(rng), Uniform{0.55, 0.95}.draw(rng)
	h.sin, h.cos = math.Sincos(m.Turn.draw(rng))
	h.x, h.y = 0.5+0.012*rng.NormFloat64(), 0.5+0.012*rng.NormFloat64()
	h.height = min(h.width*m.Aspect.draw(rng), 0.485)
	switch view {
	case sagittalSlice:
		h.width, h.height, h.y = min(1.12*h.width, 0.45), 0.86*h.width, h.y-0.12
	case coronalSlice:
		h.width, h.height, h.y = 0.88*h.width, 0.92*h.width, h.y-0.12
	}
	switch view {
	case highSlice:
		h.shell(func(u, v float64) float64 { return 1 }, fissure(1, 2))
	case middleSlice:
		h.shell(func(u, v float64) float64 { return 1 }, fissure(0.34, 2))
		h.middle()
	case lowSlice:
		h.low()
	case sagittalSlice:
		h.sagittal()
	case coronalSlice:
		h.coronal()
	}
	mottle, amount := newNoise(rng), m.Mottle.draw(rng)
	for i := range h.v {
		if h.v[i] > 0.02 {
			h.v[i] += amount * mottle.at(7*float64(i%size)/float64(size), 7*float64(i/size)/float64(size))
		}
	}
	return h
}

func (h *head) to(u, v float64) point {
	a, b := u*h.width, v*h.height
	return point{h.x + a*h.cos - b*h.sin, h.y + a*h.sin + b*h.cos}
}

func (h *head) from(x, y float64) (u, v float64) {
	dx, dy := x-h.x, y-h.y
	return (dx*h.cos + dy*h.sin) / h.width, (dy*h.cos - dx*h.sin) / h.height
}

// oval is an ellipse in the head's coordinates.
func (h *head) oval(u, v, halfWidth, halfHeight, tilt float64) body {
	at := h.to(u, v)
	return body{at.x, at.y, halfWidth * h.width, halfHeight * h.height, tilt + math.Atan2(h.sin, h.cos), &ellipse}
}

// line is a smooth line near places in the head's coordinates, u mirrored where side is −1.
func (h *head) line(side float64, uv ...float64) []point {
	var line []point
	for i := 0; i < len(uv); i += 2 {
		line = append(line, h.to(side*uv[i], uv[i+1]))
	}
	return rounded(rounded(line))
}

// step is 0 outside and 1 inside, over the width of a pixel; d is the distance within.
func (h *head) step(d float64) float64 { return smooth(d*float64(h.size) + 0.5) }

// fissure is the distance to the fold between the hemispheres, which is open where |v| lies between low and high.
func fissure(low, high float64) func(u, v float64) float64 {
	return func(u, v float64) float64 {
		if low < 1 && (math.Abs(v) < low || math.Abs(v) > high) {
			return math.Hypot(u, math.Abs(v)-low)
		}
		return math.Abs(u)
	}
}

// shell draws scalp, skull and brain. base is a distance to the skull's floor in the head's coordinates, negative below
// it; fold is the distance to the midline's fissure.
func (h *head) shell(base, fold func(u, v float64) float64) {
	form := newOutline(h.rng, Outline{Lobulation: 0.015})
	h.fill(func(x, y float64) float64 {
		u, v := h.from(x, y)
		t := (1 - math.Hypot(u, v)/form.at(u, v)) * h.width
		level := mix(0.005, h.signal.fat*(0.85+0.15*h.warp.at(20*x, 20*y)), h.step(t))
		level = mix(level, h.signal.bone, h.step(t-h.scalp))
		marrow := (t - h.scalp - 0.5*h.skull) / (0.25 * h.skull)
		level += 0.25 * h.signal.fat * math.Exp(-marrow*marrow) * h.step(t)
		depth := min(t-h.scalp-h.skull, base(u, v)*h.height)
		part := h.step(depth)
		i := int(y*float64(h.size))*h.size + int(x*float64(h.size))
		h.inside.v[i], h.depth.v[i] = part, min(depth, fold(u, v)*h.width)
		if part == 0 {
			return level
		}
		return mix(level, h.brain(u, v, depth, h.depth.v[i]), part)
	})
}

// brain is the signal of the cerebrum at a depth below the skull, and at a distance to the nearest surface, which may be
// the midline's: fluid in the sulci, a ribbon of grey matter along them and along the surface, white matter between.
func (h *head) brain(u, v, depth, surface float64) float64 {
	angle := math.Atan2(v, u)/(2*math.Pi) + 0.5
	bend := h.warp.at(16*angle, 9*depth)
	n := math.Abs(h.folds.at(32*angle+1.1*bend, 7*depth+3))
	reach := smooth((0.12 + 0.05*h.warp.at(16*angle+5, 3) - depth) / 0.06)
	width := 0.13 * h.sulci
	sulcus := max((1-smooth((n-0.3*width)/width))*reach, 1-smooth((surface-0.003*h.sulci)/0.009))
	// Along the midline the sulci run across it.
	if surface < depth {
		across := math.Abs(h.folds.at(11*v+0.8*h.warp.at(9*surface+40, 6*v), 5*surface+math.Copysign(9, u)))
		near := smooth((0.07 - surface) / 0.04)
		sulcus = max(sulcus, (1-smooth((across-0.3*width)/width))*near)
		n = min(n, across+1-near)
	}
	ribbon := max((1-smooth((n-width-0.05)/0.25))*smooth(reach*1.5), 1-smooth((surface-0.018)/0.012))
	return mix(mix(h.signal.white, h.signal.grey, ribbon), h.signal.fluid, sulcus)
}

// fluids fills lines and ovals with fluid.
func (h *head) fluids(draw func(layer *canvas)) {
	layer := newCanvas(h.size)
	draw(layer)
	for i, part := range layer.v {
		h.v[i] = mix(h.v[i], h.signal.fluid, part)
	}
}

// middle adds ventricles and the nuclei of an axial slice through them.
func (h *head) middle() {
	s := h.ventricle
	for _, side := range []float64{-1, 1} {
		h.paint(h.oval(side*0.15, -0.2, 0.06, 0.11, 0.3*side), 0.3, h.signal.grey)
		h.paint(h.oval(side*0.3, -0.05, 0.07, 0.17, -0.25*side), 0.3, h.signal.grey)
		h.paint(h.oval(side*0.12, 0.06, 0.09, 0.13, -0.4*side), 0.3, 0.5*(h.signal.grey+h.signal.white))
	}
	h.fluids(func(layer *canvas) {
		for _, side := range []float64{-1, 1} {
			w := 0.016 * s * Uniform{0.85, 1.15}.draw(h.rng)
			layer.stroke(h.line(side, 0.03, -0.12, 0.07, -0.24, 0.15*math.Sqrt(s), -0.36), w, 0.8*w, 1)
			layer.stroke(h.line(side, 0.12, 0.16, 0.2, 0.26, 0.24, 0.38+0.05*s), 1.1*w, 0.5*w, 1)
			layer.stroke(h.line(side, 0.85, -0.03, 0.62, 0, 0.5, 0.1, 0.52, 0.2), 0.011*h.sulci, 0.007, 1)
		}
		layer.stroke(h.line(1, 0, -0.1, 0, 0.1), 0.006*s, 0.004*s, 1)
	})
	for _, side := range []float64{-1, 1} { // the plexus in the ventricles takes up contrast medium
		h.vessels.stroke(h.line(side, 0.15, 0.18, 0.2, 0.27), 0.007, 0.006, 0.8*h.signal.blood*h.rng.Float64())
	}
	h.sinus(0, 0.83)
}

// sinus is the vein at the back of the midline, bright after contrast medium.
func (h *head) sinus(u, v float64) {
	at := h.to(u, v)
	h.vessels.stroke([]point{at, at}, 0.011, 0.011, h.signal.blood)
}

// folia is the signal of the cerebellum: thin leaves of grey and white that lie across the way from its stem.
func (h *head) folia(b body, stem point) {
	h.cover(b, 0.1, func(i int, part float64) {
		x, y := float64(i%h.size)/float64(h.size), float64(i/h.size)/float64(h.size)
		angle, r := math.Atan2(y-stem.y, x-stem.x), math.Hypot(x-stem.x, y-stem.y)
		leaf := smooth(0.5 + 0.5*math.Sin(2*math.Pi*r/0.045+5*h.warp.at(2*angle+7, 12*r)))
		level := mix(h.signal.white, h.signal.grey, smooth(r/0.09))
		h.v[i] = mix(h.v[i], level-0.10*leaf*smooth((r-0.05)/0.05), part)
	})
}

// low draws an axial slice through eyes, sella, brain stem and cerebellum.
func (h *head) low() {
	rng := h.rng
	h.shell(func(u, v float64) float64 {
		front := -0.16 - 0.32*smooth((math.Abs(u)-0.12)/0.25) + 0.9*smooth((math.Abs(u)-0.55)/0.4)*0.3
		return v - front
	}, func(u, v float64) float64 { return 1 })
	// The face: orbits with eyes, air between them, muscle beside them.
	for _, side := range []float64{-1, 1} {
		h.paint(h.oval(side*0.68, -0.42, 0.14, 0.2, 0.5*side), 0.2, h.signal.muscle)
		h.paint(h.oval(side*0.37, -0.62, 0.21, 0.24, -0.3*side), 0.15, 0.95*h.signal.fat)
		eye := h.oval(side*0.4, -0.72, 0.15, 0.13, 0)
		eye.halfHeight = eye.halfWidth
		rim := eye
		rim.halfWidth, rim.halfHeight = 1.2*eye.halfWidth, 1.2*eye.halfHeight
		h.paint(rim, 0.1, 0.9*h.signal.muscle)
		h.paint(eye, 0.1, h.signal.fluid)
		h.paint(h.oval(side*0.4, -0.83, 0.05, 0.025, 0), 0.3, h.signal.muscle)
		h.vessels.stroke(h.line(side, 0.36, -0.58, 0.2, -0.28), 0.008, 0.008, 0.9*h.signal.muscle)
	}
	h.paint(h.oval(0, -0.6, 0.14, 0.33, 0), 0.15, 0.25)
	for range 5 {
		h.paint(h.oval(Uniform{-0.1, 0.1}.draw(rng), Uniform{-0.85, -0.35}.draw(rng), 0.05, 0.09, 0), 0.3, 0.02)
	}
	h.paint(h.oval(0, -0.3, 0.16, 0.1, 0), 0.2, 0.03) // sphenoid sinus
	// Ridges of bone part the temporal lobes from the cerebellum.
	bone := newCanvas(h.size)
	for _, side := range []float64{-1, 1} {
		bone.stroke(h.line(side, 0.16, 0.0, 0.42, 0.1, 0.82, 0.22), 0.014, 0.028, 1)
	}
	for i, part := range bone.v {
		h.v[i] = mix(h.v[i], h.signal.bone+0.15*h.signal.fat*max(0, h.warp.at(float64(i%h.size)*30/float64(h.size), float64(i/h.size)*30/float64(h.size))), part)
	}
	h.folia(h.oval(0, 0.5, 0.6, 0.34, 0), h.to(0, 0.3))
	h.fluids(func(layer *canvas) {
		h.cover(h.oval(0, 0.02, 0.24, 0.22, 0), 0.2, func(i int, part float64) { layer.raise(i, part) })
		layer.stroke(h.line(1, 0, 0.3, 0, 0.38), 0.018*h.ventricle, 0.01, 1)
	})
	h.paint(h.oval(0, 0.1, 0.17, 0.16, 0), 0.15, h.signal.white)
	h.fluids(func(layer *canvas) {
		layer.stroke(h.line(1, -0.06, 0.3, 0.06, 0.3), 0.012*h.ventricle, 0.012*h.ventricle, 1)
	})
	h.hasSella, h.sella = true, h.to(0, -0.12)
	for _, side := range []float64{-1, 1} {
		h.paint(h.oval(side*0.13, -0.12, 0.045, 0.08, 0), 0.2, 0.75*h.signal.blood)
		h.paint(h.oval(side*0.12, -0.1, 0.022, 0.03, 0), 0.2, 0.05) // flow in the carotid leaves no signal
	}
	h.gland()
	h.vessels.stroke(h.line(1, 0, 0, 0, 0.001), 0.008, 0.008, h.signal.blood) // basilar artery
	h.sinus(0, 0.82)
	if rng.IntN(2) == 0 {
		h.vessels.stroke(h.line(float64(2*rng.IntN(2)-1), 0.05, 0.84, 0.4, 0.74, 0.7, 0.5), 0.008, 0.012, 0.9*h.signal.blood)
	}
}

// gland is the healthy pituitary gland.
func (h *head) gland() {
	r := Uniform{0.010, 0.017}.draw(h.rng)
	h.paint(body{h.sella.x, h.sella.y, 1.3 * r, r, 0, &ellipse}, 0.2, Uniform{0.8, 1.1}.draw(h.rng)*max(h.signal.white, 0.7*h.signal.blood))
}

// soft draws what lies outside the skull: muscle with strands of fat, under skin and fat.
func (h *head) soft(b body, edge float64) {
	h.each(b, 1+edge, func(i int, r float64) {
		x, y := float64(i%h.size)/float64(h.size), float64(i/h.size)/float64(h.size)
		strands := 1 - math.Abs(h.warp.at(16*x, 9*y))
		level := mix(h.signal.muscle, 0.8*h.signal.fat, 0.7*smooth(2*strands*strands*strands-1))
		level *= 0.85 + 0.3*h.folds.at(24*x, 24*y)
		level = mix(level, 0.9*h.signal.fat, smooth((r-0.86)/0.06))
		h.v[i] = mix(h.v[i], level, h.step((1-r)*min(b.halfWidth, b.halfHeight)))
	})
}

// sagittal draws the midline: face and neck, corpus callosum, brain stem and cerebellum.
func (h *head) sagittal() {
	rng := h.rng
	side := 1.0
	if rng.Float64() < 0.25 {
		side = -1 // facing right
	}
	h.shell(func(u, v float64) float64 {
		u *= side
		floor := 0.42 + 0.2*(u+0.8)
		switch {
		case u > 0.08:
			floor = 0.95
		case u > -0.22:
			floor = mix(0.54, 0.95, smooth((u+0.22)/0.3))
		}
		return floor - v
	}, func(u, v float64) float64 { return 1 })
	skull := *h.canvas
	skull.v = append([]float64(nil), h.v...)
	// Face and neck lie behind the skull's floor.
	h.soft(h.oval(side*0.28, 1.35, 0.47, 0.8, side*-0.1), 0.08)
	h.soft(h.oval(side*-0.88, 0.7, 0.13, 0.2, side*0.5), 0.08) // nose
	h.soft(h.oval(side*-0.42, 0.88, 0.5, 0.64, side*-0.35), 0.08)
	h.paint(h.oval(side*-0.62, 0.82, 0.24, 0.1, 0), 0.2, 0.04)           // nose
	h.paint(h.oval(side*-0.5, 1.12, 0.26, 0.14, side*0.1), 0.2, 0.3)     // tongue
	h.paint(h.oval(side*-0.17, 1.15, 0.045, 0.35, side*-0.1), 0.2, 0.02) // throat
	h.paint(h.oval(side*-0.32, 0.68, 0.13, 0.1, 0), 0.15, 0.03)          // sphenoid sinus
	for k := range 4 {                                                   // vertebrae
		h.paint(h.oval(side*(0.06+0.03*float64(k)), 1.08+0.17*float64(k), 0.085, 0.065, 0), 0.15, 0.55*h.signal.fat)
	}
	for i, part := range h.inside.v {
		u, v := h.from((float64(i%h.size)+0.5)/float64(h.size), (float64(i/h.size)+0.5)/float64(h.size))
		if v < 0.4 || math.Hypot(u, v) < 0.97 && part > 0 {
			h.v[i] = mix(h.v[i], skull.v[i], max(part, smooth((0.4-v)/0.1)))
		}
	}
	h.vessels.stroke(h.line(side, -0.14, 0.62, 0.02, 0.9), 0.016, 0.012, 0.6*h.signal.fat) // clivus
	h.folia(h.oval(side*0.46, 0.58, 0.3, 0.27, side*-0.3), h.to(side*0.22, 0.56))
	w := h.width
	h.fluids(func(layer *canvas) {
		layer.stroke(h.line(side, -0.2, 0.42, -0.1, 0.5, -0.08, 0.7, 0.05, 0.95), 0.07*w, 0.05*w, 1) // cisterns
		layer.stroke(h.line(side, 0.2, 0.42, 0.19, 0.56, 0.22, 0.7, 0.24, 1.1), 0.05*w*h.ventricle, 0.04*w, 1)
		layer.stroke(h.line(side, -0.32, 0.1, -0.15, -0.02, 0.1, -0.03, 0.24, 0.08), 0.055*w*h.ventricle, 0.04*w, 1)
		layer.stroke(h.line(side, -0.52, 0.12, -0.5, -0.14, -0.28, -0.3, 0.05, -0.34, 0.32, -0.24), 0.018*w*h.sulci, 0.015*w, 1)
		layer.stroke(h.line(side, 0.3, 0.26, 0.5, 0.28, 0.75, 0.36), 0.02*w, 0.015*w, 1)
		layer.stroke(h.line(side, 0.55, 0.12, 0.72, -0.12), 0.018*w*h.sulci, 0.015*w, 1)
	})
	stem := newCanvas(h.size)
	stem.stroke(h.line(side, 0.06, 0.28, 0.08, 0.5, 0.13, 0.75, 0.2, 1.1, 0.26, 1.6), 0.12*w, 0.055*w, 1)
	h.cover(h.oval(side*0.05, 0.54, 0.12, 0.14, 0), 0.1, func(i int, part float64) { stem.raise(i, part) })
	stem.stroke(h.line(side, -0.36, 0.2, -0.42, 0.04, -0.3, -0.11, 0, -0.17, 0.24, -0.1, 0.35, 0.06, 0.3, 0.12), 0.05*w, 0.05*w, 1)
	for i, part := range stem.v {
		h.v[i] = mix(h.v[i], 1.05*h.signal.white, part)
	}
	h.paint(h.oval(side*0.02, 0.16, 0.17, 0.11, 0), 0.15, 0.5*(h.signal.grey+h.signal.white))
	h.hasSella, h.upright, h.sella = true, true, h.to(side*-0.22, 0.53)
	h.gland()
	h.vessels.stroke(h.line(side, 0.34, 0.08, 0.48, 0.24, 0.8, 0.36), 0.006, 0.008, h.signal.blood*rng.Float64()) // straight sinus
}

// coronal draws a slice through the third ventricle and the sella, with what lies below the skull.
func (h *head) coronal() {
	rng := h.rng
	h.shell(func(u, v float64) float64 {
		floor := 0.36 + 0.42*smooth((math.Abs(u)-0.14)/0.16) - 0.35*smooth((math.Abs(u)-0.55)/0.4)
		return floor - v
	}, fissure(0.24, 0.98))
	skull := append([]float64(nil), h.v...)
	h.soft(h.oval(0, 1.3, 0.72, 0.85, 0), 0.06)
	for _, side := range []float64{-1, 1} {
		h.paint(h.oval(side*0.36, 0.95, 0.09, 0.2, 0.15*side), 0.2, 0.03) // antra
		h.paint(h.oval(side*0.62, 1.2, 0.05, 0.3, 0.1*side), 0.2, 0.05)   // jaw
		h.paint(h.oval(side*0.75, 0.85, 0.1, 0.25, 0.2*side), 0.2, h.signal.muscle)
	}
	h.paint(h.oval(0, 0.56, 0.17, 0.12, 0), 0.15, 0.03) // sphenoid sinus
	h.paint(h.oval(0, 0.9, 0.1, 0.2, 0), 0.2, 0.05)
	h.paint(h.oval(0, 0.92, 0.015, 0.2, 0), 0.3, 0.4)
	h.paint(h.oval(0, 1.35, 0.3, 0.17, 0), 0.2, h.signal.muscle) // tongue
	for i, part := range h.inside.v {
		_, v := h.from((float64(i%h.size)+0.5)/float64(h.size), (float64(i/h.size)+0.5)/float64(h.size))
		h.v[i] = mix(h.v[i], skull[i], max(part, smooth((0.35-v)/0.1)))
	}
	w, s := h.width, h.ventricle
	for _, side := range []float64{-1, 1} {
		h.paint(h.oval(side*0.2, -0.05, 0.07, 0.09, 0), 0.3, h.signal.grey)
		h.paint(h.oval(side*0.33, 0.02, 0.07, 0.12, 0), 0.3, h.signal.grey)
		h.paint(h.oval(side*0.11, 0.08, 0.08, 0.1, 0), 0.3, 0.5*(h.signal.grey+h.signal.white))
	}
	h.fluids(func(layer *canvas) {
		for _, side := range []float64{-1, 1} {
			layer.stroke(h.line(side, 0.05, -0.1, 0.12, -0.17, 0.2*math.Sqrt(s), -0.18), 0.05*w*s, 0.02*w, 1)
			layer.stroke(h.line(side, 0.9, 0.15, 0.62, 0.12, 0.48, 0.02), 0.028*w*h.sulci, 0.02*w, 1)
			layer.stroke(h.line(side, 0.42, 0.45, 0.5, 0.38), 0.03*w*s, 0.02*w, 1)
		}
		layer.stroke(h.line(1, 0, 0, 0, 0.2), 0.018*w*s, 0.02*w, 1)
		layer.stroke(h.line(1, -0.12, 0.29, 0.12, 0.29), 0.05*w, 0.05*w, 1)
	})
	h.paint(h.oval(0, 0.25, 0.11, 0.02, 0), 0.3, h.signal.white) // chiasm
	h.hasSella, h.upright, h.sella = true, true, h.to(0, 0.4)
	for _, side := range []float64{-1, 1} {
		h.paint(h.oval(side*0.15, 0.42, 0.05, 0.08, 0), 0.2, 0.75*h.signal.blood)
		h.paint(h.oval(side*0.15, 0.4, 0.025, 0.03, 0), 0.2, 0.05)
	}
	h.gland()
	at := h.to(0, -0.86)
	h.vessels.stroke([]point{at, at}, 0.012, 0.01, h.signal.blood*(0.5+0.5*rng.Float64()))
}
