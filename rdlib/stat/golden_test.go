package stat

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"rd/rdlib/golden"
)

const tolerance = 1e-9

func TestGolden(t *testing.T) {
	golden.Run(t, golden.Stat, map[string]golden.Test{"metrics": goldenMetrics})
}

// goldenMetrics compares every output of the file; one that nothing here computes is an error.
func goldenMetrics(t *testing.T, v *golden.Vector) {
	computed := golden.Arrays{}
	for name := range v.Outputs {
		switch prefix, metric, _ := strings.Cut(name, "."); {
		case metric != "" && computed[prefix+".accuracy"].Data == nil:
			goldenClassifier(t, v, prefix, computed)
		case strings.HasPrefix(name, "wilcoxon_ties_"):
			goldenTies(t, v, computed)
		case strings.HasPrefix(name, "wilcoxon"):
			goldenPairs(t, v, strings.TrimPrefix(prefix[:strings.Index(prefix, "_")], "wilcoxon"), computed)
		}
	}
	goldenProportions(t, v, computed)
	counts := v.Inputs.Get(t, "mcnemar_b_c")
	computed["mcnemar_exact_p"] = goldenRows(t, counts, func(b, c int) []float64 {
		p, err := McNemar(b, c)
		if err != nil {
			t.Error(err)
		}
		return []float64{p}
	})[0]
	for name, want := range v.Outputs {
		got, ok := computed[name]
		if !ok {
			t.Errorf("nothing computes %s", name)
			continue
		}
		if strings.HasSuffix(name, ".log_loss") && math.IsNaN(want.Data[0]) {
			continue // left out there where any probability is 0
		}
		for i := range want.Data {
			if i < len(got.Data) && math.IsNaN(got.Data[i]) && (math.IsNaN(want.Data[i]) || want.Data[i] == 0) {
				want.Data[i], got.Data[i] = 0, 0 // undefined: scikit-learn says so, or 0 for the recall of a class without images
			}
		}
		golden.Near(t, name, got, want, tolerance)
	}
}

// goldenClassifier computes the metrics of the probabilities that belong to a prefix of outputs.
func goldenClassifier(t *testing.T, v *golden.Vector, prefix string, computed golden.Arrays) {
	input := "probs_" + prefix
	if _, ok := v.Inputs[input]; !ok {
		input = "probs"
	}
	labels, rows := goldenLabels(t, v), goldenProbabilities(t, v, input)
	predictions := argmax(rows)
	classes := len(rows[0])
	c, err := NewConfusion(labels, predictions, classes)
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, values ...float64) {
		computed[prefix+"."+name] = golden.Array{Shape: []int{len(values)}, Data: values}
	}
	scalar := func(name string, value float64) { computed[prefix+"."+name] = golden.Scalar(value) }
	scalar("accuracy", c.Accuracy())
	scalar("balanced_accuracy", c.BalancedAccuracy())
	scalar("macro_f1", c.MacroF1())
	scalar("weighted_f1", c.WeightedF1())
	scalar("kappa", c.Kappa())
	scalar("kappa_quadratic", c.QuadraticKappa())
	scalar("mcc", c.MCC())
	put("per_class_recall", c.Recall()...)
	put("per_class_precision", c.Precision()...)
	put("per_class_f1", c.F1()...)
	matrix := golden.Array{Shape: []int{classes, classes}}
	for _, row := range c {
		for _, n := range row {
			matrix.Data = append(matrix.Data, float64(n))
		}
	}
	computed[prefix+".confusion_rows_true"] = matrix
	perClass, macro, err := AUC(labels, rows)
	if err != nil && !errors.Is(err, ErrUndefined) {
		t.Error(err)
	}
	put("per_class_auc", perClass...)
	scalar("macro_ovr_auc", macro)
	loss, err := LogLoss(labels, rows)
	if err != nil {
		t.Error(err)
	}
	scalar("log_loss", loss)
	for name := range v.Outputs {
		bins, ok := strings.CutPrefix(name, prefix+".ece")
		if !ok {
			continue
		}
		n, err := strconv.Atoi(bins)
		if err != nil {
			t.Fatal(err)
		}
		ece, err := CalibrationError(labels, rows, n)
		if err != nil {
			t.Error(err)
		}
		computed[name] = golden.Scalar(ece)
	}
}

func goldenLabels(t *testing.T, v *golden.Vector) []int {
	var labels []int
	for _, label := range v.Inputs.Get(t, "labels").Data {
		labels = append(labels, int(label))
	}
	return labels
}

func goldenProbabilities(t *testing.T, v *golden.Vector, name string) [][]float64 {
	a := v.Inputs.Get(t, name)
	var rows [][]float64
	for i := range a.Shape[0] {
		rows = append(rows, a.Data[i*a.Shape[1]:(i+1)*a.Shape[1]])
	}
	return rows
}

func argmax(rows [][]float64) []int {
	var best []int
	for _, row := range rows {
		at := 0
		for k, p := range row {
			if p > row[at] {
				at = k
			}
		}
		best = append(best, at)
	}
	return best
}

// goldenPairs computes the tests of the pairs of one number.
func goldenPairs(t *testing.T, v *golden.Vector, number string, computed golden.Arrays) {
	name := "wilcoxon" + number
	x, y := v.Inputs.Get(t, name+"_x").Data, v.Inputs.Get(t, name+"_y").Data
	s, err := Wilcoxon(x, y, DropZeros)
	if err != nil {
		t.Fatal(err)
	}
	computed[name+"_W"] = golden.Scalar(s.W())
	computed[name+"_exact_p"] = golden.Scalar(s.P())
	computed[name+"_exact_greater_p"] = golden.Scalar(s.Greater())
	computed[name+"_approx_p"] = golden.Scalar(s.Normal(false))
	computed[name+"_approx_cc_p"] = golden.Scalar(s.Normal(true))
	var differences []float64
	for i := range x {
		differences = append(differences, x[i]-y[i])
	}
	statistic, p := PairedT(differences)
	computed["ttest"+number+"_rel_t"] = golden.Scalar(statistic)
	computed["ttest"+number+"_rel_p"] = golden.Scalar(p)
}

func goldenTies(t *testing.T, v *golden.Vector, computed golden.Arrays) {
	d := v.Inputs.Get(t, "wilcoxon_ties_d").Data
	for name, zeros := range map[string]Zeros{"wilcox": DropZeros, "pratt": RankZeros} {
		s, err := Wilcoxon(d, make([]float64, len(d)), zeros)
		if err != nil {
			t.Fatal(err)
		}
		computed["wilcoxon_ties_"+name+"_W"] = golden.Scalar(s.W())
		computed["wilcoxon_ties_"+name+"_approx_p"] = golden.Scalar(s.Normal(false))
	}
}

func goldenProportions(t *testing.T, v *golden.Vector, computed golden.Arrays) {
	for name, interval := range map[string]func(k, n int) (float64, float64, error){"wilson": Wilson, "clopper_pearson": ClopperPearson} {
		columns := goldenRows(t, v.Inputs.Get(t, "wilson_k_n"), func(k, n int) []float64 {
			low, high, err := interval(k, n)
			if err != nil {
				t.Error(err)
			}
			return []float64{low, high}
		})
		computed[name+"_low"], computed[name+"_high"] = columns[0], columns[1]
	}
}

// goldenRows computes values of each row of two whole numbers, and gives them as columns.
func goldenRows(t *testing.T, input golden.Array, of func(a, b int) []float64) []golden.Array {
	var columns []golden.Array
	for i := range input.Shape[0] {
		for k, value := range of(int(input.Data[2*i]), int(input.Data[2*i+1])) {
			if i == 0 {
				columns = append(columns, golden.Array{Shape: []int{input.Shape[0]}})
			}
			columns[k].Data = append(columns[k].Data, value)
		}
	}
	if len(columns) == 0 {
		t.Fatal("an input without rows")
	}
	return columns
}

// The first discordant counts of the vectors are those of two of its sets of predictions.
func TestGoldenDiscordant(t *testing.T) {
	golden.Run(t, golden.Stat, map[string]golden.Test{"metrics": func(t *testing.T, v *golden.Vector) {
		first, second := argmax(goldenProbabilities(t, v, "probs")), argmax(goldenProbabilities(t, v, "probs_tied"))
		b, c, err := Discordant(goldenLabels(t, v), first, second)
		want := v.Inputs.Get(t, "mcnemar_b_c").Data[:2]
		if got := fmt.Sprint([]float64{float64(b), float64(c)}); err != nil || got != fmt.Sprint(want) {
			t.Errorf("%s (%v), want %v", got, err, want)
		}
	}})
}
