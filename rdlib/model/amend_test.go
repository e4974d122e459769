package model

import (
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/golden"
)

// amended is a student with a residual module before the pool and standardised logits.
func amended(t *testing.T, student string) (plain, more *Network) {
	t.Helper()
	plain = build(t, student, Config{Classes: 3, Width: 0.25})
	more, err := plain.Amend(student+"+more", func(b *Builder, x Value) Value {
		y := b.BatchNorm("more.1", b.Conv("more.0", x, Conv{Out: 5, Kernel: 1}))
		b.Tap("more", y)
		y = b.BatchNorm("more.3", b.Conv("more.2", y, Conv{Out: b.Channels(x), Kernel: 1}))
		return b.Add("more.add", x, y)
	}, func(b *Builder, x Value) Value { return b.Standardise("even", x, Standardise{Scale: 2.5, Eps: 1e-7}) })
	if err != nil {
		t.Fatal(err)
	}
	return plain, more
}

// What is added is in the graph, in the export and in the cost; what was there keeps its name, order and place.
func TestAmend(t *testing.T) {
	for _, student := range Students() {
		plain, more := amended(t, student)
		shape := []int{2, 3, 32, 48}
		w := settled(more, 5)
		names := []string{ONNXProbabilities, ONNXPooled}
		data, err := more.ONNX(w, ONNXOptions{Sample: shape[1:], Outputs: names})
		if err != nil {
			t.Fatal(err)
		}
		x := noise(8, shape...)
		outputs := func(o Outputs) []*graph.Node {
			return []*graph.Node{graph.Softmax(o.Logits, -1), o.Pooled, o.Stages[0], o.Logits, o.FeatureMap}
		}
		want, _, err := forward(t, golden.GoBackend(t), more, w, false, x, shape, outputs)
		if err != nil {
			t.Fatal(err)
		}
		for i, values := range exported(t, data, names, x, shape) {
			golden.NearPart(t, student+" "+names[i], values, want[i], golden.Largest(want[i]), 1e-5)
		}
		own := Weights{}
		var inherited []string
		for _, p := range more.Parameters() {
			if !strings.HasPrefix(p.Name, "more.") {
				own[p.Name] = w[p.Name]
				inherited = append(inherited, p.Name)
			}
		}
		var before []string
		for _, p := range plain.Parameters() {
			before = append(before, p.Name)
		}
		if !slices.Equal(inherited, before) {
			t.Errorf("%s: of the parameters %v are left", student, inherited)
		}
		without, _, err := forward(t, golden.GoBackend(t), plain, own, false, x, shape, outputs)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(without[2], want[2]) || slices.Equal(without[4], want[4]) || slices.Equal(without[1], want[1]) {
			t.Errorf("%s: the first stage must stay, the pooled map and its mean must change", student)
		}
		for i := range 2 {
			row, square := want[3][3*i:3*i+3], 0.0
			for _, z := range row {
				square += z * z
			}
			golden.NearPart(t, "logits", []float64{row[0] + row[1] + row[2], square}, []float64{0, 3 * 2.5 * 2.5}, 1, 1e-2)
		}
		channels := plain.FeatureDim()
		a, b := cost(t, plain, shape[1:]...), cost(t, more, shape[1:]...)
		if params := int64(2*5*channels + 2*5 + 2*channels); b.Parameters != a.Parameters+params {
			t.Errorf("%s: %d parameters are added, want %d", student, b.Parameters-a.Parameters, params)
		}
		if b.MACs != a.MACs+int64(2*5*channels*1*2) || b.LNElements != 3 {
			t.Errorf("%s: cost %+v, without the module %+v", student, b, a)
		}
		if more.Classes() != 3 || more.FeatureDim() != channels {
			t.Errorf("%s: %d classes, features of %d", student, more.Classes(), more.FeatureDim())
		}
	}
}

func TestAmendRefuses(t *testing.T) {
	b := NewBuilder("headless", 3, 8, 8)
	b.FeatureMap(b.Conv("conv", b.Input(), Conv{Out: 4, Kernel: 3}))
	net, err := b.Network()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := net.Amend("more", nil, nil); err == nil || !strings.Contains(err.Error(), "headless") {
		t.Errorf("a network without logits: %v", err)
	}
	plain := build(t, "resnet18", Config{Classes: 3, Width: 0.25})
	if _, err := plain.Amend("more", func(b *Builder, x Value) Value { return b.BatchNorm("conv1", x) }, nil); err == nil || !strings.Contains(err.Error(), "conv1") {
		t.Errorf("a name used twice: %v", err)
	}
	if _, err := plain.Amend("more", nil, func(b *Builder, x Value) Value { return b.ReLU("relu", x) }); err == nil {
		t.Error("logits behind a ReLU are accepted")
	}
}
