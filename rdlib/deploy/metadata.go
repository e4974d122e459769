package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"rd/rdlib/dataset"
)

// Metadata is what an exported student knows about itself.
type Metadata struct {
	Name       string             // the architecture or a name of the user's; also the title in viewers
	Classes    []string           // class names in the order of the probabilities
	Preprocess dataset.Preprocess // how an image becomes the input
	Producer   string             // the program that wrote the file; "" means "rd"
	Provenance map[string]string  // dataset, teacher, method, seed and the like
	// Phantom says that the training images were synthetic, and which; "" for real images. A student of phantoms
	// must never be taken for one of real images.
	Phantom string
}

// The entries of an ONNX file's metadata.
const (
	keyFormat     = "rd.format"
	keyName       = "rd.name"
	keyClasses    = "rd.classes"    // JSON array of strings
	keyPreprocess = "rd.preprocess" // JSON object of dataset.Preprocess
	keyProvenance = "rd.provenance" // JSON object of strings
	keyPhantom    = "rd.phantom"

	// format is the version of these entries.
	format = "1"
)

// check says what of the metadata makes no sense.
func (m Metadata) check() error {
	if len(m.Classes) == 0 {
		return errors.New("no class names")
	}
	for i, class := range m.Classes {
		if class == "" || slices.Contains(m.Classes[:i], class) {
			return fmt.Errorf("class %d is named %q: names must differ and not be empty", i, class)
		}
	}
	if err := m.Preprocess.Validate(); err != nil {
		return fmt.Errorf("preprocessing: %w", err)
	}
	return nil
}

// entries encodes the metadata for the file.
func (m Metadata) entries() (map[string]string, error) {
	entries := map[string]string{keyFormat: format, keyName: m.Name}
	if m.Phantom != "" {
		entries[keyPhantom] = m.Phantom
	}
	parts := map[string]any{keyClasses: m.Classes, keyPreprocess: m.Preprocess}
	if len(m.Provenance) > 0 {
		parts[keyProvenance] = m.Provenance
	}
	for key, part := range parts {
		text, err := json.Marshal(part)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		entries[key] = string(text)
	}
	return entries, nil
}

// parseMetadata decodes the file's entries.
func parseMetadata(entries map[string]string) (Metadata, error) {
	m := Metadata{Name: entries[keyName], Phantom: entries[keyPhantom]}
	version, ok := entries[keyFormat]
	switch {
	case !ok:
		return m, errors.New("it has no class names and preprocessing of a student: it is none that rd distill exported")
	case version != format:
		return m, fmt.Errorf("its metadata is of format %q, this program reads %q: use the program that exported it", version, format)
	}
	for _, part := range []struct {
		key      string
		into     any
		required bool
	}{{keyClasses, &m.Classes, true}, {keyPreprocess, &m.Preprocess, true}, {keyProvenance, &m.Provenance, false}} {
		text, ok := entries[part.key]
		if !ok && !part.required {
			continue
		}
		if err := json.Unmarshal([]byte(text), part.into); err != nil {
			return m, fmt.Errorf("its metadata entry %s is damaged: %w", part.key, err)
		}
	}
	if err := m.check(); err != nil {
		return m, fmt.Errorf("its metadata makes no sense: %w", err)
	}
	return m, nil
}
