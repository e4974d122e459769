package dataset

import (
	"math"
	"sync"
)

// scratch holds the buffers of one augmentation.
type scratch struct {
	rows, columns taps
	row           []float32 // one row of the crop, all channels
	plane         []float32
	gauss         []float32
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// taps are the source pixels, and their weights, of each pixel along one side of a resized image.
type taps struct {
	first   []int     // source pixel of the first tap
	count   []int     // of taps
	weights []float32 // most of them for each pixel
	most    int
}

// set prepares a resize of the stretch from start, length pixels long, of size source pixels, to so many pixels. The
// filter is a triangle that widens with the scale when the image shrinks, as in Preprocess.
func (t *taps) set(size int, start, length float64, pixels int) {
	scale := length / float64(pixels)
	reach := max(scale, 1)
	t.most = int(2*reach) + 2
	t.first, t.count = sized(t.first, pixels), sized(t.count, pixels)
	t.weights = sized(t.weights, pixels*t.most)
	for i := range pixels {
		centre := start + (float64(i)+0.5)*scale - 0.5
		low := max(0, int(math.Floor(centre-reach))+1)
		high := min(size-1, int(math.Ceil(centre+reach))-1)
		if high < low { // beyond the edge by rounding only
			low = min(max(int(math.Round(centre)), 0), size-1)
			high = low
		}
		weights := t.weights[i*t.most:][:high-low+1]
		sum := 0.0
		for k := range weights {
			w := max(0, 1-math.Abs(float64(low+k)-centre)/reach)
			weights[k] = float32(w)
			sum += w
		}
		if sum == 0 {
			weights[0], sum = 1, 1
		}
		for k := range weights {
			weights[k] *= float32(1 / sum)
		}
		t.first[i], t.count[i] = low, len(weights)
	}
}

func (t *taps) of(i int) (first int, weights []float32) {
	return t.first[i], t.weights[i*t.most:][:t.count[i]]
}

// crop writes the crop of an image, resized and mirrored, as planes of height × width, one for each channel of its own.
func (s *scratch) crop(p Pixels, k look, height, width int, planes []float32) {
	channels := len(p.Pix) / (p.Height * p.Width)
	s.rows.set(p.Height, k.y*float64(p.Height), k.height*float64(p.Height), height)
	s.columns.set(p.Width, k.x*float64(p.Width), k.width*float64(p.Width), width)
	left := s.columns.first[0]
	right, weights := s.columns.of(width - 1)
	right += len(weights)
	s.row = sized(s.row, (right-left)*channels)
	for y := range height {
		s.sumRows(p, y, left*channels, channels)
		for c := range channels {
			out := planes[(c*height+y)*width:][:width]
			for x := range out {
				first, weights := s.columns.of(x)
				at := (first-left)*channels + c
				sum := float32(0)
				for _, w := range weights {
					sum += w * s.row[at]
					at += channels
				}
				if k.flip {
					out[width-1-x] = sum
				} else {
					out[x] = sum
				}
			}
		}
	}
}

// sumRows resizes the height: it leaves the weighted source rows of output row y in s.row.
func (s *scratch) sumRows(p Pixels, y, offset, channels int) {
	row := s.row
	first, weights := s.rows.of(y)
	for t, w := range weights {
		in := p.Pix[(first+t)*p.Width*channels+offset:][:len(row)]
		if t == 0 {
			for i, v := range in {
				row[i] = w * float32(v)
			}
			continue
		}
		for i, v := range in {
			row[i] += w * float32(v)
		}
	}
}

// blur convolves a plane with a Gaussian, cut off at three standard deviations; beyond the edges its pixels are repeated.
func (s *scratch) blur(plane []float32, height, width int, deviation float64) {
	reach := int(math.Ceil(3 * deviation))
	s.gauss = sized(s.gauss, reach+1)
	sum := 0.0
	for d := range s.gauss {
		w := math.Exp(-float64(d*d) / (2 * deviation * deviation))
		s.gauss[d] = float32(w)
		if d > 0 {
			w *= 2
		}
		sum += w
	}
	for d := range s.gauss {
		s.gauss[d] /= float32(sum)
	}
	s.plane = sized(s.plane, height*width)
	for y := range height { // along the columns
		out := s.plane[y*width:][:width]
		for x, v := range plane[y*width:][:width] {
			out[x] = s.gauss[0] * v
		}
		for d := 1; d <= reach; d++ {
			w := s.gauss[d]
			above, below := plane[max(y-d, 0)*width:][:width], plane[min(y+d, height-1)*width:][:width]
			for x := range out {
				out[x] += w * (above[x] + below[x])
			}
		}
	}
	for y := range height { // along the rows
		in, out := s.plane[y*width:][:width], plane[y*width:][:width]
		for x := range out {
			sum := s.gauss[0] * in[x]
			for d := 1; d <= reach; d++ {
				sum += s.gauss[d] * (in[max(x-d, 0)] + in[min(x+d, width-1)])
			}
			out[x] = sum
		}
	}
}

// sized returns a slice of n values in the memory of s, where it is enough. The values are anything.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
