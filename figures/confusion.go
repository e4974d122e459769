package figures

import (
	"fmt"
	"image/color"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"rd/rdlib/record"
)

// Confusion counts a record's test predictions: counts[label][class] images.
func Confusion(result *record.Result) [][]int {
	counts := make([][]int, len(result.Classes))
	for i := range counts {
		counts[i] = make([]int, len(result.Classes))
	}
	for _, p := range result.Predictions {
		counts[p.Label][p.Class]++
	}
	return counts
}

// ConfusionMatrix draws a record's confusion matrix (rows: true class, columns: predicted) as base.pdf, base.svg and
// base.png. Cells are shaded by the row's fraction and carry the count.
func ConfusionMatrix(result *record.Result, base string) error {
	counts := Confusion(result)
	title := fmt.Sprintf("%s, %s, %s: %d of %d correct", result.Config.Student, result.Config.Method, result.Config.Dataset.Name,
		result.Last.TestCorrect, result.Last.TestTotal)
	if result.Config.Dataset.Phantom {
		title += " (phantom)"
	}
	p := newPlot(title, "predicted", "true")
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
		return fmt.Errorf("confusion matrix %s: %w", base, err)
	}
	numbers.TextStyle = styles
	p.Add(numbers)

	names := result.Classes
	longest := 0
	ticks := make([]plot.Tick, len(names))
	reversed := make([]plot.Tick, len(names))
	for i, name := range names {
		name = short(name, 22)
		longest = max(longest, len([]rune(name)))
		ticks[i] = plot.Tick{Value: float64(i), Label: name}
		reversed[i] = plot.Tick{Value: float64(len(names) - 1 - i), Label: name}
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.ConstantTicks(ticks), plot.ConstantTicks(reversed)
	p.X.Tick.Length, p.Y.Tick.Length = 0, 0
	p.X.LineStyle.Width, p.Y.LineStyle.Width = 0, 0
	if len(names)*longest > 40 {
		p.X.Tick.Label.Rotation = 0.6
		p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = text.XRight, text.YTop
	}
	side := OneColumn
	if wide := vg.Length(len(names))*0.5*vg.Inch + vg.Length(longest)*3; wide > side {
		side = wide
	}
	return save(p, side, side*0.9, base)
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
