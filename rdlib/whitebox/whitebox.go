// Package whitebox opens ONNX teachers: their graph becomes a GoMLX graph whose weights are variables, so that gradients reach
// them. For networks that package model describes, its description is the better way in; this one takes any ONNX file whose
// operators onnx-gomlx knows.
package whitebox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/graph"
	gomodel "github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/gomlx/onnx-gomlx/onnx"
	"github.com/gomlx/onnx-gomlx/onnx/parser"
	"google.golang.org/protobuf/proto"
)

// Model is an ONNX file, opened.
type Model struct {
	path    string
	onnx    onnx.Model
	input   string
	outputs []string
}

// Open reads an ONNX file with one input. The error says what it is not.
func Open(path string) (m *Model, err error) {
	data, err := os.ReadFile(path)
	if err == nil {
		data, err = plain(data)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	m = &Model{path: path}
	if thrown := exceptions.TryCatch[error](func() { m.onnx, err = parser.Parse(data) }); thrown != nil {
		err = thrown
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	m.onnx.WithBaseDir(filepath.Dir(path))
	inputs, _ := m.onnx.Inputs()
	if len(inputs) != 1 {
		return nil, fmt.Errorf("open %s: it has %d inputs, and a teacher takes one, the images", path, len(inputs))
	}
	m.input = inputs[0]
	m.outputs, _ = m.onnx.Outputs()
	return m, nil
}

// plain leaves out what says nothing and onnx-gomlx does not know: whether an average pool counts its padding, where it has none.
func plain(data []byte) ([]byte, error) {
	var file protos.ModelProto
	if err := proto.Unmarshal(data, &file); err != nil || file.Graph == nil {
		return nil, errors.New("it is not an ONNX model, or cut short")
	}
	for _, node := range file.Graph.Node {
		if node.OpType != "AveragePool" || slices.ContainsFunc(node.Attribute, func(a *protos.AttributeProto) bool {
			return a.Name == "auto_pad" || a.Name == "pads" && slices.ContainsFunc(a.Ints, func(n int64) bool { return n != 0 })
		}) {
			continue
		}
		node.Attribute = slices.DeleteFunc(node.Attribute, func(a *protos.AttributeProto) bool { return a.Name == "count_include_pad" })
	}
	return proto.Marshal(&file)
}

// Outputs are the names of the graph's outputs, in its order.
func (m *Model) Outputs() []string { return slices.Clone(m.outputs) }

// Declare puts the file's weights under scope as variables.
func (m *Model) Declare(scope *gomodel.Scope) (err error) {
	if thrown := exceptions.TryCatch[error](func() { err = m.onnx.VariablesToScope(scope) }); thrown != nil {
		err = thrown
	}
	if err != nil {
		return fmt.Errorf("weights of %s: %w", m.path, err)
	}
	return nil
}

// Forward computes outputs by name, all where none is named, for images [batch, channels, height, width], with the variables that Declare put
// under scope. Batch normalisations use the file's statistics. Like GoMLX's own functions it is called while a graph is built, and
// panics with an error where an operator is not known or an input does not fit.
func (m *Model) Forward(scope *gomodel.Scope, x *graph.Node, outputs ...string) map[string]*graph.Node {
	if len(outputs) == 0 {
		outputs = m.outputs
	}
	for _, name := range outputs {
		if !slices.Contains(m.outputs, name) {
			exceptions.Panicf("%s has no output %q: there are %v", m.path, name, m.outputs)
		}
	}
	values := map[string]*graph.Node{}
	for i, y := range m.onnx.CallGraph(scope, x.Graph(), map[string]*graph.Node{m.input: x}, outputs...) {
		values[outputs[i]] = y
	}
	return values
}
