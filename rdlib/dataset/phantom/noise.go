package phantom

import (
	"math"
	"math/rand/v2"
)

// noise is smooth noise in [−1, 1] on the plane: random values on a periodic lattice, smoothly interpolated.
type noise struct{ lattice [lattice * lattice]float64 }

const lattice = 32 // a power of two

func newNoise(rng *rand.Rand) *noise {
	n := new(noise)
	for i := range n.lattice {
		n.lattice[i] = 2*rng.Float64() - 1
	}
	return n
}

// at is the noise at (x, y); it varies over a length of 1.
func (n *noise) at(x, y float64) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	i, j := int(fx)&(lattice-1), int(fy)&(lattice-1)
	tx, ty := smooth(x-fx), smooth(y-fy)
	k, l := (i+1)&(lattice-1), (j+1)&(lattice-1)
	upper := n.lattice[j*lattice+i]*(1-tx) + n.lattice[j*lattice+k]*tx
	lower := n.lattice[l*lattice+i]*(1-tx) + n.lattice[l*lattice+k]*tx
	return upper*(1-ty) + lower*ty
}

// smooth rises from 0 at t ≤ 0 to 1 at t ≥ 1 without a corner.
func smooth(t float64) float64 {
	t = min(max(t, 0), 1)
	return t * t * (3 - 2*t)
}
