// Package stat holds the statistics that tables and records state.
package stat

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// MeanInterval is the mean of independent values and the half width of its 95 % interval by Student's t,
//
//	t(0.975; n−1) · s/√n,   s the standard deviation with n−1.
//
// The mean of no value, and the half width of fewer than two, are NaN.
func MeanInterval(values []float64) (mean, half float64) {
	n := float64(len(values))
	if n == 0 {
		return math.NaN(), math.NaN()
	}
	mean, sd := stat.MeanStdDev(values, nil)
	if n < 2 {
		return mean, math.NaN()
	}
	return mean, distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.975) * sd / math.Sqrt(n)
}
