package figures

import (
	"fmt"
	"image/color"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"rd/experiments"
	"rd/rdlib/record"
	"rd/rdlib/stat"
)

// confusionOf counts a record's test predictions; of a record without any it is all zeros.
func confusionOf(result *record.Result) (stat.Confusion, error) {
	if len(result.Predictions) == 0 {
		counts := make(stat.Confusion, len(result.Classes))
		for i := range counts {
			counts[i] = make([]int, len(result.Classes))
		}
		return counts, nil
	}
	var labels, classes []int
	for _, p := range result.Predictions {
		labels, classes = append(labels, p.Label), append(classes, p.Class)
	}
	return stat.NewConfusion(labels, classes, len(result.Classes))
}

// ConfusionMatrix draws a record's confusion matrix (rows: true class, columns: predicted) as base.pdf, base.svg and
// base.png. Cells are shaded by the row's fraction and carry the count.
func ConfusionMatrix(result *record.Result, base string) error {
	title := fmt.Sprintf("%s, %s, %s: %d of %d correct", result.Config.Student, result.Config.Method, result.Config.Dataset.Name,
		result.Last.TestCorrect, result.Last.TestTotal)
	if result.Config.Dataset.Phantom {
		title += " (phantom)"
	}
	counts, err := confusionOf(result)
	if err != nil {
		return fmt.Errorf("confusion matrix %s: %w", base, err)
	}
	p, longest, err := confusionPlot(counts, result.Classes, 22)
	if err != nil {
		return fmt.Errorf("confusion matrix %s: %w", base, err)
	}
	p.Title.Text = wrap(title, 52)
	side := OneColumn
	if wide := vg.Length(len(result.Classes))*0.5*vg.Inch + vg.Length(longest)*3; wide > side {
		side = wide
	}
	return save(p, side, side*0.9, base)
}

// Confusions draws the confusion matrices of RD's students, a panel for each student, data set and teacher, summed over
// seeds.
func Confusions(r *experiments.Results, base string) error {
	groups, err := r.Groups()
	if err != nil {
		return fmt.Errorf("figure %s: %w", base, err)
	}
	fig := sheet{title: "Test images of RD's students by true and predicted class, " + r.Title(), columns: 3, height: 2.3 * vg.Inch}
	fig.notes = []string{"Images, summed over seeds; shades: share of the true class."}
	for _, g := range groups {
		for _, s := range g.Series {
			if s.Method != "rd" {
				continue
			}
			var counts stat.Confusion
			for _, rec := range s.Records {
				more, err := confusionOf(&rec.Result)
				if err != nil {
					return fmt.Errorf("figure %s: %w", base, err)
				}
				counts = added(counts, more)
			}
			p, _, err := confusionPlot(counts, s.Records[0].Result.Classes, 12)
			if err != nil {
				return fmt.Errorf("figure %s: %w", base, err)
			}
			p.Title.Text, p.Title.TextStyle.Font = short(g.Dataset+", "+g.Student, 40)+"\n"+short(g.Teacher, 40), sans(8)
			fig.plots = append(fig.plots, p)
		}
	}
	return fig.save(base)
}

// added is the sum of two matrices of one size, of which the first may be nil.
func added(a, b stat.Confusion) stat.Confusion {
	if a == nil {
		return b
	}
	for i := range a {
		for k := range a[i] {
			a[i][k] += b[i][k]
		}
	}
	return a
}

// confusionPlot draws counts[label][class], with class names of at most width runes; the longest has so many.
func confusionPlot(counts stat.Confusion, classes []string, width int) (p *plot.Plot, longest int, err error) {
	p = newPlot("", "predicted", "true")
	grid := matrix(counts)
	heat := plotter.NewHeatMap(grid, blues{})
	heat.Min, heat.Max = 0, 1
	p.Add(heat)

	labels := plotter.XYLabels{}
	styles := []text.Style{}
	for row := range counts {
		for col, n := range counts[row] {
			x, y := float64(col), float64(len(counts)-1-row)
			labels.XYs = append(labels.XYs, plotter.XY{X: x, Y: y})
			labels.Labels = append(labels.Labels, strconv.Itoa(n))
			style := text.Style{Font: sans(8), XAlign: text.XCenter, YAlign: text.YCenter, Handler: plot.DefaultTextHandler, Color: color.Black}
			if grid.Z(col, len(counts)-1-row) > 0.55 {
				style.Color = color.White
			}
			styles = append(styles, style)
		}
	}
	numbers, err := plotter.NewLabels(labels)
	if err != nil {
		return nil, 0, err
	}
	numbers.TextStyle = styles
	p.Add(numbers)

	ticks := make([]plot.Tick, len(classes))
	reversed := make([]plot.Tick, len(classes))
	for i, name := range classes {
		name = short(name, width)
		longest = max(longest, len([]rune(name)))
		ticks[i] = plot.Tick{Value: float64(i), Label: name}
		reversed[i] = plot.Tick{Value: float64(len(classes) - 1 - i), Label: name}
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.ConstantTicks(ticks), plot.ConstantTicks(reversed)
	p.X.Tick.Length, p.Y.Tick.Length = 0, 0
	p.X.LineStyle.Width, p.Y.LineStyle.Width = 0, 0
	if len(classes)*longest > 2*width-4 {
		p.X.Tick.Label.Rotation = 0.6
		p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = text.XRight, text.YTop
	}
	return p, longest, nil
}

// matrix is a plotter.GridXYZ of row fractions, first row on top.
type matrix [][]int

func (m matrix) Dims() (c, r int) { return len(m), len(m) }
func (m matrix) X(c int) float64  { return float64(c) }
func (m matrix) Y(r int) float64  { return float64(r) }
func (m matrix) Z(c, r int) float64 {
	row := m[len(m)-1-r]
	total := 0
	for _, n := range row {
		total += n
	}
	if total == 0 {
		return 0
	}
	return float64(row[c]) / float64(total)
}

// blues runs from white to the palette's blue.
type blues struct{}

func (blues) Colors() []color.Color {
	const n = 64
	colors := make([]color.Color, n)
	end := Palette[0]
	for i := range colors {
		f := float64(i) / (n - 1)
		mix := func(to uint8) uint8 { return uint8(255 + f*(float64(to)-255)) }
		colors[i] = color.RGBA{mix(end.R), mix(end.G), mix(end.B), 255}
	}
	return colors
}
