package phantom

import (
	"image"
	"math"
	"math/rand/v2"
)

// SkinLesion says how one class's lesions are distributed. Classes overlap in every feature.
type SkinLesion struct {
	Size         Normal     `json:"size"`         // half width, parts of the side
	Irregularity Normal     `json:"irregularity"` // 0 smooth … 1 jagged
	Edge         Normal     `json:"edge"`         // blur of the border, in parts of the radius
	Colour       [3]float64 `json:"colour"`       // RGB, 0…1
	Spread       float64    `json:"spread"`       // standard deviation of the colour between lesions
	Depth        Normal     `json:"depth"`        // how far the skin's colour goes over into the lesion's
	Network      Normal     `json:"network"`      // amplitude of the pigment network
	Mottle       Normal     `json:"mottle"`       // amplitude of irregular dark and light areas
	Blue         float64    `json:"blue"`         // probability of a blue-grey area
	Globules     Normal     `json:"globules"`     // dark clods
	Cysts        Normal     `json:"cysts"`        // small bright dots
	Pale         Normal     `json:"pale"`         // how far the centre goes back to a pale colour
	Lacunae      Normal     `json:"lacunae"`      // red clods with clear borders
	Scale        Normal     `json:"scale"`        // bright flakes
}

// Dermoscopy holds everything that decides how the dermoscopy phantom's images look.
type Dermoscopy struct {
	Red     Uniform      `json:"red"`     // of the skin
	Green   Uniform      `json:"green"`   // over red
	Blue    Uniform      `json:"blue"`    // over red
	Hairs   Normal       `json:"hairs"`   // number
	Corners float64      `json:"corners"` // probability of dark corners
	Noise   Uniform      `json:"noise"`
	Lesions []SkinLesion `json:"lesions"` // in the order of the classes
	// Atypical is the probability that a lesion looks as another class's lesions do.
	Atypical float64 `json:"atypical"`
}

// dermoscopyClasses are ISIC 2018's, in the order of their folders.
var dermoscopyClasses = []string{"AKIEC", "BCC", "BKL", "DF", "MEL", "NV", "VASC"}

// DefaultDermoscopy is fixed.
var DefaultDermoscopy = Dermoscopy{
	Red: Uniform{0.72, 0.93}, Green: Uniform{0.62, 0.82}, Blue: Uniform{0.58, 0.84}, Hairs: Normal{2, 3, 0, 9}, Corners: 0.3, Noise: Uniform{0.008, 0.03},
	Lesions: []SkinLesion{
		{ // AKIEC: red, rough, flaky
			Size: Normal{0.22, 0.05, 0.1, 0.34}, Irregularity: Normal{0.5, 0.2, 0, 1}, Edge: Normal{0.4, 0.12, 0.12, 0.7}, Colour: [3]float64{0.66, 0.38, 0.32}, Spread: 0.06,
			Depth: Normal{0.6, 0.15, 0.25, 0.9}, Mottle: Normal{0.16, 0.06, 0.03, 0.3}, Globules: Normal{3, 3, 0, 9}, Scale: Normal{10, 5, 0, 22},
		},
		{ // BCC: pink, see-through, dark clods, shine
			Size: Normal{0.2, 0.05, 0.09, 0.33}, Irregularity: Normal{0.3, 0.15, 0, 1}, Edge: Normal{0.35, 0.12, 0.1, 0.7}, Colour: [3]float64{0.76, 0.5, 0.5}, Spread: 0.06,
			Depth: Normal{0.55, 0.15, 0.2, 0.9}, Mottle: Normal{0.08, 0.04, 0, 0.2}, Blue: 0.35, Globules: Normal{7, 4, 0, 16}, Cysts: Normal{1, 2, 0, 6},
		},
		{ // BKL: tan, sharp, small cysts
			Size: Normal{0.23, 0.06, 0.1, 0.36}, Irregularity: Normal{0.3, 0.15, 0, 1}, Edge: Normal{0.14, 0.07, 0.05, 0.4}, Colour: [3]float64{0.56, 0.4, 0.29}, Spread: 0.06,
			Depth: Normal{0.7, 0.13, 0.3, 0.95}, Network: Normal{0.04, 0.04, 0, 0.14}, Mottle: Normal{0.09, 0.04, 0, 0.2}, Globules: Normal{2, 2, 0, 8}, Cysts: Normal{8, 5, 0, 20},
		},
		{ // DF: pale centre in a brown ring
			Size: Normal{0.19, 0.04, 0.09, 0.3}, Irregularity: Normal{0.12, 0.1, 0, 1}, Edge: Normal{0.5, 0.12, 0.2, 0.8}, Colour: [3]float64{0.6, 0.42, 0.36}, Spread: 0.06,
			Depth: Normal{0.55, 0.15, 0.2, 0.9}, Network: Normal{0.05, 0.03, 0, 0.14}, Mottle: Normal{0.04, 0.03, 0, 0.12}, Pale: Normal{0.6, 0.2, 0.1, 0.95},
		},
		{ // MEL: large, jagged, several colours
			Size: Normal{0.27, 0.06, 0.12, 0.42}, Irregularity: Normal{0.65, 0.2, 0.1, 1}, Edge: Normal{0.15, 0.08, 0.04, 0.45}, Colour: [3]float64{0.34, 0.22, 0.18}, Spread: 0.07,
			Depth: Normal{0.82, 0.1, 0.45, 1}, Network: Normal{0.07, 0.05, 0, 0.2}, Mottle: Normal{0.2, 0.07, 0.04, 0.35}, Blue: 0.5, Globules: Normal{5, 4, 0, 14},
		},
		{ // NV: round, brown, even network
			Size: Normal{0.2, 0.06, 0.08, 0.36}, Irregularity: Normal{0.18, 0.12, 0, 1}, Edge: Normal{0.25, 0.1, 0.06, 0.6}, Colour: [3]float64{0.46, 0.29, 0.22}, Spread: 0.07,
			Depth: Normal{0.72, 0.13, 0.3, 0.95}, Network: Normal{0.1, 0.05, 0, 0.22}, Mottle: Normal{0.06, 0.04, 0, 0.18}, Globules: Normal{2, 2, 0, 8},
		},
		{ // VASC: red to purple, clods
			Size: Normal{0.18, 0.06, 0.07, 0.34}, Irregularity: Normal{0.15, 0.12, 0, 1}, Edge: Normal{0.16, 0.08, 0.05, 0.5}, Colour: [3]float64{0.62, 0.16, 0.3}, Spread: 0.07,
			Depth: Normal{0.75, 0.13, 0.3, 1}, Mottle: Normal{0.06, 0.04, 0, 0.18}, Lacunae: Normal{8, 4, 0, 18},
		},
	},
	Atypical: 0.08,
}

// DermoscopyVersion changes whenever the same options give other images.
const DermoscopyVersion = 1

var skinGenerator = generator{
	name: "dermoscopy", version: DermoscopyVersion, classes: dermoscopyClasses, parameters: DefaultDermoscopy, stream: 0x6465726d6f73636f,
	draw: func(class, size int, rng *rand.Rand) (image.Image, string) {
		return DefaultDermoscopy.draw(class, size, rng), ""
	},
}

func (d Dermoscopy) draw(class, size int, rng *rand.Rand) image.Image {
	p := &painting{size: size, rng: rng, tint: [3]float64{1, 1, 1}}
	d.skin(p)
	if p.chance(d.Atypical) {
		class = rng.IntN(len(d.Lesions))
	}
	d.lesion(p, d.Lesions[class])
	for range int(math.Round(d.Hairs.draw(rng))) {
		p.hair()
	}
	corners := 0.0
	if p.chance(d.Corners) {
		corners = Uniform{0.4, 1}.draw(rng)
	}
	p.each(func(i int, x, y float64) {
		shade := 1 - corners*smooth((math.Hypot(x-0.5, y-0.5)-0.45)/0.2)
		for c := range p.channels {
			p.channels[c][i] *= shade
		}
	})
	p.grain(d.Noise.draw(rng))
	return p.image()
}

// skin draws skin without a lesion.
func (d Dermoscopy) skin(p *painting) {
	rng, n := p.rng, p.size*p.size
	p.channels = [][]float64{make([]float64, n), make([]float64, n), make([]float64, n)}
	lines, patches := newNoise(rng), newNoise(rng)
	red := d.Red.draw(rng)
	base := []float64{red, red * d.Green.draw(rng), red * d.Blue.draw(rng)}
	fine, blotch := Uniform{0.01, 0.04}.draw(rng), Uniform{0.01, 0.05}.draw(rng)
	p.each(func(i int, x, y float64) {
		v := fine*lines.at(26*x, 26*y) + blotch*patches.at(4*x, 4*y)
		for c := range base {
			p.channels[c][i] = base[c] + v*(1+0.4*float64(c))
		}
	})
}

// lesion draws a lesion near the middle.
func (d Dermoscopy) lesion(p *painting, l SkinLesion) {
	rng := p.rng
	size, irregularity, edge := l.Size.draw(rng), l.Irregularity.draw(rng), l.Edge.draw(rng)
	stretch := Uniform{0.8, 1.25}.draw(rng)
	b := body{
		x: 0.5 + 0.05*rng.NormFloat64(), y: 0.5 + 0.05*rng.NormFloat64(), halfWidth: size * stretch, halfHeight: size / stretch, tilt: math.Pi * rng.Float64(),
		shape: newOutline(rng, Outline{Lobulation: 0.05 + 0.3*irregularity, Angles: 0.03 + 0.1*irregularity}),
	}
	colour, light := l.Colour, Uniform{-1, 1}.draw(rng)*l.Spread
	for c := range colour {
		colour[c] += light + 0.4*l.Spread*rng.NormFloat64()
	}
	depth, network, mottle, pale := l.Depth.draw(rng), l.Network.draw(rng), l.Mottle.draw(rng), l.Pale.draw(rng)
	mesh, areas := newNoise(rng), newNoise(rng)
	s := &canvas{size: p.size}
	s.each(b, 1+edge, func(i int, r float64) {
		x, y := float64(i%p.size)/float64(p.size), float64(i/p.size)/float64(p.size)
		inside := depth * smooth((1+edge-r)/(2*edge))
		shift := mottle*2*areas.at(9*x, 9*y) - network*(math.Pow(1-math.Abs(mesh.at(30*x, 30*y)), 3)-0.4)
		back := pale * math.Exp(-math.Pow(r/0.5, 2))
		p.towards(i, inside, mix(colour[0]+shift, 0.9, back), mix(colour[1]+shift, 0.75, back), mix(colour[2]+shift, 0.72, back))
	})
	spot := func(radius, share float64, colour ...float64) {
		angle, r := 2*math.Pi*rng.Float64(), 0.85*size*math.Sqrt(rng.Float64())
		dot := body{x: b.x + r*math.Cos(angle), y: b.y + r*math.Sin(angle), halfWidth: radius, halfHeight: radius * Uniform{0.7, 1.3}.draw(rng), tilt: math.Pi * rng.Float64(), shape: newOutline(rng, Outline{Lobulation: 0.12})}
		p.fill(dot, 0.3, func(i int, inside, _, _ float64) { p.towards(i, share*inside, colour...) })
	}
	if p.chance(l.Blue) {
		spot(0.45*size, 0.6, 0.36, 0.38, 0.48)
	}
	for range int(math.Round(l.Globules.draw(rng))) {
		spot(Uniform{0.012, 0.03}.draw(rng), 0.75, colour[0]*0.55, colour[1]*0.5, colour[2]*0.55)
	}
	for range int(math.Round(l.Lacunae.draw(rng))) {
		spot(Uniform{0.02, 0.05}.draw(rng), 0.7, colour[0]*0.9, colour[1]*0.55, colour[2]*1.05)
	}
	for range int(math.Round(l.Cysts.draw(rng))) {
		spot(Uniform{0.008, 0.016}.draw(rng), 0.8, 0.9, 0.84, 0.72)
	}
	for range int(math.Round(l.Scale.draw(rng))) {
		spot(Uniform{0.008, 0.022}.draw(rng), 0.55, 0.93, 0.86, 0.82)
	}
}
