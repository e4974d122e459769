package model

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/golden"
	"rd/rdlib/nn"
)

// smallSAM takes images of 27×41 pixels: 5×8 patches with pixels left over, in windows of 3×3 with padding.
func smallSAM(classes int) Config {
	return Config{Classes: classes, InChannels: 2, Transformer: Transformer{Height: 27, Width: 41, Patch: 5, Dim: 12, Depth: 5, Heads: 3, MLPRatio: 2.5},
		Windows: Windows{Side: 3, Global: []int{1, 4}, Table: 50}}
}

// TestSAMViTCost compares LVM-Med's encoder with the paper's Table 6, which counts the neck's parameters, but not its work.
func TestSAMViTCost(t *testing.T) {
	c := cost(t, build(t, "lvm_med_vit_b", Config{Windows: Windows{Neck: true}}), 3, 224, 224)
	if c.Parameters != 86_525_184 || c.F() != 17_539_522_560 {
		t.Errorf("%d parameters, F = %d: want 86525184 and 17539522560", c.Parameters, c.F())
	}
	if got, want := fmt.Sprintf("%.2f %.2f", c.PaperParams(), c.PaperFLOPs()), "41.26 65.34"; got != want {
		t.Errorf("the paper's units give %s, it prints %s", got, want)
	}
	without := cost(t, build(t, "vit_sam", Config{}), 3, 224, 224)
	if without.F() != c.F() || c.Parameters-without.Parameters != 787_456 {
		t.Errorf("without the neck %+v, with it %+v", without, c)
	}
}

// TestSAMViTSizes: no image size is too odd; an image is cut to whole patches, and maps are as large as those.
func TestSAMViTSizes(t *testing.T) {
	for want, size := range map[string][2]int{
		"[48 14 14] 196 14": {0, 0}, "[48 14 15] 210 14": {231, 247}, "[48 1 1] 1 14": {16, 31}, "[48 16 1] 16 14": {256, 16},
	} {
		net := build(t, "vit_sam", Config{Transformer: Transformer{Height: size[0], Width: size[1], Depth: 4, Heads: 3, Dim: 48}})
		shapes, err := net.Shapes(net.InputShape()...)
		if err != nil {
			t.Fatal(err)
		}
		grid := shapes.FeatureMap[1:]
		got := fmt.Sprint(shapes.FeatureMap, elements(grid), 14)
		if got != want || len(shapes.Stages) != 4 || !slices.Equal(shapes.Pooled, []int{48}) || shapes.Logits != nil {
			t.Errorf("%v: %s (%+v), want %s", size, got, shapes, want)
		}
	}
}

func TestSAMViTRefuses(t *testing.T) {
	for want, c := range map[string]Config{
		"no patch of 16×16":   {Transformer: Transformer{Height: 15}},
		"no patch of -3×-3":   {Transformer: Transformer{Patch: -3}},
		"3 heads":             {Transformer: Transformer{Dim: 100, Heads: 3}},
		"windows of -1":       {Windows: Windows{Side: -1}},
		"tables for images":   {Windows: Windows{Table: 7}},
		"global blocks [12]":  {Windows: Windows{Global: []int{12}}},
		"global blocks [-1]":  {Windows: Windows{Global: []int{-1}}},
		"at least one class":  {Classes: -1},
		"is outside (0, 8]":   {Width: 9},
		"leaves no choice of": {Blocks: []int{3}},
	} {
		if _, err := New("vit_sam", c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", c, err, want)
		}
	}
}

// TestSAMViTExportEqualsForward: padded windows, resized tables, global blocks, any batch.
func TestSAMViTExportEqualsForward(t *testing.T) {
	backend := golden.GoBackend(t)
	unpadded := smallSAM(0)
	unpadded.Transformer.Height, unpadded.Transformer.Width, unpadded.Windows.Neck = 30, 45, true
	for _, net := range []*Network{build(t, "vit_sam", smallSAM(3)), build(t, "vit_sam", unpadded)} {
		names := append(net.ONNXStages(), ONNXFeatureMap, ONNXPooled)
		if net.Classes() > 0 {
			names = append(names, ONNXLogits)
		}
		w, sample := shaken(net, 4), net.InputShape()
		data, err := net.ONNX(w, ONNXOptions{Sample: sample, Outputs: names})
		if err != nil {
			t.Fatal(err)
		}
		for _, batch := range []int{1, 3} {
			shape := append([]int{batch}, sample...)
			x := noise(8, shape...)
			got := exported(t, data, names, x, shape)
			want, _, err := forward(t, backend, net, w, false, x, shape, func(o Outputs) []*graph.Node {
				nodes := append(slices.Clone(o.Stages[:3]), o.FeatureMap, o.Pooled)
				if o.Logits != nil {
					nodes = append(nodes, o.Logits)
				}
				return nodes
			})
			if err != nil {
				t.Fatal(err)
			}
			for i, name := range names {
				golden.NearPart(t, fmt.Sprintf("batch %d: %s", batch, name), got[i], want[i], golden.Largest(want[i]), 1e-4)
			}
		}
	}
}

// TestResizeWeights: a table of its own size stays, each entry is a mean, and a table that rises evenly still does inside.
func TestResizeWeights(t *testing.T) {
	for _, size := range [][2]int{{127, 27}, {7, 7}, {5, 19}, {1, 3}, {19, 1}} {
		for j, row := range nn.ResizeWeights(size[0], size[1]) {
			var sum, centre float64
			for i, v := range row {
				sum += v
				centre += v * float64(i)
			}
			want := (float64(j)+0.5)*float64(size[0])/float64(size[1]) - 0.5
			want = min(max(want, 0), float64(size[0]-1))
			if math.Abs(sum-1) > 1e-12 || math.Abs(centre-want) > 1e-12 {
				t.Errorf("%v: entry %d lies at %g with weight %g, want %g and 1", size, j, centre, sum, want)
			}
		}
	}
}
