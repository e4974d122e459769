package rdlib

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"rd/rdlib/foundation"
	"rd/rdlib/model"
	"rd/rdlib/record"
)

// PretrainOptions describe a miniature teacher: a network trained, supervised, on a data set of its own.
type PretrainOptions struct {
	Data         string
	Name         string
	Architecture string
	Width        float64
	Size         int
	Steps, Batch int
	Seed         uint64
}

// Pretrain trains a network as a student alone is trained and writes it to path as a black box: an ONNX file with the
// outputs feature_map and pooled, no classifier, and a side-car with its preprocessing, provenance and test accuracy on
// its own task. It returns the side-car's path.
func (s *Session) Pretrain(ctx context.Context, o PretrainOptions, path string) (sideCar string, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("teacher's folder: %w", err)
	}
	job, err := s.Prepare(ctx, Options{
		Data: o.Data, Student: o.Architecture, Width: o.Width, Method: "scratch", Size: o.Size, Steps: o.Steps, Batch: o.Batch,
		Seeds:      record.Seeds{Split: o.Seed, Init: o.Seed, Order: o.Seed, Augmentation: o.Seed},
		Checkpoint: strings.TrimSuffix(path, ".onnx") + ".checkpoint", Name: "pre-training " + o.Architecture,
	})
	if err != nil {
		return "", err
	}
	r, trained, err := job.Train(ctx)
	if err != nil {
		return "", err
	}
	input := job.input
	graph, err := job.Student.ONNX(trained.LastWeights, model.ONNXOptions{
		Sample: []int{3, input.Height, input.Width}, Outputs: []string{model.ONNXFeatureMap, model.ONNXPooled},
		Producer: "rd", Doc: o.Name,
	})
	if err != nil {
		return "", err
	}
	if err := renameio.WriteFile(path, graph, 0o644); err != nil {
		return "", fmt.Errorf("write teacher: %w", err)
	}
	note, err := json.Marshal(map[string]any{
		"steps": job.Config.Steps, "classes": job.Dataset.Classes, "test_accuracy": r.Result.Last.TestAccuracy, "test_images": r.Result.Last.TestTotal,
	})
	if err != nil {
		return "", err
	}
	car := foundation.SideCar{
		Name: o.Name, Architecture: fmt.Sprintf("%s, width %g", job.Student.Name(), job.Config.Width),
		Input:   foundation.DescribeInput(model.ONNXInput, "NCHW", input),
		Outputs: foundation.SideCarOutputs{FeatureMap: model.ONNXFeatureMap, Pooled: model.ONNXPooled},
		Pretraining: &foundation.Pretraining{
			Kind: "supervised", Data: job.Config.Dataset.Name, Phantom: job.Dataset.Phantom != nil, Record: note,
		},
	}
	if err := car.Write(path); err != nil {
		return "", err
	}
	fmt.Fprintf(s.Log, "%s: %.1f %% of %d test images of its own %d-class task\n", o.Name, 100*r.Result.Last.TestAccuracy, r.Result.Last.TestTotal, len(job.Dataset.Classes))
	return foundation.SideCarPath(path), os.RemoveAll(strings.TrimSuffix(path, ".onnx") + ".checkpoint")
}
