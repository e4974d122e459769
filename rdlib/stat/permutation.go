package stat

import (
	"errors"
	"math"
	"math/rand/v2"
)

const (
	exactFlips  = 20    // up to how many differences all signs are tried
	randomFlips = 99999 // else: how many random choices of signs
)

// Permutation is the two-sided p-value of the paired permutation test on a mean difference (Fisher, The Design of Experiments, 1935):
// how often a mean as far from 0 arises when every difference's sign is a fair coin. Up to 20 differences all choices of signs are
// counted; beyond, 99999 random ones, drawn from the seed, with p = (hits+1)/(draws+1) so that it is never 0 (Phipson and Smyth, SAGMB 9,
// 2010). It is an error when there are no differences or one is not finite.
//
// The differences are taken to be independent. Cells that share test images are not: over them the p-value is a description.
func Permutation(differences []float64, seed uint64) (float64, error) {
	if len(differences) == 0 {
		return 0, errors.New("there are no differences to permute")
	}
	if err := finite("difference", differences); err != nil {
		return 0, err
	}
	sum, all := 0.0, 0.0
	for _, d := range differences {
		sum += d
		all += math.Abs(d)
	}
	least := math.Abs(sum) - 1e-12*all // as far from 0, but for rounding
	if len(differences) <= exactFlips {
		choices := float64(uint64(1) << (len(differences) - 1)) // the first sign is kept: the others' mirror image is as far from 0
		return float64(farSums(differences[1:], differences[0], least)) / choices, nil
	}
	random := rand.New(rand.NewPCG(seed, uint64(len(differences))))
	hits := 0
	for range randomFlips {
		flipped := 0.0
		for _, d := range differences {
			if random.Uint64()&1 == 0 {
				d = -d
			}
			flipped += d
		}
		if math.Abs(flipped) >= least {
			hits++
		}
	}
	return float64(hits+1) / (randomFlips + 1), nil
}

// farSums counts the choices of signs for which the sum is at least so far from 0.
func farSums(differences []float64, sum, least float64) int {
	if len(differences) == 0 {
		if math.Abs(sum) >= least {
			return 1
		}
		return 0
	}
	return farSums(differences[1:], sum+differences[0], least) + farSums(differences[1:], sum-differences[0], least)
}
