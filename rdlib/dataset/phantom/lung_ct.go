package phantom

import (
	"image"
	"math"
	"math/rand/v2"
)

// LungCTVersion changes whenever the same options give other images.
const LungCTVersion = 2

// LungCT holds everything that decides how covid_ct images look, and how far the two classes overlap.
type LungCT struct {
	BodyWidth  Uniform `json:"body_width"`  // half width of the chest
	BodyHeight Uniform `json:"body_height"` // half height
	Turn       Normal  `json:"turn"`        // rotation of the body, radians
	Level      Uniform `json:"level"`       // of the slice: 0 at the aortic arch, 1 at the diaphragm
	Fat        Uniform `json:"fat"`         // thickness of the subcutaneous fat, in parts of the body
	Lung       Normal  `json:"lung"`        // HU of healthy lung
	Dependent  Uniform `json:"dependent"`   // HU that the back of the lung is denser than its front
	Mottle     Uniform `json:"mottle"`      // HU of slow variation
	Vessels    Uniform `json:"vessels"`     // 1 is an even share of visible vessels
	Contrast   Uniform `json:"contrast"`    // HU of the blood
	Noise      Uniform `json:"noise"`       // HU
	Blur       Uniform `json:"blur"`        // standard deviation of the kernel, in 1/96 of the side
	Window     Uniform `json:"window"`      // HU from black to white
	Centre     Normal  `json:"centre"`      // HU of middle grey
	// Mediastinal is the probability that the image is shown in the window for soft tissue, where most opacities vanish.
	Mediastinal float64 `json:"mediastinal"`

	Covid   Opacities `json:"covid"`   // ground glass: several, peripheral, in both lungs
	Lobar   Opacities `json:"lobar"`   // one dense consolidation
	Nodules Opacities `json:"nodules"` // small and sharp
	Veil    Opacities `json:"veil"`    // a faint veil at the back, as in many healthy lungs
	Bullae  Opacities `json:"bullae"`  // emphysema: lung darker than lung
	// Others are the probabilities of lobar, nodules, posterior veil and bullae among the images without COVID; the rest is clear.
	Others [4]float64 `json:"others"`
	// Atypical is the probability that an image shows what the other class's images show.
	Atypical float64 `json:"atypical"`
	// Faint is the probability that COVID's patches are FaintDensity HU at most.
	Faint        float64 `json:"faint"`
	FaintDensity Normal  `json:"faint_density"`
}

// DefaultLungCT is fixed.
var DefaultLungCT = LungCT{
	BodyWidth:   Uniform{0.42, 0.52},
	BodyHeight:  Uniform{0.31, 0.42},
	Turn:        Normal{0, 0.04, -0.1, 0.1},
	Level:       Uniform{0.05, 1},
	Fat:         Uniform{0.02, 0.09},
	Lung:        Normal{-850, 30, -910, -780},
	Dependent:   Uniform{20, 130},
	Mottle:      Uniform{10, 40},
	Vessels:     Uniform{0.6, 1.3},
	Contrast:    Uniform{30, 160},
	Noise:       Uniform{15, 60},
	Blur:        Uniform{0.25, 0.6},
	Window:      Uniform{950, 1450},
	Centre:      Normal{-520, 80, -650, -350},
	Mediastinal: 0.04,
	Covid: Opacities{
		Count: Normal{6, 2.5, 2, 12}, HalfWidth: Normal{0.085, 0.03, 0.03, 0.16}, Aspect: Normal{1.1, 0.3, 0.5, 2},
		Density: Normal{-350, 130, -600, -40}, Spread: 60, Edge: Normal{0.45, 0.15, 0.15, 0.8}, Angles: Normal{0.18, 0.08, 0, 0.4},
		Patchy: Normal{0.5, 0.2, 0, 1}, Reticular: Normal{90, 80, 0, 260}, Peripheral: Normal{1, 0.5, -0.5, 2},
		Down: Normal{0.6, 0.5, -0.5, 2}, OneSided: 0.15,
	},
	Lobar: Opacities{
		Count: Normal{1.2, 0.6, 1, 3}, HalfWidth: Normal{0.11, 0.035, 0.05, 0.2}, Aspect: Normal{1, 0.3, 0.5, 2},
		Density: Normal{-150, 140, -450, 40}, Spread: 60, Edge: Normal{0.25, 0.12, 0.08, 0.6}, Angles: Normal{0.2, 0.1, 0, 0.4},
		Patchy: Normal{0.3, 0.2, 0, 1}, Reticular: Normal{20, 40, 0, 150}, Peripheral: Normal{0, 0.7, -1.5, 1.5},
		Down: Normal{0.5, 0.7, -1, 2}, OneSided: 0.85,
	},
	Nodules: Opacities{
		Count: Normal{2, 2, 1, 7}, HalfWidth: Normal{0.022, 0.01, 0.01, 0.05}, Aspect: Normal{1, 0.1, 0.8, 1.3},
		Density: Normal{0, 60, -200, 80}, Spread: 60, Edge: Normal{0.15, 0.08, 0.05, 0.4}, Angles: Normal{0.08, 0.06, 0, 0.3},
		Peripheral: Normal{0, 0.7, -1, 1.5}, Down: Normal{0, 0.7, -1, 1}, OneSided: 0.5,
	},
	Veil: Opacities{
		Count: Normal{3, 1, 2, 5}, HalfWidth: Normal{0.07, 0.02, 0.03, 0.12}, Aspect: Normal{0.4, 0.1, 0.2, 0.7},
		Density: Normal{-580, 70, -700, -400}, Spread: 60, Edge: Normal{0.6, 0.15, 0.3, 0.9}, Angles: Normal{0.1, 0.05, 0, 0.3},
		Patchy: Normal{0.3, 0.2, 0, 1}, Peripheral: Normal{1, 0.3, 0.3, 2}, Down: Normal{2.5, 0.5, 1.5, 4},
	},
	Bullae: Opacities{
		Count: Normal{10, 6, 3, 25}, HalfWidth: Normal{0.025, 0.012, 0.01, 0.06}, Aspect: Normal{1, 0.2, 0.6, 1.5},
		Density: Normal{-960, 15, -1000, -920}, Spread: 60, Edge: Normal{0.3, 0.1, 0.1, 0.6}, Angles: Normal{0.12, 0.05, 0, 0.3},
		Peripheral: Normal{0.5, 0.7, -1, 1.5}, Down: Normal{-0.6, 0.5, -1.5, 0.5},
	},
	Others:       [4]float64{0.17, 0.22, 0.13, 0.14},
	Atypical:     0.08,
	Faint:        0.15,
	FaintDensity: Normal{-650, 50, -740, -560},
}

var lungCTClasses = []string{"CT_COVID", "CT_NonCOVID"}

var lungCTGenerator = generator{
	name: "lung CT", version: LungCTVersion, classes: lungCTClasses, parameters: DefaultLungCT, stream: 0xc7a4d2b60f1e3858,
	draw: func(class, size int, rng *rand.Rand) (image.Image, description) {
		return DefaultLungCT.draw(class, size, rng), description{}
	},
}

// draw makes one image of a class.
func (l LungCT) draw(class, size int, rng *rand.Rand) image.Image {
	c := newChest(l, size, rng)
	covid := lungCTClasses[class] == "CT_COVID"
	if rng.Float64() < l.Atypical {
		covid = !covid
	}
	if covid {
		pattern := l.Covid
		if rng.Float64() < l.Faint {
			pattern.Density = l.FaintDensity
		}
		c.opacities(pattern)
	} else if i := choose(rng, l.Others[:]); i >= 0 {
		c.opacities([]Opacities{l.Lobar, l.Nodules, l.Veil, l.Bullae}[i])
	}
	return c.scan(l)
}

// choose draws an index with the given probabilities, −1 with what is left.
func choose(rng *rand.Rand, probabilities []float64) int {
	t := rng.Float64()
	for i, p := range probabilities {
		if t -= p; t < 0 {
			return i
		}
	}
	return -1
}

// chest is an axial slice in Hounsfield units. Its own coordinates have the body's border near 1: u towards the
// patient's left (right in the image), v towards the back.
type chest struct {
	*lungs
	x, y          float64
	width, height float64
	sin, cos      float64
	level         float64
	blood         *canvas // part of each pixel that is vessel
	bloodLevel    float64
}

func (c *chest) to(u, v float64) (x, y float64) {
	a, b := u*c.width, v*c.height
	return c.x + a*c.cos - b*c.sin, c.y + a*c.sin + b*c.cos
}

func (c *chest) from(x, y float64) (u, v float64) {
	dx, dy := x-c.x, y-c.y
	return (dx*c.cos + dy*c.sin) / c.width, (dy*c.cos - dx*c.sin) / c.height
}

// part is an elliptic organ in the chest's coordinates.
func (c *chest) part(u, v, halfWidth, halfHeight, tilt float64, shape *outline) body {
	x, y := c.to(u, v)
	return body{x, y, halfWidth * c.width, halfHeight * c.height, tilt + math.Atan2(c.sin, c.cos), shape}
}

// newChest draws a slice of healthy anatomy without vessels inside the lungs; they go over what opacities cover.
func newChest(l LungCT, size int, rng *rand.Rand) *chest {
	turn := l.Turn.draw(rng)
	c := &chest{lungs: newLungs(size, rng), x: 0.5 + 0.015*rng.NormFloat64(), y: 0.49 + 0.015*rng.NormFloat64(),
		width: l.BodyWidth.draw(rng), level: l.Level.draw(rng), blood: newCanvas(size),
		bloodLevel: l.Contrast.draw(rng)}
	c.height = min(l.BodyHeight.draw(rng), 0.9*c.width)
	c.sin, c.cos = math.Sincos(turn)
	fat := l.Fat.draw(rng)
	wall := Uniform{0.10, 0.15}.draw(rng)
	wobble, mottle := newNoise(rng), newNoise(rng)
	lung, dependent, amount := l.Lung.draw(rng), l.Dependent.draw(rng), l.Mottle.draw(rng)

	// Organs that bound the lungs, as ellipses (u, v, half width, half height) in the chest's coordinates.
	heart := smooth((c.level - 0.3) / 0.4)
	dome := smooth((c.level - 0.72) / 0.35)
	type organ struct{ u, v, a, b float64 }
	jitter := func(t, sd float64) float64 { return t * (1 + sd*rng.NormFloat64()) }
	organs := []organ{
		{0, -0.62, 0.07, 0.35},                             // anterior mediastinum
		{0.02, -0.2, jitter(0.17, 0.1), 0.42},              // great vessels
		{0, 0.2, 0.14, 0.3},                                // oesophagus, bronchi
		{0.13, 0.36, jitter(0.075, 0.1), jitter(0.1, 0.1)}, // descending aorta
		{0, 0.58, 0.19, 0.26},                              // vertebra
	}
	if c.level < 0.4 { // aortic arch
		organs = append(organs, organ{0.14, 0.08, 0.13, 0.34})
	}
	if heart > 0 {
		organs = append(organs, organ{0.10 + 0.06*heart, -0.18, jitter(0.2+0.2*heart, 0.08), jitter(0.28+0.2*heart, 0.08)},
			organ{-0.12, -0.15, 0.12 + 0.1*heart, 0.2 + 0.15*heart})
	}
	if dome > 0 {
		organs = append(organs, organ{-0.42, -0.08, jitter(0.36, 0.1) * dome, jitter(0.5, 0.1) * dome})
		if left := smooth((c.level - 0.85) / 0.3); left > 0 {
			organs = append(organs, organ{0.46, -0.12, 0.5 * left, 0.6 * left})
		}
	}
	skin := 0.5 / (float64(size) * c.width) // half a pixel
	soft := Uniform{40, 60}.draw(rng)
	c.fill(func(x, y float64) float64 {
		u, v := c.from(x, y)
		// A body is a flattened superellipse, hollow in front and behind.
		r := math.Pow(u*u*math.Sqrt(math.Abs(u))+v*v*math.Sqrt(math.Abs(v)), 1/2.5)
		hollow := math.Exp(-u * u / 0.04)
		r += hollow*(0.05+0.03*smooth(v)) + 0.02*wobble.at(2*u+3, 2*v)
		if r > 1+skin {
			return -1000
		}
		outer := smooth((1+skin-r)/(2*skin) + 0)
		level := mix(-105, soft, smooth((1-fat-r)/0.03+0.5))
		muscle := 12 * mottle.at(14*x, 14*y)
		level += muscle
		cage := 1 - fat - wall*(1+0.5*smooth(v)*math.Exp(-u*u/0.3)) - r
		outside := -1.0
		for _, o := range organs {
			if o.a <= 0 {
				continue
			}
			d := (1 - math.Hypot((u-o.u)/o.a, (v-o.v)/o.b)) * min(o.a, o.b)
			outside = max(outside, d)
		}
		outside += 0.02 * wobble.at(5*u+9, 5*v)
		distance := min(cage, -outside)
		part := smooth(distance/(2.4*skin) + 0.5)
		i := int(y*float64(size))*size + int(x*float64(size))
		c.inside.v[i], c.depth.v[i] = part, distance*c.width
		air := lung + dependent*(0.5*v+0.1) + amount*(mottle.at(9*x, 9*y)+0.6*wobble.at(20*x, 20*y))
		// Fat lies between the organs of the mediastinum.
		if cage > 0 && outside < 0.05 {
			level -= 60 * smooth(1-outside/0.05) * smooth(0.5+mottle.at(12*u, 12*v))
		}
		return mix(-1000, mix(level, air, part), outer)
	})
	c.bones()
	c.airways()
	c.vessels(l.Vessels.draw(rng))
	return c
}

// bones adds vertebra, ribs, sternum and shoulder blades.
func (c *chest) bones() {
	rng := c.rng
	hard := Uniform{350, 700}.draw(rng)
	bone := func(b body) {
		inner := b
		inner.halfWidth, inner.halfHeight = 0.6*b.halfWidth, 0.55*b.halfHeight
		c.paint(b, 0.2, hard)
		c.paint(inner, 0.5, 0.45*hard)
	}
	bone(c.part(0, 0.54, 0.12, 0.14, 0, &ellipse))
	for _, side := range []float64{-1, 1} {
		bone(c.part(side*0.11, 0.72, 0.10, 0.035, side*0.5, &ellipse))
	}
	bone(c.part(0, 0.84, 0.02, 0.1, 0, &ellipse))
	c.paint(c.part(0, 0.7, 0.05, 0.055, 0, &ellipse), 0.3, 35)
	bone(c.part(0, -0.86, Uniform{0.08, 0.14}.draw(rng), 0.035, 0, &ellipse))
	// Ribs cross the slice obliquely: pieces along the wall.
	for _, side := range []float64{-1, 1} {
		phase := rng.Float64()
		for k := range 6 {
			angle := -1.15 + (float64(k)+0.7*phase)*0.42 + 0.06*rng.NormFloat64()
			sin, cos := math.Sincos(angle)
			r := 0.87 + 0.01*rng.NormFloat64()
			u := side * r * math.Pow(math.Abs(cos), 0.8)
			v := r * math.Copysign(math.Pow(math.Abs(sin), 0.8), sin)
			tilt := math.Atan2(cos*c.height, -sin*c.width*side) // along the wall
			x, y := c.to(u, v)
			bone(body{x, y, Uniform{0.02, 0.05}.draw(rng), Uniform{0.009, 0.013}.draw(rng), tilt + 0.15*rng.NormFloat64(), &ellipse})
		}
		if c.level < 0.55 {
			bone(c.part(side*Uniform{0.62, 0.72}.draw(rng), 0.72, 0.2, 0.03, -side*Uniform{0.3, 0.7}.draw(rng), &ellipse))
		}
	}
}

// airways adds trachea or main bronchi, and blood in the great vessels where contrast was given.
func (c *chest) airways() {
	rng := c.rng
	for _, b := range []body{c.part(0.13, 0.36, 0.06, 0.08, 0, &ellipse), c.part(0.04, -0.25, 0.09, 0.12, 0, &ellipse), c.part(-0.1, -0.2, 0.06, 0.09, 0, &ellipse)} {
		c.paint(b, 0.2, c.bloodLevel)
	}
	if c.level > 0.4 {
		for range 1 + rng.IntN(2) {
			c.paint(c.part(0.16+0.1*rng.NormFloat64(), -0.2+0.1*rng.NormFloat64(), 0.14, 0.18, rng.Float64(), newOutline(rng, Outline{Lobulation: 0.1})), 0.3, c.bloodLevel)
		}
	}
	switch {
	case c.level < 0.35:
		c.paint(c.part(-0.01, 0.08, 0.055, 0.075, 0, &ellipse), 0.2, -980)
	case c.level < 0.6:
		for _, side := range []float64{-1, 1} {
			d := 0.05 + 0.25*(c.level-0.35)
			c.paint(c.part(side*d*1.4, 0.1, 0.05, 0.05, side*0.4, &ellipse), 0.2, -970)
		}
	}
}

// vessels fills the layer of blood: trees from the hila, and the cross-sections of what runs through the slice.
func (c *chest) vessels(share float64) {
	rng := c.rng
	trees := Tree{Bend: 0.16, Spread: 0.45, Shrink: 0.75}
	for _, side := range []float64{-1, 1} {
		for range int(math.Round(6 * share)) {
			x, y := c.to(side*Uniform{0.14, 0.26}.draw(rng), Uniform{-0.15, 0.25}.draw(rng))
			angle := 2.6*rng.Float64() - 1.1
			if side < 0 {
				angle = math.Pi - angle
			}
			c.blood.tree(rng, trees, point{x, y}, angle, Uniform{0.05, 0.1}.draw(rng), Uniform{0.005, 0.011}.draw(rng), 4)
		}
	}
	for range int(110 * share) {
		at := point{rng.Float64(), rng.Float64()}
		near := math.Abs(at.x - c.x)
		half := Uniform{0.002, 0.009}.draw(rng) * (1.2 - 1.5*near)
		c.blood.stroke(wander(rng, at, 2*math.Pi*rng.Float64(), Uniform{0.002, 0.02}.draw(rng), 0, 1), half, half, 1)
	}
	// Bronchi beside the larger vessels, cut across: a dark lumen in a thin wall.
	for range rng.IntN(5) {
		u, v := Uniform{0.22, 0.5}.draw(rng), Uniform{-0.2, 0.35}.draw(rng)
		if rng.IntN(2) == 0 {
			u = -u
		}
		x, y := c.to(u, v)
		r := Uniform{0.008, 0.013}.draw(rng)
		ring := body{x, y, r, r, 0, &ellipse}
		c.each(ring, 2, func(i int, r float64) {
			t := (r - 1) / 0.35
			c.blood.v[i] = max(c.blood.v[i]*smooth(r), 0.5*math.Exp(-t*t))
		})
	}
	// A fissure is a faint line across the lung.
	for _, side := range []float64{-1, 1} {
		if rng.Float64() < 0.6 {
			v := Uniform{-0.3, 0.3}.draw(rng)
			x, y := c.to(side*0.25, v)
			angle := Uniform{-0.7, 0.4}.draw(rng)
			if side < 0 {
				angle = math.Pi - angle
			}
			c.blood.stroke(wander(rng, point{x, y}, angle, 0.3, 0.1, 6), 0.002, 0.002, 0.5)
		}
	}
}

// opacities adds a pattern of patches to the lungs, whose densities are in Hounsfield units.
func (c *chest) opacities(o Opacities) {
	c.lungs.opacities(o, func(i int, part, density float64) { c.v[i] = mix(c.v[i], density, part) })
}

// scan lays the vessels over the lungs and shows the slice in a window.
func (c *chest) scan(l LungCT) image.Image {
	rng := c.rng
	for i, part := range c.blood.v {
		c.v[i] = max(c.v[i], mix(c.v[i], 20, 0.9*part*c.inside.v[i]))
	}
	c.table()
	c.soften(l.Blur.draw(rng))
	noise := grain(c.size, 0.5, rng)
	amount := l.Noise.draw(rng)
	window, centre := l.Window.draw(rng), l.Centre.draw(rng)
	if rng.Float64() < l.Mediastinal {
		window, centre = Uniform{350, 500}.draw(rng), 40
	}
	for i := range c.v {
		c.v[i] = (c.v[i]+amount*noise.v[i]-centre)/window + 0.5
	}
	return c.grey()
}

// table adds what the patient lies on: a shallow arc below the body.
func (c *chest) table() {
	y := c.y + c.height*Uniform{1.02, 1.12}.draw(c.rng)
	sag := Uniform{0, 0.12}.draw(c.rng)
	level := Uniform{-600, -100}.draw(c.rng)
	layer := newCanvas(c.size)
	for _, gap := range []float64{0, 0.035} {
		var line []point
		for k := range 13 {
			t := float64(k)/6 - 1
			line = append(line, point{0.5 + 0.6*t, y + gap - sag*t*t})
		}
		layer.stroke(line, 0.004, 0.004, 1)
	}
	for i, part := range layer.v {
		if c.v[i] < -950 {
			c.v[i] = mix(c.v[i], level, part)
		}
	}
}
