package pretrain

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/distill"
	"rd/rdlib/golden"
	"rd/rdlib/model"
)

// outcome is what one loss gives: its value, the right answers, and the gradient in the network's output.
type outcome struct {
	loss, correct float64
	gradient      golden.Array
}

// evaluate builds a method's loss of a network output (logits and pooled feature alike) with modules that pass their
// input on.
func evaluate(t *testing.T, e golden.Engine, m distill.Method, labels []float64, output golden.Array, words *golden.Array) outcome {
	t.Helper()
	if words == nil {
		words = &golden.Array{Shape: []int{1}, Data: []float64{0}}
	}
	exec, err := NewExec(e.Backend, func(nodes []*Node) []*Node {
		losses := m.Phases()[0].Loss(&distill.Step{
			Labels: nodes[0], Student: model.Outputs{Logits: nodes[1], Pooled: nodes[1]}, Teacher: distill.Teacher{Pooled: nodes[2]},
			Forward: func(_ string, x *Node) model.Outputs { return model.Outputs{Pooled: x} },
		})
		return []*Node{losses.Total, losses.Correct, Gradient(losses.Total, nodes[1])[0]}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	y := golden.Array{Shape: []int{len(labels)}, Data: labels}
	results, err := exec.Call(y.Tensor(t, dtypes.Int32), output.Tensor(t, e.DType), words.Tensor(t, e.DType))
	if err != nil {
		t.Fatal(err)
	}
	return outcome{golden.ArrayOf(t, results[0]).Data[0], golden.ArrayOf(t, results[1]).Data[0], golden.ArrayOf(t, results[2])}
}

func random(seed uint64, rows, columns int) golden.Array {
	rng := rand.New(rand.NewPCG(seed, 0))
	a := golden.Array{Shape: []int{rows, columns}, Data: make([]float64, rows*columns)}
	for i := range a.Data {
		a.Data[i] = rng.NormFloat64()
	}
	return a
}

func row(a golden.Array, i int) []float64 { return a.Data[i*a.Shape[1] : (i+1)*a.Shape[1]] }

// nll is −log softmax(z)[target].
func nll(z []float64, target int) float64 {
	sum := 0.0
	for _, v := range z {
		sum += math.Exp(v)
	}
	return math.Log(sum) - z[target]
}

func cosine(a, b []float64) float64 {
	ab, aa, bb := 0.0, 0.0, 0.0
	for i := range a {
		ab, aa, bb = ab+a[i]*b[i], aa+a[i]*a[i], bb+b[i]*b[i]
	}
	return ab / math.Sqrt(aa*bb)
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*max(1, math.Abs(want)) || math.IsNaN(got) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestSupervisedChoosesWithinASet(t *testing.T) {
	method, err := NewSupervised([]int{3, 2})
	if err != nil {
		t.Fatal(err)
	}
	labels := []float64{0, 2, 3, 4}
	logits := random(1, 4, 5)
	logits.Data[3] = 50 // a class of the other set does not compete
	want, right := 0.0, 0.0
	for i, label := range labels {
		z, target := row(logits, i)[:3], int(label)
		if label >= 3 {
			z, target = row(logits, i)[3:], int(label)-3
		}
		want += nll(z, target) / 4
		best := 0
		for k := range z {
			if z[k] > z[best] {
				best = k
			}
		}
		if best == target {
			right++
		}
	}
	for _, e := range golden.Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			got := evaluate(t, e, method, labels, logits, nil)
			near(t, "loss", got.loss, want, 10*e.Tolerance)
			near(t, "right answers", got.correct, right, 0)
			for i, label := range labels {
				for k, d := range row(got.gradient, i) {
					if other := (label < 3) != (k < 3); other != (d == 0) {
						t.Errorf("image %d with label %v: gradient of class %d is %v", i, label, k, d)
					}
				}
			}
		})
	}
	for _, bad := range [][]int{nil, {3, 1}} {
		if _, err := NewSupervised(bad); err == nil {
			t.Errorf("heads %v are accepted", bad)
		}
	}
}

func TestContrastiveIsNTXent(t *testing.T) {
	method := &Contrastive{Temperature: 0.3, Projection: 4}
	h := random(2, 6, 4)
	want := 0.0
	for i := range 6 {
		var z []float64
		target := 0
		for k := range 6 {
			if k == i {
				continue
			}
			if k == i^1 {
				target = len(z)
			}
			z = append(z, cosine(row(h, i), row(h, k))/0.3)
		}
		want += nll(z, target) / 6
	}
	for _, e := range golden.Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			near(t, "loss", evaluate(t, e, method, make([]float64, 6), h, nil).loss, want, 10*e.Tolerance)
			// Two equal views of three images that are at right angles: every view finds its other one.
			clear := golden.Array{Shape: []int{6, 4}, Data: make([]float64, 24)}
			for i := range 6 {
				clear.Data[4*i+i/2] = float64(1 + i)
			}
			got := evaluate(t, e, method, make([]float64, 6), clear, nil)
			near(t, "right answers", got.correct, 6, 0)
			near(t, "loss of perfect views", got.loss, math.Log(math.Exp(1/0.3)+4)-1/0.3, 10*e.Tolerance)
		})
	}
}

func TestContrastiveIgnoresScaleAndSurvivesZeros(t *testing.T) {
	method := DefaultContrastive()
	e := golden.Exact(t)
	h := random(3, 4, 5)
	scaled := golden.Array{Shape: h.Shape}
	for i, v := range h.Data {
		scaled.Data = append(scaled.Data, v*float64(1+i/5))
	}
	near(t, "loss", evaluate(t, e, method, make([]float64, 4), scaled, nil).loss, evaluate(t, e, method, make([]float64, 4), h, nil).loss, 1e-9)
	copy(h.Data, make([]float64, 5))
	for _, d := range evaluate(t, e, method, make([]float64, 4), h, nil).gradient.Data {
		if math.IsNaN(d) || math.IsInf(d, 0) {
			t.Fatalf("a feature of zeros gives the gradient %v", d)
		}
	}
}

func TestCaptionsMatchImages(t *testing.T) {
	method := &Captions{Temperature: 0.5, Words: []string{"a", "b", "c"}}
	images := random(4, 4, 3)
	// Rows 1 and 3 have the same words.
	words := golden.Array{Shape: []int{4, 3}, Data: []float64{1, 0, 0, 0, 1, 1, 1, 0, 2, 0, 1, 1}}
	same := func(i, k int) bool { return i != k && i%2 == 1 && k%2 == 1 }
	want := 0.0
	for i := range 4 {
		var across, down []float64
		target := 0
		for k := range 4 {
			if same(i, k) {
				continue
			}
			if k == i {
				target = len(across)
			}
			across = append(across, cosine(row(images, i), row(words, k))/0.5)
			down = append(down, cosine(row(images, k), row(words, i))/0.5)
		}
		want += (nll(across, target) + nll(down, target)) / 8
	}
	for _, e := range golden.Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			near(t, "loss", evaluate(t, e, method, make([]float64, 4), images, &words).loss, want, 10*e.Tolerance)
			near(t, "right answers", evaluate(t, e, method, make([]float64, 4), words, &words).correct, 4, 0)
		})
	}
}

func TestModulesFitTheNetwork(t *testing.T) {
	context := distill.Context{StudentDim: 7, Classes: 2, TeacherPooled: 3}
	for _, m := range []distill.Method{DefaultContrastive(), &Captions{Temperature: 1, Words: []string{"x", "y", "z"}}} {
		modules, err := m.Modules(context)
		if err != nil {
			t.Fatal(err)
		}
		for name, module := range modules {
			input := map[string]int{projectionModule: 7, TextModule: 3}[name]
			shapes, err := module.Shapes(input)
			if err != nil || len(shapes.Pooled) != 1 {
				t.Errorf("%s: module %s gives %v, %v", m.Name(), name, shapes.Pooled, err)
			}
		}
	}
	for _, m := range []distill.Method{&Contrastive{Temperature: 0, Projection: 3}, &Captions{Temperature: 1, Words: []string{"x"}}} {
		if _, err := m.Modules(context); err == nil {
			t.Errorf("%s with %+v fits", m.Name(), m.Options())
		}
	}
}
