package figures

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Colours of Overview, by what becomes of a part.
var (
	frozenColor   = tinted(7, 0.16) // of the palette's black
	trainedColor  = tinted(4, 0.42)
	deployedColor = tinted(2, 0.38)
	lossColor     = tinted(1, 0.45)
	ink           = color.Gray{40}
)

// tinted is a colour of the palette mixed with white.
func tinted(index int, share float64) color.Color {
	base := Palette[index]
	mix := func(v uint8) uint8 { return uint8(255 - share*float64(255-v)) }
	return color.RGBA{mix(base.R), mix(base.G), mix(base.B), 255}
}

// Overview draws the paper's Figure 1, the method, as base.pdf, base.svg and base.png: a frozen teacher whose features φ
// reprograms, a student, the classifier g that both share, and the terms of the loss.
func Overview(base string) error {
	const (
		top, bottom, middle = 160, 78, 119 // the teacher's row, the student's, and between them
		high                = 42           // of a box
	)
	return saveDrawing(TwoColumns, 2.9*vg.Inch, base, func(c draw.Canvas) {
		box := func(left, right, y, height vg.Length, fill color.Color, lines ...string) {
			r := vg.Rectangle{Min: vg.Point{X: left, Y: y - height/2}, Max: vg.Point{X: right, Y: y + height/2}}
			fillBox(c, r, fill)
			strokeBox(c, r, ink, 0.8)
			const step = 10.5
			at := y + step*vg.Length(len(lines)-2)/2 + 2.5
			for i, line := range lines {
				size := vg.Length(7)
				if i == 0 {
					size = 8.5
				}
				writeFormula(c, line, size, (left+right)/2, at, ink)
				at -= step
			}
		}
		loss := func(x, y vg.Length, text string) (left vg.Length) {
			const half = 8
			w := formulaWidth(text, 8)/2 + 5
			pill(c, vg.Rectangle{Min: vg.Point{X: x - w, Y: y - half}, Max: vg.Point{X: x + w, Y: y + half}}, lossColor)
			writeFormula(c, text, 8, x, y-2.8, ink)
			return x - w
		}

		// What goes in.
		for i := range 3 {
			at := vg.Point{X: 10 + 4*vg.Length(2-i), Y: middle - 16 + 4*vg.Length(2-i)}
			r := vg.Rectangle{Min: at, Max: at.Add(vg.Point{X: 28, Y: 28})}
			fillBox(c, r, color.Gray{uint8(235 - 20*i)})
			strokeBox(c, r, ink, 0.6)
		}
		writeFormula(c, "x", 9, 24, middle-5, ink)
		writeFormula(c, "images", 7, 28, middle-28, ink)
		arrow(c, false, vg.Point{X: 48, Y: middle + 6}, vg.Point{X: 60, Y: middle + 6}, vg.Point{X: 60, Y: top}, vg.Point{X: 74, Y: top})
		arrow(c, false, vg.Point{X: 48, Y: middle - 6}, vg.Point{X: 60, Y: middle - 6}, vg.Point{X: 60, Y: bottom}, vg.Point{X: 74, Y: bottom})

		// Teacher and student.
		box(74, 158, top, high, frozenColor, "foundation model F_t", "a black box, frozen")
		arrow(c, false, vg.Point{X: 158, Y: top}, vg.Point{X: 204, Y: top})
		writeFormula(c, "features,", 6.5, 180, top+13, ink)
		writeFormula(c, "cached", 6.5, 180, top+5, ink)
		box(204, 288, top, high, trainedColor, "reprogramming φ", "residual blocks")
		arrow(c, false, vg.Point{X: 288, Y: top}, vg.Point{X: 311, Y: top})
		box(74, 158, bottom, high, deployedColor, "student F_s", "a small network")
		arrow(c, false, vg.Point{X: 158, Y: bottom}, vg.Point{X: 311, Y: bottom})

		// Features, the shared classifier, logits.
		for _, v := range []struct {
			name string
			x, y vg.Length
		}{{"f_t", 320, top}, {"f_s", 320, bottom}, {"z_t", 424, top}, {"z_s", 424, bottom}} {
			dot(c, vg.Point{X: v.x, Y: v.y}, 9, ink)
			dot(c, vg.Point{X: v.x, Y: v.y}, 8.3, color.White)
			writeFormula(c, v.name, 8, v.x, v.y-2.4, ink)
		}
		arrow(c, false, vg.Point{X: 329, Y: top}, vg.Point{X: 347, Y: top})
		arrow(c, false, vg.Point{X: 329, Y: bottom}, vg.Point{X: 347, Y: bottom})
		box(347, 397, middle, top-bottom+high, deployedColor, "g", "classifier,", "shared")
		arrow(c, false, vg.Point{X: 397, Y: top}, vg.Point{X: 415, Y: top})
		arrow(c, false, vg.Point{X: 397, Y: bottom}, vg.Point{X: 415, Y: bottom})

		// The loss.
		for _, x := range []vg.Length{320, 424} {
			arrow(c, true, vg.Point{X: x, Y: middle + 8}, vg.Point{X: x, Y: top - 9})
			arrow(c, true, vg.Point{X: x, Y: middle - 8}, vg.Point{X: x, Y: bottom + 9})
		}
		loss(320, middle, "β·CKA")
		loss(424, middle, "β·KL")
		arrow(c, false, vg.Point{X: 433, Y: top}, vg.Point{X: loss(472, top, "α·CE"), Y: top})
		arrow(c, false, vg.Point{X: 433, Y: bottom}, vg.Point{X: loss(472, bottom, "CE"), Y: bottom})
		writeFormula(c, "y", 9, 472, middle-1, ink)
		writeFormula(c, "labels", 7, 472, middle-10, ink)
		arrow(c, true, vg.Point{X: 472, Y: middle + 9}, vg.Point{X: 472, Y: top - 8})
		arrow(c, true, vg.Point{X: 472, Y: middle - 13}, vg.Point{X: 472, Y: bottom + 8})

		// What the colours mean, and the loss as a formula.
		x := vg.Length(10)
		for _, entry := range []struct {
			fill color.Color
			name string
		}{{frozenColor, "frozen"}, {trainedColor, "trained, not deployed"}, {deployedColor, "trained and deployed"}, {lossColor, "terms of the loss"}} {
			r := vg.Rectangle{Min: vg.Point{X: x, Y: 27}, Max: vg.Point{X: x + 8, Y: 35}}
			fillBox(c, r, entry.fill)
			strokeBox(c, r, ink, 0.5)
			write(c, entry.name, 7, x+12, 28.5, draw.XLeft, ink)
			x += 12 + textWidth(entry.name, sans(7)) + 16
		}
		formula := "loss = CE(y, z_s) + α·CE(y, z_t) + β·(KL(z_t, z_s) + CKA(f_t, f_s)),  where α and β fall linearly while training, and no gradient enters F_t"
		writeFormula(c, formula, 7.5, 10+formulaWidth(formula, 7.5)/2, 10, ink)
		write(c, "Reprogramming Distillation", 9, 10, 192, draw.XLeft, ink)
	})
}

// arrow draws a line through points that ends in a head; dashed where it carries no data of the networks.
func arrow(c draw.Canvas, dashed bool, points ...vg.Point) {
	style := draw.LineStyle{Color: ink, Width: 0.8}
	if dashed {
		style.Dashes = []vg.Length{2, 1.6}
	}
	end, before := points[len(points)-1], points[len(points)-2]
	length := vg.Length(math.Hypot(float64(end.X-before.X), float64(end.Y-before.Y)))
	along := end.Sub(before).Scale(1 / length)
	const head, half = 4.5, 1.8
	neck := end.Sub(along.Scale(head))
	c.StrokeLines(style, append(points[:len(points)-1:len(points)-1], neck))
	across := vg.Point{X: -along.Y, Y: along.X}.Scale(half)
	c.FillPolygon(ink, []vg.Point{end, neck.Add(across), neck.Sub(across)})
}

// pill fills a rectangle whose left and right ends are half circles.
func pill(c draw.Canvas, r vg.Rectangle, fill color.Color) {
	radius := r.Size().Y / 2
	for _, ring := range []struct {
		ink  color.Color
		less vg.Length
	}{{ink, 0}, {fill, 0.6}} {
		dot(c, vg.Point{X: r.Min.X + radius, Y: r.Min.Y + radius}, radius-ring.less, ring.ink)
		dot(c, vg.Point{X: r.Max.X - radius, Y: r.Min.Y + radius}, radius-ring.less, ring.ink)
		fillBox(c, vg.Rectangle{Min: vg.Point{X: r.Min.X + radius, Y: r.Min.Y + ring.less}, Max: vg.Point{X: r.Max.X - radius, Y: r.Max.Y - ring.less}}, ring.ink)
	}
}

// formulaParts splits a text in which _ lowers the letter behind it.
func formulaParts(text string) (parts []string, lowered []bool) {
	add := func(s string, low bool) {
		if s != "" {
			parts, lowered = append(parts, s), append(lowered, low)
		}
	}
	plain := ""
	below := false
	for _, letter := range text {
		switch {
		case below:
			add(string(letter), true)
			below = false
		case letter == '_':
			add(plain, false)
			plain, below = "", true
		default:
			plain += string(letter)
		}
	}
	add(plain, false)
	return parts, lowered
}

// lowSize is the size of lowered letters, as a share of the others'.
const lowSize = 0.72

func formulaWidth(text string, size vg.Length) (width vg.Length) {
	parts, lowered := formulaParts(text)
	for i, part := range parts {
		of := size
		if lowered[i] {
			of *= lowSize
		}
		width += textWidth(part, sans(of))
	}
	return width
}

// writeFormula sets a text in which _ lowers the letter behind it, centred at x, its baseline at y.
func writeFormula(c draw.Canvas, text string, size, x, y vg.Length, ink color.Color) {
	x -= formulaWidth(text, size) / 2
	parts, lowered := formulaParts(text)
	for i, part := range parts {
		of, at := size, y
		if lowered[i] {
			of, at = size*lowSize, y-0.18*size
		}
		write(c, part, of, x, at, draw.XLeft, ink)
		x += textWidth(part, sans(of))
	}
}
