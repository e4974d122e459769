package stat

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/stat/distuv"
)

// AverageRanks is the mean rank of each method over cells: scores[cell][method], rank 1 for the largest score of a cell, equal
// scores share their mean rank (Demšar, JMLR 7, 2006). It is an error unless all cells have the same methods, at least two, and every
// score is finite: a cell that lacks a method has to be left out by the caller.
func AverageRanks(scores [][]float64) ([]float64, error) {
	ranks, err := ranksOf(scores)
	if err != nil {
		return nil, err
	}
	mean := make([]float64, len(scores[0]))
	for _, row := range ranks {
		for k, rank := range row {
			mean[k] += rank / float64(len(scores))
		}
	}
	return mean, nil
}

// ranksOf ranks the methods of each cell.
func ranksOf(scores [][]float64) ([][]float64, error) {
	if len(scores) == 0 || len(scores[0]) < 2 {
		return nil, errors.New("ranks take at least one cell and two methods")
	}
	var ranks [][]float64
	for i, row := range scores {
		if len(row) != len(scores[0]) {
			return nil, fmt.Errorf("cell %d has %d methods, the first has %d", i+1, len(row), len(scores[0]))
		}
		if err := finite(fmt.Sprintf("cell %d: method", i+1), row); err != nil {
			return nil, err
		}
		negative := make([]float64, len(row)) // the largest comes first
		for k, v := range row {
			negative[k] = -v
		}
		ranks = append(ranks, midranks(negative, noise(row)))
	}
	return ranks, nil
}

// Friedman is the χ² of Friedman's test and its p-value, for the hypothesis that all methods rank alike over cells
// (Friedman, JASA 32, 1937; with ties: Conover, Practical Nonparametric Statistics, 5.8):
//
//	χ² = (k−1)·Σ_j (R_j − N(k+1)/2)² / Σ_ij (r_ij − (k+1)/2)²   with k−1 degrees of freedom,
//
// r_ij the rank of method j in cell i, R_j its sum over N cells. Scores are as in AverageRanks. Where all scores of every
// cell are equal, χ² is 0. Without a small p-value the differences of average ranks mean nothing.
func Friedman(scores [][]float64) (chi2, p float64, err error) {
	ranks, err := ranksOf(scores)
	if err != nil {
		return 0, 0, err
	}
	k := len(scores[0])
	middle := float64(k+1) / 2
	sums, within := make([]float64, k), 0.0
	for _, row := range ranks {
		for j, rank := range row {
			sums[j] += rank - middle
			within += (rank - middle) * (rank - middle)
		}
	}
	if within == 0 {
		return 0, 1, nil
	}
	for _, sum := range sums {
		chi2 += float64(k-1) * sum * sum / within
	}
	return chi2, distuv.ChiSquared{K: float64(k - 1)}.Survival(chi2), nil
}

// Nemenyi is the critical difference of average ranks: two of k methods whose average ranks over N cells differ by less are
// not told apart at level alpha (Nemenyi, 1963; Demšar, JMLR 7, 2006):
//
//	q/√2 · √(k(k+1)/(6N)),   q the 1−alpha quantile of the studentised range of k normal values.
//
// It is an error unless k ≥ 2, N ≥ 1 and 0 < alpha < 1.
func Nemenyi(methods, cells int, alpha float64) (float64, error) {
	if methods < 2 || cells < 1 || !(alpha > 0 && alpha < 1) {
		return 0, fmt.Errorf("no critical difference of %d methods over %d cells at level %v", methods, cells, alpha)
	}
	low, high := 0.0, 1.0
	for high < 64 && rangeBelow(high, methods) < 1-alpha {
		high *= 2
	}
	for range 60 {
		if middle := (low + high) / 2; rangeBelow(middle, methods) < 1-alpha {
			low = middle
		} else {
			high = middle
		}
	}
	k := float64(methods)
	return high / math.Sqrt2 * math.Sqrt(k*(k+1)/(6*float64(cells))), nil
}

// rangeBelow is the probability that the range of k independent standard normal values is at most q,
//
//	k·∫ φ(z)·(Φ(z) − Φ(z−q))^(k−1) dz,
//
// z being the largest of them.
func rangeBelow(q float64, k int) float64 {
	normal := distuv.UnitNormal
	return float64(k) * quad.Fixed(func(z float64) float64 {
		return normal.Prob(z) * math.Pow(normal.CDF(z)-normal.CDF(z-q), float64(k-1))
	}, -9, 9, 200, quad.Legendre{}, 0)
}
