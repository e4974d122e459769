package figures

import (
	"fmt"
	"image/color"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"rd/experiments"
)

// TrainingSize draws what RD gains over the student alone against the number of training images, a panel for each data set, a
// line for each student and teacher: the mean over seeds, with its 95 % t-interval.
func TrainingSize(r *experiments.Results, base string) error {
	fig := sheet{title: "Gain of RD over the student alone by the number of training images, " + r.Title(), columns: 2, height: 2.3 * vg.Inch}
	fig.notes = []string{"Dots: mean over seeds of the difference in test accuracy to the student trained alone on the same images. Bars: its 95 % t-interval, where there are several seeds; one that holds 0 is within noise."}
	var panels []string
	curves := map[string][]experiments.SizeCurve{}
	for _, c := range r.TrainingSizes() {
		c.Points = slices.DeleteFunc(c.Points, func(p experiments.SizePoint) bool { return p.Gain.State != experiments.Done })
		if len(c.Points) == 0 {
			continue
		}
		if curves[c.Dataset] == nil {
			panels = append(panels, c.Dataset)
		}
		curves[c.Dataset] = append(curves[c.Dataset], c)
	}
	inks := map[string]color.Color{} // of student and teacher
	for _, dataset := range panels {
		p := newPanel(dataset, "", "training images", "gain of RD (points)")
		p.X.Scale = plot.LogScale{}
		sizes := sizeTicks(curves[dataset])
		p.X.Tick.Marker = sizes
		p.X.Min, p.X.Max = sizes[0].Value/1.3, sizes[len(sizes)-1].Value*1.3
		zero, err := plotter.NewLine(plotter.XYs{{X: p.X.Min}, {X: p.X.Max}})
		if err != nil {
			return fmt.Errorf("figure %s: %w", base, err)
		}
		zero.Color, zero.Dashes, zero.Width = color.Gray{140}, []vg.Length{3, 2}, 0.6
		p.Add(zero)
		for i, c := range curves[dataset] {
			name := short(c.Student+", "+c.Teacher, 60)
			if inks[name] == nil {
				inks[name] = classColor(len(inks))
				fig.legend = append(fig.legend, mark{name, inks[name]})
			}
			const spread = 1.12 // of the lines at one number of images: a factor
			aside := math.Pow(spread, float64(i)-float64(len(curves[dataset])-1)/2)
			if err := addGains(p, c.Points, aside, inks[name]); err != nil {
				return fmt.Errorf("figure %s: %w", base, err)
			}
		}
		const least = 8 // points: equal results are not to look different
		if middle := (p.Y.Max + p.Y.Min) / 2; p.Y.Max-p.Y.Min < least {
			p.Y.Min, p.Y.Max = middle-least/2, middle+least/2
		}
		air := 0.06 * (p.Y.Max - p.Y.Min)
		p.Y.Min, p.Y.Max = p.Y.Min-air, p.Y.Max+air
		fig.plots = append(fig.plots, p)
	}
	return fig.save(base)
}

// sizeTicks are those of the shares of a data set's curves, at their mean numbers of training images, in ascending order.
func sizeTicks(curves []experiments.SizeCurve) plot.ConstantTicks {
	images := map[int][]float64{} // of a share
	for _, c := range curves {
		for _, p := range c.Points {
			images[p.Share] = append(images[p.Share], meanImages(p))
		}
	}
	var ticks plot.ConstantTicks
	for _, share := range slices.Sorted(maps.Keys(images)) {
		mean := stat.Mean(images[share], nil)
		ticks = append(ticks, plot.Tick{Value: mean, Label: fmt.Sprintf("%.0f\n%d %%", mean, share)})
	}
	return ticks
}

// meanImages is the mean number of training images over seeds, at least one.
func meanImages(p experiments.SizePoint) float64 {
	sum := 0
	for _, n := range p.Images {
		sum += n
	}
	return max(1, float64(sum)/float64(len(p.Images)))
}

// addGains adds a line through the gains at their numbers of images, moved aside by a factor, and their intervals.
func addGains(p *plot.Plot, points []experiments.SizePoint, aside float64, ink color.Color) error {
	var bars struct {
		plotter.XYs
		plotter.YErrors
	}
	var at plotter.XYs
	for _, point := range points {
		xy := plotter.XY{X: meanImages(point) * aside, Y: point.Gain.Mean}
		at = append(at, xy)
		if half := point.Half.Mean; !math.IsNaN(half) {
			bars.XYs = append(bars.XYs, xy)
			bars.YErrors = append(bars.YErrors, struct{ Low, High float64 }{half, half})
		}
	}
	line, dots, err := plotter.NewLinePoints(at)
	if err != nil {
		return err
	}
	line.Color, line.Width = ink, 1
	dots.GlyphStyle = draw.GlyphStyle{Color: ink, Radius: 1.8, Shape: draw.CircleGlyph{}}
	p.Add(line, dots)
	if len(bars.XYs) == 0 {
		return nil
	}
	intervals, err := plotter.NewYErrorBars(bars)
	if err != nil {
		return err
	}
	intervals.LineStyle = draw.LineStyle{Color: ink, Width: 0.8}
	intervals.CapWidth = 4
	p.Add(intervals)
	return nil
}
