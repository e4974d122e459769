package probe

import "fmt"

// Lambdas are the weight penalties that Select tries, from strong to weak.
var Lambdas = []float64{1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001}

// Select fits a probe for each of Lambdas to the training samples, keeps the penalty that names most validation samples
// right (the stronger of equal ones), and fits training and validation samples together with it. Without validation
// samples it is an error: the test part must not choose.
func Select(train, validation Samples, classes int) (*Classifier, float64, error) {
	if len(validation.Features) == 0 {
		return nil, 0, fmt.Errorf("linear probe: no validation images to choose the weight penalty on")
	}
	best, lambda := -1, 0.0
	var previous *Classifier
	for _, l := range Lambdas {
		c, err := Fit(train, classes, l, previous)
		if err != nil {
			return nil, 0, err
		}
		previous = c
		if n := c.Correct(validation); n > best {
			best, lambda = n, l
		}
	}
	both := Samples{
		Features: append(train.Features[:len(train.Features):len(train.Features)], validation.Features...),
		Labels:   append(train.Labels[:len(train.Labels):len(train.Labels)], validation.Labels...),
	}
	c, err := Fit(both, classes, lambda, nil)
	return c, lambda, err
}
