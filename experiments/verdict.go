package experiments

import (
	"fmt"
	"math"

	"rd/rdlib/stat"
)

// significance is the level of every test whose outcome is printed.
const significance = 0.05

// withinNoise is what is printed of a difference that a test does not tell from none.
const withinNoise = "within noise"

// verdict is what is printed of a difference whose test has a p-value: that, or that it is within noise.
func verdict(p float64) string {
	switch {
	case p >= significance:
		return withinNoise
	case p < 0.001:
		return "p < 0.001"
	}
	return fmt.Sprintf("p = %.3f", p)
}

// overSeeds is the p-value of Student's t-test of differences at equal seeds, and their verdict. Where there is no test of them, the p-value is
// NaN and the verdict says why; it is "" of none.
func overSeeds(differences []float64) (p float64, said string) {
	mean, half := stat.MeanInterval(differences)
	switch {
	case len(differences) == 0:
		return math.NaN(), ""
	case len(differences) == 1:
		return math.NaN(), "one seed"
	case half > 1e-9: // per cent
		_, p = stat.PairedT(differences)
		return p, verdict(p)
	case math.Abs(mean) < 1e-9:
		return 1, verdict(1)
	}
	return math.NaN(), notTested + " (no spread)" // which the test would take for certainty
}
