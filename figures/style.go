// Package figures draws: one Go file per figure, one style for all, each written as PDF, SVG and PNG.
package figures

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"github.com/google/renameio/v2"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Equal figures are equal files: a PDF bears no date of its making, and its parts have a fixed order.
func init() {
	epoch := time.Unix(0, 0).UTC()
	fpdf.SetDefaultCreationDate(epoch)
	fpdf.SetDefaultModificationDate(epoch)
	fpdf.SetDefaultCatalogSort(true)
}

// Column widths of a two-column paper.
const (
	OneColumn  = 3.4 * vg.Inch
	TwoColumns = 7.0 * vg.Inch
)

// Palette is Okabe and Ito's: told apart with every kind of colour vision.
var Palette = []color.RGBA{
	{0, 114, 178, 255}, {230, 159, 0, 255}, {0, 158, 115, 255}, {213, 94, 0, 255},
	{86, 180, 233, 255}, {204, 121, 167, 255}, {240, 228, 66, 255}, {0, 0, 0, 255},
}

// newPlot returns a plot in the common style: small sans-serif type, no frame more than needed.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = wrap(title, 52), x, y
	p.Title.TextStyle.Font = sans(9)
	p.Title.Padding = 4
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font = sans(8)
		axis.Tick.Label.Font = sans(7)
	}
	p.Legend.TextStyle.Font = sans(7)
	return p
}

// wrap breaks a text into lines of at most width runes, at blanks where it can.
func wrap(s string, width int) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return strings.Join(append(lines, line), "\n")
}

func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

// short is a name on one line of at most width runes.
func short(name string, width int) string {
	name = strings.Join(strings.Fields(name), " ")
	if runes := []rune(name); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return name
}

// save writes a plot as base.pdf, base.svg and base.png.
func save(p *plot.Plot, width, height vg.Length, base string) error {
	return saveDrawing(width, height, base, p.Draw)
}

// dpi is the resolution of PNG files.
const dpi = 200

// lowest is how high a drawing is at least: below some height vgpdf begins new pages.
const lowest = 1.2 * vg.Inch

// saveDrawing writes base.pdf, base.svg and base.png, creating the folder. No file needs a font where it is looked at.
func saveDrawing(width, height vg.Length, base string, drawing func(draw.Canvas)) error {
	if err := os.MkdirAll(filepath.Dir(base), 0o755); err != nil {
		return fmt.Errorf("figure %s: %w", base, err)
	}
	pdf := vgpdf.New(width, height)
	svg := vgsvg.New(width, height)
	png := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi))}
	for _, file := range []struct {
		ext    string
		canvas vg.Canvas
		out    io.WriterTo
	}{{".pdf", canvas{pdf, windows1252, true}, pdf}, {".svg", canvas{svg, nil, false}, svg}, {".png", png, png}} {
		drawing(draw.NewCanvas(file.canvas, width, height))
		var b bytes.Buffer
		if _, err := file.out.WriteTo(&b); err != nil {
			return fmt.Errorf("figure %s: %w", base+file.ext, err)
		}
		data := b.Bytes()
		if file.out == io.WriterTo(svg) { // whose images are PNG, whatever it calls them
			data = bytes.ReplaceAll(data, []byte("data:image/jpg;"), []byte("data:image/png;"))
		}
		if err := renameio.WriteFile(base+file.ext, data, 0o644); err != nil {
			return fmt.Errorf("figure %s: %w", base+file.ext, err)
		}
	}
	return nil
}
