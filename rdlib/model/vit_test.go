package model

import (
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/backend/ortlib"
	"rd/rdlib/golden"
)

// smallViT takes images of 24×16 pixels.
func smallViT(pool Pool) Config {
	return Config{Classes: 3, InChannels: 2, Transformer: Transformer{
		Height: 24, Width: 16, Patch: 8, Dim: 12, Depth: 5, Heads: 3, MLPRatio: 2.5, Pool: pool,
	}}
}

// TestViTCounts compares with the parameter counts of timm at 1000 classes, and with the MACs of ViT-B/16 by hand.
func TestViTCounts(t *testing.T) {
	for name, want := range map[string]int64{
		"vit":                   86_567_656,
		"vit_base_patch16_224":  86_567_656,
		"vit_small_patch16_224": 22_050_664,
		"vit_tiny_patch16_224":  5_717_416,
	} {
		if c := cost(t, build(t, name, Config{Classes: 1000}), 3, 224, 224); c.Parameters != want {
			t.Errorf("%s has %d parameters, timm's has %d", name, c.Parameters, want)
		}
	}
	const tokens, dim = 197, 768
	block := int64(tokens*12*dim*dim + 2*tokens*tokens*dim)
	want := Cost{
		Parameters: 86_567_656,
		MACs:       196*dim*3*16*16 + 12*block + 1000*dim,
		LNElements: 25 * tokens * dim,
	}
	if got := cost(t, build(t, "vit", Config{Classes: 1000}), 3, 224, 224); got != want {
		t.Errorf("ViT-B/16 costs %+v, want %+v", got, want)
	}
}

func TestViTParameters(t *testing.T) {
	var got []string
	for _, p := range build(t, "vit", smallViT(PoolToken)).Parameters() {
		if !strings.HasPrefix(p.Name, "blocks.") || strings.HasPrefix(p.Name, "blocks.4.") {
			got = append(got, fmt.Sprint(p.Name, p.Shape))
		}
		if !p.Trainable {
			t.Errorf("%s does not train", p.Name)
		}
	}
	want := []string{
		"cls_token[1 1 12]", "pos_embed[1 7 12]", "patch_embed.proj.weight[12 2 8 8]", "patch_embed.proj.bias[12]",
		"blocks.4.norm1.weight[12]", "blocks.4.norm1.bias[12]",
		"blocks.4.attn.qkv.weight[36 12]", "blocks.4.attn.qkv.bias[36]",
		"blocks.4.attn.proj.weight[12 12]", "blocks.4.attn.proj.bias[12]",
		"blocks.4.norm2.weight[12]", "blocks.4.norm2.bias[12]",
		"blocks.4.mlp.fc1.weight[30 12]", "blocks.4.mlp.fc1.bias[30]", "blocks.4.mlp.fc2.weight[12 30]", "blocks.4.mlp.fc2.bias[12]",
		"norm.weight[12]", "norm.bias[12]", "head.weight[3 12]", "head.bias[3]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("parameters\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	mean := build(t, "vit", smallViT(PoolMean)).Parameters()
	if mean[0].Name != "pos_embed" || mean[0].Shape[1] != 6 {
		t.Errorf("without a class token the first parameter is %+v", mean[0])
	}
}

func TestViTShapes(t *testing.T) {
	for _, pool := range []Pool{PoolToken, PoolMean} {
		net := build(t, "vit", smallViT(pool))
		shapes, err := net.Shapes(2, 24, 16)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(shapes), "{[[12 3 2] [12 3 2] [12 3 2] [12 3 2]] [12 3 2] [12] [3]}"; got != want {
			t.Errorf("pool %s: shapes %s, want %s", pool, got, want)
		}
		stages := slices.DeleteFunc(net.TapNames(), func(name string) bool { return !strings.HasSuffix(name, ".map") })
		if want := []string{"blocks.1.map", "blocks.2.map", "blocks.3.map", "blocks.4.map"}; !slices.Equal(stages, want) {
			t.Errorf("stages %v, want %v", stages, want)
		}
		if _, err := net.Shapes(2, 16, 24); err == nil {
			t.Error("a ViT takes images of another size than its positions'")
		}
	}
}

func TestViTRefuses(t *testing.T) {
	for _, c := range []struct {
		transformer Transformer
		want        string
	}{
		{Transformer{Height: 224, Width: 100}, "224×100"},
		{Transformer{Height: -8, Patch: -8}, "patches"},
		{Transformer{Dim: 100, Heads: 3}, "3 heads"},
		{Transformer{Heads: -2, Dim: 8}, "-2 heads"},
		{Transformer{Depth: -1}, "block"},
		{Transformer{MLPRatio: math.NaN()}, "MLP ratio"},
		{Transformer{MLPRatio: 1e-9}, "MLP ratio"},
		{Transformer{Pool: "max"}, "pool"},
	} {
		if _, err := New("vit", Config{Classes: 2, Transformer: c.transformer}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.transformer, err, c.want)
		}
	}
	if _, err := New("vit", Config{}); err == nil {
		t.Error("a ViT without classes")
	}
}

// TestViTInit checks the distributions of timm's constructor.
func TestViTInit(t *testing.T) {
	w := build(t, "vit", Config{Classes: 100, Width: 0.25}).Init(3)
	for name, std := range map[string]float64{
		"pos_embed": 0.02, "blocks.3.attn.qkv.weight": 0.02, "blocks.11.mlp.fc2.weight": 0.02, "head.weight": 0.02,
		"cls_token": 1e-6, "patch_embed.proj.weight": 1 / math.Sqrt(3*3*256),
	} {
		var square float64
		for _, v := range w[name].Data {
			square += float64(v) * float64(v) / float64(len(w[name].Data))
		}
		if slack := 4 / math.Sqrt(float64(len(w[name].Data))); math.Abs(math.Sqrt(square)/std-1) > slack {
			t.Errorf("%s has deviation %g, want %g", name, math.Sqrt(square), std)
		}
	}
	for name, want := range map[string]float32{"blocks.0.norm1.weight": 1, "norm.bias": 0, "head.bias": 0, "blocks.5.mlp.fc1.bias": 0} {
		if v := w[name].Data; slices.Min(v) != want || slices.Max(v) != want {
			t.Errorf("%s starts in [%g, %g], want %g", name, slices.Min(v), slices.Max(v), want)
		}
	}
}

// everyTokenKind has each layer of transformers outside ViT's pattern: queries of their own, learned tokens behind others,
// layer normalisation and linear layers on vectors and tokens.
func everyTokenKind(t *testing.T) *Network {
	t.Helper()
	b := NewBuilder("tokens", 4, 3, 5)
	b.LinearInit(InitUniform)
	x := b.Tokens("tokens", b.Input())
	prompts := b.Learned("prompts", Learned{Count: 2, Features: 4, Init: InitNormal002})
	x = b.Concat("prompted", x, prompts, prompts)
	q := b.Linear("q", b.Concat("queried", prompts, x), 6)
	y := b.Attention("cross", q, b.Linear("k", x, 6), b.Linear("v", b.LayerNorm("ln", x), 6), 2)
	_, y = b.Split("cut", y, 6)
	b.FeatureMap(b.Map("map", y, 3, 5))
	y = b.GELU("act", b.TokenMean("mean", y))
	y = b.LayerNorm("last", y)
	b.Pooled(y)
	b.Logits(b.Linear("fc", y, 3))
	net, err := b.Network()
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// shaken returns weights of which none is at its start.
func shaken(net *Network, seed uint64) Weights {
	w := net.Init(seed)
	for i, p := range net.Parameters() {
		for j, v := range noise(seed+uint64(i), len(w[p.Name].Data)) {
			w[p.Name].Data[j] += 0.2 * float32(v)
		}
	}
	return w
}

// TestTransformerExportEqualsForward: the exported graph answers as the GoMLX graph does, for any batch.
func TestTransformerExportEqualsForward(t *testing.T) {
	backend := golden.GoBackend(t)
	names := []string{ONNXLogits, ONNXFeatureMap, ONNXPooled}
	for _, net := range []*Network{
		build(t, "vit", smallViT(PoolToken)), build(t, "vit", smallViT(PoolMean)), everyTokenKind(t),
		build(t, "vit", Config{Classes: 4, Width: 0.25, Transformer: Transformer{Height: 64, Patch: 8, Depth: 6}}),
	} {
		w := shaken(net, 9)
		sample := net.InputShape()
		data, err := net.ONNX(w, ONNXOptions{Sample: sample, Outputs: names})
		if err != nil {
			t.Fatal(err)
		}
		for _, batch := range []int{1, 3} {
			shape := append([]int{batch}, sample...)
			x := noise(8, shape...)
			got := exported(t, data, names, x, shape)
			want, _, err := forward(t, backend, net, w, false, x, shape, func(o Outputs) []*graph.Node {
				return []*graph.Node{o.Logits, o.FeatureMap, o.Pooled}
			})
			if err != nil {
				t.Fatal(err)
			}
			for i, name := range names {
				golden.NearPart(t, fmt.Sprintf("%s, batch %d: %s", net.Name(), batch, name), got[i], want[i], golden.Largest(want[i]), 1e-4)
			}
		}
	}
}

// TestTransformerExportIsClean: nodes are named after layers, and nothing of the graph depends on the batch.
func TestTransformerExportIsClean(t *testing.T) {
	net := build(t, "vit", smallViT(PoolToken))
	data, err := net.ONNX(net.Init(1), ONNXOptions{Sample: net.InputShape()})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, node := range decodeONNX(t, data).Graph.Node {
		kinds[node.OpType]++
		named := slices.ContainsFunc(net.Layers(), func(l Layer) bool {
			return node.Name == l.Name || strings.HasPrefix(node.Name, l.Name+".")
		})
		if !named && node.Name != "softmax" {
			t.Errorf("node %q is named after no layer", node.Name)
		}
	}
	want := map[string]int{
		"Conv": 1, "LayerNormalization": 11, "Erf": 5, "MatMul": 5 * 6, "Gemm": 1, "Softmax": 6, "Expand": 1, "Flatten": 1,
		"Split": 5 + 1, "Transpose": 5*4 + 1, "Reshape": 5*4 + 1, "Mul": 5 * 3, "Div": 5, "Add": 5*7 + 1, "Shape": 1, "Concat": 2,
	}
	if fmt.Sprint(kinds) != fmt.Sprint(want) {
		t.Errorf("nodes %v, want %v", kinds, want)
	}
}

// TestExportPassesONNXChecker asks the Python package onnx, where the project's .venv or the system has it.
func TestExportPassesONNXChecker(t *testing.T) {
	python := "python3"
	if root, err := ortlib.ProjectRoot(); err == nil {
		if own := filepath.Join(root, ".venv", "bin", "python"); exec.Command(own, "-c", "import onnx").Run() == nil {
			python = own
		}
	}
	if err := exec.Command(python, "-c", "import onnx").Run(); err != nil {
		t.Skipf("%s has no package onnx: %v", python, err)
	}
	nets := []*Network{build(t, "vit", smallViT(PoolToken)), build(t, "vit", smallViT(PoolMean)), everyTokenKind(t), everyKind(t), build(t, "vit_sam", smallSAM(2))}
	for _, student := range Students() {
		nets = append(nets, build(t, student, Config{Classes: 3, Width: 0.25}))
	}
	for _, net := range nets {
		sample := net.InputShape()
		for i := range sample {
			if sample[i] == Any {
				sample[i] = 64
			}
		}
		data, err := net.ONNX(net.Init(1), ONNXOptions{Sample: sample, Outputs: []string{ONNXLogits, ONNXProbabilities, ONNXFeatureMap, ONNXPooled}})
		if err != nil {
			t.Fatal(err)
		}
		check := exec.Command(python, "-c", "import onnx, sys; onnx.checker.check_model(onnx.load_model_from_string(sys.stdin.buffer.read()), full_check=True)")
		check.Stdin = strings.NewReader(string(data))
		if output, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", net.Name(), err, output)
		}
	}
}
