package model

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"rd/rdlib/golden"
)

// testGoldenViT compares the outputs, those inside the blocks among them, and every gradient of the file.
func testGoldenViT(t *testing.T, v *golden.Vector) {
	if _, relative := v.Params["blocks.0.attn.rel_pos_h"]; relative {
		testGoldenSAM(t, v)
		return
	}
	image, patch := v.Inputs.Get(t, "image"), v.Params.Get(t, "patch_embed.proj.weight").Shape
	pool := PoolMean
	if _, ok := v.Params["cls_token"]; ok {
		pool = PoolToken
	}
	net := build(t, "vit", Config{
		Classes:    v.Params.Get(t, "head.bias").Shape[0],
		InChannels: image.Shape[1],
		Transformer: Transformer{
			Height: image.Shape[2], Width: image.Shape[3],
			Patch: patch[2], Dim: patch[0], Depth: int(v.Hyper(t, "depth")), Heads: int(v.Hyper(t, "heads")),
			MLPRatio: float64(v.Params.Get(t, "blocks.0.mlp.fc1.bias").Shape[0]) / float64(patch[0]),
			Pool:     pool,
		},
	})
	labels := golden.Convert[int32](v.Inputs.Get(t, "labels").Data)
	// The file's names of the outputs inside.
	names := map[string]string{"patch_tokens": "patch_embed"}
	for i := range int(v.Hyper(t, "depth")) {
		names[fmt.Sprintf("block%d", i)] = fmt.Sprintf("blocks.%d", i)
		names[fmt.Sprintf("block%d.attn_out", i)] = fmt.Sprintf("blocks.%d.attn", i)
		names[fmt.Sprintf("block%d.mlp_out", i)] = fmt.Sprintf("blocks.%d.mlp", i)
	}
	if len(v.Params) != len(net.Parameters()) {
		t.Errorf("the file has %d parameters, the network %d", len(v.Params), len(net.Parameters()))
	}
	compareTransformer(t, v, net, func(out Outputs) *graph.Node { return meanCrossEntropy(out.Logits, labels) }, func(_ *gomodel.Scope, name string, out Outputs, loss *graph.Node) *graph.Node {
		switch {
		case name == "loss":
			return loss
		case name == "logits":
			return out.Logits
		case name == "cls_feature" || name == "pooled":
			return out.Pooled
		case out.Taps[names[name]] != nil:
			return out.Taps[names[name]]
		}
		panic(fmt.Errorf("the network does not hand out %s", name))
	})
}

// compareTransformer compares a network's outputs, which output finds by their names, and every gradient of the loss with the
// file's.
func compareTransformer(t *testing.T, v *golden.Vector, net *Network, lossOf func(Outputs) *graph.Node, output func(scope *gomodel.Scope, name string, out Outputs, loss *graph.Node) *graph.Node) {
	t.Helper()
	outputs, grads := slices.Sorted(maps.Keys(v.Outputs)), slices.Sorted(maps.Keys(v.Grads))
	if len(outputs) == 0 || len(grads) == 0 {
		t.Fatalf("%s has no outputs or no gradients", v.Name)
	}
	image := v.Inputs.Get(t, "image")
	for _, engine := range golden.Engines(t) {
		t.Run(engine.Name, func(t *testing.T) {
			store := gomodel.NewStore()
			for _, p := range net.Parameters() {
				if err := p.declare(store.RootScope(), v.Params.Get(t, p.Name).Tensor(t, engine.DType)); err != nil {
					t.Fatal(err)
				}
			}
			exec, err := gomodel.NewExec(engine.Backend, store, func(scope *gomodel.Scope, x *graph.Node) []*graph.Node {
				out := net.Forward(scope, x, true)
				loss := lossOf(out)
				var nodes, sources []*graph.Node
				for _, name := range outputs {
					nodes = append(nodes, output(scope, name, out, loss))
				}
				for _, name := range grads {
					if name == "image" {
						sources = append(sources, x)
					} else {
						sources = append(sources, variable(scope, name).NodeValue(x.Graph()))
					}
				}
				return append(nodes, graph.Gradient(loss, sources...)...)
			})
			if err != nil {
				t.Fatal(err)
			}
			defer exec.Finalize()
			results, err := exec.Call(image.Tensor(t, engine.DType))
			if err != nil {
				t.Fatal(err)
			}
			for i, name := range outputs {
				golden.Near(t, name, golden.ArrayOf(t, results[i]), v.Outputs[name], engine.Tolerance)
			}
			for i, name := range grads {
				golden.Near(t, "d loss/d "+name, golden.ArrayOf(t, results[len(outputs)+i]), v.Grads[name], engine.Tolerance)
			}
		})
	}
}
