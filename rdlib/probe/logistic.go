// Package probe measures how much a frozen teacher's feature says about a task: a linear probe, that is multinomial
// logistic regression on the pooled feature, the teacher being untouched.
package probe

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
	"gonum.org/v1/gonum/stat"
)

// Samples are features with their labels.
type Samples struct {
	Features [][]float32 // [n][D]
	Labels   []int       // each in [0, classes)
}

// Classifier is a linear classifier on standardised features.
type Classifier struct {
	mean, scale []float64  // of the training features
	weights     *mat.Dense // [D+1, classes]; the last row is the bias
	classes     int
}

// Fit minimises, over the weights W [D, classes] and the bias,
//
//	1/n · Σ_i −log softmax(W x_i + b)[y_i] + λ/2 · ‖W‖²,
//
// x standardised by the training features' mean and standard deviation (a feature that never changes counts for
// nothing), by L-BFGS. start, a classifier of the same data or nil, is where the search begins.
func Fit(s Samples, classes int, lambda float64, start *Classifier) (*Classifier, error) {
	if err := s.check(classes); err != nil {
		return nil, err
	}
	if !(lambda >= 0) {
		return nil, fmt.Errorf("linear probe: a weight penalty of %g is not possible", lambda)
	}
	c := &Classifier{classes: classes}
	c.standardise(s.Features)
	x := c.design(s.Features)
	n, width := x.Dims()
	initial := make([]float64, width*classes)
	if start != nil && start.weights != nil {
		copy(initial, start.weights.RawMatrix().Data)
	}

	scores, gradient := mat.NewDense(n, classes, nil), mat.NewDense(width, classes, nil)
	// evaluate leaves the loss's gradient in gradient.
	evaluate := func(flat []float64) float64 {
		w := mat.NewDense(width, classes, flat)
		scores.Mul(x, w)
		loss := 0.0
		for i, label := range s.Labels {
			row := scores.RawRowView(i)
			loss -= row[label]
			loss += softmax(row)
			row[label]--
		}
		gradient.Mul(x.T(), scores)
		gradient.Scale(1/float64(n), gradient)
		penalty := 0.0
		for d := range width - 1 { // the bias is free
			for k, v := range w.RawRowView(d) {
				penalty += v * v
				gradient.Set(d, k, gradient.At(d, k)+lambda*v)
			}
		}
		return loss/float64(n) + lambda/2*penalty
	}
	var at []float64 // where gradient was computed
	var value float64
	update := func(flat []float64) float64 {
		if !slices.Equal(at, flat) {
			at, value = append(at[:0], flat...), evaluate(flat)
		}
		return value
	}
	problem := optimize.Problem{
		Func: update,
		Grad: func(grad, flat []float64) {
			update(flat)
			copy(grad, gradient.RawMatrix().Data)
		},
	}
	settings := &optimize.Settings{
		GradientThreshold: 1e-5, MajorIterations: 300,
		Converger: &optimize.FunctionConverge{Relative: 1e-7, Iterations: 5},
	}
	result, err := optimize.Minimize(problem, initial, settings, &optimize.LBFGS{})
	if err != nil && (result == nil || math.IsNaN(result.F)) {
		return nil, fmt.Errorf("linear probe on %d images of %d features: %w", n, width-1, err)
	}
	c.weights = mat.NewDense(width, classes, result.X)
	return c, nil
}

func (s Samples) check(classes int) error {
	if len(s.Features) == 0 || len(s.Features) != len(s.Labels) {
		return fmt.Errorf("linear probe: %d features and %d labels: one of each per image is needed", len(s.Features), len(s.Labels))
	}
	for i, label := range s.Labels {
		if label < 0 || label >= classes {
			return fmt.Errorf("linear probe: image %d has label %d of %d classes", i, label, classes)
		}
		if len(s.Features[i]) != len(s.Features[0]) || len(s.Features[i]) == 0 {
			return fmt.Errorf("linear probe: image %d has %d features, image 0 has %d", i, len(s.Features[i]), len(s.Features[0]))
		}
		for _, v := range s.Features[i] {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("linear probe: the teacher's feature of image %d holds %v", i, v)
			}
		}
	}
	return nil
}

// softmax turns scores into probabilities in place and returns the logarithm of the sum of their exponentials.
func softmax(row []float64) float64 {
	top := slices.Max(row)
	sum := 0.0
	for k, v := range row {
		row[k] = math.Exp(v - top)
		sum += row[k]
	}
	for k := range row {
		row[k] /= sum
	}
	return top + math.Log(sum)
}

// standardise notes mean and inverse standard deviation of each feature.
func (c *Classifier) standardise(features [][]float32) {
	width := len(features[0])
	c.mean, c.scale = make([]float64, width), make([]float64, width)
	column := make([]float64, len(features))
	for d := range width {
		for i, f := range features {
			column[i] = float64(f[d])
		}
		mean, sd := stat.PopMeanStdDev(column, nil)
		c.mean[d] = mean
		if sd > 1e-7*(1+math.Abs(mean)) {
			c.scale[d] = 1 / sd
		}
	}
}

// design is the standardised features with a last column of ones, [n, D+1].
func (c *Classifier) design(features [][]float32) *mat.Dense {
	width := len(c.mean)
	x := mat.NewDense(len(features), width+1, nil)
	for i, f := range features {
		row := x.RawRowView(i)
		for d := range width {
			row[d] = (float64(f[d]) - c.mean[d]) * c.scale[d]
		}
		row[width] = 1
	}
	return x
}

// Predict is the class of each feature vector; ties go to the first.
func (c *Classifier) Predict(features [][]float32) []int {
	if len(features) == 0 {
		return nil
	}
	var scores mat.Dense
	scores.Mul(c.design(features), c.weights)
	classes := make([]int, len(features))
	for i := range classes {
		row := scores.RawRowView(i)
		for k := range row {
			if row[k] > row[classes[i]] {
				classes[i] = k
			}
		}
	}
	return classes
}

// Correct is how many of the samples are classified right.
func (c *Classifier) Correct(s Samples) int {
	n := 0
	for i, class := range c.Predict(s.Features) {
		if class == s.Labels[i] {
			n++
		}
	}
	return n
}
