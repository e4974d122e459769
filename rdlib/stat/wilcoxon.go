package stat

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Zeros says what a signed-rank test does with pairs that do not differ.
type Zeros int

const (
	DropZeros Zeros = iota // leaves them out (Wilcoxon)
	RankZeros              // ranks them with the others and then leaves out their ranks (Pratt)
)

// SignedRank is Wilcoxon's signed-rank statistic of paired values.
type SignedRank struct {
	Plus, Minus float64   // sums of the ranks of positive and negative differences
	ranks       []float64 // of the differences that are not 0
}

// Wilcoxon ranks the magnitudes of the differences x−y of paired values, such as two methods' accuracies in the same cells
// (Wilcoxon, Biometrics Bulletin 1, 1945; zeros ranked: Pratt, JASA 54, 1959). Equal magnitudes share their mean rank;
// magnitudes that differ by no more than the rounding of float64 are equal. It is an error when the lists have not the same
// length, are empty, or have a value that is not finite.
func Wilcoxon(x, y []float64, zeros Zeros) (*SignedRank, error) {
	if len(x) != len(y) {
		return nil, fmt.Errorf("%d and %d values cannot be paired", len(x), len(y))
	}
	if len(x) == 0 {
		return nil, errors.New("there are no pairs to rank")
	}
	if err := errors.Join(finite("first value of pair", x), finite("second value of pair", y)); err != nil {
		return nil, err
	}
	tolerance := noise(x, y)
	var sizes []float64
	var positive, nonzero []bool
	for i := range x {
		d := x[i] - y[i]
		zero := math.Abs(d) <= tolerance
		if zero && zeros == DropZeros {
			continue
		}
		sizes, positive, nonzero = append(sizes, math.Abs(d)), append(positive, d > 0), append(nonzero, !zero)
	}
	s := &SignedRank{}
	for i, rank := range midranks(sizes, tolerance) {
		switch {
		case !nonzero[i]:
			continue
		case positive[i]:
			s.Plus += rank
		default:
			s.Minus += rank
		}
		s.ranks = append(s.ranks, rank)
	}
	return s, nil
}

// W is the smaller of the two sums of ranks.
func (s *SignedRank) W() float64 { return min(s.Plus, s.Minus) }

// exactPairs is up to how many pairs the exact distribution is counted out.
const exactPairs = 300

// P is the two-sided p-value for the hypothesis that the differences lie symmetrically around 0: min(1, 2·P(sum ≤ W)) by the exact
// distribution of the sum when every rank's sign is a fair coin, ties included; by Normal, with continuity correction, for more than 300
// differences that are not 0. It is 1 where no pair differs.
func (s *SignedRank) P() float64 {
	if len(s.ranks) > exactPairs {
		return s.Normal(true)
	}
	return min(1, 2*s.below(s.W()))
}

// Greater is the exact one-sided p-value for the alternative that the first values are the larger ones, P(sum ≥ Plus); beyond
// 300 differences it is half of Normal's, or what that leaves to 1.
func (s *SignedRank) Greater() float64 {
	if len(s.ranks) <= exactPairs {
		return s.below(s.Minus) // the distribution is symmetric
	}
	half := s.Normal(true) / 2
	if s.Plus < s.Minus {
		return 1 - half
	}
	return half
}

// below is P(sum ≤ w) over all signs of the ranks. Mean ranks are multiples of ½.
func (s *SignedRank) below(w float64) float64 {
	probability := []float64{1} // of each doubled sum
	for _, rank := range s.ranks {
		doubled := int(math.Round(2 * rank))
		next := make([]float64, len(probability)+doubled)
		for sum, p := range probability {
			next[sum] += p / 2
			next[sum+doubled] += p / 2
		}
		probability = next
	}
	total := 0.0
	for sum := 0; sum < len(probability) && sum <= int(math.Round(2*w)); sum++ {
		total += probability[sum]
	}
	return total
}

// Normal is the two-sided p-value by the normal distribution with the sum's mean Σr/2 and variance Σr²/4, which accounts for
// ties; with a continuity correction W is taken half a rank closer to the mean.
func (s *SignedRank) Normal(correct bool) float64 {
	mean, variance := 0.0, 0.0
	for _, rank := range s.ranks {
		mean += rank / 2
		variance += rank * rank / 4
	}
	distance := mean - s.W()
	if correct {
		distance -= 0.5
	}
	if distance <= 0 {
		return 1
	}
	return 2 * distuv.UnitNormal.Survival(distance/math.Sqrt(variance))
}
