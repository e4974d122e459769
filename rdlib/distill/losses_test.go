package distill

import (
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/mat"

	"rd/rdlib/golden"
)

// normal is an array of standard normal values.
func normal(seed uint64, shape ...int) golden.Array {
	rng := rand.New(rand.NewPCG(seed, 1))
	size := 1
	for _, d := range shape {
		size *= d
	}
	a := golden.Array{Shape: shape, Data: make([]float64, size)}
	for i := range a.Data {
		a.Data[i] = rng.NormFloat64()
	}
	return a
}

// filled is an array of one value.
func filled(value float64, shape ...int) golden.Array {
	a := normal(0, shape...)
	for i := range a.Data {
		a.Data[i] = value
	}
	return a
}

// mapped is a with f applied to the value in each row and column.
func mapped(a golden.Array, f func(row, column int, v float64) float64) golden.Array {
	out := golden.Array{Shape: a.Shape, Data: make([]float64, len(a.Data))}
	columns := a.Shape[1]
	for i, v := range a.Data {
		out.Data[i] = f(i/columns, i%columns, v)
	}
	return out
}

// rotated is a times an orthogonal matrix drawn from the seed.
func rotated(a golden.Array, seed uint64) golden.Array {
	n, d := a.Shape[0], a.Shape[1]
	var qr mat.QR
	qr.Factorize(mat.NewDense(d, d, normal(seed, d, d).Data))
	var q, out mat.Dense
	qr.QTo(&q)
	out.Mul(mat.NewDense(n, d, a.Data), &q)
	return golden.Array{Shape: a.Shape, Data: out.RawMatrix().Data}
}

func cka(t *testing.T, e golden.Engine, teacher, student golden.Array) golden.Arrays {
	t.Helper()
	return run(t, e, golden.Arrays{"t": teacher, "s": student}, func(in map[string]*Node) map[string]*Node {
		loss := CKA(in["t"], in["s"])
		return withGradients(map[string]*Node{"loss": loss}, loss, in, "t", "s")
	})
}

func TestCKAInvariance(t *testing.T) {
	a, b := normal(1, 9, 12), normal(2, 9, 5)
	moved := mapped(rotated(a, 3), func(_, column int, v float64) float64 { return 7*v + float64(column) - 3 })
	backwards := func(x golden.Array) golden.Array {
		n, d := x.Shape[0], x.Shape[1]
		return mapped(x, func(row, column int, _ float64) float64 { return x.Data[(n-1-row)*d+column] })
	}
	for _, e := range golden.Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			near(t, e, cka(t, e, a, moved), "loss", golden.Scalar(-1))
			want := cka(t, e, a, b)["loss"]
			if v := want.Data[0]; v > 0 || v < -1 {
				t.Errorf("CKA is %g, outside [-1, 0]", v)
			}
			near(t, e, cka(t, e, moved, b), "loss", want)
			near(t, e, cka(t, e, b, a), "loss", want)
			near(t, e, cka(t, e, backwards(a), backwards(b)), "loss", want)
		})
	}
}

// Features of any size give the loss of their unscaled copies: nothing overflows, and the floors do not show.
func TestCKAAtEveryScale(t *testing.T) {
	a, b := normal(1, 8, 6), normal(2, 8, 10)
	for _, e := range golden.Engines(t) {
		want := cka(t, e, a, b)["loss"]
		for _, scale := range []float64{1e-6, 1e-3, 1e3, 1e6} {
			got := cka(t, e, mapped(a, func(_, _ int, v float64) float64 { return scale * v }), b)
			near(t, e, got, "loss", want)
		}
	}
}

func TestCKAOfConstantFeatures(t *testing.T) {
	varied := normal(1, 7, 5)
	byColumn := mapped(varied, func(_, column int, _ float64) float64 { return 0.1 + float64(column)/3 })
	for name, constant := range map[string]golden.Array{"zero": filled(0, 7, 5), "constant": byColumn, "large": filled(1234.567, 7, 5)} {
		for _, e := range golden.Engines(t) {
			t.Run(name+" "+e.Name, func(t *testing.T) {
				for _, pair := range [][2]golden.Array{{constant, varied}, {varied, constant}, {constant, constant}} {
					got := cka(t, e, pair[0], pair[1])
					near(t, e, got, "loss", golden.Scalar(0))
					for _, side := range []string{"d t", "d s"} {
						for _, v := range got[side].Data {
							if !(math.Abs(v) < 1e3) {
								t.Fatalf("%s is %g", side, v)
							}
						}
					}
				}
			})
		}
	}
}

func TestCKAOfOneSample(t *testing.T) {
	e := golden.Exact(t)
	got := cka(t, e, normal(1, 1, 5), normal(2, 1, 3))
	near(t, e, got, "loss", golden.Scalar(0))
	near(t, e, got, "d s", filled(0, 1, 3))
}

func TestKL(t *testing.T) {
	p, q := normal(1, 5, 4), normal(2, 5, 4)
	kl := func(e golden.Engine, temperature float64, teacher, student golden.Array) golden.Arrays {
		return run(t, e, golden.Arrays{"t": teacher, "s": student}, func(in map[string]*Node) map[string]*Node {
			loss := KL(in["t"], in["s"], temperature)
			return withGradients(map[string]*Node{"loss": loss}, loss, in, "t", "s")
		})
	}
	for _, e := range golden.Engines(t) {
		for _, temperature := range []float64{1, 4} {
			same := kl(e, temperature, p, mapped(p, func(row, _ int, v float64) float64 { return v + float64(row) }))
			near(t, e, same, "loss", golden.Scalar(0))
			near(t, e, same, "d t", filled(0, 5, 4))
			near(t, e, same, "d s", filled(0, 5, 4))
			if v := kl(e, temperature, p, q)["loss"].Data[0]; v <= 0 {
				t.Errorf("KL of different predictions is %g", v)
			}
		}
		// One confident teacher against a uniform student: log 4.
		near(t, e, kl(e, 1, mapped(p, func(_, column int, _ float64) float64 { return 100 * float64(column) }), filled(0, 5, 4)), "loss", golden.Scalar(math.Log(4)))
	}
}

func TestCrossEntropy(t *testing.T) {
	logits := normal(1, 3, 4)
	labels := golden.Array{Shape: []int{3}, Data: []float64{2, 0, 3}}
	want, gradient := 0.0, golden.Array{Shape: []int{3, 4}, Data: make([]float64, 12)}
	for row, label := range labels.Data {
		sum := 0.0
		for _, v := range logits.Data[row*4 : row*4+4] {
			sum += math.Exp(v)
		}
		want += (math.Log(sum) - logits.Data[row*4+int(label)]) / 3
		for c := range 4 {
			gradient.Data[row*4+c] = math.Exp(logits.Data[row*4+c]) / sum / 3
		}
		gradient.Data[row*4+int(label)] -= 1.0 / 3
	}
	for _, e := range golden.Engines(t) {
		got := run(t, e, golden.Arrays{"labels": labels, "z": logits}, func(in map[string]*Node) map[string]*Node {
			loss := CrossEntropy(in["labels"], in["z"])
			return withGradients(map[string]*Node{"loss": loss}, loss, in, "z")
		})
		near(t, e, got, "loss", golden.Scalar(want))
		near(t, e, got, "d z", gradient)
	}
}
