package rdlib

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rd/rdlib/dataset"
	"rd/rdlib/record"
	"rd/rdlib/train"
)

func TestTrainShare(t *testing.T) {
	w := newWorkplace(t)
	s, log := w.session(t, SessionOptions{})
	prepare := func(share float64) *Job {
		o := w.options("rd")
		o.TrainShare = share
		job, err := s.Prepare(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return job
	}
	whole, half := prepare(0), prepare(0.5)
	if text, err := json.Marshal(whole.Config); err != nil || strings.Contains(string(text), "share") || prepare(1).Key != whole.Key || half.Key == whole.Key {
		t.Errorf("all training images are what they were before there were shares (%v):\n%s", err, text)
	}
	if half.Config.Dataset.TrainShare != 0.5 || half.Config.Steps != whole.Config.Steps {
		t.Errorf("%+v, %d steps", half.Config.Dataset, half.Config.Steps)
	}
	full, _, err := whole.Train(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	part, _, err := half.Train(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n, all := part.Result.Counts, full.Result.Counts
	if n.Train+n.Unused != all.Train || n.Train != 6 || n.Test != all.Test || n.Validation != all.Validation || all.Unused != 0 {
		t.Errorf("images of a half %+v, of all %+v", n, all)
	}
	for i, p := range part.Result.Predictions {
		if p.Path != full.Result.Predictions[i].Path {
			t.Errorf("test image %d is %s, not %s", i, p.Path, full.Result.Predictions[i].Path)
		}
	}
	// The features of all images are cached once and serve every share.
	if files := w.files(t); len(files) != 1 || strings.Count(log(), "features of") != 1 {
		t.Errorf("caches %q\n%s", files, log())
	}
	want, err := whole.features(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := half.features(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in := whole.Dataset.Indices(dataset.Train)
	for i, item := range half.Dataset.Indices(dataset.Train) {
		a, b := make([]float32, 6), make([]float32, 6)
		if err := errors.Join(want.Read(slices.Index(in, item), 1, "pooled", a), got.Read(i, 1, "pooled", b)); err != nil || !slices.Equal(a, b) {
			t.Errorf("features of %s: %v and %v, %v", half.Dataset.Items[item].Path, a, b, err)
		}
	}
}

func TestTrainShareOfEpochs(t *testing.T) {
	w := newWorkplace(t)
	s, _ := w.session(t, SessionOptions{})
	o := w.options("scratch")
	o.Steps, o.Epochs, o.TrainShare = 0, 3, 0.5
	job, err := s.Prepare(t.Context(), o)
	if err != nil || job.Config.Steps != 3*2 { // 6 images in batches of 4
		t.Errorf("%+v, %v", job, err)
	}
}

func TestTrainShareResumes(t *testing.T) {
	w := newWorkplace(t)
	options := func(checkpoint string) Options {
		o := w.options("rd")
		o.TrainShare, o.Steps, o.Checkpoint = 0.4, 6, checkpoint
		return o
	}
	trained := func(ctx context.Context, o Options) (*record.Record, error) {
		s, _ := w.session(t, SessionOptions{})
		job, err := s.Prepare(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		r, _, err := job.Train(ctx)
		return r, err
	}
	whole, err := trained(t.Context(), options(""))
	if err != nil {
		t.Fatal(err)
	}
	o := options(filepath.Join(t.TempDir(), "checkpoint"))
	ctx, cancel := context.WithCancel(t.Context())
	stopped := o
	stopped.Epoch = func(record.Epoch) { cancel() }
	if _, err := trained(ctx, stopped); !errors.Is(err, train.ErrInterrupted) {
		t.Fatalf("interrupted: %v", err)
	}
	again, err := trained(t.Context(), o)
	if err != nil || again.Run.Resumed != 1 || again.ResultSHA256 != whole.ResultSHA256 {
		t.Errorf("continued, %v: resumed %+v, results %s and %s", err, again, again.ResultSHA256, whole.ResultSHA256)
	}
}

func TestTrainShareIsRefused(t *testing.T) {
	w := newWorkplace(t)
	for _, share := range []float64{-0.5, 1.0001, math.NaN(), math.Inf(1)} {
		o := w.options("scratch")
		o.TrainShare = share
		var usage *UsageError
		if err := o.Check(); !errors.As(err, &usage) || !strings.Contains(err.Error(), "above 0 and at most 1") {
			t.Errorf("a share of %g: %v", share, err)
		}
	}
}
