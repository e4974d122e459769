package foundation

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"
)

// tiny describes a small convolutional network that tests write as ONNX:
//
//	input → conv 3×3 stride 2 → ReLU (stage1) → conv 3×3 stride 2 → ReLU (feature_map) → global average (pooled)
type tiny struct {
	channels      int // of the image; 0: 3
	batch         int // 0: free
	height, width int // 0: free
	nhwc          bool
	elemType      protos.TensorProto_DataType // of the input; 0: float
	outputs       []string                    // among stage1, feature_map, pooled, pooled4, tokens, logits; nil: the first three
	rename        map[string]string           // of outputs
	onlyOne       bool                        // a reshape that fails unless the batch is 1, though the graph leaves it free
	external      string                      // file for the weights
	listWeights   bool                        // among the graph's inputs, as IR version 3 does
	extraInput    bool
	seed          uint64
	scale         float32 // of the second convolution's weights; 0: 1
}

const tinyStage1, tinyMap = 4, 6 // channels

type graphWriter struct {
	t     testing.TB
	graph *protos.GraphProto
}

func (g graphWriter) node(op string, out string, in []string, attributes ...*protos.AttributeProto) string {
	g.graph.Node = append(g.graph.Node, &protos.NodeProto{OpType: op, Name: out, Input: in, Output: []string{out}, Attribute: attributes})
	return out
}

func ints(name string, values ...int64) *protos.AttributeProto {
	return &protos.AttributeProto{Name: name, Type: protos.AttributeProto_INTS, Ints: values}
}

func integer(name string, value int64) *protos.AttributeProto {
	return &protos.AttributeProto{Name: name, Type: protos.AttributeProto_INT, I: value}
}

func (g graphWriter) floats(name string, data []float32, dims ...int64) string {
	raw := make([]byte, 4*len(data))
	for i, v := range data {
		binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(v))
	}
	g.graph.Initializer = append(g.graph.Initializer, &protos.TensorProto{Name: name, DataType: int32(protos.TensorProto_FLOAT), Dims: dims, RawData: raw})
	return name
}

func (g graphWriter) int64s(name string, data ...int64) string {
	g.graph.Initializer = append(g.graph.Initializer, &protos.TensorProto{Name: name, DataType: int32(protos.TensorProto_INT64), Dims: []int64{int64(len(data))}, Int64Data: data})
	return name
}

func dim(size int, name string) *protos.TensorShapeProto_Dimension {
	if size > 0 {
		return &protos.TensorShapeProto_Dimension{Value: &protos.TensorShapeProto_Dimension_DimValue{DimValue: int64(size)}}
	}
	return &protos.TensorShapeProto_Dimension{Value: &protos.TensorShapeProto_Dimension_DimParam{DimParam: name}}
}

func valueInfo(name string, elem protos.TensorProto_DataType, dims ...*protos.TensorShapeProto_Dimension) *protos.ValueInfoProto {
	tensor := &protos.TypeProto_Tensor{ElemType: int32(elem)}
	if dims != nil {
		tensor.Shape = &protos.TensorShapeProto{Dim: dims}
	}
	return &protos.ValueInfoProto{Name: name, Type: &protos.TypeProto{Value: &protos.TypeProto_TensorType{TensorType: tensor}}}
}

func (m tiny) withDefaults() tiny {
	if m.channels == 0 {
		m.channels = 3
	}
	if m.elemType == 0 {
		m.elemType = protos.TensorProto_FLOAT
	}
	if m.outputs == nil {
		m.outputs = []string{"stage1", "feature_map", "pooled"}
	}
	if m.scale == 0 {
		m.scale = 1
	}
	return m
}

// weights are the two convolutions' kernels, [out, in, 3, 3].
func (m tiny) weights() (first, second []float32) {
	m = m.withDefaults()
	random := rand.New(rand.NewPCG(m.seed, 7))
	draw := func(n int, scale float32) []float32 {
		w := make([]float32, n)
		for i := range w {
			w[i] = scale * float32(random.NormFloat64()) / 4
		}
		return w
	}
	return draw(tinyStage1*m.channels*9, 1), draw(tinyMap*tinyStage1*9, m.scale)
}

func (m tiny) proto(t testing.TB) *protos.ModelProto {
	m = m.withDefaults()
	g := graphWriter{t, &protos.GraphProto{Name: "tiny"}}
	axes := []*protos.TensorShapeProto_Dimension{dim(m.batch, "batch"), dim(m.channels, ""), dim(m.height, "height"), dim(m.width, "width")}
	if m.nhwc {
		axes = []*protos.TensorShapeProto_Dimension{axes[0], axes[2], axes[3], axes[1]}
	}
	g.graph.Input = append(g.graph.Input, valueInfo("input", m.elemType, axes...))
	x := "input"
	if m.elemType != protos.TensorProto_FLOAT {
		x = g.node("Cast", "cast", []string{x}, integer("to", int64(protos.TensorProto_FLOAT)))
	}
	if m.nhwc {
		x = g.node("Transpose", "nchw", []string{x}, ints("perm", 0, 3, 1, 2))
	}
	if m.onlyOne {
		x = g.node("Reshape", "one", []string{x, g.int64s("one_shape", 1, int64(m.channels), int64(m.height), int64(m.width))})
	}
	if m.extraInput {
		g.graph.Input = append(g.graph.Input, valueInfo("mask", protos.TensorProto_FLOAT, dim(1, "")))
		x = g.node("Mul", "masked", []string{x, "mask"})
	}
	w1, w2 := m.weights()
	conv := func(x, w, out string) string {
		y := g.node("Conv", out+"_conv", []string{x, w}, ints("kernel_shape", 3, 3), ints("strides", 2, 2), ints("pads", 1, 1, 1, 1))
		return g.node("Relu", out, []string{y})
	}
	internal := map[string]string{}
	internal["stage1"] = conv(x, g.floats("w1", w1, tinyStage1, int64(m.channels), 3, 3), "s1")
	internal["feature_map"] = conv(internal["stage1"], g.floats("w2", w2, tinyMap, tinyStage1, 3, 3), "s2")
	for _, name := range m.outputs {
		public := name
		if m.rename[name] != "" {
			public = m.rename[name]
		}
		switch name {
		case "stage1", "feature_map":
			if m.nhwc {
				g.node("Transpose", public, []string{internal[name]}, ints("perm", 0, 2, 3, 1))
			} else {
				g.node("Identity", public, []string{internal[name]})
			}
		case "pooled":
			g.node("Flatten", public, []string{g.node("GlobalAveragePool", public+"_4", []string{internal["feature_map"]})})
		case "pooled4":
			g.node("GlobalAveragePool", public, []string{internal["feature_map"]})
		case "tokens":
			flat := g.node("Reshape", public+"_flat", []string{internal["feature_map"], g.int64s(public+"_shape", 0, tinyMap, -1)})
			g.node("Transpose", public, []string{flat}, ints("perm", 0, 2, 1))
		case "logits":
			flat := g.node("Flatten", public+"_flat", []string{g.node("GlobalAveragePool", public+"_4", []string{internal["feature_map"]})})
			g.node("MatMul", public, []string{flat, g.floats(public+"_w", make([]float32, tinyMap*2), tinyMap, 2)})
		case "indices":
			flat := g.node("Flatten", public+"_flat", []string{g.node("GlobalAveragePool", public+"_4", []string{internal["feature_map"]})})
			g.node("ArgMax", public, []string{flat}, integer("axis", 1))
			g.graph.Output = append(g.graph.Output, valueInfo(public, protos.TensorProto_INT64))
			continue
		default:
			t.Fatalf("tiny has no output %q", name)
		}
		g.graph.Output = append(g.graph.Output, valueInfo(public, protos.TensorProto_FLOAT))
	}
	if m.listWeights {
		for _, w := range g.graph.Initializer {
			var dims []*protos.TensorShapeProto_Dimension
			for _, d := range w.Dims {
				dims = append(dims, dim(int(d), ""))
			}
			g.graph.Input = append(g.graph.Input, valueInfo(w.Name, protos.TensorProto_DataType(w.DataType), dims...))
		}
	}
	return &protos.ModelProto{IrVersion: 8, ProducerName: "test", ProducerVersion: "1", Graph: g.graph, OpsetImport: []*protos.OperatorSetIdProto{{Version: 17}}}
}

// write stores the model in a folder and returns its path.
func (m tiny) write(t testing.TB, folder string) string {
	t.Helper()
	model := m.proto(t)
	if m.external != "" {
		var all []byte
		for _, w := range model.Graph.Initializer {
			if len(w.RawData) == 0 {
				continue
			}
			w.ExternalData = []*protos.StringStringEntryProto{{Key: "location", Value: m.external},
				{Key: "offset", Value: itoa(len(all))}, {Key: "length", Value: itoa(len(w.RawData))}}
			w.DataLocation = protos.TensorProto_EXTERNAL
			all = append(all, w.RawData...)
			w.RawData = nil
		}
		if filepath.IsLocal(m.external) {
			writeFile(t, filepath.Join(folder, m.external), all)
		}
	}
	data, err := proto.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "tiny.onnx")
	writeFile(t, path, data)
	return path
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// reference computes the maps of one image, [channels, height, width], in float64.
func (m tiny) reference(image []float32, height, width int) (stage1, featureMap []float64, h, w int) {
	m = m.withDefaults()
	w1, w2 := m.weights()
	wide := make([]float64, len(image))
	for i, v := range image {
		wide[i] = float64(v)
	}
	stage1, h, w = convRelu(wide, m.channels, height, width, w1, tinyStage1)
	featureMap, h, w = convRelu(stage1, tinyStage1, h, w, w2, tinyMap)
	return stage1, featureMap, h, w
}

// convRelu is a 3×3 convolution of stride 2 and padding 1, with ReLU.
func convRelu(x []float64, channels, height, width int, weight []float32, out int) (y []float64, h, w int) {
	h, w = (height+1)/2, (width+1)/2
	y = make([]float64, out*h*w)
	for o := range out {
		for i := range h {
			for j := range w {
				sum := 0.0
				for c := range channels {
					for di := range 3 {
						for dj := range 3 {
							r, s := 2*i+di-1, 2*j+dj-1
							if r < 0 || s < 0 || r >= height || s >= width {
								continue
							}
							sum += x[(c*height+r)*width+s] * float64(weight[((o*channels+c)*3+di)*3+dj])
						}
					}
				}
				y[(o*h+i)*w+j] = max(sum, 0)
			}
		}
	}
	return y, h, w
}

// noise is n values from a seed.
func noise(seed uint64, n int) []float32 {
	random := rand.New(rand.NewPCG(seed, 1))
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(random.NormFloat64())
	}
	return values
}

// save stores a model that a test has changed.
func save(t testing.TB, folder string, model *protos.ModelProto) string {
	t.Helper()
	data, err := proto.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "tiny.onnx")
	writeFile(t, path, data)
	return path
}
