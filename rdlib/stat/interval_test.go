package stat

import (
	"math"
	"testing"
)

func TestMeanInterval(t *testing.T) {
	// t(0.975; 4) = 2.776445, s = √2.5: 2.776445·1.581139/√5.
	if mean, half := MeanInterval([]float64{1, 2, 3, 4, 5}); mean != 3 || math.Abs(half-1.963243) > 1e-5 {
		t.Errorf("%v ± %v", mean, half)
	}
	if mean, half := MeanInterval([]float64{7}); mean != 7 || !math.IsNaN(half) {
		t.Errorf("of one value: %v ± %v", mean, half)
	}
	if mean, half := MeanInterval(nil); !math.IsNaN(mean) || !math.IsNaN(half) {
		t.Errorf("of none: %v ± %v", mean, half)
	}
}
