package model

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/graph"
	ort "github.com/yalue/onnxruntime_go"
	"google.golang.org/protobuf/proto"

	"rd/rdlib/backend/ortlib"
	"rd/rdlib/golden"
)

// exported runs an exported graph on a batch and returns its outputs.
func exported(t *testing.T, data []byte, outputs []string, x []float64, shape []int) [][]float64 {
	t.Helper()
	options, err := ortlib.SessionOptions(2)
	if err != nil {
		t.Skipf("no ONNX Runtime: %v", err)
	}
	defer options.Destroy()
	session, err := ort.NewDynamicAdvancedSessionWithONNXData(data, []string{ONNXInput}, outputs, options)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Destroy()
	single := make([]float32, len(x))
	for i, v := range x {
		single[i] = float32(v)
	}
	input, err := ort.NewTensor(ort.Shape(int64s(shape)), single)
	if err != nil {
		t.Fatal(err)
	}
	defer input.Destroy()
	results := make([]ort.Value, len(outputs))
	if err := session.Run([]ort.Value{input}, results); err != nil {
		t.Fatal(err)
	}
	var values [][]float64
	for _, r := range results {
		var v []float64
		for _, x := range r.(*ort.Tensor[float32]).GetData() {
			v = append(v, float64(x))
		}
		values = append(values, v)
		r.Destroy()
	}
	return values
}

// TestExportEqualsForward: the exported graph, batch normalisation folded, answers as the GoMLX graph does.
func TestExportEqualsForward(t *testing.T) {
	backend := golden.GoBackend(t)
	type row struct {
		net   *Network
		shape []int
	}
	rows := []row{{everyKind(t), []int{3, 6, 9, 7}}}
	for _, student := range Students() {
		for i, width := range []float64{0.25, 0.6, 1} {
			size := [][]int{{1, 3, 64, 64}, {3, 3, 33, 47}, {2, 3, 48, 32}}[i]
			rows = append(rows, row{build(t, student, Config{Classes: 2 + i, Width: width}), size})
		}
	}
	rows = append(rows, row{build(t, "mobilenet", Config{Classes: 3, Width: 0.25, InChannels: 1, Dropout: 0.3}), []int{2, 1, 40, 32}})
	rows = append(rows,
		row{build(t, "densenet121", Config{Classes: 3, Width: 0.25}), []int{2, 3, 32, 32}},
		row{build(t, "densenet121", Config{Classes: 2, Width: 0.5, InChannels: 1, Blocks: []int{2, 1, 3}}), []int{1, 1, 33, 47}},
		row{build(t, "resnet50", Config{Classes: 2, Width: 0.25}), []int{2, 3, 48, 32}},
		row{build(t, "resnet50", Config{Classes: 4, Width: 0.3, Blocks: []int{1, 2, 1}}), []int{3, 3, 47, 33}},
		row{build(t, "clip_resnet50", Config{Classes: 3, Width: 0.25, Blocks: []int{1, 1, 1, 1}, Transformer: Transformer{Height: 64}}), []int{2, 3, 64, 64}},
		row{build(t, "clip_resnet50", Config{Classes: 2, Width: 0.1, InChannels: 1, Blocks: []int{2, 1}, Transformer: Transformer{Height: 40, Width: 27}, Attention: AttentionPool{Heads: 4, Out: 5}}), []int{3, 1, 40, 27}},
	)
	for _, r := range rows {
		names := append([]string{ONNXLogits, ONNXProbabilities, ONNXFeatureMap, ONNXPooled}, r.net.ONNXStages()...)
		t.Run(fmt.Sprintf("%s %v", r.net.Name(), r.shape), func(t *testing.T) {
			w := settled(r.net, 9)
			data, err := r.net.ONNX(w, ONNXOptions{Sample: r.shape[1:], Outputs: names})
			if err != nil {
				t.Fatal(err)
			}
			x := noise(8, r.shape...)
			got := exported(t, data, names, x, r.shape)
			want, _, err := forward(t, backend, r.net, w, false, x, r.shape, func(o Outputs) []*graph.Node {
				nodes := []*graph.Node{o.Logits, graph.Softmax(o.Logits, -1), o.FeatureMap, o.Pooled}
				return append(nodes, o.Stages[:len(names)-len(nodes)]...)
			})
			if err != nil {
				t.Fatal(err)
			}
			for i, name := range names {
				golden.NearPart(t, name, got[i], want[i], golden.Largest(want[i]), 1e-5)
			}
		})
	}
}

func decodeONNX(t *testing.T, data []byte) *protos.ModelProto {
	t.Helper()
	var m protos.ModelProto
	if err := proto.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return &m
}

// TestExportIsClean: one node a layer, no batch normalisation left, readable names, equal bytes for equal weights.
func TestExportIsClean(t *testing.T) {
	for student, want := range map[string]map[string]int{
		"resnet18":   {"Conv": 20, "Relu": 17, "MaxPool": 1, "Add": 8, "ReduceMean": 1, "Gemm": 1, "Softmax": 1},
		"shufflenet": {"Conv": 56, "Relu": 37, "MaxPool": 1, "Split": 13, "Concat": 16, "Reshape": 32, "Transpose": 16, "ReduceMean": 1, "Gemm": 1, "Softmax": 1},
		"mobilenet":  {"Conv": 52, "Clip": 35, "Add": 10, "ReduceMean": 1, "Gemm": 1, "Softmax": 1},
	} {
		net := build(t, student, Config{Classes: 3})
		w := settled(net, 2)
		o := ONNXOptions{Sample: []int{3, 64, 64}, Producer: "test", Doc: "doc", Metadata: map[string]string{"b": "2", "a": "1"}}
		data, err := net.ONNX(w, o)
		if err != nil {
			t.Fatal(err)
		}
		again, err := net.ONNX(w.Clone(), o)
		if err != nil || !bytes.Equal(data, again) {
			t.Errorf("%s: equal weights gave different files (%v)", student, err)
		}
		m := decodeONNX(t, data)
		kinds := map[string]int{}
		layers := map[string]bool{"softmax": true}
		for _, layer := range net.Layers() {
			layers[layer.Name] = true
		}
		for _, node := range m.Graph.Node {
			kinds[node.OpType]++
			if name := strings.TrimSuffix(strings.TrimSuffix(node.Name, ".grouped"), ".dealt"); !layers[name] {
				t.Errorf("%s: node %q is named after no layer", student, node.Name)
			}
		}
		if fmt.Sprint(kinds) != fmt.Sprint(want) {
			t.Errorf("%s has nodes %v, want %v", student, kinds, want)
		}
		if m.OpsetImport[0].Version != 17 || m.ProducerName != "test" || m.DocString != "doc" || m.MetadataProps[0].Key != "a" || m.MetadataProps[1].Value != "2" {
			t.Errorf("%s: header %v %q %q %v", student, m.OpsetImport, m.ProducerName, m.DocString, m.MetadataProps)
		}
		batch := m.Graph.Input[0].Type.GetTensorType().Shape.Dim[0]
		if batch.GetDimParam() != "batch" || len(m.Graph.Input) != 1 || len(m.Graph.Output) != 2 {
			t.Errorf("%s: inputs %v, outputs %v", student, m.Graph.Input, m.Graph.Output)
		}
	}
}

// TestExportOfFeatures leaves out the classifier that nothing asks for.
func TestExportOfFeatures(t *testing.T) {
	net := build(t, "resnet18", Config{Classes: 4, Width: 0.25})
	data, err := net.ONNX(settled(net, 2), ONNXOptions{Sample: []int{3, 32, 32}, Outputs: []string{ONNXFeatureMap, ONNXPooled}})
	if err != nil {
		t.Fatal(err)
	}
	m := decodeONNX(t, data)
	if slices.ContainsFunc(m.Graph.Initializer, func(i *protos.TensorProto) bool { return strings.HasPrefix(i.Name, "fc.") }) {
		t.Error("the classifier's weights are in a file that does not return its logits")
	}
	if m.Graph.Output[0].Name != ONNXFeatureMap || m.Graph.Output[1].Name != ONNXPooled {
		t.Errorf("outputs %v", m.Graph.Output)
	}
}

func TestExportRefuses(t *testing.T) {
	net := build(t, "mobilenet", Config{Classes: 2, Width: 0.1})
	sample := []int{3, 32, 32}
	fine := settled(net, 1)
	changed := func(name string, v float32) Weights {
		w := fine.Clone()
		w[name].Data[0] = v
		return w
	}
	missing := fine.Clone()
	delete(missing, "classifier.1.bias")
	b := NewBuilder("headless", 3, Any, Any)
	b.Pooled(b.GlobalAvgPool("pool", b.Input()))
	headless, err := b.Network()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		net  *Network
		w    Weights
		o    ONNXOptions
		want string
	}{
		"missing weight":    {net, missing, ONNXOptions{Sample: sample}, "classifier.1.bias"},
		"not a number":      {net, changed("features.5.conv.0.0.weight", float32(math.NaN())), ONNXOptions{Sample: sample}, "features.5.conv.0.0.weight"},
		"infinite":          {net, changed("classifier.1.bias", float32(math.Inf(-1))), ONNXOptions{Sample: sample}, "classifier.1.bias"},
		"negative variance": {net, changed("features.0.1.running_var", -0.1), ONNXOptions{Sample: sample}, "features.0.1.running_var"},
		"no size":           {net, fine, ONNXOptions{}, "samples of shape"},
		"wrong channels":    {net, fine, ONNXOptions{Sample: []int{1, 32, 32}}, "samples of shape"},
		"unknown output":    {net, fine, ONNXOptions{Sample: sample, Outputs: []string{"logit"}}, `"logit"`},
		"no output":         {net, fine, ONNXOptions{Sample: sample, Outputs: []string{}}, "at least one"},
		"no logits":         {headless, Weights{}, ONNXOptions{Sample: sample}, "no logits"},
	} {
		if data, err := c.net.ONNX(c.w, c.o); err == nil || data != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}
