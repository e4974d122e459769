package stat

import (
	"math"
	"testing"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6 }

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

// The interval leaves out 0 just where the test is significant.
func TestPairedTAgreesWithTheInterval(t *testing.T) {
	for shift := -3.0; shift <= 3; shift += 0.05 {
		d := []float64{shift + 1, shift - 1, shift + 0.5, shift}
		mean, half := MeanInterval(d)
		if statistic, p := PairedT(d); (math.Abs(mean) > half) != (p < 0.05) || statistic*mean < 0 {
			t.Errorf("shift %v: %v ± %v, t %v, p %v", shift, mean, half, statistic, p)
		}
	}
	for _, d := range [][]float64{nil, {1}, {0, 0}} {
		if statistic, p := PairedT(d); !math.IsNaN(statistic) || !math.IsNaN(p) {
			t.Errorf("%v: t %v, p %v", d, statistic, p)
		}
	}
	if statistic, p := PairedT([]float64{2, 2}); !math.IsInf(statistic, 1) || p != 0 {
		t.Errorf("equal differences: t %v, p %v", statistic, p)
	}
}

func TestProportions(t *testing.T) {
	for n := 1; n <= 40; n++ {
		for k := 0; k <= n; k++ {
			low, high, err := Wilson(k, n)
			exactLow, exactHigh, exactErr := ClopperPearson(k, n)
			mirrorLow, mirrorHigh, _ := Wilson(n-k, n)
			p := float64(k) / float64(n)
			switch {
			case err != nil || exactErr != nil:
				t.Fatal(err, exactErr)
			case !(0 <= low && low <= p && p <= high && high <= 1):
				t.Errorf("Wilson %d/%d: %v … %v", k, n, low, high)
			case !near(mirrorLow, 1-high) || !near(mirrorHigh, 1-low):
				t.Errorf("Wilson %d/%d is not the mirror image of %d/%d", k, n, n-k, n)
			case !(0 <= exactLow && exactLow <= p && p <= exactHigh && exactHigh <= 1) || exactHigh-exactLow < high-low-1e-9:
				t.Errorf("Clopper-Pearson %d/%d: %v … %v, Wilson %v … %v", k, n, exactLow, exactHigh, low, high)
			}
		}
	}
	for _, c := range [][2]int{{0, 0}, {-1, 3}, {4, 3}, {0, -1}} {
		_, _, err := Wilson(c[0], c[1])
		_, _, exactErr := ClopperPearson(c[0], c[1])
		if err == nil || exactErr == nil {
			t.Errorf("%v is a proportion: %v, %v", c, err, exactErr)
		}
	}
}
