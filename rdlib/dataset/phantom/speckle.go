package phantom

import (
	"image"
	"math"
	"math/rand/v2"
)

// Scanner says how echogenicity becomes grey values.
type Scanner struct {
	AxialBlur   Uniform `json:"axial_blur"`   // standard deviation of the point spread along depth, in 1/96 of the side
	LateralBlur Uniform `json:"lateral_blur"` // across, at the surface
	Divergence  Uniform `json:"divergence"`   // growth of the lateral blur from the surface to the bottom
	Looks       int     `json:"looks"`        // independent speckle patterns averaged, as spatial compounding does
	Range       Uniform `json:"range"`        // dynamic range, dB
	Level       Uniform `json:"level"`        // grey value of 0 dB, of 1
	Attenuation Uniform `json:"attenuation"`  // dB lost from top to bottom after gain compensation
	Vignette    Uniform `json:"vignette"`     // dB lost towards the sides
}

// scan draws the image of a scene. echo is [size, size] in dB.
func (s Scanner) scan(echo []float64, size int, rng *rand.Rand) *image.Gray {
	unit := float64(size) / 96
	axial := s.AxialBlur.draw(rng) * unit
	lateral := s.LateralBlur.draw(rng) * unit
	divergence := s.Divergence.draw(rng)
	dynamic, level := s.Range.draw(rng), s.Level.draw(rng)
	attenuation, vignette := s.Attenuation.draw(rng), s.Vignette.draw(rng)

	amplitude := make([]float64, size*size)
	for y := range size {
		depth := (float64(y) + 0.5) / float64(size)
		for x := range size {
			side := 2*(float64(x)+0.5)/float64(size) - 1
			loss := attenuation*depth + vignette*side*side*depth
			amplitude[y*size+x] = math.Exp((echo[y*size+x] - loss) * (math.Ln10 / 20))
		}
	}
	magnitude := make([]float64, size*size)
	re, im, scratch := make([]float64, size*size), make([]float64, size*size), make([]float64, size*size)
	kernels := newSpread(size, axial, lateral, divergence)
	for range s.Looks {
		for i, a := range amplitude {
			re[i], im[i] = a*rng.NormFloat64(), a*rng.NormFloat64()
		}
		kernels.blur(re, scratch)
		kernels.blur(im, scratch)
		for i := range magnitude {
			magnitude[i] += math.Sqrt(re[i]*re[i] + im[i]*im[i])
		}
	}
	// The mean of a Rayleigh variable of unit σ is √(π/2): uniform tissue of 0 dB comes out at level.
	scale := 1 / (float64(s.Looks) * math.Sqrt(math.Pi/2))
	img := image.NewGray(image.Rect(0, 0, size, size))
	for i, m := range magnitude {
		grey := level + 20*math.Log10(m*scale+1e-6)/dynamic
		img.Pix[i] = uint8(255*min(max(grey, 0), 1) + 0.5)
	}
	return img
}

// spread is a separable Gaussian point spread of unit energy; the lateral kernel depends on the depth.
type spread struct {
	size    int
	axial   []float64
	lateral [][]float64 // one for each row
}

func newSpread(size int, axial, lateral, divergence float64) spread {
	s := spread{size: size, axial: gaussian(axial), lateral: make([][]float64, size)}
	for y := range s.lateral {
		s.lateral[y] = gaussian(lateral * (1 + divergence*float64(y)/float64(size)))
	}
	return s
}

// gaussian is a kernel of odd length with unit sum of squares, so that white noise keeps its variance.
func gaussian(sigma float64) []float64 {
	radius := int(math.Ceil(2.5 * sigma))
	kernel := make([]float64, 2*radius+1)
	energy := 0.0
	for i := range kernel {
		t := float64(i-radius) / max(sigma, 1e-3)
		kernel[i] = math.Exp(-t * t / 2)
		energy += kernel[i] * kernel[i]
	}
	for i := range kernel {
		kernel[i] /= math.Sqrt(energy)
	}
	return kernel
}

// blur convolves field in place; the borders repeat.
func (s spread) blur(field, scratch []float64) {
	n := s.size
	for y := range n {
		kernel := s.lateral[y]
		radius := len(kernel) / 2
		row := field[y*n : (y+1)*n]
		for x := range row {
			sum := 0.0
			if x >= radius && x+radius < n {
				for k, w := range kernel {
					sum += w * row[x-radius+k]
				}
			} else {
				for k, w := range kernel {
					sum += w * row[min(max(x-radius+k, 0), n-1)]
				}
			}
			scratch[y*n+x] = sum
		}
	}
	radius := len(s.axial) / 2
	for y := range n {
		out := field[y*n : (y+1)*n]
		clear(out)
		for k, w := range s.axial {
			in := scratch[min(max(y-radius+k, 0), n-1)*n:][:n]
			for x, v := range in {
				out[x] += w * v
			}
		}
	}
}
