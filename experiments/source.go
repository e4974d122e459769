package experiments

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"rd/rdlib/spelling"
)

// source is the text a matrix was read from: it knows the line of each of its parts.
type source struct {
	path string
	root *yaml.Node
}

// readSource decodes YAML into a matrix. Fields that the matrix does not have, and values of another kind, are errors.
func readSource(path string, text []byte, into *Matrix) (*source, error) {
	s := &source{path: path, root: &yaml.Node{}}
	if err := yaml.Unmarshal(text, s.root); err != nil {
		return nil, s.explain(err)
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		return nil, s.explain(err)
	}
	return s, nil
}

var (
	yamlLine     = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
	unknownField = regexp.MustCompile(`^field (\S+) not found in type experiments\.(\w+)$`)
)

// parts are the types a matrix is made of, by their names.
var parts = map[string]reflect.Type{}

func init() {
	for _, part := range []any{Matrix{}, Training{}, MiniatureSize{}, MatrixDataset{}, MatrixTeacher{}, MatrixMethod{}, Block{}, Adaptation{}, BoundarySize{}} {
		t := reflect.TypeOf(part)
		parts[t.Name()] = t
	}
}

// explain puts file and line in front of the decoder's messages and names what a field may have been meant to be.
func (s *source) explain(err error) error {
	messages := []string{err.Error()}
	var several *yaml.TypeError
	if errors.As(err, &several) {
		messages = several.Errors
	}
	var all []error
	for _, message := range messages {
		found := yamlLine.FindStringSubmatch(message)
		if found == nil {
			all = append(all, fmt.Errorf("%s: %s", s.path, message))
			continue
		}
		text := found[2]
		if field := unknownField.FindStringSubmatch(text); field != nil {
			known := fields(parts[field[2]])
			text = fmt.Sprintf("unknown field %q: did you mean %q? (known: %s)", field[1], spelling.Nearest(field[1], known), strings.Join(known, ", "))
		}
		all = append(all, fmt.Errorf("%s:%s: %s", s.path, found[1], text))
	}
	return errors.Join(all...)
}

// fields are the names a part has in YAML.
func fields(part reflect.Type) []string {
	var names []string
	for i := range part.NumField() {
		if tag := part.Field(i).Tag.Get("yaml"); tag != "" && tag != "-" {
			names = append(names, tag)
		}
	}
	return names
}

// at is the file and line of a part of the matrix, which field names and indices lead to; of the nearest part around it
// where it is not there.
func (s *source) at(path ...any) string {
	node := s.root
	if len(node.Content) > 0 {
		node = node.Content[0] // the document's
	}
	line := max(node.Line, 1)
	for _, step := range path {
		var next *yaml.Node
		switch step := step.(type) {
		case int:
			if node.Kind == yaml.SequenceNode && step < len(node.Content) {
				next = node.Content[step]
			}
		case string:
			for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
				if node.Content[i].Value == step {
					next, line = node.Content[i+1], node.Content[i].Line
				}
			}
		}
		if next == nil {
			break
		}
		node = next
		if _, index := step.(int); index {
			line = node.Line
		}
	}
	return s.path + ":" + strconv.Itoa(line)
}
