package ortengine

import (
	"fmt"
	"slices"

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

// model is a compiled graph, ready for a session. Scalars cannot cross the border of onnxruntime_go, so that scalar inputs and outputs
// are of shape [1] in the ONNX model; the shapes kept here are GoMLX's.
type model struct {
	bytes         []byte
	inputNames    []string // as ONNX Runtime sees them: one that is not in inputShapes if there are none
	inputShapes   []shapes.Shape
	outputNames   []string
	outputShapes  []shapes.Shape
	parameterName []string // as GoMLX named them
}

// buildModel writes the nodes that the returned values need as an ONNX model.
func buildModel(name string, parameters, returns []*node) (*model, error) {
	if len(returns) == 0 {
		return nil, fmt.Errorf("the graph %q returns nothing", name)
	}
	m := &model{}
	graph := &protos.GraphProto{Name: name}
	renamed := make(map[*node]string)
	for i, p := range parameters {
		f := fieldsOf(p)
		inputName := fmt.Sprintf("in_%d", i)
		m.parameterName = append(m.parameterName, f.name)
		m.inputNames = append(m.inputNames, inputName)
		m.inputShapes = append(m.inputShapes, f.shape)
		graph.Input = append(graph.Input, valueInfo(inputName, borderShape(f.shape)))
		renamed[p] = inputName
		if f.shape.IsScalar() {
			scalarName := inputName + "_scalar"
			graph.Node = append(graph.Node, &protos.NodeProto{OpType: "Squeeze", Input: []string{inputName}, Output: []string{scalarName}})
			renamed[p] = scalarName
		}
	}
	if len(parameters) == 0 {
		// ONNX Runtime's interface wants at least one input.
		m.inputNames = []string{"in_unused"}
		graph.Input = append(graph.Input, valueInfo("in_unused", shapes.Make(dtypes.Int32, 1)))
	}
	nameOf := func(n *node) string {
		if name, found := renamed[n]; found {
			return name
		}
		return fieldsOf(n).name
	}
	for _, n := range sortTopologically(returns) {
		f := fieldsOf(n)
		switch f.opType {
		case "Parameter", "":
			continue
		case "Constant":
			graph.Initializer = append(graph.Initializer, tensorProto(f.name, f.shape, f.flatValue))
			continue
		}
		inputs := make([]string, len(f.inputs))
		for i, input := range f.inputs {
			if input != nil {
				inputs[i] = nameOf(input)
			}
		}
		outputs := f.outputNames
		if len(outputs) == 0 {
			outputs = []string{f.name}
		}
		graph.Node = append(graph.Node, &protos.NodeProto{
			Name: f.name, OpType: f.opType, Domain: f.domain, Input: inputs, Output: outputs, Attribute: f.attributes,
		})
	}
	shapeOne := tensorProto("shape_one", shapes.Make(dtypes.Int64, 1), []int64{1})
	if slices.ContainsFunc(returns, func(n *node) bool { return fieldsOf(n).shape.IsScalar() }) {
		graph.Initializer = append(graph.Initializer, shapeOne)
	}
	named := make(map[string]bool)
	for i, n := range returns {
		f := fieldsOf(n)
		outputName := f.name
		if f.shape.IsScalar() || f.opType == "Parameter" || f.opType == "Constant" || named[outputName] {
			outputName = fmt.Sprintf("out_%d", i)
			last := &protos.NodeProto{OpType: "Identity", Input: []string{nameOf(n)}, Output: []string{outputName}}
			if f.shape.IsScalar() {
				last.OpType, last.Input = "Reshape", append(last.Input, shapeOne.Name)
			}
			graph.Node = append(graph.Node, last)
		}
		named[outputName] = true
		m.outputNames = append(m.outputNames, outputName)
		m.outputShapes = append(m.outputShapes, f.shape)
		graph.Output = append(graph.Output, valueInfo(outputName, borderShape(f.shape)))
	}
	var err error
	whole := &protos.ModelProto{
		IrVersion: irVersion,
		Graph:     graph,
		OpsetImport: []*protos.OperatorSetIdProto{
			{Version: opsetVersion}, {Domain: microsoftDomain, Version: microsoftVersion},
		},
	}
	if slices.ContainsFunc(graph.Node, func(n *protos.NodeProto) bool { return n.Domain == blockedDomain }) {
		whole.OpsetImport = append(whole.OpsetImport, &protos.OperatorSetIdProto{Domain: blockedDomain, Version: 1})
	}
	m.bytes, err = proto.Marshal(whole)
	if err != nil {
		return nil, fmt.Errorf("write the ONNX model of graph %q: %w", name, err)
	}
	return m, nil
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

// elementTypes gives ONNX's number for each type of GoMLX that ONNX Runtime computes with. ONNX Runtime's C interface uses the same numbers.
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
