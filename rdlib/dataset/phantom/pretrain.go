package phantom

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
)

// PretrainVersion changes whenever the same options give other images or captions.
const PretrainVersion = 3

// Pretrain holds everything that decides how the ultrasound corpus looks.
type Pretrain struct {
	Scanner   Scanner `json:"scanner"`
	Tissue    Tissue  `json:"tissue"`
	HalfWidth Uniform `json:"half_width"`
	Contrast  Uniform `json:"contrast"`  // dB above or below the tissue around
	Edge      Uniform `json:"edge"`      // blur of borders, in parts of the radius
	Posterior Uniform `json:"posterior"` // dB behind any shape, so that it tells nothing about the class
	Depth     Uniform `json:"depth"`
}

// DefaultPretrain is fixed.
var DefaultPretrain = Pretrain{
	Scanner:   defaultScanner,
	Tissue:    defaultTissue,
	HalfWidth: Uniform{0.09, 0.22},
	Contrast:  Uniform{9, 20},
	Edge:      Uniform{0.05, 0.25},
	Posterior: Uniform{-9, 7},
	Depth:     Uniform{0.28, 0.65},
}

// pretrainClasses name shapes; none is a diagnosis.
var pretrainClasses = []string{
	"angular", "band_shadow", "bright_nodule", "calcifications", "cyst_with_rim", "lobulated", "none", "oval_tall", "oval_wide",
	"pair", "ring", "spiculated", "tube_horizontal", "tube_vertical",
}

// pretrainGenerator draws the tissue and the speckle of BreastUltrasound for another task, to name the shape that lies in it out of
// fourteen. Size, contrast, what lies behind the shape and the scanner's settings vary alike in all classes.
var pretrainGenerator = generator{
	name: "ultrasound shapes for pre-training", version: PretrainVersion, classes: pretrainClasses, parameters: DefaultPretrain,
	stream: 0x9e3779b97f4a7c15,
	draw: func(class, size int, rng *rand.Rand) (image.Image, description) {
		img, shows := DefaultPretrain.draw(class, size, rng)
		shows.caption += " an ultrasound-like image"
		return img, shows
	},
}

// pretrainNames are the classes in captions.
var pretrainNames = map[string]string{
	"angular": "angular shape", "band_shadow": "band of shadow", "bright_nodule": "disc", "calcifications": "cluster of specks",
	"cyst_with_rim": "disc with a rim", "lobulated": "lobed shape", "oval_tall": "tall oval", "oval_wide": "wide oval", "pair": "pair of discs",
	"ring": "ring", "spiculated": "star", "tube_horizontal": "horizontal tube", "tube_vertical": "vertical tube",
}

// describe says in words what was drawn, in those of the other corpora.
func (p Pretrain) describe(class string, m mass, width float64) description {
	half := func(v float64, between Uniform, low, high string) string {
		if v < (between.Low+between.High)/2 {
			return low
		}
		return high
	}
	light := "dark"
	if class == "bright_nodule" || class == "calcifications" || class == "ring" {
		light = "bright"
	}
	text := fmt.Sprintf("a %s %s %s", half(width, p.HalfWidth, "small", "large"), light, pretrainNames[class])
	switch class {
	case "none":
		return description{caption: "nothing but"}
	case "band_shadow", "calcifications":
	default:
		text += fmt.Sprintf(" with a %s border and %s texture", half(m.edge, p.Edge, "sharp", "soft"), half(m.heterogeneity, pretrainHeterogeneity, "even", "coarse"))
	}
	place := region(point{m.x, m.y})
	return description{text + " in the " + place + " of", light, place}
}

// pretrainHeterogeneity is the variation inside a shape, dB.
var pretrainHeterogeneity = Uniform{0.5, 4}

// draw makes one image of a class and describes it, up to the image it is in.
func (p Pretrain) draw(class, size int, rng *rand.Rand) (*image.Gray, description) {
	s := newScene(size, p.Tissue, rng)
	width := p.HalfWidth.draw(rng)
	m := mass{
		body: body{
			x: Uniform{0.25, 0.75}.draw(rng), y: p.Depth.draw(rng), halfWidth: width, halfHeight: width * Uniform{0.8, 1.2}.draw(rng),
			tilt: 0.3 * rng.NormFloat64(), shape: &ellipse,
		},
		edge: p.Edge.draw(rng), heterogeneity: pretrainHeterogeneity.draw(rng), posterior: p.Posterior.draw(rng),
	}
	contrast := p.Contrast.draw(rng)
	name := pretrainClasses[class]
	scan := func() (*image.Gray, description) {
		return p.Scanner.scan(s.v, size, rng), p.describe(name, m, width)
	}
	switch name {
	case "angular":
		m.shape = newOutline(rng, Outline{Lobulation: 0.08, Angles: 0.25})
	case "band_shadow":
		s.shadow(m.x, Uniform{0.05, 0.3}.draw(rng), 0.6*width, -contrast)
		return scan()
	case "bright_nodule":
		contrast = -0.7 * contrast
	case "calcifications":
		for range 6 + rng.IntN(14) {
			angle, r := 2*math.Pi*rng.Float64(), math.Sqrt(rng.Float64())
			s.speck(m.x+r*width*math.Cos(angle), m.y+r*width*math.Sin(angle), contrast)
		}
		return scan()
	case "cyst_with_rim":
		contrast += 8
		m.rim, m.heterogeneity = Uniform{8, 14}.draw(rng), 0
	case "lobulated":
		m.shape = newOutline(rng, Outline{Lobulation: 0.3})
	case "none":
		return scan()
	case "oval_tall":
		m.halfWidth, m.halfHeight = 0.75*width, 1.25*width
		m.tilt /= 2
	case "oval_wide":
		m.halfWidth, m.halfHeight = 1.25*width, 0.75*width
		m.tilt /= 2
	case "pair":
		m.halfWidth, m.halfHeight = 0.6*m.halfWidth, 0.6*m.halfHeight
		other := m
		angle := 2 * math.Pi * rng.Float64()
		other.x, other.y = m.x+1.7*width*math.Cos(angle), m.y+1.2*width*math.Sin(angle)
		other.level = s.around(other.body) - contrast
		s.add(other)
	case "ring":
		m.level = s.around(m.body)
		m.rim = contrast
		s.add(m)
		return scan()
	case "spiculated":
		m.halfWidth, m.halfHeight = 0.8*m.halfWidth, 0.8*m.halfHeight
		m.shape = newOutline(rng, Outline{Lobulation: 0.06, Spicules: 6 + rng.IntN(7), Ray: Uniform{0.4, 0.8}.draw(rng)})
	case "tube_horizontal":
		m.halfWidth, m.halfHeight = 2.4*width, 0.3*width
	case "tube_vertical":
		m.halfWidth, m.halfHeight = 0.3*width, 2*width
	}
	m.level = s.around(m.body) - contrast
	s.add(m)
	return scan()
}
