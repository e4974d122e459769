package stat

import "testing"

func TestMedian(t *testing.T) {
	values := []float64{9, 1, 4}
	if got := Median(values); got != 4 || values[0] != 9 {
		t.Errorf("of an odd number: %v, of %v", got, values)
	}
	if got := Median([]float64{7, 1, 4, 2}); got != 3 {
		t.Errorf("of an even number: %v", got)
	}
}
