package figures

import (
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// sheet is a figure of several plots in rows, with one legend and notes below all of them.
type sheet struct {
	title   string
	plots   []*plot.Plot
	columns int       // at most so many plots in a row
	height  vg.Length // of a row
	legend  []mark
	notes   []string
}

// mark is an entry of a legend.
type mark struct {
	name string
	ink  color.Color
}

// save writes the sheet as base.pdf, base.svg and base.png. A sheet without plots says so.
func (s sheet) save(base string) error {
	const margin, titleLine, noteLine, legendLine, gap = 5, 12, 8.5, 11, 8
	columns := max(1, min(s.columns, len(s.plots)))
	width := min(TwoColumns, vg.Length(columns)*OneColumn)
	inner := width - 2*margin
	if len(s.plots) == 0 {
		s.notes, s.legend = []string{"No record is there yet."}, nil
	}
	rows := (len(s.plots) + columns - 1) / columns
	heads := lines(s.title, sans(9), inner, 3)
	var notes []string
	for _, note := range s.notes {
		notes = append(notes, lines(note, sans(6.5), inner, 6)...)
	}
	names := make([]string, len(s.legend))
	for i, m := range s.legend {
		names[i] = m.name
	}
	legend := flow(names, inner)
	head := vg.Length(len(heads))*titleLine + margin + 4
	foot := vg.Length(len(notes))*noteLine + vg.Length(len(legend))*legendLine + margin
	height := max(lowest, head+foot+vg.Length(rows)*(s.height+gap))
	return saveDrawing(width, height, base, func(c draw.Canvas) {
		y := c.Max.Y - margin
		for _, line := range heads {
			write(c, line, 9, width/2, y-9, draw.XCenter, color.Black)
			y -= titleLine
		}
		if rows > 0 {
			grid := make([][]*plot.Plot, rows)
			for row := range grid {
				grid[row] = make([]*plot.Plot, columns)
				copy(grid[row], s.plots[row*columns:min((row+1)*columns, len(s.plots))])
			}
			area := draw.Crop(c, margin, -margin, foot, -head)
			tiles := draw.Tiles{Rows: rows, Cols: columns, PadX: gap, PadY: gap}
			for row, canvases := range plot.Align(grid, tiles, area) {
				for column, canvas := range canvases {
					if p := grid[row][column]; p != nil {
						p.Draw(canvas)
					}
				}
			}
		}
		y = foot - 3
		for _, line := range legend {
			y -= legendLine
			for _, entry := range line {
				fillBox(c, vg.Rectangle{Min: vg.Point{X: margin + entry.x, Y: y + 1.5}, Max: vg.Point{X: margin + entry.x + 8, Y: y + 4.5}}, s.legend[entry.index].ink)
				write(c, entry.name, 7, margin+entry.x+11, y+1, draw.XLeft, color.Black)
			}
		}
		for _, line := range notes {
			y -= noteLine
			write(c, line, 6.5, margin, y+1, draw.XLeft, grey)
		}
	})
}

// flowed is a name that is set in a line, with room for a mark at x before it.
type flowed struct {
	index int
	name  string
	x     vg.Length
}

// flow sets names behind their marks in lines of a width.
func flow(names []string, width vg.Length) [][]flowed {
	const before, behind = 11, 12
	var all [][]flowed
	var line []flowed
	x := vg.Length(0)
	for i, name := range names {
		if set := lines(name, sans(7), width-before, 1); len(set) > 0 {
			name = set[0]
		}
		wide := before + textWidth(name, sans(7))
		if len(line) > 0 && x+wide > width {
			all, line, x = append(all, line), nil, 0
		}
		line = append(line, flowed{i, name, x})
		x += wide + behind
	}
	if len(line) > 0 {
		all = append(all, line)
	}
	return all
}

// roundTicks are a few round numbers, without marks between them; whole ones where nothing lies between, such as epochs.
type roundTicks struct{ whole bool }

func (t roundTicks) Ticks(least, most float64) []plot.Tick {
	const many = 6
	if !(most > least) {
		return []plot.Tick{{Value: least, Label: strconv.FormatFloat(least, 'g', 4, 64)}}
	}
	step := math.Pow(10, math.Floor(math.Log10((most-least)/many)))
	if t.whole {
		step = max(step, 1)
	}
	for _, factor := range []float64{2, 2.5, 2} { // 1, 2, 5, 10, …
		if (most-least)/step <= many {
			break
		}
		step *= factor
	}
	var ticks []plot.Tick
	for n := math.Ceil(least / step); n*step <= most; n++ {
		value := n*step + 0 // not −0
		ticks = append(ticks, plot.Tick{Value: value, Label: strconv.FormatFloat(value, 'g', 4, 64)})
	}
	return ticks
}
