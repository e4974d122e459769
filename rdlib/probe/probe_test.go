package probe

import (
	"math"
	"math/rand/v2"
	"testing"
)

// clouds draws n points around each of three centres, in width dimensions of which the first two tell the classes apart.
func clouds(seed uint64, n, width int, noise float64) Samples {
	rng := rand.New(rand.NewPCG(seed, 0))
	centres := [][2]float64{{0, 2}, {2, -1}, {-2, -1}}
	var s Samples
	for i := range 3 * n {
		f := make([]float32, width)
		for d := range f {
			f[d] = float32(noise * rng.NormFloat64())
		}
		f[0] += float32(centres[i%3][0])
		f[1] += float32(centres[i%3][1])
		s.Features, s.Labels = append(s.Features, f), append(s.Labels, i%3)
	}
	return s
}

func TestProbeSeparatesClouds(t *testing.T) {
	c, lambda, err := Select(clouds(1, 60, 8, 0.4), clouds(2, 20, 8, 0.4), 3)
	if err != nil {
		t.Fatal(err)
	}
	if n := c.Correct(clouds(3, 100, 8, 0.4)); n < 297 {
		t.Errorf("%d of 300 right with λ = %g", n, lambda)
	}
}

// At the minimum the gradient of the loss vanishes: for the bias, mean predicted probability is class frequency.
func TestFitIsAMinimum(t *testing.T) {
	s := clouds(4, 30, 3, 1.5)
	s.Labels[0], s.Labels[1] = 2, 2
	c, err := Fit(s, 3, 0.05, nil)
	if err != nil {
		t.Fatal(err)
	}
	x := c.design(s.Features)
	counts, sums := make([]float64, 3), make([]float64, 3)
	for i, label := range s.Labels {
		counts[label]++
		row := make([]float64, 3)
		for k := range row {
			for d, v := range x.RawRowView(i) {
				row[k] += v * c.weights.At(d, k)
			}
		}
		softmax(row)
		for k := range row {
			sums[k] += row[k]
		}
	}
	for k := range counts {
		if math.Abs(sums[k]-counts[k]) > 1e-2 {
			t.Errorf("class %d: %g images, predicted %g", k, counts[k], sums[k])
		}
	}
}

func TestScaleAndConstantsDoNotMatter(t *testing.T) {
	s := clouds(5, 40, 4, 1)
	changed := Samples{Labels: s.Labels}
	for _, f := range s.Features {
		changed.Features = append(changed.Features, []float32{100*f[0] + 7, 0.01 * f[1], f[2], f[3], 5})
	}
	a, err := Fit(s, 3, 0.1, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Fit(changed, 3, 0.1, nil)
	if err != nil {
		t.Fatal(err)
	}
	one, two := a.Predict(s.Features), b.Predict(changed.Features)
	for i := range one {
		if one[i] != two[i] {
			t.Fatalf("image %d is class %d, scaled class %d", i, one[i], two[i])
		}
	}
}

func TestBadSamples(t *testing.T) {
	good := clouds(6, 3, 2, 1)
	nan := clouds(6, 3, 2, 1)
	nan.Features[4][1] = float32(math.NaN())
	for name, s := range map[string]Samples{
		"none":   {},
		"labels": {Features: good.Features, Labels: good.Labels[1:]},
		"class":  {Features: good.Features, Labels: append([]int{3}, good.Labels[1:]...)},
		"ragged": {Features: append([][]float32{{1}}, good.Features[1:]...), Labels: good.Labels},
		"nan":    nan,
	} {
		if _, err := Fit(s, 3, 0.1, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Fit(good, 3, math.NaN(), nil); err == nil {
		t.Error("a penalty of NaN is accepted")
	}
	if _, _, err := Select(good, Samples{}, 3); err == nil {
		t.Error("no validation samples: no error")
	}
}
