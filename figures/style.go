// Package figures draws: one Go file per figure, one style for all, each written as PDF, SVG and PNG.
package figures

import (
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
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

// save writes base.pdf, base.svg and base.png, creating the folder.
func save(p *plot.Plot, width, height vg.Length, base string) error {
	if err := os.MkdirAll(filepath.Dir(base), 0o755); err != nil {
		return fmt.Errorf("figure %s: %w", base, err)
	}
	for _, ext := range []string{".pdf", ".svg", ".png"} {
		if err := p.Save(width, height, base+ext); err != nil {
			return fmt.Errorf("figure %s: %w", base+ext, err)
		}
	}
	return nil
}
