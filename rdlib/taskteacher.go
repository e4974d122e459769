package rdlib

import (
	"context"
	"fmt"
	"image"
	"slices"

	"rd/rdlib/boundary"
	"rd/rdlib/dataset"
	"rd/rdlib/foundation"
	"rd/rdlib/probe"
)

// taskTeacher is a foundation model as a classifier of a data set's images: one that was adapted to it by its logits, a frozen
// one by a linear classifier on its pooled feature.
type taskTeacher struct {
	teacher    *foundation.Teacher
	classifier *probe.Classifier // nil: the logits tell
}

// openTaskTeacher opens a foundation model. For one without logits a classifier is fitted to the images of the data set that
// are not in its test part; a fifth of them chooses the penalty. Close the teacher after use.
func openTaskTeacher(ctx context.Context, path string, d *dataset.Dataset, threads int) (*taskTeacher, error) {
	t, err := foundation.Open(path, foundation.Options{Threads: threads})
	if err != nil {
		return nil, asInput(err)
	}
	p := &taskTeacher{teacher: t}
	if info := t.Info(); info.SideCar != nil && info.SideCar.Outputs.Logits != "" {
		if classes := info.SideCar.Classes; !slices.Equal(classes, d.Classes) {
			err = fmt.Errorf("%s was adapted to the classes %q, and the images are of %q", path, classes, d.Classes)
		}
	} else {
		err = p.fit(ctx, d)
	}
	if err != nil {
		t.Close()
		return nil, asInput(err)
	}
	return p, nil
}

func (p *taskTeacher) fit(ctx context.Context, d *dataset.Dataset) error {
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
		features, err := p.outputs(p.tensor(img), foundation.Pooled)
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
func (p *taskTeacher) tensor(img image.Image) []float32 {
	info := p.teacher.Info()
	values := make([]float32, info.Preprocess.Len())
	info.Preprocess.Tensor(img, false, values)
	return values[:info.Channels*info.Height*info.Width]
}

// outputs are those of a name, [images][values], of images that tensor made.
func (p *taskTeacher) outputs(images []float32, name string) ([][]float32, error) {
	info := p.teacher.Info()
	n := len(images) / (info.Channels * info.Height * info.Width)
	all, err := p.teacher.Features(images, n)
	if err != nil {
		return nil, err
	}
	values := all[name].Data
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = values[i*len(values)/n : (i+1)*len(values)/n]
	}
	return rows, nil
}

func (p *taskTeacher) model() boundary.Model {
	m := boundary.Model{Name: p.teacher.Info().Name, Tensor: p.tensor, Classify: p.byLogits}
	if p.classifier != nil {
		m.Name, m.Classify = m.Name+", linear probe", p.byProbe
	}
	return m
}

func (p *taskTeacher) byLogits(images []float32) ([]int, error) {
	rows, err := p.outputs(images, foundation.Logits)
	if err != nil {
		return nil, err
	}
	return classesOf(rows), nil
}

func (p *taskTeacher) byProbe(images []float32) ([]int, error) {
	features, err := p.outputs(images, foundation.Pooled)
	if err != nil {
		return nil, err
	}
	return p.classifier.Predict(features), nil
}
