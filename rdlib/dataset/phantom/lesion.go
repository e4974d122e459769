package phantom

import (
	"math"
	"math/rand/v2"
)

// Outline says how far a border departs from an ellipse, each in parts of the radius.
type Outline struct {
	Lobulation float64 // two to four broad waves
	Angles     float64 // five to eleven uneven waves
	Spicules   int     // thin rays
	Ray        float64 // their length
}

const outlineSteps = 256

// outline is the radius of a closed border for each direction; an ellipse is 1 throughout.
type outline [outlineSteps]float64

func newOutline(rng *rand.Rand, o Outline) *outline {
	out := ellipse
	wave := func(k int, amplitude float64) {
		phase := 2 * math.Pi * rng.Float64()
		for i := range out {
			out[i] += amplitude * math.Cos(float64(k)*2*math.Pi*float64(i)/outlineSteps+phase)
		}
	}
	for k := 2; k <= 4; k++ {
		wave(k, o.Lobulation*rng.NormFloat64()/math.Sqrt(float64(k)))
	}
	for k := 5; k <= 11; k++ {
		wave(k, o.Angles*rng.NormFloat64()/math.Sqrt(7))
	}
	for range o.Spicules {
		at, width, length := rng.Float64(), Uniform{0.012, 0.028}.draw(rng), o.Ray*Uniform{0.5, 1.2}.draw(rng)
		for i := range out {
			distance := math.Abs(float64(i)/outlineSteps - at)
			distance = min(distance, 1-distance) / width
			out[i] += length * math.Exp(-distance*distance/2)
		}
	}
	for i := range out {
		out[i] = max(out[i], 0.3)
	}
	return &out
}

// ellipse is the border without any departure.
var ellipse = func() (o outline) {
	for i := range o {
		o[i] = 1
	}
	return o
}()

// at is the radius in the direction (x, y).
func (o *outline) at(x, y float64) float64 {
	t := (math.Atan2(y, x)/(2*math.Pi) + 1) * outlineSteps
	i := math.Floor(t)
	return mix(o[int(i)&(outlineSteps-1)], o[int(i+1)&(outlineSteps-1)], t-i)
}

// mass is a solid or cystic lesion.
type mass struct {
	body
	level         float64 // dB inside
	edge          float64 // half width of the border's blur, in parts of the radius
	rim           float64 // dB of a bright line on the border
	halo          float64 // dB of a broad bright band around it
	heterogeneity float64 // dB of variation inside
	posterior     float64 // dB behind: positive enhancement, negative shadow
	calcium       int     // bright specks inside
}

// add draws the mass over the tissue. Its level replaces the tissue's: what lay there is pushed aside.
func (s *scene) add(m mass) {
	s.shadow(m.x, m.y+0.3*m.halfHeight, 0.8*m.halfWidth, m.posterior)
	texture := newNoise(s.rng)
	s.each(m.body, 1.7, func(i int, r float64) {
		x, y := float64(i%s.size)/float64(s.size), float64(i/s.size)/float64(s.size)
		inside := smooth((1 + m.edge - r) / (2 * m.edge))
		level := m.level + m.heterogeneity*texture.at(14*x, 14*y)
		t := (r - 1.2) / 0.22
		s.v[i] += m.halo * math.Exp(-t*t) * (1 - inside)
		s.v[i] = mix(s.v[i], level, inside)
		t = (r - 1) / 0.09
		s.v[i] += m.rim * math.Exp(-t*t)
	})
	for range m.calcium {
		angle, r := 2*math.Pi*s.rng.Float64(), 0.8*math.Sqrt(s.rng.Float64())
		s.speck(m.x+r*m.halfWidth*math.Cos(angle), m.y+r*m.halfHeight*math.Sin(angle), Uniform{8, 16}.draw(s.rng))
	}
}

// speck adds one calcification: a bright point.
func (s *scene) speck(x, y, db float64) {
	const radius = 0.009
	point := body{x: x, y: y, halfWidth: radius, halfHeight: radius, shape: &ellipse}
	s.each(point, 2, func(i int, r float64) { s.v[i] += db * math.Exp(-r*r) })
}
