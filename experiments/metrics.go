package experiments

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"rd/rdlib/record"
	"rd/rdlib/stat"
)

// calibrationBins is how many equal bins of confidence the calibration error has.
const calibrationBins = 15

// metrics are those of the last student of a record, in per cent, in the order of Metrics' columns.
type metrics struct {
	values    [5]float64
	undefined string // why the AUC is NaN
}

// metricsOf computes them from the predictions. Predictions that are not kept, or do not fit the classes, are an error.
func metricsOf(r *record.Record) (m metrics, err error) {
	var labels, predicted []int
	var probabilities [][]float32
	for _, p := range r.Result.Predictions {
		labels, predicted, probabilities = append(labels, p.Label), append(predicted, p.Class), append(probabilities, p.Probabilities)
	}
	c, err := stat.NewConfusion(labels, predicted, len(r.Result.Classes))
	if err != nil {
		return m, err
	}
	_, auc, err := stat.AUC(labels, probabilities)
	if errors.Is(err, stat.ErrUndefined) {
		m.undefined, err = err.Error(), nil
	}
	if err != nil {
		return m, err
	}
	calibration, err := stat.CalibrationError(labels, probabilities, calibrationBins)
	if err != nil {
		return m, err
	}
	m.values = [5]float64{100 * c.Accuracy(), 100 * c.BalancedAccuracy(), 100 * c.MacroF1(), 100 * auc, 100 * calibration}
	return m, nil
}

// Metrics is a table of what else than accuracy the predictions of the last students say: a row for each row of Table 3 and
// method that has records.
func (r *Results) Metrics() *Table {
	t := &Table{
		Name: "metrics", Title: fmt.Sprintf("Metrics (%%) of students on test images after the last epoch, %s; mean ± standard deviation over seeds (%s)", r.data(), r.plan.Matrix.Name),
		Labels:  []string{"dataset", "student", "teacher", "method"},
		Columns: []string{"seeds", "accuracy", "balanced accuracy", "macro-F1", "AUC", "calibration error"},
	}
	groups, err := r.Groups()
	if err != nil {
		t.Notes = []string{fmt.Sprintf("Metrics could not be computed: %v.", err)}
		return t
	}
	for _, g := range groups {
		for _, s := range g.Series {
			labels := []string{g.Dataset, g.Student, g.Teacher, s.Label}
			computed := 0
			values := make([][]float64, len(metrics{}.values))
			for _, rec := range s.Records {
				name := fmt.Sprintf("%s %s %s %s seed %d", g.Dataset, g.Student, g.Teacher, s.Label, rec.Result.Config.Seeds.Init)
				m, err := metricsOf(rec)
				if err != nil {
					t.Notes = append(t.Notes, fmt.Sprintf("%s: not computed: %v.", name, err))
					continue
				}
				computed++
				if note := fmt.Sprintf("%s seed %d: %s; classes from 0: %s.", g.Dataset, rec.Result.Config.Seeds.Init, m.undefined, strings.Join(rec.Result.Classes, ", ")); m.undefined != "" && !slices.Contains(t.Notes, note) {
					t.Notes = append(t.Notes, note) // it is the same for all methods
				}
				for i, v := range m.values {
					if !math.IsNaN(v) {
						values[i] = append(values[i], v)
					}
				}
			}
			row := TableRow{Labels: labels, Values: []Value{{Whole: true, Mean: float64(len(s.Records)), SD: math.NaN(), Paper: math.NaN()}}}
			for _, of := range values {
				v := Value{Text: "not computed", Mean: math.NaN(), SD: math.NaN(), Paper: math.NaN()}
				switch {
				case len(of) > 0:
					v.Text = ""
					v.mean(of)
				case computed > 0:
					v.Text = "undefined"
				}
				row.Values = append(row.Values, v)
			}
			t.Rows = append(t.Rows, row)
		}
	}
	t.Notes = append(t.Notes,
		fmt.Sprintf("Balanced accuracy: mean recall of the classes. Macro-F1: mean F1 of the classes. AUC: mean area under the ROC curves of each class against all others; undefined where a class has no test image, or all. Calibration error: expected, over %d equal bins of the largest probability.", calibrationBins),
		"The records are those of Table 3.")
	return t
}
