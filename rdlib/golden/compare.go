package golden

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// Tolerances of the largest difference, relative to the larger of 1 and the tensor's largest magnitude.
const (
	Float64Tolerance = 1e-6
	Float32Tolerance = 1e-4
)

// Near fails the test unless got has want's shape and values, to the tolerance times the larger of 1 and want's largest
// magnitude.
func Near(t testing.TB, what string, got, want Array, tolerance float64) {
	t.Helper()
	if !slices.Equal(got.Shape, want.Shape) {
		t.Errorf("%s has shape %v, want %v", what, got.Shape, want.Shape)
		return
	}
	NearPart(t, what, got.Data, want.Data, Largest(want.Data), tolerance)
}

// NearPart is Near for some values of a tensor whose largest magnitude is given, or for values taken from it such as
// its mean.
func NearPart(t testing.TB, what string, got, want []float64, largest, tolerance float64) {
	t.Helper()
	if err := differ(got, want, tolerance*max(1, largest)); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// Largest returns the largest magnitude among the values; 0 when there are none.
func Largest(values []float64) float64 {
	largest := 0.0
	for _, v := range values {
		largest = max(largest, math.Abs(v))
	}
	return largest
}

// differ returns an error about the worst difference when it is larger than allowed. A value that is infinite or not
// a number is like no value, not even itself.
func differ(got, want []float64, allowed float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d values, want %d", len(got), len(want))
	}
	if math.IsNaN(allowed) || math.IsInf(allowed, 0) {
		return fmt.Errorf("a tolerance of %g, because not every value of the tensor is finite", allowed)
	}
	worst, at := 0.0, 0
	for i := range want {
		switch d := math.Abs(got[i] - want[i]); {
		case math.IsNaN(d) || math.IsInf(d, 0):
			return fmt.Errorf("value %d is %.9g, want %.9g", i, got[i], want[i])
		case d > worst:
			worst, at = d, i
		}
	}
	if worst > allowed {
		return fmt.Errorf("value %d of %d is %.9g, want %.9g: they differ by %.2g, allowed are %.2g", at, len(want), got[at], want[at], worst, allowed)
	}
	return nil
}
