package phantom

import (
	"image"
	"math"
	"math/rand/v2"
)

// canvas is a quantity over the unit square, [size, size].
type canvas struct {
	size int
	v    []float64
}

func newCanvas(size int) *canvas { return &canvas{size: size, v: make([]float64, size*size)} }

// body is a closed shape in the plane.
type body struct {
	x, y                  float64 // centre
	halfWidth, halfHeight float64
	tilt                  float64
	shape                 *outline
}

// each visits the pixels within reach times the border, with r = 1 on the border and 0 in the centre.
func (c *canvas) each(b body, reach float64, visit func(i int, r float64)) {
	widest := 0.0
	for _, r := range b.shape {
		widest = max(widest, r)
	}
	span := widest * reach * max(b.halfWidth, b.halfHeight)
	size := float64(c.size)
	sin, cos := math.Sincos(b.tilt)
	for py := max(int((b.y-span)*size), 0); py < min(int((b.y+span)*size)+1, c.size); py++ {
		for px := max(int((b.x-span)*size), 0); px < min(int((b.x+span)*size)+1, c.size); px++ {
			dx, dy := (float64(px)+0.5)/size-b.x, (float64(py)+0.5)/size-b.y
			u, v := (dx*cos+dy*sin)/b.halfWidth, (dy*cos-dx*sin)/b.halfHeight
			if r := math.Hypot(u, v) / b.shape.at(u, v); r < reach {
				visit(py*c.size+px, r)
			}
		}
	}
}

// cover visits the pixels of a body with the part of each that it covers; edge is the half width of the border's blur in
// parts of the radius, at least half a pixel.
func (c *canvas) cover(b body, edge float64, visit func(i int, part float64)) {
	edge = max(edge, 0.6/(float64(c.size)*min(b.halfWidth, b.halfHeight)))
	c.each(b, 1+edge, func(i int, r float64) { visit(i, smooth((1+edge-r)/(2*edge))) })
}

// paint gives a body a level of its own.
func (c *canvas) paint(b body, edge, level float64) {
	c.cover(b, edge, func(i int, part float64) { c.v[i] = mix(c.v[i], level, part) })
}

// deepen adds an amount within a body.
func (c *canvas) deepen(b body, edge, amount float64) {
	c.cover(b, edge, func(i int, part float64) { c.v[i] += amount * part })
}

// fill sets every pixel from its place.
func (c *canvas) fill(value func(x, y float64) float64) {
	for py := range c.size {
		y := (float64(py) + 0.5) / float64(c.size)
		for px := range c.size {
			c.v[py*c.size+px] = value((float64(px)+0.5)/float64(c.size), y)
		}
	}
}

// at is the value at a place; beyond the border, the border's.
func (c *canvas) at(x, y float64) float64 {
	clamp := func(t float64) int { return min(max(int(t*float64(c.size)), 0), c.size-1) }
	return c.v[clamp(y)*c.size+clamp(x)]
}

// raise lifts a pixel to a value, never below what it has.
func (c *canvas) raise(i int, value float64) { c.v[i] = max(c.v[i], value) }

// point is a place in the unit square.
type point struct{ x, y float64 }

// stroke raises the pixels along a line to amount times the part that the line covers. The half width goes evenly from
// the first value to the second; what is thinner than a pixel is fainter instead.
func (c *canvas) stroke(line []point, from, to, amount float64) {
	size := float64(c.size)
	for k := 1; k < len(line); k++ {
		a, b := line[k-1], line[k]
		w0 := mix(from, to, float64(k-1)/float64(len(line)-1))
		w1 := mix(from, to, float64(k)/float64(len(line)-1))
		dx, dy := b.x-a.x, b.y-a.y
		length := dx*dx + dy*dy
		reach := max(w0, w1) + 1/size
		left, right := max(int((min(a.x, b.x)-reach)*size), 0), min(int((max(a.x, b.x)+reach)*size)+1, c.size)
		top, bottom := max(int((min(a.y, b.y)-reach)*size), 0), min(int((max(a.y, b.y)+reach)*size)+1, c.size)
		for py := top; py < bottom; py++ {
			for px := left; px < right; px++ {
				x, y := (float64(px)+0.5)/size-a.x, (float64(py)+0.5)/size-a.y
				t := 0.0
				if length > 0 {
					t = min(max((x*dx+y*dy)/length, 0), 1)
				}
				half := mix(w0, w1, t)
				part := min(max((half-math.Hypot(x-t*dx, y-t*dy))*size+0.5, 0), 1) * min(1, 2*half*size)
				if part > 0 {
					c.raise(py*c.size+px, amount*part)
				}
			}
		}
	}
}

// wander is a line of n steps that begins at a place in a direction and bends by noise.
func wander(rng *rand.Rand, from point, angle, length, bend float64, n int) []point {
	line := []point{from}
	step := length / float64(n)
	for range n {
		angle += bend * rng.NormFloat64()
		from = point{from.x + step*math.Cos(angle), from.y + step*math.Sin(angle)}
		line = append(line, from)
	}
	return line
}

// rounded cuts the corners of a line, keeping its ends (Chaikin).
func rounded(line []point) []point {
	if len(line) < 3 {
		return line
	}
	between := func(a, b point, t float64) point { return point{mix(a.x, b.x, t), mix(a.y, b.y, t)} }
	smoothed := []point{line[0]}
	for k := 1; k < len(line)-1; k++ {
		smoothed = append(smoothed, between(line[k], line[k-1], 0.25), between(line[k], line[k+1], 0.25))
	}
	return append(smoothed, line[len(line)-1])
}

// Tree says how a vessel branches.
type Tree struct {
	Bend   float64 `json:"bend"`   // standard deviation of the direction's change at each step, radians
	Spread float64 `json:"spread"` // half angle between two branches, radians
	Shrink float64 `json:"shrink"` // length of a branch in parts of the stem's
}

// tree strokes a branching vessel into a layer of parts in [0, 1].
func (c *canvas) tree(rng *rand.Rand, t Tree, from point, angle, length, halfWidth float64, depth int) {
	line := wander(rng, from, angle, length, t.Bend, 4)
	thin := 0.72 * halfWidth
	c.stroke(line, halfWidth, thin, 1)
	if depth <= 1 {
		return
	}
	end, before := line[len(line)-1], line[len(line)-2]
	angle = math.Atan2(end.y-before.y, end.x-before.x)
	for _, side := range []float64{-1, 1} {
		c.tree(rng, t, end, angle+side*t.Spread*(0.6+0.8*rng.Float64()), length*t.Shrink*(0.75+0.5*rng.Float64()), thin, depth-1)
	}
}

// soften blurs with a Gaussian of the given standard deviation, in 1/96 of the side.
func (c *canvas) soften(sigma float64) {
	sigma *= float64(c.size) / 96
	if sigma <= 0 {
		return
	}
	kernels := newSpread(c.size, sigma, sigma, 0)
	kernels.blur(c.v, make([]float64, len(c.v)))
	sum := 0.0
	for _, w := range kernels.axial {
		sum += w
	}
	for i := range c.v {
		c.v[i] /= sum * sum
	}
}

// grain is white noise of unit variance, correlated over sigma, in 1/96 of the side.
func grain(size int, sigma float64, rng *rand.Rand) *canvas {
	c := newCanvas(size)
	for i := range c.v {
		c.v[i] = rng.NormFloat64()
	}
	sigma *= float64(size) / 96
	newSpread(size, sigma, sigma, 0).blur(c.v, make([]float64, len(c.v)))
	return c
}

// grey is the canvas as an image, 0 black and 1 white.
func (c *canvas) grey() *image.Gray {
	img := image.NewGray(image.Rect(0, 0, c.size, c.size))
	for i, v := range c.v {
		img.Pix[i] = eightBit(v)
	}
	return img
}

// colourImage is an image of three canvases, 0 black and 1 the channel's brightest.
func colourImage(red, green, blue *canvas) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, red.size, red.size))
	for i := range red.v {
		img.Pix[4*i], img.Pix[4*i+1], img.Pix[4*i+2], img.Pix[4*i+3] = eightBit(red.v[i]), eightBit(green.v[i]), eightBit(blue.v[i]), 255
	}
	return img
}

func eightBit(v float64) uint8 { return uint8(255*min(max(v, 0), 1) + 0.5) }

func mix(a, b, t float64) float64 { return a + (b-a)*t }
