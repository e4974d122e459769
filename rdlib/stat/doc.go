// Package stat holds the statistics that tables and records state: metrics of one classifier, intervals, tests of two methods
// on the same images or cells, comparisons of several methods.
//
// What is undefined is NaN, or an error that wraps ErrUndefined where a caller has to say why; input of the wrong shape is an error.
package stat

import (
	"errors"
	"fmt"
	"math"
)

// ErrUndefined is wrapped by errors about a quantity that the data do not define, such as the AUC of a class without
// images.
var ErrUndefined = errors.New("undefined")

// finite refuses values that are infinite or not a number.
func finite(what string, values []float64) error {
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%s %d is %v", what, i+1, v)
		}
	}
	return nil
}
