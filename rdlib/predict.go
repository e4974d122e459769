package rdlib

import (
	"errors"

	"rd/rdlib/dataset"
	"rd/rdlib/deploy"
	"rd/rdlib/train"
)

// Prediction is what an exported student says of one image file.
type Prediction struct {
	File          string             `json:"file"`
	Class         string             `json:"class"`
	Probabilities map[string]float32 `json:"probabilities"`
}

// Predict classifies image files with an exported student, preprocessing them as its metadata says. Files that cannot be
// used do not keep the others from being classified: the error then names each of them.
func Predict(student string, files []string, threads int) ([]Prediction, error) {
	s, err := deploy.Open(student, threads)
	if err != nil {
		return nil, &InputError{err}
	}
	defer s.Close()
	var images []float32
	var readable []string
	var bad []error
	for _, file := range files {
		img, err := dataset.Decode(file, dataset.DecodeLimits{})
		if err != nil {
			bad = append(bad, err)
			continue
		}
		image := make([]float32, s.Preprocess.Len())
		s.Preprocess.Tensor(img, false, image)
		images, readable = append(images, image...), append(readable, file)
	}
	var failed error
	if len(bad) > 0 {
		failed = &InputError{errors.Join(bad...)}
	}
	if len(readable) == 0 {
		return nil, failed
	}
	rows, err := s.Predict(images)
	if err != nil {
		return nil, err
	}
	predictions := make([]Prediction, len(readable))
	for i, row := range rows {
		p := Prediction{File: readable[i], Class: s.Classes[train.ArgMax(row)], Probabilities: map[string]float32{}}
		for k, probability := range row {
			p.Probabilities[s.Classes[k]] = probability
		}
		predictions[i] = p
	}
	return predictions, failed
}
