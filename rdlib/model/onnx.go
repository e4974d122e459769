package model

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"
)

// Names of the tensors that an exported graph reads and can return.
const (
	ONNXInput         = "input"         // [batch, channels, height, width], or [batch, features]
	ONNXLogits        = "logits"        // [batch, classes]
	ONNXProbabilities = "probabilities" // softmax of the logits, [batch, classes]
	ONNXFeatureMap    = "feature_map"   // [batch, channels, height, width]
	ONNXPooled        = "pooled"        // [batch, features]
)

// ONNXStages are the names of the stage maps an exported graph can return, [batch, channels, height, width] each, from
// early to late: stage1, stage2, … The last stage is left out where it is the feature map.
func (n *Network) ONNXStages() []string {
	var names []string
	for i, v := range n.stages {
		if v != n.featureMap {
			names = append(names, fmt.Sprintf("stage%d", i+1))
		}
	}
	return names
}

// reservedNames cannot name layers: the exported graph has tensors of these names.
var reservedNames = []string{ONNXInput, ONNXLogits, ONNXProbabilities, ONNXFeatureMap, ONNXPooled}

// The file format's version and the operator set that the exported graphs are written in.
const (
	onnxIRVersion = 8
	onnxOpset     = 17
)

// ONNXOptions say what an exported graph is for.
type ONNXOptions struct {
	// Sample is the shape of one input without the batch axis: channels, height, width. Preprocessing is not part of the
	// graph: the input is what the network trained on.
	Sample []int
	// Outputs are the tensors to return, in order; nil means logits and probabilities. Layers that none of them needs
	// are left out.
	Outputs  []string
	Producer string            // who wrote the file
	Doc      string            // a sentence for human readers
	Metadata map[string]string // free entries, written in the order of their keys
}

// ONNX returns the network with the given weights as a serialised ONNX model: one node for each layer, named as the layer;
// each batch normalisation folded into the convolution before it; the batch axis dynamic. The error lists weights that do
// not fit, and names weights that are not finite or variances that are not positive.
func (n *Network) ONNX(w Weights, o ONNXOptions) ([]byte, error) {
	if err := n.CheckWeights(w); err != nil {
		return nil, err
	}
	if err := n.checkValues(w); err != nil {
		return nil, err
	}
	shapes, err := n.valueShapes(o.Sample)
	if err != nil {
		return nil, err
	}
	e := &onnxEmitter{
		net: n, weights: w, shapes: shapes,
		names: map[Value]string{inputValue: ONNXInput}, unbatched: map[Value]bool{},
		graph: &protos.GraphProto{Name: n.name},
		fold:  n.foldable(),
	}
	if err := e.outputs(o.Outputs); err != nil {
		return nil, err
	}
	e.graph.Input = []*protos.ValueInfoProto{valueInfo(ONNXInput, o.Sample)}
	e.layers()
	model := &protos.ModelProto{
		IrVersion:    onnxIRVersion,
		OpsetImport:  []*protos.OperatorSetIdProto{{Version: onnxOpset}},
		ProducerName: o.Producer,
		DocString:    o.Doc,
		Graph:        e.graph,
	}
	for _, key := range slices.Sorted(maps.Keys(o.Metadata)) {
		model.MetadataProps = append(model.MetadataProps, &protos.StringStringEntryProto{Key: key, Value: o.Metadata[key]})
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(model)
	if err != nil {
		return nil, fmt.Errorf("serialise %s as ONNX: %w", n.name, err)
	}
	return data, nil
}

// checkValues refuses weights that no trained network has.
func (n *Network) checkValues(w Weights) error {
	for _, layer := range n.layers {
		_, normalises := layer.Op.(BatchNorm)
		for i, p := range layer.Parameters {
			variance := normalises && i == 3
			for _, v := range w[p.Name].Data {
				if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) || (variance && v < 0) {
					return fmt.Errorf("%s: tensor %s holds %g: training has diverged, use an earlier checkpoint", n.name, p.Name, v)
				}
			}
		}
	}
	return nil
}

// foldable returns, for each convolution (by layer index), the batch normalisation (by layer index) that is the only
// reader of its output and can be folded into it.
func (n *Network) foldable() map[int]int {
	readers := make([]int, n.values)
	for _, v := range append([]Value{n.featureMap, n.pooled, n.logits}, n.stages...) {
		if v != none {
			readers[v]++
		}
	}
	for _, layer := range n.layers {
		for _, v := range layer.Inputs {
			readers[v]++
		}
	}
	maker := map[Value]int{}
	fold := map[int]int{}
	for i, layer := range n.layers {
		for _, v := range layer.Outputs {
			maker[v] = i
		}
		if _, ok := layer.Op.(BatchNorm); !ok || readers[layer.Inputs[0]] != 1 {
			continue
		}
		if before, ok := maker[layer.Inputs[0]]; ok {
			if _, ok := n.layers[before].Op.(Conv); ok {
				fold[before] = i
			}
		}
	}
	return fold
}

// onnxEmitter walks the layers and appends nodes and initializers to a graph.
type onnxEmitter struct {
	net     *Network
	weights Weights
	shapes  [][]int
	names   map[Value]string // the tensor that holds each value
	graph   *protos.GraphProto
	fold    map[int]int
	wanted  []Value

	unbatched map[Value]bool // values whose tensor has a batch of one, the same for every sample
}

// outputs declares the graph's outputs and fixes the names of the values they return.
func (e *onnxEmitter) outputs(wanted []string) error {
	if wanted == nil {
		wanted = []string{ONNXLogits, ONNXProbabilities}
	}
	values := map[string]Value{
		ONNXLogits: e.net.logits, ONNXProbabilities: e.net.logits, ONNXFeatureMap: e.net.featureMap, ONNXPooled: e.net.pooled,
	}
	for i, name := range e.net.ONNXStages() {
		values[name] = e.net.stages[i]
	}
	for _, name := range wanted {
		v, known := values[name]
		switch {
		case !known:
			return fmt.Errorf("an exported graph has no output %q: choose from %v", name, slices.Sorted(maps.Keys(values)))
		case v == none:
			return fmt.Errorf("network %s has no %s to export", e.net.name, name)
		}
		if name == ONNXProbabilities {
			e.names[v] = ONNXLogits
		} else {
			e.names[v] = name
		}
		e.wanted = append(e.wanted, v)
		e.graph.Output = append(e.graph.Output, valueInfo(name, e.shapes[v]))
	}
	if len(wanted) == 0 {
		return errors.New("an exported graph needs at least one output")
	}
	return nil
}

func (e *onnxEmitter) layers() {
	needed := e.net.needed(e.wanted...)
	folded := map[int]bool{}
	for i, layer := range e.net.layers {
		if !needed[i] || folded[i] {
			continue
		}
		if norm, ok := e.fold[i]; ok {
			folded[norm] = true
			e.conv(layer, &e.net.layers[norm])
			continue
		}
		e.layer(layer)
	}
	if slices.ContainsFunc(e.graph.Output, func(o *protos.ValueInfoProto) bool { return o.Name == ONNXProbabilities }) {
		e.node("Softmax", "softmax", []string{ONNXLogits}, []string{ONNXProbabilities}, intAttribute("axis", 1))
	}
}

func (e *onnxEmitter) layer(layer Layer) {
	in := make([]string, len(layer.Inputs))
	for i, v := range layer.Inputs {
		in[i] = e.names[v]
	}
	switch layer.Op.(type) {
	case Dropout: // nothing at inference
		e.passOn(layer.Outputs[0], in[0])
		return
	case Learned:
		e.learned(layer)
		return
	}
	out := make([]string, len(layer.Outputs))
	for i, v := range layer.Outputs {
		out[i] = e.name(v, layer.Name, i, len(layer.Outputs))
	}
	shape := e.shapes[layer.Inputs[0]]
	switch op := layer.Op.(type) {
	case Conv:
		e.conv(layer, nil)
	case ConvTranspose:
		e.convTranspose(layer, in, out)
	case BatchNorm:
		for _, p := range layer.Parameters {
			in = append(in, e.floats(p.Name, e.weights[p.Name].Shape, e.weights[p.Name].Data))
		}
		e.node("BatchNormalization", layer.Name, in, out, floatAttribute("epsilon", op.Eps))
	case ReLU:
		e.node("Relu", layer.Name, in, out)
	case ReLU6:
		e.node("Clip", layer.Name, []string{in[0], e.constant("relu6.min", 0), e.constant("relu6.max", 6)}, out)
	case MaxPool:
		e.node("MaxPool", layer.Name, in, out, windowAttributes(op.Window, op.Window, op.Stride, op.Padding)...)
	case AvgPool:
		e.node("AveragePool", layer.Name, in, out, append(windowAttributes(op.Window, op.Window, op.Stride, op.Padding), intAttribute("count_include_pad", 1))...)
	case GlobalAvgPool:
		e.node("ReduceMean", layer.Name, in, out, intsAttribute("axes", 2, 3), intAttribute("keepdims", 0))
	case Linear:
		if len(shape) == 2 {
			e.linearOnTokens(layer, in, out)
			break
		}
		for _, p := range layer.Parameters {
			in = append(in, e.floats(p.Name, e.weights[p.Name].Shape, e.weights[p.Name].Data))
		}
		e.node("Gemm", layer.Name, in, out, intAttribute("transB", 1))
	case Add:
		e.node("Add", layer.Name, in, out)
	case Concat:
		e.concat(layer, in, out)
	case Split:
		in = append(in, e.ints(layer.Name+".sizes", op.First, shape[0]-op.First))
		e.node("Split", layer.Name, in, out, intAttribute("axis", 1))
	case ChannelShuffle:
		// 0 keeps the dynamic batch; the groups become an axis of their own, which then changes places.
		grouped, dealt := layer.Name+".grouped", layer.Name+".dealt"
		e.node("Reshape", grouped, []string{in[0], e.ints(grouped+"_shape", 0, op.Groups, shape[0]/op.Groups, shape[1], shape[2])}, []string{grouped})
		e.node("Transpose", dealt, []string{grouped}, []string{dealt}, intsAttribute("perm", 0, 2, 1, 3, 4))
		e.node("Reshape", layer.Name, []string{dealt, e.ints(layer.Name+"_shape", 0, shape[0], shape[1], shape[2])}, out)
	case Standardise:
		e.standardise(layer, in, out)
	case LayerNorm:
		e.layerNorm(layer, in, out)
	case GELU:
		e.gelu(layer, in, out)
	case Attention:
		e.attention(layer, in, out)
	case GridAttention:
		e.gridAttention(layer, in, out)
	case PadGrid:
		e.padGrid(layer, in, out)
	case CropGrid:
		e.cropGrid(layer, in, out)
	case Tokens:
		e.tokens(layer, in, out)
	case Map:
		e.mapOfTokens(layer, in, out)
	case TokenMean:
		e.node("ReduceMean", layer.Name, in, out, intsAttribute("axes", 1), boolAttribute("keepdims", op.Keep))
	case Scale:
		e.node("Mul", layer.Name, []string{in[0], e.floats(layer.Name+".by", []int{1}, []float32{float32(op.By)})}, out)
	case UnitLength:
		e.unitLength(layer, in, out)
	case Cosine:
		e.cosine(layer, in, out)
	case TopMask:
		e.topMask(layer, in, out)
	case Mix:
		e.mix(layer, in, out)
	case AddQV:
		e.addQV(layer, in, out)
	case Flatten:
		e.node("Flatten", layer.Name, in, out, intAttribute("axis", 1))
	default:
		panic(fmt.Sprintf("model: the ONNX emitter lacks the kind %T", op))
	}
}

// conv appends a convolution, with the batch normalisation behind it folded in where there is one:
// BN(Wx + b) = (s·W)x + (s·(b − μ) + β) with s = γ/√(σ² + ε), channel by channel, computed in float64.
func (e *onnxEmitter) conv(layer Layer, norm *Layer) {
	op := layer.Op.(Conv)
	weight := e.weights[layer.weights+".weight"]
	bias := make([]float64, op.Out)
	for i, v := range e.weights[layer.weights+".bias"].Data {
		bias[i] = float64(v)
	}
	data, last := weight.Data, layer
	if norm != nil {
		of := func(i int) []float32 { return e.weights[norm.Parameters[i].Name].Data }
		gamma, beta, mean, variance := of(0), of(1), of(2), of(3)
		data, last = make([]float32, len(weight.Data)), *norm
		each := len(data) / op.Out
		for c := range op.Out {
			scale := float64(gamma[c]) / math.Sqrt(float64(variance[c])+norm.Op.(BatchNorm).Eps)
			for i := c * each; i < (c+1)*each; i++ {
				data[i] = float32(scale * float64(weight.Data[i]))
			}
			bias[c] = scale*(bias[c]-float64(mean[c])) + float64(beta[c])
		}
	}
	in := []string{e.names[layer.Inputs[0]], e.floats(layer.Name+".weight", weight.Shape, data)}
	if norm != nil || op.Bias {
		rounded := make([]float32, op.Out)
		for i, v := range bias {
			rounded[i] = float32(v)
		}
		in = append(in, e.floats(layer.Name+".bias", []int{op.Out}, rounded))
	}
	attributes := append(windowAttributes(op.Kernel, op.width(), op.Stride, op.Padding), intAttribute("group", op.Groups))
	e.node("Conv", layer.Name, in, []string{e.name(last.Outputs[0], layer.Name, 0, 1)}, attributes...)
}

// name returns the tensor that is to hold a value: the layer's name, with a number where the layer has several outputs,
// unless the graph returns the value under a name of its own.
func (e *onnxEmitter) name(v Value, layer string, i, outputs int) string {
	if fixed, ok := e.names[v]; ok {
		return fixed
	}
	e.names[v] = layer
	if outputs > 1 {
		e.names[v] = fmt.Sprintf("%s.%d", layer, i)
	}
	return e.names[v]
}

// passOn makes v another name for the tensor x; where the graph returns v under a name of its own, it is copied.
func (e *onnxEmitter) passOn(v Value, x string) {
	if fixed, ok := e.names[v]; ok {
		e.node("Identity", fixed+".copy", []string{x}, []string{fixed})
		return
	}
	e.names[v] = x
}

func (e *onnxEmitter) node(op, name string, in, out []string, attributes ...*protos.AttributeProto) {
	e.graph.Node = append(e.graph.Node, &protos.NodeProto{OpType: op, Name: name, Input: in, Output: out, Attribute: attributes})
}

// constant returns the name of a scalar initializer, made at its first use.
func (e *onnxEmitter) constant(name string, value float32) string {
	if e.has(name) {
		return name
	}
	return e.floats(name, nil, []float32{value})
}

// shared is ints, made at its first use.
func (e *onnxEmitter) shared(name string, values ...int) string {
	if e.has(name) {
		return name
	}
	return e.ints(name, values...)
}

func (e *onnxEmitter) has(initializer string) bool {
	return slices.ContainsFunc(e.graph.Initializer, func(t *protos.TensorProto) bool { return t.Name == initializer })
}

func (e *onnxEmitter) floats(name string, shape []int, values []float32) string {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	if e.has(name) { // of a layer that shares its parameters
		return name
	}
	e.graph.Initializer = append(e.graph.Initializer, &protos.TensorProto{
		Name: name, DataType: int32(protos.TensorProto_FLOAT), Dims: int64s(shape), RawData: raw,
	})
	return name
}

func (e *onnxEmitter) ints(name string, values ...int) string {
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	e.graph.Initializer = append(e.graph.Initializer, &protos.TensorProto{
		Name: name, DataType: int32(protos.TensorProto_INT64), Dims: []int64{int64(len(values))}, RawData: raw,
	})
	return name
}

// valueInfo declares a float tensor of the given sample shape with a dynamic axis "batch" in front.
func valueInfo(name string, sample []int) *protos.ValueInfoProto {
	shape := &protos.TensorShapeProto{Dim: []*protos.TensorShapeProto_Dimension{
		{Value: &protos.TensorShapeProto_Dimension_DimParam{DimParam: "batch"}},
	}}
	for _, d := range sample {
		shape.Dim = append(shape.Dim, &protos.TensorShapeProto_Dimension{
			Value: &protos.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)},
		})
	}
	return &protos.ValueInfoProto{Name: name, Type: &protos.TypeProto{Value: &protos.TypeProto_TensorType{
		TensorType: &protos.TypeProto_Tensor{ElemType: int32(protos.TensorProto_FLOAT), Shape: shape},
	}}}
}

func windowAttributes(height, width, stride, padding int) []*protos.AttributeProto {
	return []*protos.AttributeProto{
		intsAttribute("kernel_shape", height, width),
		intsAttribute("strides", stride, stride),
		intsAttribute("pads", padding, padding, padding, padding),
	}
}

func intAttribute(name string, value int) *protos.AttributeProto {
	return &protos.AttributeProto{Name: name, Type: protos.AttributeProto_INT, I: int64(value)}
}

func boolAttribute(name string, value bool) *protos.AttributeProto {
	if value {
		return intAttribute(name, 1)
	}
	return intAttribute(name, 0)
}

func intsAttribute(name string, values ...int) *protos.AttributeProto {
	return &protos.AttributeProto{Name: name, Type: protos.AttributeProto_INTS, Ints: int64s(values)}
}

func floatAttribute(name string, value float64) *protos.AttributeProto {
	return &protos.AttributeProto{Name: name, Type: protos.AttributeProto_FLOAT, F: float32(value)}
}

func int64s(values []int) []int64 {
	out := make([]int64, len(values))
	for i, v := range values {
		out[i] = int64(v)
	}
	return out
}
