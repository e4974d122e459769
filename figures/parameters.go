package figures

import (
	"cmp"
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
	return accuracyAgainst(r, quantity{
		title: "parameters of students", axis: "parameters of the student",
		of: func(g experiments.Group) (float64, string, bool) {
			millions := float64(g.Parameters) / 1e6
			return millions, fmt.Sprintf("%.3g M", millions), true
		},
	}, base)
}

// Latency draws test accuracy against the time that the exported student takes for one image, as Parameters against its parameters.
// Students whose time was not measured are left out.
func Latency(r *experiments.Results, c *experiments.CostRecord, base string) error {
	return accuracyAgainst(r, quantity{
		title: "latency of students", axis: "time for one image, batch 1", note: " " + c.Measured(),
		of: func(g experiments.Group) (float64, string, bool) {
			ms, ok := c.Latency(g.Student)
			return ms, fmt.Sprintf("%.3g ms", ms), ok
		},
	}, base)
}

// quantity is what a student costs.
type quantity struct {
	title, axis, note string
	of                func(experiments.Group) (value float64, text string, ok bool)
}

// accuracyAgainst draws accuracy against what students cost.
func accuracyAgainst(r *experiments.Results, q quantity, base string) error {
	groups, err := r.Groups()
	if err != nil {
		return fmt.Errorf("figure %s: %w", base, err)
	}
	groups = slices.DeleteFunc(groups, func(g experiments.Group) bool {
		_, _, ok := q.of(g)
		return !ok
	})
	fig := sheet{title: "Test accuracy and " + q.title + ", " + r.Title(), columns: 3, height: 1.9 * vg.Inch, legend: methodLegend(groups)}
	fig.notes = []string{"Dots: mean over seeds; bars: one standard deviation to both sides, where there are several. Methods on one student stand side by side." + q.note}
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
		p := newPanel(key.dataset, key.teacher, q.axis, "test accuracy (%)")
		p.X.Scale = plot.LogScale{}
		var ticks []plot.Tick
		for _, g := range members[key] {
			x, text, _ := q.of(g)
			ticks = append(ticks, plot.Tick{Value: x, Label: short(g.Student, 14) + "\n" + text})
		}
		p.X.Min, p.X.Max = arrange(ticks)
		for _, g := range members[key] {
			x, _, _ := q.of(g)
			if err := addAccuracies(p, r, g, x, spread(ticks)); err != nil {
				return fmt.Errorf("figure %s: %w", base, err)
			}
		}
		p.X.Tick.Marker = plot.ConstantTicks(ticks)
		fig.plots = append(fig.plots, p)
	}
	return fig.save(base)
}

// arrange sorts ticks of a logarithmic axis, writes those lower that would overlap the one before, and gives the ends of the axis.
func arrange(ticks []plot.Tick) (least, most float64) {
	slices.SortFunc(ticks, func(a, b plot.Tick) int { return cmp.Compare(a.Value, b.Value) })
	least, most = ticks[0].Value/1.6, ticks[len(ticks)-1].Value*1.6
	const label = 0.36 // the width of a label, as a share of the axis
	lowered := false
	for i := range ticks[1:] {
		near := math.Log(ticks[i+1].Value/ticks[i].Value) < label*math.Log(most/least)
		if lowered = near && !lowered; lowered {
			ticks[i+1].Label = "\n\n" + ticks[i+1].Label
		}
	}
	return least, most
}

// spread is the factor by which the methods on one student lie apart, so that they do not reach those of the next.
func spread(ticks []plot.Tick) float64 {
	widest := 1.5
	for i := range ticks[1:] {
		if next := ticks[i+1].Value / ticks[i].Value; next > 1 {
			widest = min(widest, math.Pow(next, 0.6))
		}
	}
	return widest
}

// addAccuracies adds the methods of a group around x, a factor from the first to the last, in their order, the grey ones first.
func addAccuracies(p *plot.Plot, r *experiments.Results, g experiments.Group, x, spread float64) error {
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
