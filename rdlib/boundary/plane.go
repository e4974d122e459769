// Package boundary looks at the decision regions of classifiers on planes through three images, and measures how far the
// regions of two classifiers agree.
//
// The method is that of Somepalli et al., "Can Neural Nets Learn the Same Model Twice? Investigating Reproducibility and
// Double Descent from the Decision Boundary Perspective", CVPR 2022.
package boundary

import (
	"errors"
	"fmt"
	"math"
)

// Point is a place on a plane, in the unit of the images' values: the distance of two points is the Euclidean distance of
// the images there.
type Point struct{ X, Y float64 }

// Plane is the plane through three images a, b, c, the first of which is its origin. Its axes are the differences b−a and
// c−a made orthonormal by Gram and Schmidt:
//
//	u = (b−a)/|b−a|,   v = w/|w|,   w = (c−a) − ⟨c−a, u⟩·u
//
// so that a lies at (0, 0), b at (|b−a|, 0) and c at (⟨c−a, u⟩, |w|).
type Plane struct {
	Corners [3]Point // where the three images lie
	images  [3][]float32
}

// Errors of three images that span no plane.
var (
	ErrIdentical = errors.New("identical images")
	ErrOneLine   = errors.New("images on one line")
)

// flat is the ratio of |w| to |c−a| below which the three images lie on one line, as far as float32 can tell.
const flat = 1e-6

// NewPlane lays a plane through three images, each the values of one tensor, as a network takes it, in the same order. The
// error wraps ErrIdentical where two of them are the same, and ErrOneLine where all three lie on one line. The images
// are not copied.
func NewPlane(a, b, c []float32) (*Plane, error) {
	if len(a) == 0 || len(b) != len(a) || len(c) != len(a) {
		return nil, fmt.Errorf("plane through images of %d, %d and %d values: they must be of one size, and not empty", len(a), len(b), len(c))
	}
	var bb, bc, cc, between float64
	for i := range a {
		ab, ac := float64(b[i])-float64(a[i]), float64(c[i])-float64(a[i])
		bb += ab * ab
		bc += ab * ac
		cc += ac * ac
		between += (ab - ac) * (ab - ac)
	}
	if sum := bb + cc + between; math.IsNaN(sum) || math.IsInf(sum, 0) {
		return nil, errors.New("plane through images with values that are not finite")
	}
	for _, pair := range []struct {
		squared       float64
		first, second int
	}{{bb, 1, 2}, {cc, 1, 3}, {between, 2, 3}} {
		if pair.squared == 0 {
			return nil, fmt.Errorf("plane through three images: %w: images %d and %d of the triplet are the same; choose another triplet", ErrIdentical, pair.first, pair.second)
		}
	}
	width := math.Sqrt(bb)
	along := bc / width
	var rest float64 // |w|², from the differences themselves: cc − along² would lose its digits where c lies near the line
	for i := range a {
		ab, ac := float64(b[i])-float64(a[i]), float64(c[i])-float64(a[i])
		w := ac - along/width*ab
		rest += w * w
	}
	height := math.Sqrt(rest)
	if height < flat*math.Sqrt(cc) {
		return nil, fmt.Errorf("plane through three images: %w: no plane is determined; choose another triplet", ErrOneLine)
	}
	return &Plane{Corners: [3]Point{{0, 0}, {width, 0}, {along, height}}, images: [3][]float32{a, b, c}}, nil
}

// With is the same plane seen by a classifier that takes its images in another form, such as another size: the three
// images in that form. A point of the plane is a weighted mean of the three, and scaling, cropping and normalising leave
// such a mean what it is, but for the rounding of pixels: both classifiers are asked about the same image.
func (p *Plane) With(a, b, c []float32) (*Plane, error) {
	other, err := NewPlane(a, b, c)
	if err != nil {
		return nil, err
	}
	other.Corners = p.Corners
	return other, nil
}

// Weights are those of the three images at a point, with sum 1. At an image's own place they are 1, 0 and 0 exactly.
func (p *Plane) Weights(at Point) [3]float64 {
	b, c := p.Corners[1], p.Corners[2]
	third := at.Y / c.Y
	second := (at.X - third*c.X) / b.X
	return [3]float64{1 - second - third, second, third}
}

// Image writes the image at a point to dst, which has as many values as each of the three.
func (p *Plane) Image(at Point, dst []float32) {
	w := p.Weights(at)
	a, b, c := p.images[0], p.images[1], p.images[2]
	for i := range dst {
		dst[i] = float32(w[0]*float64(a[i]) + w[1]*float64(b[i]) + w[2]*float64(c[i]))
	}
}

// Len is the number of values of an image.
func (p *Plane) Len() int { return len(p.images[0]) }
