package model

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"rd/rdlib/golden"
)

// clipSettings are the sizes of CLIP's ResNet as its files name them.
type clipSettings struct {
	Layers    []int
	Width     int
	Heads     int
	OutputDim int `json:"output_dim"`
	ImageSize int `json:"image_size"`

	ImageShape []int   `json:"image_shape"`
	Freq       float64 `json:"x_freq"`
	Phase      float64 `json:"x_phase"`
	Gain       float64 `json:"weight_gain_k"`
}

// build describes the image encoder, without a classifier, for images of channels, height, width.
func (s clipSettings) build(t *testing.T, image ...int) *Network {
	t.Helper()
	return build(t, "clip_resnet50", Config{
		Width: float64(s.Width) / 64, Blocks: s.Layers, InChannels: image[0],
		Transformer: Transformer{Height: image[1], Width: image[2]},
		Attention:   AttentionPool{Heads: s.Heads, Out: s.OutputDim},
	})
}

// testGoldenCLIPResNet compares the encoder in evaluation, its parameters, and their numbers in published sizes.
func testGoldenCLIPResNet(t *testing.T, v *golden.Vector) {
	var settings clipSettings
	var stages map[string]mapSummary
	var list parameterList
	v.Section(t, "hyper", &settings)
	v.Section(t, "stages", &stages)
	v.Section(t, "parameters", &list.Parameters)
	v.Section(t, "buffers", &list.Buffers)
	v.Section(t, "sample_fill", &list.Fill)
	if len(settings.ImageShape) != 4 || len(stages) == 0 || len(v.Outputs) == 0 {
		t.Fatalf("%s: images of shape %v, %d stages, %d outputs", v.Name, settings.ImageShape, len(stages), len(v.Outputs))
	}
	net := settings.build(t, settings.ImageShape[1:]...)
	list.check(t, net, settings.Gain)
	checkCLIPCounts(t, net, v)
	image := architectureSettings{Freq: settings.Freq, Phase: settings.Phase}.waveImage(settings.ImageShape)
	for _, engine := range golden.Engines(t) {
		t.Run(engine.Name, func(t *testing.T) {
			store := declareFilled(t, net, engine.DType, settings.Gain)
			names := slices.Concat(slices.Sorted(maps.Keys(v.Outputs)), slices.Sorted(maps.Keys(stages)))
			exec, err := gomodel.NewExec(engine.Backend, store, func(scope *gomodel.Scope, x *graph.Node) []*graph.Node {
				out := net.Forward(scope, x, false)
				nodes := make([]*graph.Node, len(names))
				for i, name := range names {
					switch name {
					case "map":
						nodes[i] = out.FeatureMap
					case "image_features":
						nodes[i] = out.Pooled
					case "attnpool_weights":
						nodes[i] = attentionWeights(out.Taps["attnpool.q_proj"], out.Taps["attnpool.k_proj"], settings.Heads)
					default:
						nodes[i] = out.Taps[name]
					}
					if nodes[i] == nil {
						t.Errorf("the network does not hand out %s", name)
						nodes[i] = x
					}
				}
				return nodes
			})
			if err != nil {
				t.Fatal(err)
			}
			defer exec.Finalize()
			results, err := exec.Call(image.Tensor(t, engine.DType))
			if err != nil {
				t.Fatal(err)
			}
			for i, name := range names {
				if want, ok := v.Outputs[name]; ok {
					golden.Near(t, name, golden.ArrayOf(t, results[i]), want, engine.Tolerance)
				} else {
					stages[name].check(t, name, results[i], engine.Tolerance)
				}
			}
		})
	}
}

// attentionWeights are softmax(q kᵀ/√d) of the one query, [batch, heads, tokens].
func attentionWeights(q, k *graph.Node, heads int) *graph.Node {
	batch, tokens, dim := k.Shape().Dim(0), k.Shape().Dim(1), k.Shape().Dim(2)
	q = graph.Reshape(q, batch, heads, dim/heads)
	k = graph.Reshape(k, batch, tokens, heads, dim/heads)
	return graph.Softmax(graph.MulScalar(graph.Einsum("bhd,bthd->bht", q, k), 1/math.Sqrt(float64(dim/heads))), -1)
}

// checkCLIPCounts compares the numbers of parameters, of the file's network and of the published ones listed with sizes.
func checkCLIPCounts(t *testing.T, net *Network, v *golden.Vector) {
	t.Helper()
	var counts map[string]struct {
		clipSettings
		Total      int
		Pool       int `json:"attnpool"`
		Rest       int `json:"without_attnpool"`
		Positional int `json:"positional_embedding"`
		Buffers    int `json:"buffers_without_num_batches_tracked"`
	}
	v.Section(t, "counts", &counts)
	if len(counts) == 0 {
		t.Errorf("%s counts nothing", v.Name)
	}
	for name, want := range counts {
		counted := net
		if want.Width > 0 {
			counted = want.build(t, 3, want.ImageSize, want.ImageSize)
		}
		sizes := map[string]int{}
		for _, p := range counted.Parameters() {
			size := elements(p.Shape)
			switch {
			case !p.Trainable:
				sizes["buffers"] += size
				continue
			case p.Name == "attnpool.positional_embedding":
				sizes["positional"] = size
			}
			sizes["total"] += size
			if strings.HasPrefix(p.Name, "attnpool.") {
				sizes["pool"] += size
			}
		}
		expected := map[string]int{
			"total": want.Total, "pool": want.Pool, "positional": want.Positional, "buffers": want.Buffers,
		}
		if !maps.Equal(sizes, expected) || sizes["total"]-sizes["pool"] != want.Rest {
			t.Errorf("%s: %v parameters, want %v", name, sizes, expected)
		}
	}
}
