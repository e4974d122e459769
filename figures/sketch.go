package figures

import (
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// What figures that are no plots are drawn with.

// write sets a line of text, its baseline at y.
func write(c draw.Canvas, line string, size, x, y vg.Length, align text.XAlignment, ink color.Color) {
	style := text.Style{Font: sans(size), XAlign: align, YAlign: draw.YBottom, Handler: plot.DefaultTextHandler, Color: ink}
	c.FillText(style, vg.Point{X: x, Y: y + style.FontExtents().Ascent - size}, line)
}

func textWidth(line string, f font.Font) vg.Length {
	w, _, _ := plot.DefaultTextHandler.Box(line, f)
	return w
}

// lines breaks a text at blanks into at most n lines of a width; what does not fit is cut and ends with an ellipsis.
func lines(s string, f font.Font, width vg.Length, n int) []string {
	cut := func(line string) string {
		runes := []rune(line)
		for len(runes) > 1 && textWidth(string(runes)+"…", f) > width {
			runes = runes[:len(runes)-1]
		}
		return string(runes) + "…"
	}
	var out []string
	line := ""
	for _, word := range strings.Fields(s) {
		switch longer := strings.TrimSpace(line + " " + word); {
		case textWidth(longer, f) <= width:
			line = longer
		case len(out) == n-1:
			return append(out, cut(longer))
		default:
			if line != "" {
				out = append(out, line)
			}
			if textWidth(word, f) > width && len(out) < n {
				word = cut(word)
			}
			line = word
		}
	}
	if line != "" {
		out = append(out, line)
	}
	return out
}

func boxPath(r vg.Rectangle) vg.Path {
	var p vg.Path
	p.Move(r.Min)
	p.Line(vg.Point{X: r.Max.X, Y: r.Min.Y})
	p.Line(r.Max)
	p.Line(vg.Point{X: r.Min.X, Y: r.Max.Y})
	p.Close()
	return p
}

func fillBox(c draw.Canvas, r vg.Rectangle, ink color.Color) {
	c.SetColor(ink)
	c.Fill(boxPath(r))
}

func strokeBox(c draw.Canvas, r vg.Rectangle, ink color.Color, width vg.Length) {
	c.SetLineStyle(draw.LineStyle{Color: ink, Width: width})
	c.Stroke(boxPath(r))
}

func dot(c draw.Canvas, at vg.Point, radius vg.Length, ink color.Color) {
	var p vg.Path
	p.Move(vg.Point{X: at.X + radius, Y: at.Y})
	p.Arc(at, radius, 0, 2*math.Pi)
	p.Close()
	c.SetColor(ink)
	c.Fill(p)
}
