package phantom

import "math/rand/v2"

// Normal is a normal distribution, clipped to [Min, Max].
type Normal struct {
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"`
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
}

func (n Normal) draw(rng *rand.Rand) float64 {
	return min(max(n.Mean+n.SD*rng.NormFloat64(), n.Min), n.Max)
}

// Uniform is a uniform distribution on [Low, High].
type Uniform struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

func (u Uniform) draw(rng *rand.Rand) float64 { return u.Low + (u.High-u.Low)*rng.Float64() }
