package ortengine

import (
	"fmt"
	"slices"
	"strings"

	protos "github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"google.golang.org/protobuf/proto"
)

// Operator set versions of the models built here, those compute-onnx writes for.
const (
	irVersion        = 9
	opsetVersion     = 21
	microsoftDomain  = "com.microsoft"
	microsoftVersion = 1
)

// model is a compiled graph, ready for a session. The dimensions of its inputs and outputs may differ from those of GoMLX's
// parameters and results: reshapes at the border cost ONNX Runtime a copy and us nothing, and scalars, which onnxruntime_go does not
// pass, are vectors of one.
type model struct {
	bytes          []byte
	parameterNames []string
	parameters     []shapes.Shape
	results        []shapes.Shape
	inputs         []border // of index into parameters
	outputs        []border // of index into results
}

// border is an input or output as ONNX Runtime sees it.
type border struct {
	name  string
	index int
	dims  []int // nil: the dimensions of the parameter or result, known when it runs
}

func (m *model) inputNames() []string  { return borderNames(m.inputs) }
func (m *model) outputNames() []string { return borderNames(m.outputs) }

func borderNames(borders []border) []string {
	names := make([]string, len(borders))
	for i, b := range borders {
		names[i] = b.name
	}
	return names
}

// modelBuilder collects the parts of a model.
type modelBuilder struct {
	*model
	graph *protos.GraphProto
	names map[*node]string // of values that are not named as their nodes are
}

// buildModel writes the nodes that the returned values need as an ONNX model.
func buildModel(name string, parameters, returns []*node) (*model, error) {
	if len(returns) == 0 {
		return nil, fmt.Errorf("the graph %q returns nothing", name)
	}
	b := &modelBuilder{model: &model{}, graph: &protos.GraphProto{Name: name}, names: make(map[*node]string)}
	ends := make([]*node, len(returns))
	for i, n := range returns {
		b.results = append(b.results, fieldsOf(n).shape)
		ends[i] = beforeReshapes(n)
	}
	nodes := sortTopologically(ends)
	b.addInputs(parameters, nodes, ends)
	b.addNodes(nodes)
	b.addOutputs(ends)

	whole := &protos.ModelProto{
		IrVersion: irVersion,
		Graph:     b.graph,
		OpsetImport: []*protos.OperatorSetIdProto{
			{Version: opsetVersion}, {Domain: microsoftDomain, Version: microsoftVersion},
		},
	}
	if slices.ContainsFunc(b.graph.Node, func(n *protos.NodeProto) bool { return n.Domain == blockedDomain }) {
		whole.OpsetImport = append(whole.OpsetImport, &protos.OperatorSetIdProto{Domain: blockedDomain, Version: 1})
	}
	var err error
	if b.bytes, err = proto.Marshal(whole); err != nil {
		return nil, fmt.Errorf("write the ONNX model of graph %q: %w", name, err)
	}
	return b.model, nil
}

// addInputs declares each parameter in every shape that it is used in.
func (b *modelBuilder) addInputs(parameters, nodes, ends []*node) {
	index := make(map[*node]int)
	for i, p := range parameters {
		index[p] = i
		b.parameterNames = append(b.parameterNames, fieldsOf(p).name)
		b.parameters = append(b.parameters, fieldsOf(p).shape)
	}
	declare := func(p *node, shape shapes.Shape) string {
		i := index[p]
		input := border{name: fmt.Sprintf("in_%d", i), index: i}
		if !shape.IsDynamic() {
			input.dims = borderShape(shape).Dimensions
			input.name += "_" + strings.Trim(strings.ReplaceAll(fmt.Sprint(input.dims), " ", "x"), "[]")
		}
		if !slices.ContainsFunc(b.inputs, func(other border) bool { return other.name == input.name }) {
			b.inputs = append(b.inputs, input)
			b.graph.Input = append(b.graph.Input, valueInfo(input.name, borderShape(shape)))
		}
		return input.name
	}
	plain := make(map[*node]bool) // parameters used other than through reshapes
	for _, end := range ends {
		plain[end] = true
	}
	for _, n := range nodes {
		if p := reshapedParameter(n); p != nil {
			b.names[n] = declare(p, fieldsOf(n).shape)
			continue
		}
		for _, input := range inputsOf(n) {
			plain[input] = true
		}
	}
	for _, p := range parameters {
		if !plain[p] {
			continue
		}
		shape := fieldsOf(p).shape
		b.names[p] = declare(p, shape)
		if shape.IsScalar() {
			vector := b.names[p]
			b.names[p] = fmt.Sprintf("in_%d_scalar", index[p])
			b.graph.Node = append(b.graph.Node, &protos.NodeProto{OpType: "Squeeze", Input: []string{vector}, Output: []string{b.names[p]}})
		}
	}
	if len(b.inputs) == 0 {
		// ONNX Runtime's interface wants at least one input.
		b.inputs = append(b.inputs, border{name: "unused", index: -1})
		b.graph.Input = append(b.graph.Input, valueInfo("unused", shapes.Make(dtypes.Int32, 1)))
	}
}

// reshapedParameter returns the parameter that n is a reshape of, of fixed shape and not a scalar; nil otherwise.
func reshapedParameter(n *node) *node {
	if opOf(n) != "Reshape" || fieldsOf(n).shape.IsDynamic() || fieldsOf(n).shape.IsScalar() {
		return nil
	}
	p := inputsOf(n)[0]
	if opOf(p) != "Parameter" || fieldsOf(p).shape.IsDynamic() {
		return nil
	}
	return p
}

// beforeReshapes returns the value that n is a reshape of, where an output can be given in the value's shape.
func beforeReshapes(n *node) *node {
	for opOf(n) == "Reshape" && !fieldsOf(n).shape.IsDynamic() {
		inner := inputsOf(n)[0]
		if fieldsOf(inner).shape.IsDynamic() || opOf(inner) == "Parameter" || opOf(inner) == "Constant" {
			break
		}
		n = inner
	}
	return n
}

func (b *modelBuilder) nameOf(n *node) string {
	if n == nil {
		return "" // an optional input left out
	}
	if name, found := b.names[n]; found {
		return name
	}
	return fieldsOf(n).name
}

func (b *modelBuilder) addNodes(nodes []*node) {
	for _, n := range nodes {
		f := fieldsOf(n)
		switch {
		case f.opType == "Parameter", f.opType == "", reshapedParameter(n) != nil:
			continue
		case f.opType == "Constant":
			b.graph.Initializer = append(b.graph.Initializer, tensorProto(f.name, f.shape, f.flatValue))
			continue
		}
		inputs := make([]string, len(f.inputs))
		for i, input := range f.inputs {
			inputs[i] = b.nameOf(input)
		}
		outputs := f.outputNames
		if len(outputs) == 0 {
			outputs = []string{f.name}
		}
		b.graph.Node = append(b.graph.Node, &protos.NodeProto{
			Name: f.name, OpType: f.opType, Domain: f.domain, Input: inputs, Output: outputs, Attribute: f.attributes,
		})
	}
}

func (b *modelBuilder) addOutputs(ends []*node) {
	shapeOne := tensorProto("shape_one", shapes.Make(dtypes.Int64, 1), []int64{1})
	if slices.ContainsFunc(ends, func(n *node) bool { return fieldsOf(n).shape.IsScalar() }) {
		b.graph.Initializer = append(b.graph.Initializer, shapeOne)
	}
	taken := make(map[string]bool)
	for i, n := range ends {
		f := fieldsOf(n)
		output := border{name: f.name, index: i}
		if !f.shape.IsDynamic() {
			output.dims = borderShape(f.shape).Dimensions
		}
		_, isInput := b.names[n]
		if f.shape.IsScalar() || isInput || f.opType == "Constant" || taken[output.name] {
			output.name = fmt.Sprintf("out_%d", i)
			last := &protos.NodeProto{OpType: "Identity", Input: []string{b.nameOf(n)}, Output: []string{output.name}}
			if f.shape.IsScalar() {
				last.OpType, last.Input = "Reshape", append(last.Input, shapeOne.Name)
			}
			b.graph.Node = append(b.graph.Node, last)
		}
		taken[output.name] = true
		b.outputs = append(b.outputs, output)
		b.graph.Output = append(b.graph.Output, valueInfo(output.name, borderShape(f.shape)))
	}
}

// sortTopologically returns the nodes that the roots depend on, each after its inputs.
func sortTopologically(roots []*node) []*node {
	var order []*node
	seen := make(map[*node]bool)
	var visit func(n *node)
	visit = func(n *node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		for _, input := range inputsOf(n) {
			visit(input)
		}
		order = append(order, n)
	}
	for _, root := range roots {
		visit(root)
	}
	return order
}

// borderShape is the shape a value has outside the model: [1] for scalars.
func borderShape(shape shapes.Shape) shapes.Shape {
	if shape.IsScalar() {
		return shapes.Make(shape.DType, 1)
	}
	return shape
}

func valueInfo(name string, shape shapes.Shape) *protos.ValueInfoProto {
	dims := make([]*protos.TensorShapeProto_Dimension, shape.Rank())
	for i, d := range shape.Dimensions {
		dims[i] = &protos.TensorShapeProto_Dimension{Value: &protos.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}}
		if d == shapes.DynamicDim {
			axis := shape.AxisName(i)
			if axis == "" || axis == shapes.AnonymousAxis {
				axis = fmt.Sprintf("%s_axis_%d", name, i)
			}
			dims[i].Value = &protos.TensorShapeProto_Dimension_DimParam{DimParam: axis}
		}
	}
	return &protos.ValueInfoProto{Name: name, Type: &protos.TypeProto{Value: &protos.TypeProto_TensorType{TensorType: &protos.TypeProto_Tensor{
		ElemType: int32(elementTypes[shape.DType]), Shape: &protos.TensorShapeProto{Dim: dims},
	}}}}
}

func tensorProto(name string, shape shapes.Shape, flat any) *protos.TensorProto {
	dims := make([]int64, shape.Rank())
	for i, d := range shape.Dimensions {
		dims[i] = int64(d)
	}
	return &protos.TensorProto{Name: name, Dims: dims, DataType: int32(elementTypes[shape.DType]), RawData: dtypes.UnsafeByteSliceFromAny(flat)}
}

// elementTypes gives ONNX's number for each type of GoMLX that ONNX Runtime computes with. ONNX Runtime's C interface
// uses the same numbers.
var elementTypes = map[dtypes.DType]protos.TensorProto_DataType{
	dtypes.Float32:  protos.TensorProto_FLOAT,
	dtypes.Float64:  protos.TensorProto_DOUBLE,
	dtypes.Float16:  protos.TensorProto_FLOAT16,
	dtypes.BFloat16: protos.TensorProto_BFLOAT16,
	dtypes.Bool:     protos.TensorProto_BOOL,
	dtypes.Int8:     protos.TensorProto_INT8,
	dtypes.Int16:    protos.TensorProto_INT16,
	dtypes.Int32:    protos.TensorProto_INT32,
	dtypes.Int64:    protos.TensorProto_INT64,
	dtypes.Uint8:    protos.TensorProto_UINT8,
	dtypes.Uint16:   protos.TensorProto_UINT16,
	dtypes.Uint32:   protos.TensorProto_UINT32,
	dtypes.Uint64:   protos.TensorProto_UINT64,
}
