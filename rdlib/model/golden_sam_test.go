package model

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"rd/rdlib/golden"
	"rd/rdlib/nn"
)

// samSettings are the hyper-parameters of a file of SAM's encoder that are no plain numbers.
type samSettings struct {
	Global []int `json:"global_attn_indexes"`
}

// testGoldenSAM compares the outputs, the tables of positions as they are resized and one padded window among them, and
// every gradient of the file.
func testGoldenSAM(t *testing.T, v *golden.Vector) {
	image, patch := v.Inputs.Get(t, "image"), v.Params.Get(t, "patch_embed.proj.weight").Shape
	var settings samSettings
	v.Section(t, "hyper", &settings)
	if settings.Global == nil {
		settings.Global = []int{}
	}
	depth, side := int(v.Hyper(t, "depth")), int(v.Hyper(t, "window"))
	net := build(t, "vit_sam", Config{
		InChannels: image.Shape[1],
		Transformer: Transformer{
			Height: image.Shape[2], Width: image.Shape[3],
			Patch: patch[2], Dim: patch[0], Depth: depth, Heads: int(v.Hyper(t, "heads")),
			MLPRatio: float64(v.Params.Get(t, "blocks.0.mlp.lin1.bias").Shape[0]) / float64(patch[0]),
		},
		Windows: Windows{Side: side, Global: settings.Global, Table: int(v.Hyper(t, "table_img_size"))},
	})
	grid := nn.Grid{image.Shape[2] / patch[2], image.Shape[3] / patch[2]}
	checkSAMParameters(t, net, v)
	compareTransformer(t, v, net, func(out Outputs) *graph.Node { return graph.ReduceAllMean(graph.Square(out.Pooled)) },
		func(scope *gomodel.Scope, name string, out Outputs, loss *graph.Node) *graph.Node {
			return samOutput(scope, name, out, loss, grid, side, depth)
		})
}

// checkSAMParameters compares names and shapes with the file's; the neck is left out of both.
func checkSAMParameters(t *testing.T, net *Network, v *golden.Vector) {
	t.Helper()
	if len(v.Params) != len(net.Parameters()) {
		t.Errorf("the file has %d parameters, the network %d", len(v.Params), len(net.Parameters()))
	}
	for _, p := range net.Parameters() {
		if want := v.Params.Get(t, p.Name).Shape; !slices.Equal(p.Shape, want) {
			t.Fatalf("%s has shape %v, want %v", p.Name, p.Shape, want)
		}
	}
}

// samOutputName are the outputs inside the blocks.
var samOutputName = regexp.MustCompile(`^block(\d+)(?:\.(rel_pos_[hw])_resized|\.attn_last_window_(in|out))?$`)

// samOutput is the output that bears a name in the files, tokens as maps [batch, height, width, features].
func samOutput(scope *gomodel.Scope, name string, out Outputs, loss *graph.Node, grid nn.Grid, side, depth int) *graph.Node {
	switch name {
	case "loss":
		return loss
	case "pooled":
		return out.Pooled
	case "patch_tokens":
		return inGrid(out.Taps["patch_embed"], grid)
	case "token_map":
		return inGrid(out.Taps[fmt.Sprintf("blocks.%d", depth-1)], grid)
	}
	m := samOutputName.FindStringSubmatch(name)
	if m == nil {
		panic(fmt.Errorf("the network does not hand out %s", name))
	}
	block := "blocks." + m[1]
	switch {
	case m[2] != "":
		table := variable(scope, block+".attn."+m[2]).NodeValue(loss.Graph())
		n := grid[strings.Index("hw", m[2][len(m[2])-1:])]
		weights := graph.ConvertDType(graph.Const(loss.Graph(), nn.ResizeWeights(table.Shape().Dim(0), 2*n-1)), table.DType())
		return graph.Dot(weights, table).Product()
	case m[3] != "":
		tap := block + ".attn"
		if m[3] == "in" {
			tap += ".input"
		}
		padded := nn.Grid{(grid[0] + side - 1) / side * side, (grid[1] + side - 1) / side * side}
		first := graph.Squeeze(graph.Slice(inGrid(out.Taps[tap], padded), graph.AxisElem(0)), 0)
		return graph.Slice(first, graph.AxisRange(padded[0]-side), graph.AxisRange(padded[1]-side), graph.AxisRange())
	}
	return inGrid(out.Taps[block], grid)
}

// samCounts are the numbers of parameters of the encoder with tables made for images of one size.
type samCounts struct {
	Table       int `json:"table_img_size"`
	Global      int `json:"global_rel_pos_entries"`
	Window      int `json:"window_rel_pos_entries"`
	WithNeck    int `json:"with_neck"`
	WithoutNeck int `json:"without_neck"`
	Neck        int `json:"neck"`
	Positions   int `json:"rel_pos"`
}

// checkSAM compares the published encoder's parameters, with its neck, and their numbers for each size of the tables.
func (want parameterList) checkSAM(t *testing.T, name string) {
	t.Helper()
	c := want.samConfig()
	want.check(t, build(t, name, c), 1)
	for key, count := range want.Counts {
		c.Windows.Table = count.Table
		got := samCounts{Table: count.Table}
		for _, p := range build(t, name, c).Parameters() {
			size := elements(p.Shape)
			got.WithNeck += size
			switch {
			case strings.HasPrefix(p.Name, "neck."):
				got.Neck += size
			case strings.Contains(p.Name, ".rel_pos_"):
				got.Positions += size
				got.Window, got.Global = min(p.Shape[0], cmp.Or(got.Window, p.Shape[0])), max(got.Global, p.Shape[0])
			}
		}
		got.WithoutNeck = got.WithNeck - got.Neck
		if got != count {
			t.Errorf("%s, %s: %+v, want %+v", name, key, got, count)
		}
	}
}

// samConfig reads the sizes off the list.
func (want parameterList) samConfig() Config {
	patch := want.Parameters[0].Shape
	c := Config{InChannels: patch[1], Transformer: Transformer{Patch: patch[2], Dim: patch[0]}, Windows: Windows{Neck: true}}
	var entries []int
	for _, p := range want.Parameters {
		switch {
		case strings.HasSuffix(p.Name, ".attn.rel_pos_h"):
			c.Transformer.Heads = patch[0] / p.Shape[1]
			entries = append(entries, p.Shape[0])
		case strings.HasSuffix(p.Name, ".lin1.bias"):
			c.Transformer.MLPRatio = float64(p.Shape[0]) / float64(patch[0])
		}
	}
	c.Transformer.Depth = len(entries)
	c.Windows.Side, c.Windows.Table = (slices.Min(entries)+1)/2, (slices.Max(entries)+1)/2*patch[2]
	c.Windows.Global = []int{}
	for i, n := range entries {
		if n == slices.Max(entries) {
			c.Windows.Global = append(c.Windows.Global, i)
		}
	}
	return c
}
