package figures

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"rd/experiments"
)

// ranking is one as it is drawn.
type ranking struct{ *experiments.Ranking }

// Ranks draws the critical-difference diagram of a matrix (Demšar, JMLR 7, 2006): the average rank of methods over the
// students, data sets and teachers that have them all, and thick lines that join methods which Nemenyi's test does
// not tell apart at 5 %. A cell's score is the mean test accuracy over seeds.
func Ranks(r *experiments.Results, base string) error {
	groups, err := r.Groups()
	if err != nil {
		return fmt.Errorf("figure %s: %w", base, err)
	}
	ranked, err := r.Ranking(groups)
	if err != nil {
		return fmt.Errorf("figure %s: %w", base, err)
	}
	return ranking{ranked}.draw("Average ranks of methods by test accuracy, "+r.Title(), base)
}

// alike lists the first and last method of each longest run, in the order of ranks, that the test does not tell apart.
func (k ranking) alike() (runs [][2]int) {
	for first := range k.Ranks {
		last := first
		for last+1 < len(k.Ranks) && k.Ranks[last+1]-k.Ranks[first] <= k.Critical {
			last++
		}
		if last > first && (len(runs) == 0 || runs[len(runs)-1][1] < last) {
			runs = append(runs, [2]int{first, last})
		}
	}
	return runs
}

func (k ranking) draw(title, base string) error {
	const margin, titleLine, noteLine, step, side = 5, 12, 8.5, 12, 92
	const width = 5 * vg.Inch
	const inner = width - 2*margin
	heads := lines(title, sans(9), inner, 3)
	note := "No two students, data sets or teachers have the same two methods yet."
	var runs [][2]int
	half := 0
	if k.Ranking != nil {
		note = fmt.Sprintf("Rank 1 is the best; over %d cells of student, data set and teacher, mean over seeds. Thick lines join methods that Nemenyi's test does not tell apart at 5 %% (critical difference %.2f). Friedman's test of all: p = %.2g.",
			k.Rows, k.Critical, k.Friedman)
		if k.Friedman > 0.05 {
			note += " The methods' differences are within noise."
		}
		runs, half = k.alike(), (len(k.Ranks)+1)/2
	}
	notes := lines(note, sans(6.5), inner, 5)
	head := vg.Length(len(heads))*titleLine + margin
	foot := vg.Length(len(notes))*noteLine + margin
	height := head + foot
	if k.Ranking != nil {
		height += 46 + vg.Length(len(runs))*5 + vg.Length(half)*step
	}
	return saveDrawing(width, max(lowest, height), base, func(c draw.Canvas) {
		y := c.Max.Y - margin
		for _, line := range heads {
			write(c, line, 9, width/2, y-9, draw.XCenter, color.Black)
			y -= titleLine
		}
		if k.Ranking != nil {
			k.drawAxis(c, runs, half, y-34, margin+side, width-margin-side, step)
		}
		y = foot - 3
		for _, line := range notes {
			y -= noteLine
			write(c, line, 6.5, margin, y+1, draw.XLeft, grey)
		}
	})
}

// drawAxis draws the axis of ranks at y from left to right, the lines that join below it, and the methods to both sides.
func (k ranking) drawAxis(c draw.Canvas, runs [][2]int, half int, y, left, right, step vg.Length) {
	n := len(k.Ranks)
	at := func(rank float64) vg.Length { return left + (right-left)*vg.Length((rank-1)/float64(n-1)) }
	thin := draw.LineStyle{Color: ink, Width: 0.8}
	c.StrokeLine2(thin, left, y, right, y)
	for rank := 1; rank <= n; rank++ {
		x := at(float64(rank))
		c.StrokeLine2(thin, x, y, x, y+3)
		write(c, fmt.Sprint(rank), 7, x, y+5, draw.XCenter, ink)
	}
	bar := min(at(1+k.Critical), right)
	c.StrokeLine2(draw.LineStyle{Color: ink, Width: 1.2}, left, y+18, bar, y+18)
	for _, x := range []vg.Length{left, bar} {
		c.StrokeLine2(thin, x, y+15.5, x, y+20.5)
	}
	write(c, fmt.Sprintf("critical difference %.2f", k.Critical), 6.5, left, y+22.5, draw.XLeft, ink)
	below := y - 4
	for _, run := range runs {
		c.StrokeLine2(draw.LineStyle{Color: ink, Width: 2.4}, at(k.Ranks[run[0]])-2, below, at(k.Ranks[run[1]])+2, below)
		below -= 5
	}
	for i, rank := range k.Ranks {
		x, row := at(rank), i
		edge, text, align := left-4, left-7, draw.XRight
		if i >= half {
			row, edge, text, align = n-1-i, right+4, right+7, draw.XLeft
		}
		line := below - 6 - vg.Length(row)*step
		c.StrokeLines(thin, []vg.Point{{X: x, Y: y}, {X: x, Y: line}, {X: edge, Y: line}})
		name := fmt.Sprintf("%s  %.2f", short(k.Labels[i], 18), rank)
		write(c, name, 7.5, text, line-2.6, align, ink)
	}
}
