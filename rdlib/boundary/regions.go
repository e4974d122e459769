package boundary

import (
	"context"
	"fmt"
	"math"
)

// Classify names the class of each image of a batch, given the concatenation of their values.
type Classify func(images []float32) (classes []int, err error)

// Regions are the classes of a grid's points, row by row from the grid's Min: Class[row·Resolution + column].
type Regions struct {
	Grid
	Class []uint16
}

// batch is how many images are made and classified at once.
const batch = 64

// Decide asks a classifier for the class of every point of a grid. Progress, which may be nil, is told how many points are
// done. The error is the context's, the classifier's, or says what is wrong with its answer.
func Decide(ctx context.Context, p *Plane, g Grid, classify Classify, progress func(done, total int)) (*Regions, error) {
	r := &Regions{Grid: g, Class: make([]uint16, 0, g.Points())}
	images := make([]float32, batch*p.Len())
	for len(r.Class) < g.Points() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := min(batch, g.Points()-len(r.Class))
		for k := range n {
			at := len(r.Class) + k
			p.Image(g.At(at%g.Resolution, at/g.Resolution), images[k*p.Len():(k+1)*p.Len()])
		}
		classes, err := classify(images[:n*p.Len()])
		if err != nil {
			return nil, err
		}
		if len(classes) != n {
			return nil, fmt.Errorf("a classifier gave %d classes for %d images", len(classes), n)
		}
		for _, class := range classes {
			if class < 0 || class > math.MaxUint16 {
				return nil, fmt.Errorf("a classifier gave the class %d: 0 to %d are possible", class, math.MaxUint16)
			}
			r.Class = append(r.Class, uint16(class))
		}
		if progress != nil {
			progress(len(r.Class), g.Points())
		}
	}
	return r, nil
}
