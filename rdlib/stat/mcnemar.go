package stat

import (
	"errors"
	"fmt"

	"gonum.org/v1/gonum/stat/distuv"
)

// Discordant counts the images that only one of two classifiers names right. All three lists have one entry for each of the same
// test images, in the same order: the label and the classes that the two predict. Other lengths are an error.
func Discordant(labels, first, second []int) (onlyFirst, onlySecond int, err error) {
	if len(first) != len(labels) || len(second) != len(labels) {
		return 0, 0, fmt.Errorf("%d labels, %d and %d predictions: they are not of the same test images", len(labels), len(first), len(second))
	}
	for i, label := range labels {
		switch {
		case first[i] == label && second[i] != label:
			onlyFirst++
		case first[i] != label && second[i] == label:
			onlySecond++
		}
	}
	return onlyFirst, onlySecond, nil
}

// McNemar is the exact two-sided p-value for the hypothesis that two classifiers are right equally often, of Discordant's
// counts b and c (McNemar, Psychometrika 12, 1947, with the binomial distribution in the place of χ²):
//
//	min(1, 2·P(X ≤ min(b, c))),   X ~ Binomial(b+c, ½).
//
// Without discordant images it is 1. Negative counts are an error.
func McNemar(b, c int) (float64, error) {
	switch {
	case b < 0 || c < 0:
		return 0, errors.New("a negative number of discordant images")
	case b == c:
		return 1, nil
	}
	return min(1, 2*distuv.Binomial{N: float64(b + c), P: 0.5}.CDF(float64(min(b, c)))), nil
}
