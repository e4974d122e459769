package phantom

import (
	"image"
	"math"
	"math/rand/v2"
)

// DermoscopyVersion changes whenever the same options give other images.
const DermoscopyVersion = 3

// SkinLesion says how one class's lesions are distributed. Amounts of pigment are absorbances: 1 dims the light it absorbs
// most to about a third. The classes overlap in every feature.
type SkinLesion struct {
	HalfWidth    Normal `json:"half_width"`
	Aspect       Normal `json:"aspect"`
	Irregularity Normal `json:"irregularity"` // 0 smooth … 1 jagged
	Edge         Normal `json:"edge"`         // blur of the border, in parts of the radius

	Melanin Normal `json:"melanin"` // brown, near the surface
	Deep    Normal `json:"deep"`    // the same pigment deeper, which looks blue-grey
	Blood   Normal `json:"blood"`
	White   Normal `json:"white"`   // veil or scar over all of it, a part of the light
	Uneven  Normal `json:"uneven"`  // irregular areas of more and less melanin, in parts of it
	Colours Normal `json:"colours"` // areas of deep pigment, blood and white

	Network Normal  `json:"network"` // pigment in a mesh, in parts of the melanin
	Globule Normal  `json:"globule"` // round clods of melanin, in number
	Nests   Normal  `json:"nests"`   // blue-grey ovals, in number
	Vessels Normal  `json:"vessels"` // branching, in number
	Lacunae Normal  `json:"lacunae"` // red clods close together, in parts of the blood
	Cysts   Normal  `json:"cysts"`   // white dots, in number
	Plugs   Normal  `json:"plugs"`   // brown openings, in number
	Scales  Normal  `json:"scales"`  // white flakes, in number
	Scar    Normal  `json:"scar"`    // white centre, a part of the light
	Ulcer   float64 `json:"ulcer"`   // probability of a red-brown crust
}

// Dermoscopy holds everything that decides how isic2018 images look. A pixel's colour is
//
//	lamp · exp(−Σ amount·absorption), absorption of melanin, deep melanin and blood in red, green and blue
//
// mixed with white where the skin scatters. The idea is Beer and Lambert's law; the coefficients are chosen by eye.
type Dermoscopy struct {
	Lamp     Uniform      `json:"lamp"`     // brightness of white skin
	Cast     Normal       `json:"cast"`     // of the lamp's red and blue, relative
	Tan      Uniform      `json:"tan"`      // melanin of the skin
	Flush    Uniform      `json:"flush"`    // its blood
	Mottle   Uniform      `json:"mottle"`   // of both
	Lines    Uniform      `json:"lines"`    // of the skin's fine relief
	Hairs    Normal       `json:"hairs"`    // number
	Corners  float64      `json:"corners"`  // probability of the dark corners of a round field
	Bubbles  float64      `json:"bubbles"`  // probability of air in the contact gel
	Ruler    float64      `json:"ruler"`    // probability of a scale at the border
	Noise    Uniform      `json:"noise"`    // standard deviation
	Blur     Uniform      `json:"blur"`     // in 1/96 of the side
	Lesions  []SkinLesion `json:"lesions"`  // in the order of the classes
	Atypical float64      `json:"atypical"` // probability that a lesion looks as another class's lesions do
	Faint    float64      `json:"faint"`    // probability that a lesion has half its pigment and structures
}

// dermoscopyClasses are ISIC 2018's, in the order of their folders.
var dermoscopyClasses = []string{"AKIEC", "BCC", "BKL", "DF", "MEL", "NV", "VASC"}

// DefaultDermoscopy is fixed.
var DefaultDermoscopy = Dermoscopy{
	Lamp: Uniform{0.82, 1.02}, Cast: Normal{0, 0.025, -0.08, 0.08}, Tan: Uniform{0.02, 0.2}, Flush: Uniform{0.08, 0.26},
	Mottle: Uniform{0.02, 0.1}, Lines: Uniform{0.01, 0.05}, Hairs: Normal{0.5, 4, 0, 14}, Corners: 0.2, Bubbles: 0.15, Ruler: 0.1,
	Noise: Uniform{0.006, 0.025}, Blur: Uniform{0.2, 0.5},
	Lesions: []SkinLesion{
		{ // AKIEC: red, rough, flaky
			HalfWidth: Normal{0.24, 0.05, 0.12, 0.38}, Aspect: Normal{1, 0.25, 0.5, 1.8}, Irregularity: Normal{0.5, 0.2, 0, 1}, Edge: Normal{0.45, 0.15, 0.15, 0.8},
			Melanin: Normal{0.25, 0.12, 0.05, 0.7}, Blood: Normal{0.5, 0.13, 0.15, 0.9}, White: Normal{0.05, 0.08, 0, 0.3}, Uneven: Normal{0.9, 0.3, 0.1, 1.5}, Colours: Normal{1, 1, 0, 4},
			Network: Normal{0.1, 0.15, 0, 0.5}, Globule: Normal{4, 5, 0, 16}, Vessels: Normal{0.5, 1, 0, 4}, Scales: Normal{16, 6, 2, 32}, Lacunae: Normal{0.1, 0.1, 0, 0.4}, Ulcer: 0.15,
		},
		{ // BCC: pink, see-through, branching vessels, blue-grey nests
			HalfWidth: Normal{0.22, 0.05, 0.11, 0.35}, Aspect: Normal{1, 0.25, 0.5, 1.8}, Irregularity: Normal{0.35, 0.2, 0, 1}, Edge: Normal{0.35, 0.14, 0.1, 0.8},
			Melanin: Normal{0.15, 0.12, 0, 0.5}, Deep: Normal{0.05, 0.08, 0, 0.3}, Blood: Normal{0.32, 0.14, 0.05, 0.7}, White: Normal{0.1, 0.08, 0, 0.35}, Uneven: Normal{0.5, 0.3, 0, 1.2}, Colours: Normal{0.7, 0.9, 0, 3},
			Nests: Normal{6, 2.5, 1, 12}, Vessels: Normal{5, 2, 0, 9}, Cysts: Normal{1, 2, 0, 6}, Scales: Normal{1, 2, 0, 8}, Ulcer: 0.3,
		},
		{ // BKL: tan, sharp, as if stuck on, with cysts and plugs
			HalfWidth: Normal{0.23, 0.07, 0.09, 0.38}, Aspect: Normal{1, 0.25, 0.5, 1.8}, Irregularity: Normal{0.35, 0.2, 0, 1}, Edge: Normal{0.12, 0.07, 0.04, 0.5},
			Melanin: Normal{0.42, 0.16, 0.1, 0.9}, Deep: Normal{0.05, 0.07, 0, 0.3}, Blood: Normal{0.08, 0.08, 0, 0.35}, White: Normal{0.05, 0.06, 0, 0.3}, Uneven: Normal{0.35, 0.2, 0, 1}, Colours: Normal{0.3, 0.7, 0, 3},
			Network: Normal{0.2, 0.2, 0, 0.7}, Globule: Normal{1, 2, 0, 8}, Cysts: Normal{14, 6, 1, 28}, Plugs: Normal{8, 5, 0, 18}, Scales: Normal{1, 2, 0, 8},
		},
		{ // DF: a white scar in a faint brown ring
			HalfWidth: Normal{0.2, 0.05, 0.1, 0.33}, Aspect: Normal{1, 0.15, 0.6, 1.5}, Irregularity: Normal{0.15, 0.12, 0, 0.7}, Edge: Normal{0.55, 0.15, 0.2, 0.95},
			Melanin: Normal{0.32, 0.12, 0.08, 0.7}, Blood: Normal{0.2, 0.12, 0, 0.5}, Uneven: Normal{0.25, 0.15, 0, 0.8}, Colours: Normal{0, 0.4, 0, 2},
			Network: Normal{0.35, 0.2, 0, 0.8}, Globule: Normal{0, 1, 0, 5}, Vessels: Normal{0, 0.5, 0, 2}, Scar: Normal{0.6, 0.15, 0.15, 0.95},
		},
		{ // MEL: large, uneven in form and colour
			HalfWidth: Normal{0.27, 0.07, 0.11, 0.44}, Aspect: Normal{1, 0.3, 0.45, 2}, Irregularity: Normal{0.6, 0.22, 0.05, 1}, Edge: Normal{0.18, 0.1, 0.04, 0.55},
			Melanin: Normal{1, 0.27, 0.35, 1.8}, Deep: Normal{0.2, 0.18, 0, 0.8}, Blood: Normal{0.12, 0.12, 0, 0.5}, White: Normal{0.04, 0.05, 0, 0.25}, Uneven: Normal{0.75, 0.25, 0.1, 1.4}, Colours: Normal{3, 1.2, 0, 6},
			Network: Normal{0.4, 0.25, 0, 1}, Globule: Normal{6, 5, 0, 20}, Nests: Normal{0, 1, 0, 4}, Vessels: Normal{0, 0.7, 0, 3}, Ulcer: 0.06,
		},
		{ // NV: round, brown, an even network or globules
			HalfWidth: Normal{0.21, 0.07, 0.08, 0.38}, Aspect: Normal{1, 0.25, 0.5, 1.8}, Irregularity: Normal{0.22, 0.15, 0, 0.8}, Edge: Normal{0.3, 0.14, 0.06, 0.7},
			Melanin: Normal{0.6, 0.2, 0.15, 1.3}, Deep: Normal{0.04, 0.07, 0, 0.4}, Blood: Normal{0.1, 0.1, 0, 0.4}, Uneven: Normal{0.25, 0.15, 0, 0.8}, Colours: Normal{0.2, 0.6, 0, 3},
			Network: Normal{0.6, 0.25, 0, 1.1}, Globule: Normal{5, 7, 0, 24}, Cysts: Normal{0, 1, 0, 4},
		},
		{ // VASC: red to purple clods
			HalfWidth: Normal{0.18, 0.06, 0.07, 0.34}, Aspect: Normal{1, 0.2, 0.6, 1.7}, Irregularity: Normal{0.2, 0.15, 0, 0.8}, Edge: Normal{0.16, 0.09, 0.04, 0.5},
			Melanin: Normal{0.05, 0.06, 0, 0.3}, Deep: Normal{0.18, 0.15, 0, 0.7}, Blood: Normal{0.95, 0.28, 0.3, 1.7}, White: Normal{0.05, 0.07, 0, 0.3}, Uneven: Normal{0.2, 0.15, 0, 0.7}, Colours: Normal{0.3, 0.6, 0, 3},
			Vessels: Normal{0, 0.7, 0, 3}, Lacunae: Normal{0.6, 0.25, 0, 1.2}, Scales: Normal{0, 1, 0, 5},
		},
	},
	Atypical: 0.04,
	Faint:    0.05,
}

var skinGenerator = generator{
	name: "dermoscopy", version: DermoscopyVersion, classes: dermoscopyClasses, parameters: DefaultDermoscopy, stream: 0x6465726d6f73636f,
	draw: func(class, size int, rng *rand.Rand) (image.Image, description) {
		return DefaultDermoscopy.draw(class, size, rng), description{}
	},
}

// Absorption in red, green and blue of a unit of each pigment, and the colour of what scatters all light.
var (
	melaninAbsorbs = [3]float64{0.6, 1.05, 1.3}
	deepAbsorbs    = [3]float64{1.2, 0.95, 0.65}
	bloodAbsorbs   = [3]float64{0.3, 1.45, 0.95}
	scatterColour  = [3]float64{0.95, 0.88, 0.86}
)

// skin is a piece of skin as amounts of what gives it colour.
type skin struct {
	rng                         *rand.Rand
	size                        int
	melanin, deep, blood, white *canvas
}

// draw makes one image of a class.
func (d Dermoscopy) draw(class, size int, rng *rand.Rand) image.Image {
	if rng.Float64() < d.Atypical {
		class = (class + 1 + rng.IntN(len(d.Lesions)-1)) % len(d.Lesions)
	}
	s := newSkin(d, size, rng)
	share := 1.0
	if rng.Float64() < d.Faint {
		share = 0.5
	}
	s.lesion(d.Lesions[class], share)
	return s.photograph(d)
}

// newSkin is skin without a lesion: tan, flush, mottled, with a fine relief of lines.
func newSkin(d Dermoscopy, size int, rng *rand.Rand) *skin {
	s := &skin{rng, size, newCanvas(size), newCanvas(size), newCanvas(size), newCanvas(size)}
	tan, flush, mottle, lines := d.Tan.draw(rng), d.Flush.draw(rng), d.Mottle.draw(rng), d.Lines.draw(rng)
	patches, relief, spots := newNoise(rng), newCells(rng), newNoise(rng)
	s.melanin.fill(func(x, y float64) float64 {
		first, second := relief.at(20*x+0.5*patches.at(6*x, 6*y), 20*y)
		return max(0, tan+mottle*(0.7*patches.at(5*x, 5*y)+0.5*spots.at(14*x, 14*y))+lines*smooth(1-3*(second-first)))
	})
	s.blood.fill(func(x, y float64) float64 {
		return max(0, flush+mottle*(patches.at(5*x+9, 5*y)+0.8*spots.at(22*x, 22*y+7)))
	})
	return s
}

// lesion adds a lesion near the middle.
func (s *skin) lesion(l SkinLesion, share float64) {
	rng := s.rng
	half, aspect := l.HalfWidth.draw(rng), math.Sqrt(l.Aspect.draw(rng))
	irregularity, edge := l.Irregularity.draw(rng), l.Edge.draw(rng)
	b := body{
		x: 0.5 + 0.04*rng.NormFloat64(), y: 0.5 + 0.04*rng.NormFloat64(), halfWidth: half / aspect, halfHeight: half * aspect, tilt: math.Pi * rng.Float64(),
		shape: newOutline(rng, Outline{Lobulation: 0.04 + 0.22*irregularity, Angles: 0.02 + 0.13*irregularity}),
	}
	melanin, deep, blood, white := share*l.Melanin.draw(rng), share*l.Deep.draw(rng), share*l.Blood.draw(rng), l.White.draw(rng)
	uneven, network, lacunae, scar := l.Uneven.draw(rng), l.Network.draw(rng), l.Lacunae.draw(rng), share*l.Scar.draw(rng)
	areas, fray := newNoise(rng), newNoise(rng)
	mesh, clods := newCells(rng), newCells(rng)
	fine, coarse := Uniform{18, 28}.draw(rng), Uniform{7, 12}.draw(rng)
	s.melanin.each(b, 1.3+edge, func(i int, r float64) {
		x, y := float64(i%s.size)/float64(s.size), float64(i/s.size)/float64(s.size)
		r += (0.06 + 0.14*irregularity) * fray.at(16*x, 16*y)
		part := smooth((1 + edge - r) / (2 * edge))
		if part == 0 {
			return
		}
		slow := 1 + uneven*(areas.at(6*x, 6*y)+0.6*areas.at(13*x+5, 13*y))
		first, second := mesh.at(fine*x+0.4*fray.at(9*x, 9*y), fine*y)
		line := smooth(1.15 - 2.6*(second-first)) // 1 on the mesh, 0 in its holes
		clod, gap := clods.at(coarse*x, coarse*y)
		red := 1 + lacunae*(smooth(2*(gap-clod))-0.5)
		centre := scar * smooth((0.75-r)/0.6)
		brown := max(0, melanin*slow*(1+network*(1.5*line-0.8)))
		s.melanin.v[i] += part * brown * (1 - 0.9*centre)
		s.deep.v[i] += part * deep * max(0, 1+0.5*uneven*areas.at(5*x+17, 5*y))
		s.blood.v[i] += part * blood * max(0, red+0.5*uneven*areas.at(7*x, 7*y+11))
		s.white.v[i] += part * (white*max(0, 1+areas.at(8*x+3, 8*y+3)) + centre*(0.8+0.4*areas.at(12*x, 12*y)))
	})
	s.structures(l, b, share, max(melanin, 0.3))
}

// structures adds what lies in a lesion one by one.
func (s *skin) structures(l SkinLesion, b body, share, melanin float64) {
	rng := s.rng
	small := min(b.halfWidth, b.halfHeight)
	spot := func(reach, low, high float64) body {
		angle, r := 2*math.Pi*rng.Float64(), reach*math.Sqrt(rng.Float64())
		sin, cos := math.Sincos(b.tilt)
		u, v := r*b.halfWidth*math.Cos(angle), r*b.halfHeight*math.Sin(angle)
		half := Uniform{low, high}.draw(rng)
		return body{b.x + u*cos - v*sin, b.y + u*sin + v*cos, half, half * Uniform{0.6, 1}.draw(rng), math.Pi * rng.Float64(),
			newOutline(rng, Outline{Lobulation: 0.12})}
	}
	number := func(n Normal) int { return int(math.Round(share * n.draw(rng))) }
	for range number(l.Colours) {
		area, amount := spot(0.7, 0.3*small, 0.7*small), Uniform{0.3, 0.9}.draw(rng)
		switch rng.IntN(4) {
		case 0:
			s.white.deepen(area, 0.5, 0.4*amount)
		case 1:
			s.blood.deepen(area, 0.5, 0.6*amount)
		default:
			s.deep.deepen(area, 0.5, amount)
		}
	}
	for range number(l.Globule) {
		s.melanin.deepen(spot(0.95, 0.01, 0.024), 0.3, Uniform{0.5, 1.2}.draw(rng)*melanin)
	}
	for range number(l.Nests) {
		nest, amount := spot(0.85, 0.02, 0.05), Uniform{0.5, 1.1}.draw(rng)
		s.deep.deepen(nest, 0.3, amount)
		s.melanin.deepen(nest, 0.3, 0.2*amount)
	}
	if n := number(l.Vessels); n > 0 {
		layer := newCanvas(s.size)
		for range n {
			from := spot(0.9, 0.01, 0.02)
			inward := math.Atan2(b.y-from.y, b.x-from.x)
			layer.tree(rng, Tree{Bend: 0.3, Spread: 0.55, Shrink: 0.75}, point{from.x, from.y}, inward+0.6*rng.NormFloat64(), 0.55*small, 0.006, 3)
		}
		for i, part := range layer.v {
			s.blood.v[i] += 0.9 * part
			s.white.v[i] *= 1 - 0.7*part
		}
	}
	for range number(l.Cysts) {
		s.white.deepen(spot(0.85, 0.01, 0.021), 0.5, Uniform{0.3, 0.75}.draw(rng))
	}
	for range number(l.Plugs) {
		s.melanin.deepen(spot(0.85, 0.011, 0.024), 0.3, Uniform{0.5, 1.1}.draw(rng))
	}
	for range number(l.Scales) {
		scale := spot(0.9, 0.014, 0.038)
		scale.shape = newOutline(rng, Outline{Lobulation: 0.2, Angles: 0.15})
		s.white.deepen(scale, 0.35, Uniform{0.25, 0.7}.draw(rng))
	}
	if rng.Float64() < l.Ulcer*share {
		crust := spot(0.4, 0.25*small, 0.5*small)
		crust.shape = newOutline(rng, Outline{Lobulation: 0.2, Angles: 0.1})
		s.blood.deepen(crust, 0.25, 0.8)
		s.melanin.deepen(crust, 0.25, 0.5)
	}
}

// photograph shows the skin through a dermoscope, with hairs, gel, and the field's corners.
func (s *skin) photograph(d Dermoscopy) image.Image {
	rng := s.rng
	hairs, ink, gloss := newCanvas(s.size), newCanvas(s.size), newCanvas(s.size)
	for range int(math.Round(d.Hairs.draw(rng))) {
		from := point{rng.Float64(), rng.Float64()}
		hairs.stroke(rounded(wander(rng, from, 2*math.Pi*rng.Float64(), Uniform{0.3, 1.1}.draw(rng), 0.12, 8)), 0.005, 0.002, Uniform{0.5, 1}.draw(rng))
	}
	if rng.Float64() < d.Ruler {
		y := Uniform{0.9, 0.97}.draw(rng)
		for k := range 14 {
			x, length := 0.04+0.07*float64(k), 0.02
			if k%5 == 0 {
				length = 0.05
			}
			ink.stroke([]point{{x, y}, {x, y - length}}, 0.003, 0.003, 1)
		}
	}
	if rng.Float64() < d.Bubbles {
		for range 2 + rng.IntN(8) {
			r := Uniform{0.01, 0.05}.draw(rng)
			gloss.each(body{rng.Float64(), rng.Float64(), r, r, 0, &ellipse}, 1.3, func(i int, r float64) {
				t := (r - 0.95) / 0.15
				gloss.v[i] += 0.35*math.Exp(-t*t) - 0.08*smooth((1-r)/0.2)
			})
		}
	}
	corners := 0.0
	if rng.Float64() < d.Corners {
		corners = Uniform{0.5, 1}.draw(rng)
	}
	reach := Uniform{0.48, 0.58}.draw(rng)
	lamp := d.Lamp.draw(rng)
	colour := [3]float64{lamp * (1 + d.Cast.draw(rng)), lamp, lamp * (1 + d.Cast.draw(rng))}
	light, shade := newNoise(rng), Uniform{0, 0.08}.draw(rng)
	var channels [3]*canvas
	for c := range channels {
		channels[c] = newCanvas(s.size)
		for i := range channels[c].v {
			x, y := float64(i%s.size)/float64(s.size), float64(i/s.size)/float64(s.size)
			absorbed := s.melanin.v[i]*melaninAbsorbs[c] + s.deep.v[i]*deepAbsorbs[c] + s.blood.v[i]*bloodAbsorbs[c]
			v := mix(math.Exp(-absorbed), scatterColour[c], min(s.white.v[i], 0.9))
			v *= colour[c] * (1 + shade*light.at(2*x, 2*y))
			v = mix(v, 0.12+0.04*float64(2-c), 0.8*hairs.v[i])
			v = mix(v, 0.1, 0.9*ink.v[i]) + gloss.v[i]
			channels[c].v[i] = v * (1 - corners*smooth((math.Hypot(x-0.5, y-0.5)-reach)/0.12))
		}
	}
	blur, noise := d.Blur.draw(rng), d.Noise.draw(rng)
	for _, c := range channels {
		c.soften(blur)
		own := grain(s.size, 0.35, rng)
		for i := range c.v {
			c.v[i] += noise * own.v[i]
		}
	}
	return colourImage(channels[0], channels[1], channels[2])
}
