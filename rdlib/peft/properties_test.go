package peft

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"rd/rdlib/golden"
	"rd/rdlib/model"
)

const (
	dim, depth, classes, patch = 8, 3, 5, 8
	headOf                     = dim*classes + classes
)

// small is a transformer for images that are not square.
func small(pool model.Pool) model.Config {
	return model.Config{Classes: classes, Transformer: model.Transformer{Height: 16, Width: 24, Patch: patch, Dim: dim, Depth: depth, Heads: 2, Pool: pool}}
}

// smallSAM is SAM's encoder of the same size, its windows padded, its image larger than whole patches and not square.
func smallSAM() model.Config {
	c := small("")
	c.Transformer.Height, c.Transformer.Width = 19, 25
	c.Windows = model.Windows{Side: 2, Global: []int{1}, Table: 32}
	return c
}

// encoders are those that are adapted.
var encoders = map[string]model.Config{"vit": small(model.PoolToken), "vit_sam": smallSAM()}

// cases are all methods, with the numbers that each of their stages trains: the method's own, and the head's.
var cases = []struct {
	method  string
	options map[string]string
	own     []string // what the names of its own parameters contain
	trained []int
}{
	{"adaptformer", map[string]string{"bottleneck": "4"}, []string{".adapter."}, []int{depth*(dim*4+4+4*dim+dim) + headOf}},
	{"melo", map[string]string{"rank": "2"}, []string{".lora_"}, []int{depth*2*(dim*2+2*dim) + headOf}},
	{"vpt", map[string]string{"tokens": "2", "depth": "shallow"}, []string{".prompts"}, []int{2*dim + headOf}},
	{"vpt", map[string]string{"tokens": "2"}, []string{".prompts"}, []int{depth*2*dim + headOf}},
	// The head reads the answers of each block, too.
	{"vqt", map[string]string{"tokens": "2"}, []string{".queries"}, []int{depth*2*dim + (dim+depth*2*dim)*classes + classes}},
	// The head are directions without bias; the second stage trains 4 groups of 2 tokens for 2 blocks, and 4 keys.
	{"lpt", map[string]string{"tokens": "2", "groups": "4", "blocks": "2"}, []string{".prompts", "prompt_pool", "prompt_keys"},
		[]int{depth*2*dim + dim*classes, 4*2*2*dim + 4*dim + dim*classes}},
}

// each calls test for every stage of every method on an encoder.
func each(t *testing.T, architecture string, config model.Config, test func(t *testing.T, which, stage int, n *model.Network)) {
	for i, c := range cases {
		for k, s := range method(t, c.method, c.options).Stages() {
			t.Run(fmt.Sprintf("%s %s%s %s", architecture, c.method, c.options["depth"], s.Name), func(t *testing.T) {
				test(t, i, k, network(t, s, architecture, config))
			})
		}
	}
}

// declared holds weights as variables.
func declared(t *testing.T, engine golden.Engine, weights model.Weights) *gomodel.Store {
	t.Helper()
	store := gomodel.NewStore()
	for name, w := range weights {
		array := golden.Array{Shape: w.Shape, Data: golden.Convert[float64](w.Data)}
		if _, err := store.RootScope().CreateVariable(name, array.Tensor(t, engine.DType)); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

// images are two of a network's.
func images(n *model.Network) golden.Array {
	shape := append([]int{2}, n.InputShape()...)
	image := golden.Array{Shape: shape, Data: make([]float64, shape[0]*shape[1]*shape[2]*shape[3])}
	for i := range image.Data {
		image.Data[i] = math.Sin(float64(i * i))
	}
	return image
}

func TestNothingElseTrains(t *testing.T) {
	for architecture, c := range encoders {
		nothingElseTrains(t, architecture, c)
	}
}

func nothingElseTrains(t *testing.T, architecture string, c model.Config) {
	plain, err := model.New(architecture, c)
	if err != nil {
		t.Fatal(err)
	}
	backbone := map[string]bool{}
	for _, p := range plain.Parameters() {
		backbone[p.Name] = !strings.HasPrefix(p.Name, "head.")
	}
	each(t, architecture, c, func(t *testing.T, which, stage int, n *model.Network) {
		c := cases[which]
		if got := n.Trained(); got != c.trained[stage] {
			t.Errorf("%d numbers train, not %d", got, c.trained[stage])
		}
		found := 0
		for _, p := range n.Parameters() {
			if backbone[p.Name] {
				found++
			}
			if trains := p.Trainable && !p.Frozen; trains && backbone[p.Name] {
				t.Errorf("%s trains", p.Name)
			} else if own := contains(c.own...)(p.Name); !backbone[p.Name] && !own && !strings.HasPrefix(p.Name, "head.") {
				t.Errorf("%s is neither the method's, nor the head's, nor the transformer's", p.Name)
			}
		}
		if found != len(plain.Parameters())-2 {
			t.Errorf("%d of the transformer's parameters are left, not %d", found, len(plain.Parameters())-2)
		}
	})
}

// Shared prompts that the first stage of LPT trains are frozen in its second.
func TestLPTFreezesSharedPrompts(t *testing.T) {
	for _, p := range network(t, method(t, "lpt", nil).Stages()[1], "vit", small(model.PoolToken)).Parameters() {
		if strings.Contains(p.Name, lptPrompts) && !p.Frozen {
			t.Errorf("%s trains", p.Name)
		}
	}
}

func TestInitialValues(t *testing.T) {
	prompts := math.Sqrt(6.0 / (3*patch*patch + dim))
	bounds := []struct {
		part  string
		bound float64 // 0: all are 0
	}{
		{".adapter.down.weight", 1 / math.Sqrt(dim)}, {".adapter.down.bias", 0}, {".adapter.up.", 0},
		{".a.weight", 1 / math.Sqrt(dim)}, {".b.weight", 0},
		{".prompts", prompts}, {".queries", prompts}, {"prompt_pool.", prompts},
	}
	met := map[string]bool{}
	each(t, "vit", small(model.PoolToken), func(t *testing.T, _, _ int, n *model.Network) {
		for name, tensor := range n.Init(11) {
			for _, b := range bounds {
				if !strings.Contains(name, b.part) {
					continue
				}
				met[b.part] = true
				largest := 0.0
				for _, v := range tensor.Data {
					largest = max(largest, math.Abs(float64(v)))
				}
				if largest > b.bound*(1+1e-6) || largest < b.bound/2 {
					t.Errorf("%s: the largest is %g, the bound %g", name, largest, b.bound)
				}
			}
		}
	})
	if len(met) != len(bounds) {
		t.Errorf("only these were found: %v", met)
	}
}

// Without a class token the feature is the mean over the patches; of VQT, whose feature holds answers too, its plain part.
func TestMeanPooled(t *testing.T) {
	engine := golden.Engines(t)[0]
	test := func(t *testing.T, which, _ int, n *model.Network) {
		weights := n.Init(3)
		if _, has := weights["cls_token"]; has {
			t.Fatal("there is a class token")
		}
		exec, err := gomodel.NewExec(engine.Backend, declared(t, engine, weights), func(scope *gomodel.Scope, x *graph.Node) []*graph.Node {
			out := n.Forward(scope, x, false)
			pooled := out.Pooled
			if cases[which].method == "vqt" {
				pooled = out.Taps["plain_pooled"]
			}
			return []*graph.Node{pooled, graph.ReduceMean(out.FeatureMap, 2, 3), out.Logits}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		results, err := exec.Call(images(n).Tensor(t, engine.DType))
		if err != nil {
			t.Fatal(err)
		}
		golden.Near(t, "pooled", golden.ArrayOf(t, results[0]), golden.ArrayOf(t, results[1]), engine.Tolerance)
		for _, z := range golden.ArrayOf(t, results[2]).Data {
			if math.IsNaN(z) || math.IsInf(z, 0) {
				t.Fatal("logits are not finite")
			}
		}
	}
	each(t, "vit", small(model.PoolMean), test)
	each(t, "vit_sam", smallSAM(), test)
}

// The loss depends on every parameter that a stage trains.
func TestGradientReachesAll(t *testing.T) {
	engine := golden.Engines(t)[0]
	each(t, "vit_sam", smallSAM(), func(t *testing.T, _, _ int, n *model.Network) {
		weights := n.Init(3)
		for _, w := range weights {
			for i := range w.Data {
				w.Data[i] += float32(0.1 * math.Cos(float64(7*i+len(w.Data))))
			}
		}
		var trained []string
		for _, p := range n.Parameters() {
			if p.Trainable && !p.Frozen {
				trained = append(trained, p.Name)
			}
		}
		exec, err := gomodel.NewExec(engine.Backend, declared(t, engine, weights), func(scope *gomodel.Scope, x *graph.Node) []*graph.Node {
			out := n.Forward(scope, x, false)
			loss := graph.ReduceAllSum(graph.Square(graph.AddScalar(out.Logits, 1)))
			if similarity, ok := out.Taps[similarityTap]; ok {
				loss = graph.Add(loss, graph.ReduceAllSum(similarity))
			}
			var of []*graph.Node
			for _, name := range trained {
				of = append(of, scope.Store().GetVariable("/"+name).NodeValue(x.Graph()))
			}
			return graph.Gradient(loss, of...)
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		results, err := exec.Call(images(n).Tensor(t, engine.DType))
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range trained {
			if largest := golden.Largest(golden.ArrayOf(t, results[i]).Data); !(largest > 1e-9) {
				t.Errorf("%s: its largest gradient is %g", name, largest)
			}
		}
	})
}

// An adapted transformer is described as any network: it is counted and exported.
func TestCountedAndExported(t *testing.T) {
	for architecture, c := range encoders {
		countedAndExported(t, architecture, c)
	}
}

func countedAndExported(t *testing.T, architecture string, c model.Config) {
	plain, err := model.New(architecture, c)
	if err != nil {
		t.Fatal(err)
	}
	base, err := plain.Cost(plain.InputShape()...)
	if err != nil {
		t.Fatal(err)
	}
	each(t, architecture, c, func(t *testing.T, _, _ int, n *model.Network) {
		cost, err := n.Cost(n.InputShape()...)
		if err != nil {
			t.Fatal(err)
		}
		if cost.F() <= base.F() {
			t.Errorf("it costs %d, the plain transformer %d", cost.F(), base.F())
		}
		if _, err := n.ONNX(n.Init(1), model.ONNXOptions{Sample: n.InputShape()}); err != nil {
			t.Error(err)
		}
	})
}

func TestRefuses(t *testing.T) {
	for _, test := range []struct {
		method  string
		options map[string]string
		want    string
	}{
		{"melo", map[string]string{"rnk": "2"}, `did you mean "rank"`},
		{"melo", map[string]string{"rank": "0"}, "a whole number from 1"},
		{"vqt", map[string]string{"dropout": "NaN"}, "a number from 0 to 0.99"},
		{"lpt", map[string]string{"groups": "1"}, "lower top or raise groups"},
	} {
		if _, err := New(test.method, test.options); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %v: %v", test.method, test.options, err)
		}
	}
	c := small(model.PoolToken)
	c.Transformer.Width = 23
	if _, err := method(t, "vpt", nil).Stages()[0].Network("vit", c); err == nil || !strings.Contains(err.Error(), "16×23") {
		t.Errorf("an image that cannot be cut into patches: %v", err)
	}
	if _, err := method(t, "melo", nil).Stages()[0].Network("resnet50", c); err == nil || !strings.Contains(err.Error(), "vit and vit_sam") {
		t.Errorf("a network that is no transformer: %v", err)
	}
}

func TestEveryOptionHasASource(t *testing.T) {
	for _, d := range Describe() {
		for _, o := range d.Options {
			if o.Default == "" || o.Meaning == "" || o.Source == "" {
				t.Errorf("%s: %+v", d.Name, o)
			}
		}
	}
}
