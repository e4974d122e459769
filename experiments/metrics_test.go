package experiments

import (
	"math"
	"strings"
	"testing"

	"rd/rdlib/record"
)

func TestMetrics(t *testing.T) {
	r := &record.Record{}
	r.Result.Classes = []string{"a", "b"}
	for _, p := range []record.Prediction{
		{Label: 0, Class: 0, Probabilities: []float32{1, 0}}, {Label: 0, Class: 0, Probabilities: []float32{0.75, 0.25}},
		{Label: 0, Class: 1, Probabilities: []float32{0.25, 0.75}}, {Label: 1, Class: 1, Probabilities: []float32{0.5, 0.5}},
	} {
		r.Result.Predictions = append(r.Result.Predictions, p)
	}
	// Recall 2/3 and 1; F1 4/5 and 2/3; of three pairs of images two are in order; by confidence 1, ¾, ¾ and ½ the bins of 15 have
	// right less sure 0, (1+0)−1.5 and 0−0.5: of equal probabilities the first is the prediction.
	m, err := metricsOf(r)
	if err != nil || m.undefined != "" {
		t.Fatal(m, err)
	}
	for i, want := range []float64{75, 100 * (2./3 + 1) / 2, 100 * (4./5 + 2./3) / 2, 100 * 2. / 3, 25} {
		if math.Abs(m.values[i]-want) > 1e-9 {
			t.Errorf("metric %d is %v, want %v", i, m.values[i], want)
		}
	}
	for i := range r.Result.Predictions {
		r.Result.Predictions[i].Label = 0
	}
	if m, err := metricsOf(r); err != nil || !math.IsNaN(m.values[3]) || !strings.Contains(m.undefined, "class 1 has no test images") || m.values[0] != 50 {
		t.Errorf("%+v, %v", m, err)
	}
	r.Result.Predictions[0].Class = 2
	if _, err := metricsOf(r); err == nil {
		t.Error("a class that does not exist")
	}
}

func TestMetricsTable(t *testing.T) {
	p, s, put := tableWorld(t)
	put("shufflenet", "scratch", 60)
	c := Cell{Dataset: "busi-phantom", Student: "shufflenet", Method: "rd", Teacher: "mini-raddensenet", Seed: 1}
	r := predict(recordOf(t, p.Matrix, c, 0), 0, 50)
	for i := range r.Result.Predictions {
		r.Result.Predictions[i].Label = 0
	}
	if err := s.Finish(c, r); err != nil {
		t.Fatal(err)
	}
	table := results(t, p, s).Metrics()
	if v := table.value("BUSI ShuffleNet mini-raddensenet (for RadDenseNet) RD", "AUC"); v.Text != "undefined" {
		t.Errorf("%+v", v)
	}
	if v := table.value("BUSI ShuffleNet mini-raddensenet (for RadDenseNet) student scratch", "accuracy"); v.Text != "not computed" {
		t.Errorf("%+v", v)
	}
	text := table.markdown()
	for _, want := range []string{"- BUSI seed 1: AUC is undefined: class 0 has all test images, class 1 has no test images; classes from 0: a, b.", "student scratch seed 1: not computed: 0 labels and 0 predictions"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
