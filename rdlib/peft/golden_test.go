package peft

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"rd/rdlib/distill"
	"rd/rdlib/golden"
	"rd/rdlib/model"
)

func TestGolden(t *testing.T) {
	golden.Run(t, golden.PEFT, map[string]golden.Test{
		"adaptformer": testGoldenAdaptFormer, "melo": testGoldenMeLo, "vpt": testGoldenVPT, "vqt": testGoldenVQT, "lpt": testGoldenLPT,
	})
}

// piece is where a parameter's values stand in a file: an array, or the i-th part of one along its first axis.
type piece struct {
	array string
	part  int // −1: all of it
}

// layout finds a network's parameters in a file.
type layout func(name string) []piece

var blockName = regexp.MustCompile(`^blocks\.(\d+)\.(.*)$`)

// renamed replaces the beginnings of names; a name of a block is replaced by what follows its number.
func renamed(block string, inBlocks, elsewhere map[string][]string) layout {
	return func(name string) []piece {
		table, prefix := elsewhere, ""
		if m := blockName.FindStringSubmatch(name); m != nil {
			table, prefix, name = inBlocks, strings.ReplaceAll(block, "#", m[1]), m[2]
		}
		for own, theirs := range table {
			rest, ok := strings.CutPrefix(name, own)
			if !ok {
				continue
			}
			var pieces []piece
			for _, their := range theirs {
				pieces = append(pieces, piece{prefix + their + rest, -1})
			}
			return pieces
		}
		return []piece{{prefix + name, -1}}
	}
}

// values are a parameter's in the file; pieces are joined along the first axis.
func (l layout) values(t *testing.T, from golden.Arrays, p model.Parameter) golden.Array {
	t.Helper()
	out := golden.Array{Shape: p.Shape}
	for _, piece := range l(p.Name) {
		array := from.Get(t, piece.array)
		data := array.Data
		if piece.part >= 0 {
			each := len(data) / array.Shape[0]
			data = data[piece.part*each : (piece.part+1)*each]
		}
		out.Data = append(out.Data, data...)
	}
	size := 1
	for _, d := range p.Shape {
		size *= d
	}
	if len(out.Data) != size {
		t.Fatalf("%s is %v, the file has %d values", p.Name, p.Shape, len(out.Data))
	}
	return out
}

// comparison is one file against one adapted network.
type comparison struct {
	vector  *golden.Vector
	network *model.Network
	layout  layout
	outputs map[string]func(out model.Outputs, loss *graph.Node) *graph.Node
	loss    func(out model.Outputs, labels *graph.Node) *graph.Node // nil: cross-entropy
	grads   golden.Arrays                                           // of the loss; nil: the file's
	all     bool                                                    // every gradient there is must be in the file
}

func (c comparison) run(t *testing.T) {
	t.Helper()
	v := c.vector
	grads := c.grads
	if grads == nil {
		grads = v.Grads
	}
	image := v.Inputs.Get(t, "image")
	labels := golden.Convert[int32](v.Inputs.Get(t, "labels").Data)
	var trained []model.Parameter
	for _, p := range c.network.Parameters() {
		if p.Trainable && !p.Frozen {
			trained = append(trained, p)
		}
	}
	var names []string
	for name := range v.Outputs {
		if c.outputs[name] != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) != len(c.outputs) {
		t.Errorf("the file has %d of the outputs that are compared, not %d", len(names), len(c.outputs))
	}
	for _, engine := range golden.Engines(t) {
		t.Run(engine.Name, func(t *testing.T) {
			store := gomodel.NewStore()
			for _, p := range c.network.Parameters() {
				variable, err := store.RootScope().CreateVariable(p.Name, c.layout.values(t, v.Params, p).Tensor(t, engine.DType))
				if err != nil {
					t.Fatal(err)
				}
				variable.SetTrainable(p.Trainable && !p.Frozen)
			}
			_, wantImage := grads["image"]
			exec, err := gomodel.NewExec(engine.Backend, store, func(scope *gomodel.Scope, x *graph.Node) []*graph.Node {
				out := c.network.Forward(scope, x, false)
				y := graph.Const(x.Graph(), labels)
				var loss *graph.Node
				if c.loss != nil {
					loss = c.loss(out, y)
				} else {
					loss = distill.CrossEntropy(y, out.Logits)
				}
				var nodes, sources []*graph.Node
				for _, name := range names {
					nodes = append(nodes, c.outputs[name](out, loss))
				}
				for _, p := range trained {
					sources = append(sources, scope.GetVariable(p.Name).NodeValue(x.Graph()))
				}
				if wantImage {
					sources = append(sources, x)
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
			for i, name := range names {
				golden.Near(t, name, golden.ArrayOf(t, results[i]), v.Outputs[name], engine.Tolerance)
			}
			compared := map[string]bool{}
			for i, p := range trained {
				known := true
				for _, piece := range c.layout(p.Name) {
					_, has := grads[piece.array]
					known = known && has
					compared[piece.array] = true
				}
				if !known {
					if c.all {
						t.Errorf("the file has no gradient of %s", p.Name)
					}
					continue
				}
				golden.Near(t, "d loss/d "+p.Name, golden.ArrayOf(t, results[len(names)+i]), c.layout.values(t, grads, p), engine.Tolerance)
			}
			if wantImage {
				golden.Near(t, "d loss/d image", golden.ArrayOf(t, results[len(results)-1]), grads["image"], engine.Tolerance)
			}
			for name := range grads {
				if name != "image" && !compared[name] {
					t.Errorf("the gradient of %s is not compared", name)
				}
			}
		})
	}
}

// config is the transformer of a file, with names of its arrays.
func config(t *testing.T, v *golden.Vector, patch, hidden string) model.Config {
	t.Helper()
	image, weight := v.Inputs.Get(t, "image"), v.Params.Get(t, patch).Shape
	return model.Config{
		Classes: int(v.Hyper(t, "C")), InChannels: image.Shape[1],
		Transformer: model.Transformer{
			Height: image.Shape[2], Width: image.Shape[3], Patch: weight[2], Dim: weight[0], Depth: int(v.Hyper(t, "depth")), Heads: int(v.Hyper(t, "heads")),
			MLPRatio: float64(v.Params.Get(t, hidden).Shape[0]) / float64(weight[0]), Pool: model.PoolToken,
		},
	}
}

// network is a stage's, for evaluation.
func network(t *testing.T, s Stage, architecture string, c model.Config) *model.Network {
	t.Helper()
	n, err := s.Network(architecture, c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// method makes one with options.
func method(t *testing.T, name string, options map[string]string) Method {
	t.Helper()
	m, err := New(name, options)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func count(t *testing.T, v *golden.Vector, name string) string {
	return strconv.Itoa(int(v.Hyper(t, name)))
}

type outputs = map[string]func(model.Outputs, *graph.Node) *graph.Node

func tapped(name string) func(model.Outputs, *graph.Node) *graph.Node {
	return func(out model.Outputs, _ *graph.Node) *graph.Node {
		if out.Taps[name] == nil {
			panic(fmt.Errorf("no tap %s", name))
		}
		return out.Taps[name]
	}
}

func logits(out model.Outputs, _ *graph.Node) *graph.Node  { return out.Logits }
func pooled(out model.Outputs, _ *graph.Node) *graph.Node  { return out.Pooled }
func lossOf(_ model.Outputs, loss *graph.Node) *graph.Node { return loss }

// common adds what every file has, and the blocks' outputs under the name pattern, where # is their number.
func common(v *golden.Vector, own outputs, blocks string, depth int) outputs {
	own["logits"], own["loss"] = logits, lossOf
	for i := range depth {
		own[strings.ReplaceAll(blocks, "#", strconv.Itoa(i))] = tapped("blocks." + strconv.Itoa(i))
	}
	return own
}

func testGoldenAdaptFormer(t *testing.T, v *golden.Vector) {
	c := config(t, v, "patch_embed.proj.weight", "blocks.0.fc1.bias")
	stage := method(t, "adaptformer", map[string]string{"bottleneck": count(t, v, "bott"), "dropout": "0"}).Stages()[0]
	net := network(t, stage, "vit", c)
	own := common(v, outputs{"cls_feature": pooled, "block0.adapter_out": tapped("blocks.0.adapter")}, "block#", c.Transformer.Depth)
	mean, variance := v.Inputs.Get(t, "bn_running_mean"), v.Inputs.Get(t, "bn_running_var")
	head, bias := v.Params.Get(t, "head.weight"), v.Params.Get(t, "head.bias")
	// The reference's script has a batch normalisation without parameters in front of the head.
	own["logits_bn_head"] = func(out model.Outputs, _ *graph.Node) *graph.Node {
		g, dtype := out.Pooled.Graph(), out.Pooled.DType()
		constant := func(a golden.Array) *graph.Node {
			return graph.Reshape(graph.ConvertDType(graph.Const(g, a.Data), dtype), a.Shape...)
		}
		normed := graph.Div(graph.Sub(out.Pooled, graph.InsertAxes(constant(mean), 0)), graph.Sqrt(graph.AddScalar(graph.InsertAxes(constant(variance), 0), 1e-6)))
		return graph.Add(graph.DotGeneral(normed, []int{1}, nil, constant(head), []int{1}, nil), graph.InsertAxes(constant(bias), 0))
	}
	comparison{vector: v, network: net, outputs: own, all: true, layout: renamed("blocks.#.", map[string][]string{
		"attn.qkv": {"attn.q_proj", "attn.k_proj", "attn.v_proj"}, "mlp.": {""}, "adapter.down": {"adaptmlp.down_proj"}, "adapter.up": {"adaptmlp.up_proj"},
	}, nil)}.run(t)
}

func testGoldenMeLo(t *testing.T, v *golden.Vector) {
	const prefix = "lora_vit."
	c := config(t, v, prefix+"patch_embed.proj.weight", prefix+"blocks.0.mlp.fc1.bias")
	stage := method(t, "melo", map[string]string{"rank": count(t, v, "r"), "alpha": count(t, v, "alpha")}).Stages()[0]
	net := network(t, stage, "vit", c)
	blocks := map[string][]string{"attn.qkv": {"attn.qkv.qkv"}}
	for _, x := range []string{"q", "v"} {
		for _, ab := range []string{"a", "b"} {
			blocks["attn.lora_"+x+"."+ab] = []string{"attn.qkv.linear_" + ab + "_" + x}
		}
	}
	own := common(v, outputs{"cls_feature": pooled, "block0.qkv": tapped("blocks.0.attn.qkv")}, "block#", c.Transformer.Depth)
	comparison{vector: v, network: net, outputs: own, all: true, layout: renamed(prefix+"blocks.#.", blocks, map[string][]string{"": {prefix}})}.run(t)
	var trainable int
	v.Section(t, "trainable_count", &trainable)
	if got := net.Trained(); got != trainable {
		t.Errorf("%d numbers train, in the file %d", got, trainable)
	}
}

// vptLayout is that of the transformer in VPT's and VQT's code; prompts says where block i's tokens are.
func vptLayout(prefix, tokens, head string, prompts func(i int) piece) layout {
	base := renamed(prefix+"transformer.encoder.layer.#.", map[string][]string{
		"norm1": {"attention_norm"}, "norm2": {"ffn_norm"}, "mlp": {"ffn"}, "attn.qkv": {"attn.query", "attn.key", "attn.value"}, "attn.proj": {"attn.out"},
	}, map[string][]string{
		"cls_token": {prefix + "transformer.embeddings.cls_token"}, "pos_embed": {prefix + "transformer.embeddings.position_embeddings"},
		"patch_embed.proj": {prefix + "transformer.embeddings.patch_embeddings"}, "norm": {prefix + "transformer.encoder.encoder_norm"}, "head": {head},
	})
	return func(name string) []piece {
		if m := blockName.FindStringSubmatch(name); m != nil && m[2] == tokens {
			i, _ := strconv.Atoi(m[1])
			return []piece{prompts(i)}
		}
		return base(name)
	}
}

func testGoldenVPT(t *testing.T, v *golden.Vector) {
	c := config(t, v, "transformer.embeddings.patch_embeddings.weight", "transformer.encoder.layer.0.ffn.fc1.bias")
	depth := "shallow"
	if _, deep := v.Params["transformer.deep_prompt_embeddings"]; deep {
		depth = "deep"
	}
	stage := method(t, "vpt", map[string]string{"tokens": count(t, v, "prompts"), "depth": depth, "dropout": "0"}).Stages()[0]
	l := vptLayout("", "prompts", "head", func(i int) piece {
		if i == 0 {
			return piece{"transformer.prompt_embeddings", -1}
		}
		return piece{"transformer.deep_prompt_embeddings", i - 1}
	})
	comparison{vector: v, network: network(t, stage, "vit", c), layout: l, all: true, outputs: common(v, outputs{"cls_feature": pooled}, "block#", c.Transformer.Depth)}.run(t)
}

func testGoldenVQT(t *testing.T, v *golden.Vector) {
	c := config(t, v, "enc.transformer.embeddings.patch_embeddings.weight", "enc.transformer.encoder.layer.0.ffn.fc1.bias")
	stage := method(t, "vqt", map[string]string{"tokens": count(t, v, "q"), "dropout": "0"}).Stages()[0]
	l := vptLayout("enc.", "queries", "head.last_layer", func(i int) piece { return piece{"enc.transformer.encoder.query_prompt_embeddings", i} })
	own := common(v, outputs{"cls_feature": tapped("plain_pooled"), "feats": pooled}, "block#_with_queries", c.Transformer.Depth)
	comparison{vector: v, network: network(t, stage, "vit", c), layout: l, all: true, outputs: own}.run(t)
}

// lptLayout is timm's, with the prompts in arrays of their own.
func lptLayout(name string) []piece {
	if m := blockName.FindStringSubmatch(name); m != nil && m[2] == "prompts" {
		i, _ := strconv.Atoi(m[1])
		return []piece{{"prompt_learner.Prompt_Tokens", i}}
	}
	switch name {
	case "head.weight":
		name = "prompt_learner.head.weight"
	case "prompt_pool.weight":
		name = "prompt_learner.Prompt_Tokens_pool"
	case "prompt_keys.weight":
		name = "prompt_learner.Prompt_Keys"
	}
	return []piece{{name, -1}}
}

func testGoldenLPT(t *testing.T, v *golden.Vector) {
	if _, loss := v.Inputs["cosine"]; loss {
		testGoldenLPTLoss(t, v)
		return
	}
	c := config(t, v, "patch_embed.proj.weight", "blocks.0.mlp.fc1.bias")
	options := map[string]string{"tokens": count(t, v, "prompts"), "groups": count(t, v, "pool"), "top": count(t, v, "topk")}
	options["blocks"] = strconv.Itoa(c.Transformer.Depth - int(v.Hyper(t, "share")))
	stages := method(t, "lpt", options).Stages()
	if _, pool := v.Params["prompt_learner.Prompt_Tokens_pool"]; !pool {
		comparison{vector: v, network: network(t, stages[0], "vit", c), layout: lptLayout, all: true, outputs: common(v, outputs{"cls_feature": pooled}, "block#", c.Transformer.Depth)}.run(t)
		return
	}
	net, err := model.AdaptViT(c, stages[1].Adapt(c.Transformer)) // the file has gradients of the shared prompts too
	if err != nil {
		t.Fatal(err)
	}
	own := common(v, outputs{"feature": pooled, "query": tapped("query"), "similarity": tapped(similarityTap)}, "main_block#", c.Transformer.Depth)
	for i := range c.Transformer.Depth {
		own[fmt.Sprintf("query_block%d", i)] = tapped(fmt.Sprintf("query.blocks.%d", i))
	}
	v.Outputs[chosenTap] = maskOf(v.Outputs.Get(t, "topk"), v.Outputs.Get(t, "similarity").Shape)
	own[chosenTap] = tapped(chosenTap)
	own["reduced_sim"] = func(out model.Outputs, _ *graph.Node) *graph.Node { return keySimilarity(out) }
	plain := net.Freeze(func(name string) bool { return contains(lptPrompts, lptPool, "head.")(name) })
	comparison{vector: v, network: plain, layout: lptLayout, outputs: own, all: true}.run(t)

	var withKeys golden.Arrays
	v.Section(t, "grads_key_term", &withKeys)
	comparison{
		vector: v, network: net.Freeze(contains(lptPrompts, lptPool, lptKeys, "head.")), layout: lptLayout, all: true, grads: withKeys,
		outputs: outputs{"loss_with_key_term": lossOf},
		loss: func(out model.Outputs, labels *graph.Node) *graph.Node {
			return graph.Sub(distill.CrossEntropy(labels, out.Logits), graph.MulScalar(keySimilarity(out), 0.5))
		},
	}.run(t)
}

// maskOf marks with 1 the columns that each row of indices names.
func maskOf(indices golden.Array, shape []int) golden.Array {
	mask := golden.Array{Shape: shape, Data: make([]float64, shape[0]*shape[1])}
	for i, column := range indices.Data {
		mask.Data[i/indices.Shape[1]*shape[1]+int(column)] = 1
	}
	return mask
}

func testGoldenLPTLoss(t *testing.T, v *golden.Vector) {
	var counts []int
	for _, n := range v.Inputs.Get(t, "class_counts").Data {
		counts = append(counts, int(n))
	}
	o := defaultLPTLoss()
	o.Margin, o.Scale, o.Noise, o.Smoothing = v.Hyper(t, "m"), v.Hyper(t, "s"), v.Hyper(t, "noise_mul"), v.Hyper(t, "eps")
	labels := golden.Convert[int32](v.Inputs.Get(t, "labels").Data)
	for _, engine := range golden.Engines(t) {
		for name, gamma := range map[string][2]float64{"balanced": o.Balanced, "instance": o.Instance} {
			t.Run(engine.Name+" "+name, func(t *testing.T) {
				exec, err := graph.NewExec(engine.Backend, func(cosines, noise *graph.Node) []*graph.Node {
					loss := o.AsymmetricLoss(cosines, graph.Const(cosines.Graph(), labels), noise, counts, gamma)
					return append([]*graph.Node{loss}, graph.Gradient(loss, cosines)...)
				})
				if err != nil {
					t.Fatal(err)
				}
				defer exec.Finalize()
				results, err := exec.Call(v.Inputs.Get(t, "cosine").Tensor(t, engine.DType), v.Inputs.Get(t, "noise").Tensor(t, engine.DType))
				if err != nil {
					t.Fatal(err)
				}
				golden.Near(t, "loss", golden.ArrayOf(t, results[0]), v.Outputs.Get(t, "loss_"+name), engine.Tolerance)
				golden.Near(t, "d loss/d cosine", golden.ArrayOf(t, results[1]), v.Grads.Get(t, name+".cosine"), engine.Tolerance)
			})
		}
	}
}
