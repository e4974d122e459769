package figures

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"rd/experiments"
	"rd/rdlib/record"
)

// Comparison draws the test accuracy of every student, method and teacher of a comparison as base.pdf, base.svg and base.png: a
// dot for each seed, a bar at their mean.
func Comparison(spec *experiments.Spec, base string) error {
	records, err := experiments.Records(spec)
	if err != nil {
		return err
	}
	p := newPlot(spec.Title, "", "test accuracy (%)")
	const spread = 0.62 // of a student's slot
	variants := spec.Variants()
	step := spread / float64(max(1, len(variants)-1))
	for m, variant := range variants {
		var dots plotter.XYs
		for s, student := range spec.Students {
			x := float64(s) - spread/2 + float64(m)*step
			if len(variants) == 1 {
				x = float64(s)
			}
			var sum float64
			var n int
			for seed := range uint64(spec.Seeds) {
				r := records[experiments.Cell{Student: student, Method: variant.Method, Teacher: variant.Teacher, Seed: seed + 1}]
				if r == nil {
					continue
				}
				accuracy := 100 * r.Result.Last.TestAccuracy
				dots = append(dots, plotter.XY{X: x, Y: accuracy})
				sum += accuracy
				n++
			}
			if n == 0 {
				continue
			}
			mean, err := plotter.NewLine(plotter.XYs{{X: x - 0.09, Y: sum / float64(n)}, {X: x + 0.09, Y: sum / float64(n)}})
			if err != nil {
				return fmt.Errorf("figure %s: %w", base, err)
			}
			mean.Color, mean.Width = Palette[m%len(Palette)], 2
			p.Add(mean)
		}
		if len(dots) == 0 {
			continue
		}
		scatter, err := plotter.NewScatter(dots)
		if err != nil {
			return fmt.Errorf("figure %s: %w", base, err)
		}
		scatter.GlyphStyle = draw.GlyphStyle{Color: Palette[m%len(Palette)], Radius: 2.2, Shape: draw.CircleGlyph{}}
		p.Add(scatter)
		p.Legend.Add(variant.String(), scatter)
	}
	chance := majority(records)
	if chance > 0 {
		line, err := plotter.NewLine(plotter.XYs{{X: -0.5, Y: chance}, {X: float64(len(spec.Students)) - 0.5, Y: chance}})
		if err != nil {
			return fmt.Errorf("figure %s: %w", base, err)
		}
		line.Color, line.Dashes, line.Width = color.Gray{140}, []vg.Length{3, 2}, 0.6
		p.Add(line)
		p.Legend.Add("largest class", line)
	}
	ticks := make([]plot.Tick, len(spec.Students))
	for i, student := range spec.Students {
		ticks[i] = plot.Tick{Value: float64(i), Label: student}
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	p.X.Tick.Length, p.X.LineStyle.Width = 0, 0
	p.X.Min, p.X.Max = -0.5, float64(len(spec.Students))-0.5
	p.Legend.Top, p.Legend.Left = false, false
	p.Legend.Padding = 1
	if p.Y.Min > p.Y.Max { // nothing was drawn
		p.Y.Min, p.Y.Max = 0, 100
	}
	if middle := (p.Y.Max + p.Y.Min) / 2; p.Y.Max-p.Y.Min < 8 { // equal results are not to look different
		p.Y.Min, p.Y.Max = middle-4, middle+4
	}
	span := p.Y.Max - p.Y.Min
	p.Y.Min = max(0, p.Y.Min-0.42*span) // room for the legend, below the dots
	p.Y.Max += 0.06 * span
	return save(p, OneColumn*1.25, OneColumn*0.85, base)
}

// majority is the accuracy in per cent of always naming the test set's largest class.
func majority(records map[experiments.Cell]*record.Record) float64 {
	for _, r := range records {
		counts := map[int]int{}
		largest := 0
		for _, p := range r.Result.Predictions {
			counts[p.Label]++
			largest = max(largest, counts[p.Label])
		}
		if n := len(r.Result.Predictions); n > 0 {
			return 100 * float64(largest) / float64(n)
		}
	}
	return 0
}
