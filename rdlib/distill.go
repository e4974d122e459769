package rdlib

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"rd/rdlib/checkpoint"
	"rd/rdlib/dataset"
	"rd/rdlib/deploy"
	"rd/rdlib/foundation"
	"rd/rdlib/lockfile"
	"rd/rdlib/model"
	"rd/rdlib/record"
)

// Files that Distill writes to its folder.
const (
	StudentFile    = "student.onnx"
	WeightsFile    = "student.safetensors"
	RecordFile     = "record.json"
	ManifestFile   = "manifest.json"
	CardFile       = "model-card.md"
	checkpointFile = "checkpoint.safetensors"
	lockFile       = ".lock"
)

// Distill trains a cell and writes the student as ONNX and safetensors, the split's manifest, a model card and the record to the folder
// out, then runs the ONNX file over the test images: it must answer as training did, or the error says where not. A cell
// that was stopped continues from its checkpoint; one that is done is not computed again. Another process at work in
// the folder, and a folder that holds another cell, are errors.
func (s *Session) Distill(ctx context.Context, o Options, out string) (*record.Record, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, fmt.Errorf("output folder: %w; choose another --out", err)
	}
	defer os.Remove(out) // leaves a folder that holds something
	switch lock, err := lockfile.Try(filepath.Join(out, lockFile)); {
	case err != nil:
		return nil, err
	case lock == nil:
		return nil, fmt.Errorf("another process is at work in %s: wait for it, or choose another --out", out)
	default:
		defer lock.Release()
	}

	o.Checkpoint = filepath.Join(out, checkpointFile)
	job, err := s.Prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(out, RecordFile)
	switch done, err := record.Read(path); {
	case err == nil && done.Result.Key == job.Key && exists(filepath.Join(out, StudentFile)):
		fmt.Fprintf(s.Log, "%s is done already\n", path)
		return done, job.writeCard(done, out)
	case err == nil && done.Result.Key != job.Key:
		return nil, usagef("%s holds the record of another configuration: choose another --out", out)
	case err == nil, errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, record.ErrDamaged):
		fmt.Fprintf(s.Log, "%v; it is computed again\n", err)
	default:
		return nil, fmt.Errorf("record: %w", err)
	}

	r, trained, err := job.Train(ctx)
	if err != nil {
		return nil, err
	}
	if err := job.Dataset.WriteManifest(filepath.Join(out, ManifestFile)); err != nil {
		return nil, err
	}
	if err := saveWeights(filepath.Join(out, WeightsFile), trained.Student, trained.LastWeights, job.origin()); err != nil {
		return nil, err
	}
	student := filepath.Join(out, StudentFile)
	if err := deploy.Export(student, trained.Student, trained.LastWeights, job.metadata(trained.Student)); err != nil {
		return nil, err
	}
	report, err := deploy.Verify(student, s.threads, job.samples(ctx, trained.Probabilities))
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(s.Log, "verified: %d test images, largest difference of a probability %.1e\n", report.Images, report.MaxDifference)
	if err := r.Write(path); err != nil {
		return nil, err
	}
	if err := job.writeCard(r, out); err != nil {
		return nil, err
	}
	if err := os.Remove(o.Checkpoint); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove checkpoint: %w", err)
	}
	if class, all := onlyClass(r.Result.Predictions); all {
		fmt.Fprintf(s.Log, "warning: the student calls every test image %q; it has hardly learnt: train longer\n", r.Result.Classes[class])
	}
	return r, nil
}

// writeCard writes the model card into a folder.
func (j *Job) writeCard(r *record.Record, out string) error {
	var side *foundation.SideCar
	if j.teacher != nil {
		side = j.teacher.SideCar
	}
	text, err := ModelCard(r, side)
	if err != nil {
		return err
	}
	path := filepath.Join(out, CardFile)
	if err := renameio.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// onlyClass tells whether every image was given the same class.
func onlyClass(predictions []record.Prediction) (class int, all bool) {
	for _, p := range predictions {
		if p.Class != predictions[0].Class {
			return 0, false
		}
	}
	return predictions[0].Class, true
}

// metadata is what the exported student says of itself.
func (j *Job) metadata(student *model.Network) deploy.Metadata {
	m := deploy.Metadata{
		Name: student.Name(), Classes: j.Dataset.Classes, Preprocess: j.input,
		Provenance: map[string]string{
			"dataset": j.Config.Dataset.Name, "manifest_sha256": j.Config.Dataset.Manifest, "method": j.Config.Method, "cell": j.Key,
		},
	}
	if j.teacher != nil {
		m.Provenance["teacher"], m.Provenance["teacher_sha256"] = j.teacher.Name, j.teacher.SHA256
		if j.teacher.SideCar != nil && j.teacher.SideCar.Licence != "" {
			m.Provenance["teacher_licence"] = j.teacher.SideCar.Licence
		}
	}
	if p := j.Dataset.Phantom; p != nil {
		m.Phantom = p.Generator
	}
	return m
}

// origin is what the student's weights say of themselves.
func (j *Job) origin() checkpoint.Origin {
	o := checkpoint.Origin{Input: j.input, Pretraining: &foundation.Pretraining{
		Kind: "student by " + j.Config.Method, Data: j.Config.Dataset.Name, Phantom: j.Dataset.Phantom != nil, Seen: []string{j.Config.Dataset.Name},
	}}
	if j.teacher != nil && j.teacher.SideCar != nil {
		o.Licence = j.teacher.SideCar.Licence
		if p := j.teacher.SideCar.Pretraining; p != nil {
			o.Pretraining.Phantom = o.Pretraining.Phantom || p.Phantom
			o.Pretraining.Seen = append(o.Pretraining.Seen, p.Seen...)
		}
	}
	return o
}

// samples are the test images with what training answered, decoded again from their files.
func (j *Job) samples(ctx context.Context, probabilities [][]float32) iter.Seq2[deploy.Sample, error] {
	return func(yield func(deploy.Sample, error) bool) {
		store, err := j.session.store(ctx, storeKey{j.data, j.input}, false)
		if err != nil {
			yield(deploy.Sample{}, err)
			return
		}
		test := store.Part(dataset.Test)
		for i := range test.Len() {
			image := make([]float32, j.input.Len())
			err := test.Tensor(i, false, image)
			if !yield(deploy.Sample{Name: j.Dataset.Items[test.Item(i)].Path, Image: image, Probabilities: probabilities[i]}, err) || err != nil {
				return
			}
		}
	}
}
