package stat

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestConfusion(t *testing.T) {
	labels := []int{0, 0, 1, 1, 2, 2}
	perfect, err := NewConfusion(labels, labels, 3)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]float64{
		"accuracy": perfect.Accuracy(), "balanced": perfect.BalancedAccuracy(), "macro F1": perfect.MacroF1(), "weighted F1": perfect.WeightedF1(),
		"kappa": perfect.Kappa(), "quadratic kappa": perfect.QuadraticKappa(), "MCC": perfect.MCC(),
	} {
		if !near(value, 1) {
			t.Errorf("%s of perfect predictions is %v", name, value)
		}
	}
	// Always the same class: the accuracy is its share, the balanced one that of a coin.
	constant, _ := NewConfusion([]int{0, 0, 0, 1}, []int{0, 0, 0, 0}, 2)
	if constant.Accuracy() != 0.75 || constant.BalancedAccuracy() != 0.5 || constant.MCC() != 0 || constant.Kappa() != 0 || !near(constant.MacroF1(), (6./7)/2) {
		t.Errorf("%v %v %v %v %v", constant.Accuracy(), constant.BalancedAccuracy(), constant.MCC(), constant.Kappa(), constant.MacroF1())
	}
}

func TestAClassWithoutTestImages(t *testing.T) {
	labels, predictions := []int{0, 0, 1, 1}, []int{0, 1, 1, 2}
	c, err := NewConfusion(labels, predictions, 4)
	if err != nil {
		t.Fatal(err)
	}
	if r := c.Recall(); !math.IsNaN(r[2]) || !math.IsNaN(r[3]) || c.BalancedAccuracy() != 0.5 {
		t.Errorf("recall %v, balanced accuracy %v", r, c.BalancedAccuracy())
	}
	if f := c.F1(); f[2] != 0 || !math.IsNaN(f[3]) || !near(c.MacroF1(), (2./3+0.5+0)/3) {
		t.Errorf("F1 %v, macro %v", f, c.MacroF1())
	}
	probabilities := [][]float32{{.7, .1, .1, .1}, {.3, .5, .1, .1}, {.2, .6, .1, .1}, {.1, .2, .6, .1}}
	perClass, macro, err := AUC(labels, probabilities)
	if !errors.Is(err, ErrUndefined) || !strings.Contains(err.Error(), "class 2 has no test images") || !strings.Contains(err.Error(), "class 3") {
		t.Errorf("%v", err)
	}
	if perClass[0] != 1 || perClass[1] != 0.75 || !math.IsNaN(perClass[2]) || !math.IsNaN(macro) {
		t.Errorf("%v, %v", perClass, macro)
	}
	if _, _, err := AUC([]int{0, 0}, [][]float64{{1, 0}, {.5, .5}}); !errors.Is(err, ErrUndefined) || !strings.Contains(err.Error(), "class 0 has all") {
		t.Errorf("%v", err)
	}
}

// The area does not change with a monotone change of the scores, and turns round with them; that of equal scores is ½.
func TestAUC(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var labels []int
	var p, squared, turned, equal [][]float64
	for i := range 50 {
		q := random.Float64()
		labels = append(labels, i%2)
		p, squared = append(p, []float64{1 - q, q}), append(squared, []float64{1 - q, q * q})
		turned, equal = append(turned, []float64{q, 1 - q}), append(equal, []float64{0.5, 0.5})
	}
	area := func(p [][]float64) float64 {
		perClass, macro, err := AUC(labels, p)
		if err != nil || !near(macro, (perClass[0]+perClass[1])/2) {
			t.Errorf("%v, %v, %v", perClass, macro, err)
		}
		return perClass[1]
	}
	if a := area(p); !near(area(squared), a) || !near(area(turned), 1-a) || area(equal) != 0.5 {
		t.Errorf("%v, squared %v, turned round %v, equal %v", a, area(squared), area(turned), area(equal))
	}
}

func TestCalibrationError(t *testing.T) {
	// Sure and right; sure and wrong; 80 % sure and right in 4 of 5.
	for _, c := range []struct {
		labels []int
		p      []float64
		want   float64
	}{{[]int{0, 0}, []float64{1, 1}, 0}, {[]int{1, 1}, []float64{1, 1}, 1}, {[]int{0, 0, 0, 0, 1}, []float64{.8, .8, .8, .8, .8}, 0}, {[]int{0, 1}, []float64{.9, .6}, (.1 + .6) / 2}} {
		var rows [][]float64
		for _, p := range c.p {
			rows = append(rows, []float64{p, 1 - p})
		}
		if got, err := CalibrationError(c.labels, rows, 15); err != nil || !near(got, c.want) {
			t.Errorf("%v: %v, %v", c, got, err)
		}
	}
	if _, err := CalibrationError([]int{0}, [][]float64{{1, 0}}, 0); err == nil {
		t.Error("no bins")
	}
}

func TestLogLoss(t *testing.T) {
	if loss, err := LogLoss([]int{0, 1}, [][]float64{{.5, .5}, {.75, .25}}); err != nil || !near(loss, (math.Log(2)+math.Log(4))/2) {
		t.Errorf("%v, %v", loss, err)
	}
	if loss, err := LogLoss([]int{1}, [][]float64{{1, 0}}); err != nil || !math.IsInf(loss, 1) {
		t.Errorf("%v, %v", loss, err)
	}
}

func TestInputThatDoesNotFit(t *testing.T) {
	for _, c := range []struct {
		labels, predictions []int
		classes             int
		says                string
	}{{nil, nil, 2, "0 labels"}, {[]int{0}, []int{0, 1}, 2, "1 labels and 2"}, {[]int{0}, []int{2}, 2, "class 2"}, {[]int{-1}, []int{0}, 2, "class -1"}, {[]int{0}, []int{0}, -1, "class 0"}} {
		if _, err := NewConfusion(c.labels, c.predictions, c.classes); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, c := range []struct {
		labels []int
		p      [][]float64
		says   string
	}{
		{nil, nil, "0 labels"}, {[]int{0}, nil, "of 0 images"}, {[]int{0, 0}, [][]float64{{1, 0}, {1}}, "image 2 has 1"}, {[]int{2}, [][]float64{{1, 0}}, "class 2"},
		{[]int{0}, [][]float64{{math.NaN(), 0}}, "NaN"}, {[]int{0}, [][]float64{{1.5, 0}}, "1.5"}, {[]int{0}, [][]float64{{}}, "class 0"},
	} {
		_, _, auc := AUC(c.labels, c.p)
		_, ece := CalibrationError(c.labels, c.p, 15)
		_, loss := LogLoss(c.labels, c.p)
		for _, err := range []error{auc, ece, loss} {
			if err == nil || errors.Is(err, ErrUndefined) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%+v: %v", c, err)
			}
		}
	}
}
