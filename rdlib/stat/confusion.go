package stat

import (
	"fmt"
	"math"
)

// Confusion counts images: [true class][predicted class].
type Confusion [][]int

// NewConfusion counts labels and predictions of the same images, classes from 0. Lists of different lengths, or a class that
// is none of them, are errors, and so is an empty list.
func NewConfusion(labels, predictions []int, classes int) (Confusion, error) {
	if len(labels) != len(predictions) || len(labels) == 0 {
		return nil, fmt.Errorf("%d labels and %d predictions: there must be one prediction for each of at least one image", len(labels), len(predictions))
	}
	c := make(Confusion, max(0, classes))
	for i := range c {
		c[i] = make([]int, classes)
	}
	for i, label := range labels {
		for _, class := range []int{label, predictions[i]} {
			if class < 0 || class >= classes {
				return nil, fmt.Errorf("image %d: class %d is none of the %d", i+1, class, classes)
			}
		}
		c[label][predictions[i]]++
	}
	return c, nil
}

// total counts all images, those of each true class, and those of each predicted class.
func (c Confusion) total() (all int, labelled, predicted []int) {
	labelled, predicted = make([]int, len(c)), make([]int, len(c))
	for i, row := range c {
		for j, n := range row {
			all += n
			labelled[i] += n
			predicted[j] += n
		}
	}
	return all, labelled, predicted
}

// Accuracy is the share of images that are named right.
func (c Confusion) Accuracy() float64 {
	right := 0
	for i := range c {
		right += c[i][i]
	}
	all, _, _ := c.total()
	return float64(right) / float64(all)
}

// Recall is for each class the share of its images that are named right; NaN for a class without images.
func (c Confusion) Recall() []float64 {
	_, labelled, _ := c.total()
	recall := make([]float64, len(c))
	for i := range c {
		recall[i] = float64(c[i][i]) / float64(labelled[i])
	}
	return recall
}

// Precision is for each class the share of the images named so that are of it; 0 for a class that is never named.
func (c Confusion) Precision() []float64 {
	_, _, predicted := c.total()
	precision := make([]float64, len(c))
	for i := range c {
		precision[i] = float64(c[i][i]) / float64(max(1, predicted[i]))
	}
	return precision
}

// F1 is for each class the harmonic mean of precision and recall, 2·TP/(2·TP + FP + FN); NaN for a class that is neither
// among the labels nor among the predictions.
func (c Confusion) F1() []float64 {
	_, labelled, predicted := c.total()
	f1 := make([]float64, len(c))
	for i := range c {
		f1[i] = 2 * float64(c[i][i]) / float64(labelled[i]+predicted[i])
	}
	return f1
}

// BalancedAccuracy is the mean recall of the classes that have images.
func (c Confusion) BalancedAccuracy() float64 { return meanDefined(c.Recall()) }

// MacroF1 is the mean F1 of the classes that are among labels or predictions, each counting the same.
func (c Confusion) MacroF1() float64 { return meanDefined(c.F1()) }

// WeightedF1 is the mean F1 of the classes, weighted by their images.
func (c Confusion) WeightedF1() float64 {
	all, labelled, _ := c.total()
	sum := 0.0
	for i, f := range c.F1() {
		if labelled[i] > 0 {
			sum += f * float64(labelled[i]) / float64(all)
		}
	}
	return sum
}

func meanDefined(values []float64) float64 {
	sum, n := 0.0, 0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	return sum / float64(n)
}

// Kappa is Cohen's, the agreement beyond chance (Cohen, 1960): 1 − (1−p_o)/(1−p_e), p_o the accuracy, p_e that of independent
// labels and predictions with the same totals. It is NaN where only one class occurs in both.
func (c Confusion) Kappa() float64 {
	return c.kappa(func(i, j int) float64 {
		if i == j {
			return 0
		}
		return 1
	})
}

// QuadraticKappa is Kappa for ordered classes, with (i−j)² as the weight of a disagreement (Cohen, 1968).
func (c Confusion) QuadraticKappa() float64 {
	return c.kappa(func(i, j int) float64 { return float64((i - j) * (i - j)) })
}

func (c Confusion) kappa(weight func(i, j int) float64) float64 {
	all, labelled, predicted := c.total()
	seen, chance := 0.0, 0.0
	for i, row := range c {
		for j, n := range row {
			seen += weight(i, j) * float64(n)
			chance += weight(i, j) * float64(labelled[i]) * float64(predicted[j]) / float64(all)
		}
	}
	return 1 - seen/chance
}

// MCC is Matthews' correlation coefficient for several classes (Gorodkin, 2004):
//
//	(s·r − Σ_k t_k·p_k) / √((s² − Σ p_k²)(s² − Σ t_k²)),
//
// s images, r of them right, t_k of class k, p_k named so. It is 0 where labels or predictions are all of one class.
func (c Confusion) MCC() float64 {
	all, labelled, predicted := c.total()
	s := float64(all)
	product, labels, predictions := 0.0, 0.0, 0.0
	for k := range c {
		t, p := float64(labelled[k]), float64(predicted[k])
		product += t * p
		labels += t * t
		predictions += p * p
	}
	below := (s*s - predictions) * (s*s - labels)
	if below == 0 {
		return 0
	}
	return (s*s*c.Accuracy() - product) / math.Sqrt(below)
}
