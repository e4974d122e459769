package deploy

import (
	"fmt"

	"github.com/google/renameio/v2"

	"rd/rdlib/model"
)

// defaultProducer is the program named in a file whose metadata names none.
const defaultProducer = "rd"

// Export writes the network with the given weights as a self-contained ONNX file, replacing the file in one step. Its
// input is "input" [batch, channels, height, width], preprocessed as meta.Preprocess says; its outputs are "logits" and
// "probabilities" [batch, classes]. Equal arguments give equal bytes. The error names the file and what does not fit.
func Export(path string, net *model.Network, w model.Weights, meta Metadata) error {
	data, err := encode(net, w, meta)
	if err != nil {
		return fmt.Errorf("export %s: %w", path, err)
	}
	if err := renameio.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("export %s: %w", path, err)
	}
	return nil
}

func encode(net *model.Network, w model.Weights, meta Metadata) ([]byte, error) {
	if err := meta.check(); err != nil {
		return nil, err
	}
	if net.Classes() != len(meta.Classes) {
		return nil, fmt.Errorf("%s has %d outputs for %d class names", net.Name(), net.Classes(), len(meta.Classes))
	}
	input := net.InputShape()
	if len(input) != 3 || input[0] != channels {
		return nil, fmt.Errorf("%s takes samples of shape %v, not images of %d channels", net.Name(), input, channels)
	}
	entries, err := meta.entries()
	if err != nil {
		return nil, err
	}
	producer := meta.Producer
	if producer == "" {
		producer = defaultProducer
	}
	doc := fmt.Sprintf("%s: classifies images as %q", meta.Name, meta.Classes)
	if meta.Phantom != "" {
		doc += "; trained on phantom images (" + meta.Phantom + "), not on real ones"
	}
	return net.ONNX(w, model.ONNXOptions{
		Sample:   []int{channels, meta.Preprocess.Height, meta.Preprocess.Width},
		Producer: producer,
		Doc:      doc,
		Metadata: entries,
	})
}
