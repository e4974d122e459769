package stat

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// float is the type of a probability, in records or elsewhere.
type float interface{ float32 | float64 }

// checkProbabilities refuses probabilities [image][class] that do not fit the labels, or are none.
func checkProbabilities[F float](labels []int, probabilities [][]F) (classes int, err error) {
	if len(labels) != len(probabilities) || len(labels) == 0 {
		return 0, fmt.Errorf("%d labels and probabilities of %d images: there must be both of at least one image", len(labels), len(probabilities))
	}
	classes = len(probabilities[0])
	for i, row := range probabilities {
		if len(row) != classes {
			return 0, fmt.Errorf("image %d has %d probabilities, the first has %d", i+1, len(row), classes)
		}
		if labels[i] < 0 || labels[i] >= classes {
			return 0, fmt.Errorf("image %d: class %d is none of the %d", i+1, labels[i], classes)
		}
		for _, p := range row {
			if !(p >= 0 && p <= 1) {
				return 0, fmt.Errorf("image %d has the probability %v", i+1, p)
			}
		}
	}
	return classes, nil
}

// AUC is for each class the area under the ROC curve of that class against all others, and their unweighted mean. The area is
// the probability that an image of the class gets a larger probability of it than another image, ties counting ½
// (Hanley and McNeil, Radiology 143, 1982), by the sum R of the ranks of the class's m images among all N:
//
//	(R − m(m+1)/2) / (m(N−m)).
//
// probabilities are [image][class]. The area of a class that has no images, or all of them, is NaN, and so is then the mean; the error says
// which classes they are, and wraps ErrUndefined. Any other error is about the input.
func AUC[F float](labels []int, probabilities [][]F) (perClass []float64, macro float64, err error) {
	classes, err := checkProbabilities(labels, probabilities)
	if err != nil {
		return nil, math.NaN(), err
	}
	var undefined []string
	column := make([]float64, len(labels))
	for class := range classes {
		for i, row := range probabilities {
			column[i] = float64(row[class])
		}
		m, sum := 0.0, 0.0
		for i, rank := range midranks(column, 0) {
			if labels[i] == class {
				m++
				sum += rank
			}
		}
		others := float64(len(labels)) - m
		area := math.NaN()
		switch {
		case m == 0:
			undefined = append(undefined, fmt.Sprintf("class %d has no test images", class))
		case others == 0:
			undefined = append(undefined, fmt.Sprintf("class %d has all test images", class))
		default:
			area = (sum - m*(m+1)/2) / (m * others)
		}
		perClass = append(perClass, area)
		macro += area / float64(classes)
	}
	if len(undefined) > 0 {
		err = fmt.Errorf("AUC is %w: %s", ErrUndefined, strings.Join(undefined, ", "))
	}
	return perClass, macro, err
}

// CalibrationError is the expected calibration error (Naeini et al., AAAI 2015; Guo et al., ICML 2017): images are put into equal bins
// (lower, upper] of their largest probability, and
//
//	Σ_bin n_bin/N · |accuracy of the bin − mean largest probability of the bin|.
//
// probabilities are [image][class]; of equal largest ones the first is the prediction. bins is at least 1; 15 is usual.
func CalibrationError[F float](labels []int, probabilities [][]F, bins int) (float64, error) {
	if _, err := checkProbabilities(labels, probabilities); err != nil {
		return math.NaN(), err
	}
	if bins < 1 {
		return math.NaN(), fmt.Errorf("%d bins", bins)
	}
	excess := make([]float64, bins) // hits less confidence
	for i, row := range probabilities {
		largest := slices.Max(row)
		bin := max(1, int(math.Ceil(float64(largest)*float64(bins)))) - 1
		excess[bin] -= float64(largest)
		if slices.Index(row, largest) == labels[i] {
			excess[bin]++
		}
	}
	sum := 0.0
	for _, e := range excess {
		sum += math.Abs(e) / float64(len(labels))
	}
	return sum, nil
}

// LogLoss is the mean of −log of the probability that the label gets, in nats; +Inf where one gets none.
func LogLoss[F float](labels []int, probabilities [][]F) (float64, error) {
	if _, err := checkProbabilities(labels, probabilities); err != nil {
		return math.NaN(), err
	}
	sum := 0.0
	for i, row := range probabilities {
		sum -= math.Log(float64(row[labels[i]]))
	}
	return sum / float64(len(labels)), nil
}
