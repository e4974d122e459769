package rdlib

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"

	"github.com/google/renameio/v2"

	"rd/rdlib/checkpoint"
	"rd/rdlib/dataset"
	"rd/rdlib/foundation"
	"rd/rdlib/model"
)

// exportTeacher writes a network as a black box: an ONNX file without its classifier, unless its logits are among the further
// outputs. It returns the side-car that
// belongs beside it, without provenance and not yet written.
func exportTeacher(path string, network *model.Network, weights model.Weights, input dataset.Preprocess, name string, further ...string) (*foundation.SideCar, error) {
	stages := network.ONNXStages()
	outputs := slices.Concat(stages, []string{model.ONNXFeatureMap, model.ONNXPooled}, further)
	graph, err := network.ONNX(weights, model.ONNXOptions{
		Sample: []int{3, input.Height, input.Width}, Outputs: outputs, Producer: "rd", Doc: name,
	})
	if err != nil {
		return nil, err
	}
	if err := renameio.WriteFile(path, graph, 0o644); err != nil {
		return nil, fmt.Errorf("write teacher: %w", err)
	}
	logits := ""
	if slices.Contains(further, model.ONNXLogits) {
		logits = model.ONNXLogits
	}
	sum := sha256.Sum256(graph)
	return &foundation.SideCar{
		Name: name, Architecture: network.Name(), SHA256: hex.EncodeToString(sum[:]),
		Input: foundation.DescribeInput(model.ONNXInput, "NCHW", input),
		Outputs: foundation.SideCarOutputs{
			Stages: append(stages[:len(stages):len(stages)], model.ONNXFeatureMap), FeatureMap: model.ONNXFeatureMap, Pooled: model.ONNXPooled, Logits: logits,
		},
	}, nil
}

// saveWeights writes weights of ours, and in the file where they come from.
func saveWeights(path string, network *model.Network, weights model.Weights, origin checkpoint.Origin) error {
	meta, err := origin.Meta(network.Name())
	if err != nil {
		return err
	}
	return model.SaveSafetensors(path, weights, meta)
}

func fileSHA256(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}
