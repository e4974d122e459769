package rdlib

import (
	"rd/rdlib/dataset"
	"rd/rdlib/deploy"
)

// Prediction is what an exported student says of one image file.
type Prediction struct {
	File          string             `json:"file"`
	Class         string             `json:"class"`
	Probabilities map[string]float32 `json:"probabilities"`
}

// Predict classifies image files with an exported student, preprocessing them as its metadata says.
func Predict(student string, files []string, threads int) ([]Prediction, error) {
	s, err := deploy.Open(student, threads)
	if err != nil {
		return nil, &InputError{err}
	}
	defer s.Close()
	size := s.Preprocess.Len()
	images := make([]float32, len(files)*size)
	for i, file := range files {
		img, err := dataset.Decode(file, dataset.DecodeLimits{})
		if err != nil {
			return nil, &InputError{err}
		}
		s.Preprocess.Tensor(img, false, images[i*size:(i+1)*size])
	}
	rows, err := s.Predict(images)
	if err != nil {
		return nil, err
	}
	predictions := make([]Prediction, len(files))
	for i, row := range rows {
		p := Prediction{File: files[i], Probabilities: map[string]float32{}}
		best := 0
		for k, probability := range row {
			p.Probabilities[s.Classes[k]] = probability
			if probability > row[best] {
				best = k
			}
		}
		p.Class = s.Classes[best]
		predictions[i] = p
	}
	return predictions, nil
}
