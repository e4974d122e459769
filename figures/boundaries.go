package figures

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	imagedraw "golang.org/x/image/draw"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"rd/rdlib/boundary"
)

// Sizes of Boundaries.
const (
	widestPanel   = 1.7 * vg.Inch
	modelsAbreast = 6 // beside the column of the images; further models come below
	panelGap      = 7
	margins       = 5
)

// Boundaries draws the paper's Figure 2 as base.pdf, base.svg and base.png: a row for each triplet of a study, with the three
// images where they lie on their plane, and a column for each model with its decision regions on that plane.
func Boundaries(s *boundary.Study, base string) error {
	bands := slices.Collect(slices.Chunk(s.Models, modelsAbreast)) // one below the other
	columns := 1 + max(1, min(modelsAbreast, len(s.Models)))
	panel := min(widestPanel, (TwoColumns-2*margins+panelGap)/vg.Length(columns)-panelGap)
	width := max(OneColumn, 2*margins+vg.Length(columns)*(panel+panelGap)-panelGap)
	inner := width - 2*margins
	left := margins + (inner-vg.Length(columns)*(panel+panelGap)+panelGap)/2

	title := fmt.Sprintf("Decision regions on planes through three test images of %s", short(s.Dataset, 60))
	if s.Phantom {
		title += " (phantom)"
	}
	heads := lines(title, sans(9), inner, 3)
	notes := lines(boundaryNote(s), sans(6.5), inner, 6)
	legend := flow(s.Classes, inner)
	const titleLine, headLine, noteLine, legendLine = 12, 9, 8.5, 12
	var bandHead []vg.Length
	height := 2*margins + 8 + vg.Length(len(heads))*titleLine + vg.Length(len(notes))*noteLine + vg.Length(len(legend))*legendLine
	for _, band := range bands {
		deepest := 1
		for _, model := range band {
			deepest = max(deepest, len(lines(model.Name, sans(8), panel, 2)))
		}
		bandHead = append(bandHead, vg.Length(deepest+1)*headLine+3)
		height += bandHead[len(bandHead)-1]
		for _, row := range s.Rows {
			height += frameOf(row, panel).Y + panelGap
		}
	}
	if len(s.Rows) == 0 {
		notes, height = append(notes, "No triplet is drawn."), max(lowest, height+noteLine)
	}
	return saveDrawing(width, height, base, func(c draw.Canvas) {
		y := c.Max.Y - margins
		for _, line := range heads {
			write(c, line, 9, width/2, y-9, draw.XCenter, color.Black)
			y -= titleLine
		}
		for b, band := range bands {
			y -= bandHead[b]
			middle := left + panel/2
			write(c, "images", 8, middle, y+4+headLine, draw.XCenter, color.Black)
			for _, model := range band {
				middle += panel + panelGap
				name := lines(model.Name, sans(8), panel, 2)
				for i, line := range name {
					write(c, line, 8, middle, y+4+vg.Length(len(name)-i)*headLine, draw.XCenter, color.Black)
				}
				write(c, agreementText(model), 7, middle, y+4, draw.XCenter, grey)
			}
			for _, row := range s.Rows {
				size := frameOf(row, panel)
				y -= size.Y
				frame := vg.Rectangle{Min: vg.Point{X: left + (panel-size.X)/2, Y: y}}
				frame.Max = frame.Min.Add(size)
				drawPictures(c, row, frame)
				for k := range band {
					frame = frame.Add(vg.Point{X: panel + panelGap})
					drawRegions(c, row, b*modelsAbreast+k, len(s.Classes), frame)
				}
				y -= panelGap
			}
		}
		y -= 2
		for _, line := range legend {
			y -= legendLine
			for _, entry := range line {
				fillBox(c, vg.Rectangle{Min: vg.Point{X: margins + entry.x, Y: y}, Max: vg.Point{X: margins + entry.x + 7, Y: y + 7}}, classColor(entry.index))
				write(c, entry.name, 7, margins+entry.x+11, y+1, draw.XLeft, color.Black)
			}
		}
		y -= 2
		for _, line := range notes {
			y -= noteLine
			write(c, line, 6.5, margins, y, draw.XLeft, grey)
		}
	})
}

var grey = color.Gray{90}

// boundaryNote says what is shown.
func boundaryNote(s *boundary.Study) string {
	note := "Colour: the class of each point. Images, and the dots where they lie, have the colour of their true class."
	if len(s.Models) > 1 {
		note += fmt.Sprintf(" Per cent: points of the reference's class, mean over %d triplets", s.Triplets)
		if s.Triplets > 1 {
			note += " [95 % interval]"
		}
		note += fmt.Sprintf(", %d×%d points each.", s.Coarse, s.Coarse)
	}
	return note + fmt.Sprintf(" Drawn: %d×%d points.", s.Resolution, s.Resolution)
}

func agreementText(m boundary.Outcome) string {
	if m.Reference {
		return "reference"
	}
	return m.Agreement.String()
}

// frameOf is the size of a row's panels: as large as fits into a square, with the plane's proportions where a dot has room.
func frameOf(row boundary.Row, panel vg.Length) vg.Point {
	const narrowest = 0.25
	g := row.Regions[0].Grid
	x, y := g.Max.X-g.Min.X, g.Max.Y-g.Min.Y
	largest := max(x, y)
	return vg.Point{X: panel * vg.Length(max(narrowest, x/largest)), Y: panel * vg.Length(max(narrowest, y/largest))}
}

// cornersIn are the places of a row's images in a frame.
func cornersIn(row boundary.Row, frame vg.Rectangle) (places [3]vg.Point) {
	g := row.Regions[0].Grid
	for k, p := range row.Corners {
		places[k] = vg.Point{
			X: frame.Min.X + frame.Size().X*vg.Length((p.X-g.Min.X)/(g.Max.X-g.Min.X)),
			Y: frame.Min.Y + frame.Size().Y*vg.Length((p.Y-g.Min.Y)/(g.Max.Y-g.Min.Y)),
		}
	}
	return places
}

// drawRegions draws a model's regions and marks the three images.
func drawRegions(c draw.Canvas, row boundary.Row, model, classes int, frame vg.Rectangle) {
	c.DrawImage(frame, regionImage(row.Regions[model], classes))
	strokeBox(c, frame, color.Black, 0.4)
	for k, at := range cornersIn(row, frame) {
		dot(c, at, 3.2, color.Black)
		dot(c, at, 2.9, color.White)
		dot(c, at, 2.0, classColor(row.Images[k].Label))
	}
}

// regionImage has at least so many pixels a side that viewers that smooth what they enlarge do not blur it.
func regionImage(r *boundary.Regions, classes int) image.Image {
	const least = 400
	n := r.Resolution
	scale := (least + n - 1) / n
	img := image.NewPaletted(image.Rect(0, 0, n*scale, n*scale), nil)
	for class := range min(max(classes, 1), 256) {
		img.Palette = append(img.Palette, classColor(class))
	}
	for y := range n * scale {
		for x := range n * scale {
			class := r.Class[(n-1-y/scale)*n+x/scale] // the first row is at the bottom
			img.Pix[y*img.Stride+x] = uint8(int(class) % len(img.Palette))
		}
	}
	return img
}

// drawPictures draws the three images where they lie, as large as they can be without hiding each other, shifted inwards
// where they would leave the frame.
func drawPictures(c draw.Canvas, row boundary.Row, frame vg.Rectangle) {
	strokeBox(c, frame, color.Gray{190}, 0.4)
	places := cornersIn(row, frame)
	longest := min(frame.Size().X, frame.Size().Y)
	var centres [3]vg.Point
	const edge = 1.6
	size := 0.44 * longest
	apart := func(p, q vg.Point) bool { // far enough for two squares of that size
		return max(math.Abs(float64(p.X-q.X)), math.Abs(float64(p.Y-q.Y))) >= float64(size+4*edge)
	}
	for ; size > 0.1*longest; size *= 0.95 {
		for k, p := range places {
			half := size/2 + edge
			centres[k] = vg.Point{
				X: min(max(p.X, frame.Min.X+half), frame.Max.X-half),
				Y: min(max(p.Y, frame.Min.Y+half), frame.Max.Y-half),
			}
		}
		if apart(centres[0], centres[1]) && apart(centres[0], centres[2]) && apart(centres[1], centres[2]) {
			break
		}
	}
	for k, at := range centres {
		b := row.Pictures[k].Bounds()
		w, h := size, size
		if b.Dx() > b.Dy() {
			h *= vg.Length(float64(b.Dy()) / float64(b.Dx()))
		} else {
			w *= vg.Length(float64(b.Dx()) / float64(b.Dy()))
		}
		box := vg.Rectangle{Min: vg.Point{X: at.X - w/2, Y: at.Y - h/2}, Max: vg.Point{X: at.X + w/2, Y: at.Y + h/2}}
		around := vg.Point{X: edge, Y: edge}
		fillBox(c, vg.Rectangle{Min: box.Min.Sub(around), Max: box.Max.Add(around)}, classColor(row.Images[k].Label))
		c.DrawImage(box, thumbnail(row.Pictures[k]))
	}
}

// thumbnail is a picture of at most 160 pixels a side.
func thumbnail(picture image.Image) image.Image {
	b := picture.Bounds()
	scale := math.Min(1, 160/float64(max(b.Dx(), b.Dy())))
	small := image.NewRGBA(image.Rect(0, 0, max(1, int(scale*float64(b.Dx()))), max(1, int(scale*float64(b.Dy())))))
	imagedraw.CatmullRom.Scale(small, small.Bounds(), picture, b, imagedraw.Src, nil)
	return small
}

// classColor is the colour of a class: the palette's, and lighter tints of it where there are more classes.
func classColor(class int) color.RGBA {
	base, tint := Palette[class%len(Palette)], 1.0
	for range class / len(Palette) {
		tint *= 0.5
	}
	lighter := func(v uint8) uint8 { return uint8(255 - tint*float64(255-v)) }
	return color.RGBA{lighter(base.R), lighter(base.G), lighter(base.B), 255}
}
