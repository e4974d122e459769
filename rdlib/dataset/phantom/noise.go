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

// cells are the neighbourhoods of scattered points, one in each square of a periodic lattice (Worley's noise).
type cells struct{ x, y [lattice * lattice]float64 }

func newCells(rng *rand.Rand) *cells {
	c := new(cells)
	for i := range c.x {
		c.x[i], c.y[i] = rng.Float64(), rng.Float64()
	}
	return c
}

// at is the distance from (x, y) to the nearest point and to the second: they are equal on the borders of cells.
func (c *cells) at(x, y float64) (first, second float64) {
	fx, fy := math.Floor(x), math.Floor(y)
	first, second = math.Inf(1), math.Inf(1)
	for j := -1; j <= 1; j++ {
		for i := -1; i <= 1; i++ {
			gx, gy := fx+float64(i), fy+float64(j)
			k := (int(gy)&(lattice-1))*lattice + int(gx)&(lattice-1)
			dx, dy := gx+c.x[k]-x, gy+c.y[k]-y
			if d := dx*dx + dy*dy; d < first {
				first, second = d, first
			} else if d < second {
				second = d
			}
		}
	}
	return math.Sqrt(first), math.Sqrt(second)
}
