package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestMcNemar(t *testing.T) {
	b, c, err := Discordant([]int{0, 1, 2, 0, 1}, []int{0, 1, 0, 1, 1}, []int{0, 0, 2, 1, 0})
	if err != nil || b != 2 || c != 1 {
		t.Errorf("%d, %d, %v", b, c, err)
	}
	if _, _, err := Discordant([]int{0, 1}, []int{0}, []int{0, 1}); err == nil || !strings.Contains(err.Error(), "same test images") {
		t.Error(err)
	}
	for b := range 30 {
		for c := range 30 {
			p, err := McNemar(b, c)
			if q, _ := McNemar(c, b); err != nil || p != q || !(p > 0 && p <= 1) {
				t.Errorf("%d, %d: %v, the other way round %v, %v", b, c, p, q, err)
			}
			if more, _ := McNemar(b, c+1); c >= b && more > p+1e-12 {
				t.Errorf("%d, %d: %v, with one more %v", b, c, p, more)
			}
		}
	}
	if _, err := McNemar(-1, 2); err == nil {
		t.Error("a negative count")
	}
}

// With ranks as differences the two tests are the same.
func TestSignedRankIsThePermutationTestOfRanks(t *testing.T) {
	for _, d := range [][]float64{{1, -2, 3, 4, 5}, {-1, -2, 3, -4, 5, 6, 7, 8}, {1.5, 1.5, -3, 4}, {1, 2}, {-1}} {
		s, err := Wilcoxon(d, make([]float64, len(d)), DropZeros)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Permutation(d, 1)
		if err != nil || math.Abs(p-s.P()) > 1e-12 {
			t.Errorf("%v: signed ranks %v, permutation %v, %v", d, s.P(), p, err)
		}
		if total := float64(len(d)*(len(d)+1)) / 2; s.Plus+s.Minus != total {
			t.Errorf("%v: ranks sum to %v, not %v", d, s.Plus+s.Minus, total)
		}
	}
}

func TestRoundingMakesNoRanks(t *testing.T) {
	x, y := []float64{70.3, 0.3, 5, 68.1}, []float64{70.1, 0.1, 5, 68.2} // differences .2, .2, 0, −.1, not quite in float64
	s, err := Wilcoxon(x, y, DropZeros)
	if err != nil || s.Plus != 5 || s.Minus != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err = Wilcoxon(x, y, RankZeros); err != nil || s.Plus != 7 || s.Minus != 2 {
		t.Errorf("zeros ranked: %+v, %v", s, err)
	}
	if s, err = Wilcoxon(x, x, RankZeros); err != nil || s.W() != 0 || s.P() != 1 || s.Greater() != 1 || s.Normal(true) != 1 {
		t.Errorf("no pair differs: %+v, %v", s, err)
	}
}

// Many pairs go by the normal distribution, which is close to the exact one before.
func TestManyPairs(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{exactPairs, exactPairs + 1} {
		var x []float64
		for range n {
			x = append(x, random.NormFloat64()+0.1)
		}
		s, err := Wilcoxon(x, make([]float64, n), DropZeros)
		if err != nil || math.Abs(s.P()-s.Normal(true)) > 0.002 || math.Abs(s.Greater()-s.P()/2) > 0.001 {
			t.Errorf("%d pairs: %v, normal %v, greater %v, %v", n, s.P(), s.Normal(true), s.Greater(), err)
		}
	}
}

func TestPermutation(t *testing.T) {
	// Of the 8 choices of signs the sums ±6 are as far from 0 as 6.
	if p, err := Permutation([]float64{1, 2, 3}, 1); err != nil || p != 0.25 {
		t.Errorf("%v, %v", p, err)
	}
	if p, err := Permutation([]float64{0, 0}, 1); err != nil || p != 1 {
		t.Errorf("%v, %v", p, err)
	}
	var d []float64
	for i := range exactFlips + 5 {
		d = append(d, float64(i%7)-2)
	}
	exact, err := Permutation(d[:exactFlips], 1)
	if err != nil || !(exact > 0 && exact < 1) {
		t.Errorf("%v, %v", exact, err)
	}
	p, err := Permutation(d, 1)
	again, _ := Permutation(d, 1)
	other, _ := Permutation(d, 2)
	if err != nil || p != again || p == other || math.Abs(p-other) > 0.01 {
		t.Errorf("random signs: %v, again %v, other seed %v, %v", p, again, other, err)
	}
	s, _ := Wilcoxon(d, make([]float64, len(d)), DropZeros)
	if math.Abs(p-s.P()) > 0.05 {
		t.Errorf("random signs %v, signed ranks %v", p, s.P())
	}
}

func TestPairsThatCannotBeTested(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		x, y []float64
		says string
	}{{nil, nil, "no pairs"}, {[]float64{1}, []float64{1, 2}, "1 and 2"}, {[]float64{1, nan}, []float64{1, 2}, "pair 2 is NaN"}, {[]float64{1}, []float64{math.Inf(1)}, "+Inf"}} {
		if _, err := Wilcoxon(c.x, c.y, DropZeros); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v", err)
		}
	}
	for _, d := range [][]float64{nil, {1, nan}} {
		if _, err := Permutation(d, 1); err == nil {
			t.Errorf("%v is permuted", d)
		}
	}
}

func TestHolm(t *testing.T) {
	got, err := Holm([]float64{0.01, 0.04, 0.03, 0.005})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0.03, 0.06, 0.06, 0.02} { // R: p.adjust(p, "holm")
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("%v", got)
		}
	}
	p := []float64{0.2, 0.001, 0.04, 0.04, 0.9, 0.5, 0}
	adjusted, err := Holm(p)
	if err != nil {
		t.Fatal(err)
	}
	for i := range p {
		if adjusted[i] < p[i] || adjusted[i] > 1 {
			t.Errorf("%v becomes %v", p[i], adjusted[i])
		}
		for k := range p {
			if p[i] < p[k] && adjusted[i] > adjusted[k] {
				t.Errorf("%v, %v change places: %v, %v", p[i], p[k], adjusted[i], adjusted[k])
			}
		}
	}
	if one, err := Holm([]float64{0.3}); err != nil || one[0] != 0.3 {
		t.Errorf("%v, %v", one, err)
	}
	if none, err := Holm(nil); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
	for _, wrong := range []float64{-0.1, 1.1, math.NaN()} {
		if _, err := Holm([]float64{0.5, wrong}); err == nil || !strings.Contains(err.Error(), "p-value 2") {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}

func TestAverageRanks(t *testing.T) {
	scores := [][]float64{{90, 80, 80}, {70, 75, 60}, {50, 50, 50}}
	got, err := AverageRanks(scores)
	if want := []float64{5. / 3, (2.5 + 1 + 2) / 3, (2.5 + 3 + 2) / 3}; err != nil || !slices.EqualFunc(got, want, near) {
		t.Errorf("%v, want %v, %v", got, want, err)
	}
	chi2, p, err := Friedman([][]float64{{3, 2, 1}, {3, 2, 1}, {3, 2, 1}, {3, 2, 1}})
	if err != nil || !near(chi2, 8) || !near(p, math.Exp(-4)) { // N(k−1), and χ² with 2 degrees of freedom
		t.Errorf("%v, %v, %v", chi2, p, err)
	}
	// Without ties it is 12/(Nk(k+1))·ΣR² − 3N(k+1); R = 5, 6, 7, N = 3.
	if chi2, _, err := Friedman([][]float64{{3, 2, 1}, {2, 3, 1}, {2, 1, 3}}); err != nil || !near(chi2, 12./36*(5*5+6*6+7*7)-36) {
		t.Errorf("%v, %v", chi2, err)
	}
	if chi2, p, err := Friedman(scores[2:]); err != nil || chi2 != 0 || p != 1 {
		t.Errorf("%v, %v, %v", chi2, p, err)
	}
	for _, wrong := range [][][]float64{nil, {{1}}, {{1, 2}, {1}}, {{1, math.NaN()}}} {
		if _, err := AverageRanks(wrong); err == nil {
			t.Errorf("%v is ranked", wrong)
		}
		if _, _, err := Friedman(wrong); err == nil {
			t.Errorf("%v is tested", wrong)
		}
	}
}

// The values of q/√2 are those of Demšar's table 5.
func TestNemenyi(t *testing.T) {
	for alpha, table := range map[float64][]float64{
		0.05: {1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164},
		0.10: {1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920},
	} {
		for i, want := range table {
			k := float64(i + 2)
			cd, err := Nemenyi(i+2, 10, alpha)
			if q := cd / math.Sqrt(k*(k+1)/60); err != nil || math.Abs(q-want) > 0.001 {
				t.Errorf("%v methods at %v: %v, want %v, %v", k, alpha, q, want, err)
			}
		}
	}
	few, _ := Nemenyi(5, 10, 0.05)
	if many, _ := Nemenyi(5, 40, 0.05); !near(few, 2*many) {
		t.Errorf("%v over 10 cells, %v over 40", few, many)
	}
	if cd, err := Nemenyi(3, 10, 1e-300); err != nil || math.IsInf(cd, 0) {
		t.Errorf("%v, %v", cd, err)
	}
	for _, c := range []struct {
		methods, cells int
		alpha          float64
	}{{1, 10, 0.05}, {3, 0, 0.05}, {3, 10, 0}, {3, 10, 1}, {3, 10, math.NaN()}} {
		if _, err := Nemenyi(c.methods, c.cells, c.alpha); err == nil {
			t.Errorf("%+v has a critical difference", c)
		}
	}
}
