package stat

import (
	"fmt"
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

// PairedT is Student's t of paired differences and its two-sided p-value, for the hypothesis that their mean is 0:
//
//	t = mean / (s/√n)   with n−1 degrees of freedom.
//
// The p-value is below 0.05 where MeanInterval's interval leaves out 0. Both are NaN for fewer than two differences, and where all are
// 0; equal ones that are not 0 give an infinite t.
func PairedT(differences []float64) (t, p float64) {
	n := float64(len(differences))
	if n < 2 {
		return math.NaN(), math.NaN()
	}
	mean, sd := stat.MeanStdDev(differences, nil)
	t = mean / (sd / math.Sqrt(n))
	if math.IsInf(t, 0) {
		return t, 0
	}
	return t, 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Survival(math.Abs(t))
}

// z95 is the 97.5 % quantile of the normal distribution.
var z95 = distuv.UnitNormal.Quantile(0.975)

// Wilson is the 95 % score interval of a proportion of which k of n were seen, without continuity correction
// (Wilson, JASA 22, 1927):
//
//	(p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n),   p = k/n,  z = 1.96.
//
// It suits one accuracy on n test images: it stays within [0, 1] and has a width at 0 and 1 too. It is an error unless
// 0 ≤ k ≤ n and n ≥ 1.
func Wilson(k, n int) (low, high float64, err error) {
	if err := proportion(k, n); err != nil {
		return 0, 0, err
	}
	size := float64(n)
	p, z2 := float64(k)/size, z95*z95
	middle := p + z2/(2*size)
	half := z95 * math.Sqrt(p*(1-p)/size+z2/(4*size*size))
	low, high = (middle-half)/(1+z2/size), (middle+half)/(1+z2/size)
	if k == 0 {
		low = 0 // exactly, which rounding may miss
	}
	if k == n {
		high = 1
	}
	return low, high, nil
}

// ClopperPearson is the exact 95 % interval of a proportion of which k of n were seen (Clopper and Pearson, Biometrika 26, 1934):
// the quantiles 0.025 of Beta(k, n−k+1) and 0.975 of Beta(k+1, n−k). It covers at least as often as it says, so that it is wider than
// Wilson's. It is an error unless 0 ≤ k ≤ n and n ≥ 1.
func ClopperPearson(k, n int) (low, high float64, err error) {
	if err := proportion(k, n); err != nil {
		return 0, 0, err
	}
	hits, misses := float64(k), float64(n-k)
	low, high = 0, 1
	if k > 0 {
		low = distuv.Beta{Alpha: hits, Beta: misses + 1}.Quantile(0.025)
	}
	if k < n {
		high = distuv.Beta{Alpha: hits + 1, Beta: misses}.Quantile(0.975)
	}
	return low, high, nil
}

func proportion(k, n int) error {
	if n < 1 || k < 0 || k > n {
		return fmt.Errorf("%d of %d is no proportion", k, n)
	}
	return nil
}
