package notebook

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"

	"github.com/janpfeifer/gonb/gonbui/protocol"
	xdraw "golang.org/x/image/draw"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Sizes of a plot and of a picture; a plot has plotDPI pixels an inch.
const (
	plotWidth  = 6 * vg.Inch
	plotHeight = 3 * vg.Inch
	plotDPI    = 110

	pictureWidth = 800 // pixels, at most
)

// inks are Okabe and Ito's colours: told apart with every kind of colour vision.
var inks = []color.RGBA{
	{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {230, 159, 0, 255}, {86, 180, 233, 255}, {204, 121, 167, 255}, {0, 0, 0, 255},
}

// Line is a curve of a plot: the values at x = 1, 2, …, or at X where that is given. Values that are no numbers are left out.
type Line struct {
	Name string
	X, Y []float64
}

// NewPlot is a plot of lines, with a legend where there are several.
func NewPlot(title, x, y string, lines ...Line) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font, p.Legend.TextStyle.Font = sans(11), sans(9)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font, axis.Tick.Label.Font = sans(10), sans(9)
	}
	p.Title.Padding = 4
	p.Legend.Top, p.Legend.Padding = true, 3
	p.X.Padding, p.Y.Padding = 4, 4
	for i, l := range lines {
		var points plotter.XYs
		for k, v := range l.Y {
			at := float64(k + 1)
			if l.X != nil {
				if len(l.X) != len(l.Y) {
					return nil, fmt.Errorf("line %q has %d places and %d values", l.Name, len(l.X), len(l.Y))
				}
				at = l.X[k]
			}
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				points = append(points, plotter.XY{X: at, Y: v})
			}
		}
		if len(points) == 0 {
			continue
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, fmt.Errorf("line %q: %w", l.Name, err)
		}
		line.Color, line.Width = inks[i%len(inks)], vg.Points(1.5)
		dots.Color, dots.Shape, dots.Radius = line.Color, draw.CircleGlyph{}, vg.Points(1.5)
		p.Add(line, dots)
		if len(lines) > 1 {
			p.Legend.Add(l.Name, line)
		}
	}
	return p, nil
}

// Plot shows lines, see NewPlot.
func Plot(title, x, y string, lines ...Line) {
	Show(Must(NewPlot(title, x, y, lines...)))
}

// Show shows a plot of gonum's.
func Show(p *plot.Plot) {
	showPNG(Must(plotPNG(p)), "plot: "+p.Title.Text)
}

// Picture shows a PNG file, such as a figure that was drawn to it, at most 800 pixels wide.
func Picture(path string) {
	file := Must(os.Open(path))
	defer file.Close()
	img := Must(png.Decode(file))
	if b := img.Bounds(); b.Dx() > pictureWidth {
		small := image.NewRGBA(image.Rect(0, 0, pictureWidth, b.Dy()*pictureWidth/b.Dx()))
		xdraw.CatmullRom.Scale(small, small.Bounds(), img, b, xdraw.Src, nil)
		img = small
	}
	showPNG(Must(encode(img)), "picture: "+filepath.Base(path))
}

func plotPNG(p *plot.Plot) ([]byte, error) {
	canvas := vgimg.NewWith(vgimg.UseWH(plotWidth, plotHeight), vgimg.UseDPI(plotDPI))
	p.Draw(draw.New(canvas))
	return encode(canvas.Image())
}

func encode(img image.Image) ([]byte, error) {
	var b bytes.Buffer
	err := png.Encode(&b, img)
	return b.Bytes(), err
}

func showPNG(data []byte, text string) {
	show(map[protocol.MIMEType]any{protocol.MIMEImagePNG: data, protocol.MIMETextPlain: text})
}

func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}
