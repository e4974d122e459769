package checkpoint

import (
	"encoding/json"
	"fmt"

	"rd/rdlib/dataset"
	"rd/rdlib/foundation"
)

// originKey is the entry for it in the metadata of a safetensors file.
const originKey = "origin"

// Origin is what a file of weights that was written here says of them, so that whatever is made of the file says it too: how images
// enter, what was trained on, whether that was synthetic, whose licence holds.
type Origin struct {
	Input       dataset.Preprocess      `json:"input"`
	Pretraining *foundation.Pretraining `json:"pretraining,omitempty"`
	Adapted     *foundation.Adapted     `json:"adapted,omitempty"`
	Licence     string                  `json:"licence,omitempty"`
}

// Meta is the metadata of a safetensors file of an architecture's weights.
func (o Origin) Meta(architecture string) (map[string]string, error) {
	text, err := json.Marshal(o)
	return map[string]string{"format": "pt", "architecture": architecture, originKey: string(text)}, err
}

// Origin is nil where the file does not tell, as published ones do not.
func (f *File) Origin() (*Origin, error) {
	text, ok := f.Meta[originKey]
	if !ok {
		return nil, nil
	}
	var o Origin
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return nil, fmt.Errorf("%w: %s: its entry %q cannot be read: %w", ErrFormat, f.Path, originKey, err)
	}
	return &o, nil
}

// String says it in a line.
func (o *Origin) String() string {
	text := "trained here"
	if p := o.Pretraining; p != nil {
		text = fmt.Sprintf("trained here, %s, on %s", p.Kind, p.Data)
		if p.Phantom {
			text += " (phantom)"
		}
	}
	if o.Adapted != nil {
		text += ", adapted to " + o.Adapted.Data
	}
	return text
}
