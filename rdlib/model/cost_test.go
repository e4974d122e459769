package model

import (
	"fmt"
	"testing"
)

// TestTable6 meets the students' six numbers behind Table 6 exactly, and the figures the paper prints.
func TestTable6(t *testing.T) {
	for _, row := range []struct {
		student       string
		parameters, f int64
		params, flops string
	}{
		{"resnet18", 11_177_538, 1_818_554_880, "5.33", "6.77"},
		{"shufflenet", 1_255_654, 147_786_440, "0.60", "0.55"},
		{"mobilenet", 2_226_434, 312_915_776, "1.06", "1.17"},
	} {
		net := build(t, row.student, Config{Classes: 2})
		c := cost(t, net, 3, 224, 224)
		if c.Parameters != row.parameters || c.F() != row.f {
			t.Errorf("%s: %d parameters, F %d (%+v); Table 6 follows from %d and %d", row.student, c.Parameters, c.F(), c, row.parameters, row.f)
		}
		if params, flops := fmt.Sprintf("%.2f", c.PaperParams()), fmt.Sprintf("%.2f", c.PaperFLOPs()); params != row.params || flops != row.flops {
			t.Errorf("%s: printed %s / %s, the paper prints %s / %s", row.student, params, flops, row.params, row.flops)
		}
	}
}

// TestWidthCounts compares with the parameter counts of torchvision 0.14.1 at 1000 classes.
func TestWidthCounts(t *testing.T) {
	for _, row := range []struct {
		student    string
		width      float64
		parameters int64
	}{
		{"shufflenet_v2_x0_5", 0, 1_366_792},
		{"shufflenet_v2_x1_5", 0, 3_503_624},
		{"shufflenet", 2, 7_393_996},
		{"mobilenet", 0.25, 1_519_112},
		{"mobilenet", 0.35, 1_677_128},
		{"mobilenet", 0.5, 1_968_680},
		{"mobilenet", 0.75, 2_636_424},
		{"mobilenet_v2", 1.4, 6_108_776},
	} {
		net := build(t, row.student, Config{Classes: 1000, Width: row.width})
		if c := cost(t, net, 3, 64, 64); c.Parameters != row.parameters {
			t.Errorf("%s at width %g has %d parameters, torchvision's has %d", row.student, row.width, c.Parameters, row.parameters)
		}
	}
}

// TestTeachersCost compares the multiply-accumulates with what torchvision 0.14.1's documentation states for 224×224 pixels
// and 1000 classes, in thousands of millions, and CLIP's ResNet of one block with a count by hand.
func TestTeachersCost(t *testing.T) {
	for teacher, want := range map[string]string{"densenet121": "2.834", "resnet50": "4.089"} {
		if got := fmt.Sprintf("%.3f", float64(cost(t, build(t, teacher, Config{Classes: 1000}), 3, 224, 224).MACs)/1e9); got != want {
			t.Errorf("%s: %s·10⁹ multiply-accumulates, torchvision states %s", teacher, got, want)
		}
	}
	net := build(t, "clip_resnet50", Config{Classes: 3, Width: 0.25, Blocks: []int{1}, Transformer: Transformer{Height: 32}})
	stem := 16 * 16 * (8*3*9 + 8*8*9 + 16*8*9)
	block := 8 * 8 * (16*16 + 16*16*9 + 64*16 + 64*16)
	const tokens = 1 + 8*8
	pool := 2*tokens*64*64 + 64*64 + 2*tokens*64 + 64*192
	if got, want := cost(t, net, 3, 32, 32).MACs, int64(stem+block+pool+192*3); got != want {
		t.Errorf("clip_resnet50: %d multiply-accumulates, want %d", got, want)
	}
}

// TestCostGrows: a wider network, a larger image and more classes never cost less.
func TestCostGrows(t *testing.T) {
	for _, student := range Students() {
		var last Cost
		for width := 0.1; width <= 2.5; width += 0.1 {
			c := cost(t, build(t, student, Config{Classes: 2, Width: width}), 3, 64, 64)
			if c.Parameters < last.Parameters || c.F() < last.F() {
				t.Errorf("%s at width %.1f costs %+v, less than a narrower one's %+v", student, width, c, last)
			}
			last = c
		}
		net := build(t, student, Config{Classes: 2})
		small, large := cost(t, net, 3, 64, 96), cost(t, net, 3, 96, 96)
		if large.F() <= small.F() || large.Parameters != small.Parameters {
			t.Errorf("%s costs %+v at 64×96 and %+v at 96×96", student, small, large)
		}
		more := cost(t, build(t, student, Config{Classes: 5}), 3, 64, 96)
		if want := int64(3 * (net.FeatureDim() + 1)); more.Parameters-small.Parameters != want {
			t.Errorf("%s: three classes more add %d parameters, want %d", student, more.Parameters-small.Parameters, want)
		}
	}
}

// TestCostFollowsTheDescription: a layer more shows in every count that is its own.
func TestCostFollowsTheDescription(t *testing.T) {
	count := func(change func(b *Builder, x Value) Value) Cost {
		b := NewBuilder("mutant", 3, Any, Any)
		x := b.Conv("conv", b.Input(), Conv{Out: 4, Kernel: 3, Padding: 1})
		x = change(b, x)
		b.Pooled(b.GlobalAvgPool("pool", x))
		net, err := b.Network()
		if err != nil {
			t.Fatal(err)
		}
		return cost(t, net, 3, 8, 6)
	}
	plain := count(func(_ *Builder, x Value) Value { return x })
	if want := (Cost{Parameters: 4 * 27, MACs: 48 * 4 * 27, AdaptivePoolInputs: 4 * 48}); plain != want {
		t.Errorf("cost %+v, want %+v", plain, want)
	}
	normed := count(func(b *Builder, x Value) Value { return b.BatchNorm("bn", x) })
	if normed.Parameters != plain.Parameters+8 || normed.BNElements != 4*48 || normed.F() != plain.F()+2*4*48 {
		t.Errorf("with batch normalisation %+v, without %+v", normed, plain)
	}
	grouped := count(func(b *Builder, x Value) Value {
		return b.Conv("dw", x, Conv{Out: 4, Kernel: 3, Padding: 1, Groups: 4, Bias: true})
	})
	if grouped.Parameters != plain.Parameters+4*9+4 || grouped.MACs != plain.MACs+48*4*9 {
		t.Errorf("with a depthwise convolution %+v, without %+v", grouped, plain)
	}
	oblong := count(func(b *Builder, x Value) Value { return b.Conv("oblong", x, Conv{Out: 5, Kernel: 3, Width: 2}) })
	if oblong.Parameters != plain.Parameters+5*4*6 || oblong.MACs != plain.MACs+6*5*5*4*6 {
		t.Errorf("with a kernel of 3×2 %+v, without %+v", oblong, plain)
	}
	transposed := count(func(b *Builder, x Value) Value {
		return b.ConvTranspose("up", x, ConvTranspose{Out: 5, Kernel: 4, Stride: 2, Padding: 1})
	})
	if transposed.Parameters != plain.Parameters+4*5*16 || transposed.MACs != plain.MACs+48*4*5*16 || transposed.AdaptivePoolInputs != 5*16*12 {
		t.Errorf("with a transposed convolution %+v, without %+v", transposed, plain)
	}
}

func build(t *testing.T, name string, c Config) *Network {
	t.Helper()
	net, err := New(name, c)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

func cost(t *testing.T, net *Network, sample ...int) Cost {
	t.Helper()
	c, err := net.Cost(sample...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCostOfMutants: half the width, or one block more, costs what it adds.
func TestCostOfMutants(t *testing.T) {
	for _, student := range Students() {
		whole, half := cost(t, build(t, student, Config{Classes: 2}), 3, 224, 224), cost(t, build(t, student, Config{Classes: 2, Width: 0.5}), 3, 224, 224)
		if !(half.Parameters < whole.Parameters && half.MACs < whole.MACs && half.F() < whole.F()) || fmt.Sprintf("%.2f", half.PaperParams()) == fmt.Sprintf("%.2f", whole.PaperParams()) {
			t.Errorf("%s costs %+v, of half the width %+v", student, whole, half)
		}
	}
	plain := cost(t, build(t, "resnet18", Config{Classes: 2}), 3, 224, 224)
	longer := cost(t, build(t, "resnet18", Config{Classes: 2, Blocks: []int{2, 3, 2, 2}}), 3, 224, 224)
	const side, width = 28, 128
	if params, macs := longer.Parameters-plain.Parameters, longer.MACs-plain.MACs; params != 2*(width*width*9+2*width) || macs != 2*side*side*width*width*9 || longer.BNElements-plain.BNElements != 2*side*side*width {
		t.Errorf("a block more adds %d parameters and %d multiply-accumulates", params, macs)
	}
	encoder := func(depth int) Cost {
		return cost(t, build(t, "vit_sam", Config{Transformer: Transformer{Depth: depth}, Windows: Windows{Neck: true, Global: []int{2, 5, 8, 11}}}), 3, 224, 224)
	}
	const dim, hidden, head, entries = 768, 3072, 64, 27
	if got, want := encoder(13).Parameters-encoder(12).Parameters, int64(4*dim*dim+4*dim+2*dim*hidden+hidden+dim+4*dim+2*entries*head); got != want {
		t.Errorf("a block more of LVM-Med's encoder has %d parameters, want %d", got, want)
	}
}
