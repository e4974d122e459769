package figures

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"rd/experiments"
)

// Parameters draws test accuracy against the students' parameters, a panel for each data set and teacher, a dot for each
// method: the mean over seeds, with a standard deviation to both sides.
func Parameters(r *experiments.Results, base string) error {
	groups, err := r.Groups()
	if err != nil {
		return fmt.Errorf("figure %s: %w", base, err)
	}
	fig := sheet{title: "Test accuracy and parameters of students, " + r.Title(), columns: 3, height: 1.9 * vg.Inch, legend: methodLegend(groups)}
	fig.notes = []string{"Dots: mean over seeds; bars: one standard deviation to both sides, where there are several. Methods on one student stand side by side."}
	type panel struct{ dataset, teacher string }
	var order []panel
	members := map[panel][]experiments.Group{}
	for _, g := range groups {
		key := panel{g.Dataset, g.Teacher}
		if members[key] == nil {
			order = append(order, key)
		}
		members[key] = append(members[key], g)
	}
	for _, key := range order {
		p := newPanel(key.dataset, key.teacher, "parameters of the student", "test accuracy (%)")
		p.X.Scale = plot.LogScale{}
		var ticks []plot.Tick
		for _, g := range members[key] {
			x := float64(g.Parameters) / 1e6
			ticks = append(ticks, plot.Tick{Value: x, Label: fmt.Sprintf("%s\n%.3g M", short(g.Student, 14), x)})
			if err := addAccuracies(p, r, g, x); err != nil {
				return fmt.Errorf("figure %s: %w", base, err)
			}
		}
		p.X.Tick.Marker = plot.ConstantTicks(ticks)
		least, most := ticks[0].Value, ticks[0].Value
		for _, t := range ticks {
			least, most = min(least, t.Value), max(most, t.Value)
		}
		p.X.Min, p.X.Max = least/1.6, most*1.6
		fig.plots = append(fig.plots, p)
	}
	return fig.save(base)
}

// addAccuracies adds the methods of a group around x, in their order, the grey ones first.
func addAccuracies(p *plot.Plot, r *experiments.Results, g experiments.Group, x float64) error {
	series := slices.Clone(g.Series)
	slices.SortStableFunc(series, func(a, b experiments.Series) int {
		grey := func(s experiments.Series) int {
			if methodInk(s.Method) == otherInk {
				return 0
			}
			return 1
		}
		return grey(a) - grey(b)
	})
	const spread = 1.5 // of the methods on one student: a factor
	for i, s := range series {
		at := x
		if len(series) > 1 {
			at *= math.Pow(spread, float64(i)/float64(len(series)-1)-0.5)
		}
		var values []float64
		for _, rec := range s.Records {
			values = append(values, r.Accuracy(rec))
		}
		mean, sd := stat.MeanStdDev(values, nil)
		ink := methodInk(s.Method)
		if len(values) > 1 {
			bar, err := plotter.NewLine(plotter.XYs{{X: at, Y: mean - sd}, {X: at, Y: mean + sd}})
			if err != nil {
				return err
			}
			bar.Color, bar.Width = ink, 0.8
			p.Add(bar)
		}
		dots, err := plotter.NewScatter(plotter.XYs{{X: at, Y: mean}})
		if err != nil {
			return err
		}
		dots.GlyphStyle = draw.GlyphStyle{Color: ink, Radius: 1.8, Shape: draw.CircleGlyph{}}
		p.Add(dots)
	}
	return nil
}
