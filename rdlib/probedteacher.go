package rdlib

import (
	"context"
	"image"

	"rd/rdlib/boundary"
	"rd/rdlib/dataset"
	"rd/rdlib/foundation"
	"rd/rdlib/probe"
)

// probedTeacher is a frozen foundation model with a linear classifier on its pooled feature.
type probedTeacher struct {
	teacher    *foundation.Teacher
	classifier *probe.Classifier
}

// probeTeacher opens a foundation model and fits the classifier to the images of a data set that are not in its test part. A
// fifth of them chooses the penalty. Close the teacher after use.
func probeTeacher(ctx context.Context, path string, d *dataset.Dataset, threads int) (*probedTeacher, error) {
	t, err := foundation.Open(path, foundation.Options{Threads: threads})
	if err != nil {
		return nil, asInput(err)
	}
	p := &probedTeacher{teacher: t}
	if err := p.fit(ctx, d); err != nil {
		t.Close()
		return nil, asInput(err)
	}
	return p, nil
}

func (p *probedTeacher) fit(ctx context.Context, d *dataset.Dataset) error {
	var train, validation probe.Samples
	k := 0
	for i, item := range d.Items {
		if item.Split != dataset.Train && item.Split != dataset.Val {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		img, err := d.Image(i)
		if err != nil {
			return err
		}
		features, err := p.features(p.tensor(img))
		if err != nil {
			return err
		}
		samples := &train
		if k%5 == 4 { // items stand class by class: every fifth is a fifth of each class
			samples = &validation
		}
		k++
		samples.Features, samples.Labels = append(samples.Features, features...), append(samples.Labels, item.Label)
	}
	var err error
	p.classifier, _, err = probe.Select(train, validation, len(d.Classes))
	return err
}

// tensor is an image as the teacher takes it; of a grey one, whose three channels are the same, as many as it has.
func (p *probedTeacher) tensor(img image.Image) []float32 {
	info := p.teacher.Info()
	values := make([]float32, info.Preprocess.Len())
	info.Preprocess.Tensor(img, false, values)
	return values[:info.Channels*info.Height*info.Width]
}

// features are the pooled features of images, each as tensor makes it.
func (p *probedTeacher) features(images []float32) ([][]float32, error) {
	info := p.teacher.Info()
	n := len(images) / (info.Channels * info.Height * info.Width)
	all, err := p.teacher.Features(images, n)
	if err != nil {
		return nil, err
	}
	pooled := all[foundation.Pooled].Data
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = pooled[i*len(pooled)/n : (i+1)*len(pooled)/n]
	}
	return rows, nil
}

func (p *probedTeacher) model() boundary.Model {
	return boundary.Model{
		Name: p.teacher.Info().Name + ", linear probe", Tensor: p.tensor,
		Classify: func(images []float32) ([]int, error) {
			features, err := p.features(images)
			if err != nil {
				return nil, err
			}
			return p.classifier.Predict(features), nil
		},
	}
}
