package model

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"ResNet18": "resnet18", "shufflenet": "shufflenet_v2", "shufflenet_v2_x1_0": "shufflenet_v2", "mobilenet_v2": "mobilenet_v2",
	} {
		net, err := New(name, Config{Classes: 3})
		if err != nil || net.Name() != want || net.Classes() != 3 {
			t.Errorf("New(%q) = %v, %v", name, net, err)
		}
	}
	_, err := New("resnet81", Config{Classes: 2})
	var unknown *UnknownError
	if !errors.As(err, &unknown) || unknown.Nearest != "resnet18" {
		t.Errorf("error %v, want one that suggests resnet18", err)
	}
	for _, student := range Students() {
		for _, c := range []Config{{}, {Classes: -1}, {Classes: 2, Width: -1}, {Classes: 2, Width: math.NaN()}, {Classes: 2, Width: 1e9}, {Classes: 2, InChannels: -3}, {Classes: 2, Dropout: 1}} {
			if _, err := New(student, c); err == nil || !strings.Contains(err.Error(), student) {
				t.Errorf("%s with %+v: error %v", student, c, err)
			}
		}
	}
}

func TestFeatureDims(t *testing.T) {
	for student, want := range map[string]int{"resnet18": 512, "shufflenet": 1024, "mobilenet": 1280} {
		net := build(t, student, Config{Classes: 3})
		if net.FeatureDim() != want {
			t.Errorf("%s pools to %d features, want %d", student, net.FeatureDim(), want)
		}
		shapes, err := net.Shapes(3, 224, 192)
		if err != nil || shapes.FeatureMap[0] != want || shapes.FeatureMap[1] != 7 || shapes.FeatureMap[2] != 6 || shapes.Logits[0] != 3 {
			t.Errorf("%s at 224×192 has shapes %+v, %v", student, shapes, err)
		}
		for i := 1; i < len(shapes.Stages); i++ {
			if shapes.Stages[i-1][1] != 2*shapes.Stages[i][1] {
				t.Errorf("%s: stages %v do not halve", student, shapes.Stages)
			}
		}
	}
}

// TestMistakes: whatever is described wrongly is an error that names the place, and never a panic.
func TestMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		input []int
		build func(b *Builder, x Value)
		want  string
	}{
		"no input":           {nil, func(*Builder, Value) {}, "input"},
		"negative input":     {[]int{3, -7, 4}, func(*Builder, Value) {}, "input"},
		"name twice":         {[]int{3, 8, 8}, func(b *Builder, x Value) { b.ReLU("a", b.ReLU("a", x)) }, `"a"`},
		"reserved name":      {[]int{3, 8, 8}, func(b *Builder, x Value) { b.ReLU("logits", x) }, `"logits"`},
		"conv on a vector":   {[]int{3}, func(b *Builder, x Value) { b.Conv("c", x, Conv{Out: 4, Kernel: 3}) }, "layer c"},
		"conv without size":  {[]int{3, 8, 8}, func(b *Builder, x Value) { b.Conv("c", x, Conv{}) }, "layer c"},
		"groups":             {[]int{3, 8, 8}, func(b *Builder, x Value) { b.Conv("c", x, Conv{Out: 4, Kernel: 3, Groups: 2}) }, "groups"},
		"window too large":   {[]int{3, 8, 8}, func(b *Builder, x Value) { b.MaxPool("p", x, 9, 1, 0) }, "layer p"},
		"padding too large":  {[]int{3, 8, 8}, func(b *Builder, x Value) { b.AvgPool("p", x, 3, 1, 2) }, "padding"},
		"linear on a map":    {[]int{3, 8, 8}, func(b *Builder, x Value) { b.Linear("l", x, 2) }, "layer l"},
		"linear to nothing":  {[]int{3}, func(b *Builder, x Value) { b.Linear("l", x, 0) }, "layer l"},
		"add":                {[]int{3, 8, 8}, func(b *Builder, x Value) { b.Add("s", x, b.MaxPool("p", x, 2, 2, 0)) }, "layer s"},
		"concat":             {[]int{3, 8, 8}, func(b *Builder, x Value) { b.Concat("s", x, b.MaxPool("p", x, 2, 2, 0)) }, "layer s"},
		"concat of nothing":  {[]int{3}, func(b *Builder, x Value) { b.Concat("s") }, "layer s"},
		"split":              {[]int{3, 8, 8}, func(b *Builder, x Value) { b.Split("s", x, 3) }, "layer s"},
		"shuffle":            {[]int{3, 8, 8}, func(b *Builder, x Value) { b.ChannelShuffle("s", x, 2) }, "layer s"},
		"flatten a free map": {[]int{3, Any, Any}, func(b *Builder, x Value) { b.Flatten("f", x) }, "layer f"},
		"norm of a map":      {[]int{3, 8, 8}, func(b *Builder, x Value) { b.LayerNorm("n", x) }, "layer n"},
		"tokens of a vector": {[]int{3}, func(b *Builder, x Value) { b.Tokens("t", x) }, "layer t"},
		"map of other size":  {[]int{3, 8, 8}, func(b *Builder, x Value) { b.Map("m", b.Tokens("t", x), 4, 8) }, "layer m"},
		"mean of a vector":   {[]int{3}, func(b *Builder, x Value) { b.TokenMean("m", x) }, "layer m"},
		"nothing learned":    {[]int{3}, func(b *Builder, x Value) { b.Learned("p", Learned{Count: 1}) }, "layer p"},
		"attention on a map": {[]int{3, 8, 8}, func(b *Builder, x Value) { b.SelfAttention("a", x, 1) }, "layer a"},
		"qkv":                {[]int{4, 8, 8}, func(b *Builder, x Value) { b.SelfAttention("a", b.Tokens("t", x), 1) }, "layer a"},
		"heads":              {[]int{9, 8, 8}, func(b *Builder, x Value) { b.SelfAttention("a", b.Tokens("t", x), 2) }, "heads"},
		"keys and values": {[]int{9, 8, 8}, func(b *Builder, x Value) {
			x = b.Tokens("t", x)
			b.Attention("a", x, x, b.Linear("l", x, 3), 1)
		}, "layer a"},
		"dropout":            {[]int{3}, func(b *Builder, x Value) { b.Dropout("d", x, 1) }, "layer d"},
		"foreign value":      {[]int{3}, func(b *Builder, x Value) { b.ReLU("r", 42) }, "42"},
		"pooled map":         {[]int{3, 8, 8}, func(b *Builder, x Value) { b.Pooled(x) }, "vector"},
		"logits, no feature": {[]int{3}, func(b *Builder, x Value) { b.Logits(b.Linear("l", x, 2)) }, "pooled"},
		"logits, no linear":  {[]int{3}, func(b *Builder, x Value) { b.Pooled(x); b.Logits(x) }, "linear"},
	} {
		b := NewBuilder("mistaken", c.input...)
		c.build(b, b.Input())
		b.Shape(99)
		if net, err := b.Network(); err == nil || net != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: network %v, error %v; want an error with %q", name, net, err, c.want)
		}
	}
}

func TestImpossibleSamples(t *testing.T) {
	net := build(t, "resnet18", Config{Classes: 2})
	for _, sample := range [][]int{nil, {3}, {1, 64, 64}, {3, 0, 64}, {3, -1, -1}, {3, 64, 64, 1}} {
		if _, err := net.Cost(sample...); err == nil {
			t.Errorf("a sample of shape %v costs something", sample)
		}
	}
	b := NewBuilder("valid", 3, Any, Any)
	b.Conv("conv", b.Input(), Conv{Out: 2, Kernel: 5})
	small, err := b.Network()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := small.Shapes(3, 4, 8); err == nil || !strings.Contains(err.Error(), "conv") {
		t.Errorf("error %v, want one that names the layer", err)
	}
}

// choosesBlocks is whether the architecture leaves a choice of its stages' layers.
func choosesBlocks(name string) bool {
	return slices.Contains([]string{"resnet18", "densenet121", "resnet50", "clip_resnet50"}, name)
}

// TestBlocks: fewer layers are fewer parameters, nonsense is refused, and so is any choice where there is none.
func TestBlocks(t *testing.T) {
	for _, name := range Names() {
		c := Config{Classes: 2, Width: 0.25}
		usual := cost(t, build(t, name, c), 3, 224, 224)
		c.Blocks = []int{2, 1, 1}
		short, err := New(name, c)
		if err == nil != choosesBlocks(name) {
			t.Errorf("%s with blocks %v: %v", name, c.Blocks, err)
			continue
		}
		if err == nil {
			if got := cost(t, short, 3, 224, 224); got.Parameters >= usual.Parameters {
				t.Errorf("%s has %d parameters with blocks %v, %d by default", name, got.Parameters, c.Blocks, usual.Parameters)
			}
			if shapes, err := short.Shapes(3, 224, 224); err != nil || len(shapes.Stages) != 3 {
				t.Errorf("%s with blocks %v has stages %v, %v", name, c.Blocks, shapes.Stages, err)
			}
		}
		for _, blocks := range [][]int{{1, 0, 1, 1}, {-1}, {1, 1, 1, 1, 1, 1, 1}, {100000}} {
			c.Blocks = blocks
			if _, err := New(name, c); err == nil || !strings.Contains(err.Error(), "layers") {
				t.Errorf("%s with blocks %v: error %v", name, blocks, err)
			}
		}
	}
}

// TestEveryNameIsBuilt: Names are the students and the teachers, each once, and New knows them all.
func TestEveryNameIsBuilt(t *testing.T) {
	if names := Names(); !slices.Equal(names, slices.Concat(Students(), Teachers())) || len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
		t.Errorf("names %v", names)
	}
	for _, name := range Names() {
		if _, err := New(name, Config{Classes: 2, Width: 0.25}); err != nil {
			t.Error(err)
		}
	}
}
