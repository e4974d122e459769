package deploy

import (
	"errors"
	"fmt"
	"iter"
	"math"
)

// Tolerance is how far a probability may lie from the training engine's. An image may change its class only where the
// training engine's two best probabilities are closer than that.
const Tolerance = 1e-4

// Sample is one image and what the training engine answered for it.
type Sample struct {
	Name          string    // the file, for messages
	Image         []float32 // preprocessed, [channels, height, width]
	Probabilities []float32 // of each class
}

// Report sums up a verification.
type Report struct {
	Images        int     `json:"images"`
	MaxDifference float64 `json:"max_difference"` // the largest difference of a probability
	ClassChanges  int     `json:"class_changes"`  // images whose class differs, all within the tolerance
}

// Verify runs every sample through the exported file on the given number of threads and compares with the training
// engine's answers. The error names the first image whose probabilities differ by more than Tolerance, or whose class
// differs where the training engine's margin is Tolerance or more; the report covers the images up to it.
func Verify(path string, threads int, samples iter.Seq2[Sample, error]) (report Report, err error) {
	student, err := Open(path, threads)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, student.Close()) }()
	var batch []Sample
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		var images []float32
		for _, s := range batch {
			images = append(images, s.Image...)
		}
		probabilities, err := student.Predict(images)
		if err != nil {
			return err
		}
		for i, s := range batch {
			if err := report.compare(s, probabilities[i], student.Classes); err != nil {
				return fmt.Errorf("%s does not answer as its training did: %w; keep the weights, do not deploy the file", path, err)
			}
		}
		batch = batch[:0]
		return nil
	}
	for sample, err := range samples {
		if err != nil {
			return report, fmt.Errorf("verify %s: %w", path, err)
		}
		if len(sample.Image) != student.Preprocess.Len() || len(sample.Probabilities) != len(student.Classes) {
			return report, fmt.Errorf("verify %s: image %s has %d values and %d probabilities, the student takes %d and gives %d",
				path, sample.Name, len(sample.Image), len(sample.Probabilities), student.Preprocess.Len(), len(student.Classes))
		}
		if batch = append(batch, sample); len(batch) == batchLimit {
			if err := flush(); err != nil {
				return report, err
			}
		}
	}
	if err := flush(); err != nil {
		return report, err
	}
	if report.Images == 0 {
		return report, fmt.Errorf("verify %s: no image to compare", path)
	}
	return report, nil
}

// compare adds one image to the report.
func (r *Report) compare(s Sample, got []float32, classes []string) error {
	r.Images++
	for i := range got {
		difference := math.Abs(float64(got[i]) - float64(s.Probabilities[i]))
		if difference > r.MaxDifference || math.IsNaN(difference) {
			r.MaxDifference = difference
		}
		if !(difference <= Tolerance) {
			return fmt.Errorf("%s: probability of %q is %g, in training it was %g", s.Name, classes[i], got[i], s.Probabilities[i])
		}
	}
	before, margin := best(s.Probabilities)
	now, _ := best(got)
	if before == now {
		return nil
	}
	if margin >= Tolerance {
		return fmt.Errorf("%s: class is %q, in training it was %q with a margin of %g", s.Name, classes[now], classes[before], margin)
	}
	r.ClassChanges++
	return nil
}

// best returns the first class of the highest probability, and how far the next lies below it.
func best(probabilities []float32) (class int, margin float64) {
	margin = math.Inf(1)
	for i, p := range probabilities {
		if p > probabilities[class] {
			class = i
		}
	}
	for i, p := range probabilities {
		if i != class {
			margin = min(margin, float64(probabilities[class])-float64(p))
		}
	}
	return class, margin
}
