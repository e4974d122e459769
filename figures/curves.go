package figures

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"rd/experiments"
	"rd/rdlib/record"
)

// methodInks are the colours of the methods that a reader looks for; the others are grey.
var methodInks = map[string]color.RGBA{"rd": Palette[3], "scratch": Palette[7], "kd": Palette[0], "direct": Palette[2]}

var otherInk = color.RGBA{185, 185, 185, 255}

func methodInk(method string) color.RGBA {
	if ink, ok := methodInks[method]; ok {
		return ink
	}
	return otherInk
}

// methodLegend has the methods of some groups that have a colour of their own, and one entry for all others.
func methodLegend(groups []experiments.Group) []mark {
	var marks []mark
	others := false
	for _, g := range groups {
		for _, s := range g.Series {
			switch m := (mark{s.Label, methodInk(s.Method)}); {
			case m.ink == otherInk:
				others = true
			case !slices.Contains(marks, m):
				marks = append(marks, m)
			}
		}
	}
	if others {
		marks = append(marks, mark{"other methods", otherInk})
	}
	return marks
}

// newPanel is a plot of a sheet, with a heading of two lines.
func newPanel(first, second, x, y string) *plot.Plot {
	p := newPlot("", x, y)
	p.Title.Text, p.Title.TextStyle.Font = short(first, 40)+"\n"+short(second, 40), sans(8)
	p.Y.Tick.Marker = roundTicks{}
	return p
}

// Curves draws how the students' accuracy grows while they train, a panel for each student, data set and teacher, a line for
// each method: the mean over seeds, with a band of a standard deviation to both sides.
func Curves(r *experiments.Results, base string) error {
	groups, err := r.Groups()
	if err != nil {
		return fmt.Errorf("figure %s: %w", base, err)
	}
	value, what := validation, "validation accuracy (%)"
	for _, g := range groups {
		for _, s := range g.Series {
			for _, rec := range s.Records {
				for _, e := range studentPhase(rec) {
					if e.ValidationAccuracy == nil {
						value, what = training, "training accuracy (%)"
					}
				}
			}
		}
	}
	fig := sheet{title: "Accuracy of students while they train, " + r.Title(), columns: 3, height: 1.9 * vg.Inch, legend: methodLegend(groups)}
	fig.notes = []string{"Lines: mean over seeds. Bands: one standard deviation to both sides, where there are several seeds."}
	for _, g := range groups {
		p := newPanel(g.Dataset+", "+g.Student, g.Teacher, "epoch", what)
		p.X.Tick.Marker = roundTicks{whole: true}
		drawn := false
		for _, highlighted := range []bool{false, true} { // the grey ones below
			for _, s := range g.Series {
				if ink := methodInk(s.Method); highlighted == (ink != otherInk) {
					added, err := addCurve(p, s.Records, value, 100, ink)
					if err != nil {
						return fmt.Errorf("figure %s: %w", base, err)
					}
					drawn = drawn || added
				}
			}
		}
		if drawn {
			fig.plots = append(fig.plots, p)
		}
	}
	return fig.save(base)
}

// studentPhase is the part of a record's curves in which the student is trained, the last.
func studentPhase(rec *record.Record) []record.Epoch {
	curves := rec.Result.Curves
	first := len(curves)
	for first > 0 && curves[first-1].Phase == curves[len(curves)-1].Phase {
		first--
	}
	return curves[first:]
}

func validation(e record.Epoch) float64 {
	if e.ValidationAccuracy == nil {
		return math.NaN()
	}
	return 100 * *e.ValidationAccuracy
}

func training(e record.Epoch) float64 { return 100 * e.TrainAccuracy }

// addCurve adds the mean over records of a value in [0, most] by epoch, with its band; whether there was any.
func addCurve(p *plot.Plot, records []*record.Record, value func(record.Epoch) float64, most float64, ink color.RGBA) (bool, error) {
	byEpoch := map[int][]float64{}
	last := 0
	for _, rec := range records {
		for _, e := range studentPhase(rec) {
			if v := value(e); !math.IsNaN(v) && !math.IsInf(v, 0) {
				byEpoch[e.Epoch] = append(byEpoch[e.Epoch], v)
				last = max(last, e.Epoch)
			}
		}
	}
	var middle, upper, lower plotter.XYs
	for epoch := 1; epoch <= last; epoch++ {
		values := byEpoch[epoch]
		if len(values) == 0 {
			continue
		}
		mean, sd := stat.MeanStdDev(values, nil)
		if len(values) < 2 {
			sd = 0
		}
		x := float64(epoch)
		middle = append(middle, plotter.XY{X: x, Y: mean})
		upper = append(upper, plotter.XY{X: x, Y: min(most, mean+sd)})
		lower = append(lower, plotter.XY{X: x, Y: max(0, mean-sd)})
	}
	if len(middle) == 0 {
		return false, nil
	}
	line, err := plotter.NewLine(middle)
	if err != nil {
		return false, err
	}
	line.Color, line.Width = ink, 1
	if ink == otherInk {
		line.Width = 0.5
	} else if len(records) > 1 {
		slices.Reverse(lower)
		band, err := plotter.NewPolygon(append(upper, lower...))
		if err != nil {
			return false, err
		}
		band.Color, band.LineStyle.Width = color.NRGBA{ink.R, ink.G, ink.B, 45}, 0
		p.Add(band)
	}
	p.Add(line)
	return true, nil
}
