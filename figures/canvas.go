package figures

import (
	"image"
	"image/color"

	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/encoding/charmap"
	plotfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// canvas is one of a file format whose text looks the same wherever the file is opened, in every script of the font: what
// the format can hold as text of an embedded font stays text, the rest is drawn as the outlines of its letters.
type canvas struct {
	vg.Canvas
	encode func(string) (text string, ok bool) // as the format has it; nil: all text is drawn
	flips  bool                                // the format turns pictures upside down
}

// windows1252 encodes text as vgpdf has it.
func windows1252(text string) (string, bool) {
	encoded, err := charmap.Windows1252.NewEncoder().String(text)
	return encoded, err == nil
}

// FillString writes a line of text whose baseline begins at a point.
func (c canvas) FillString(f plotfont.Face, at vg.Point, text string) {
	if c.encode != nil && f.Font.Weight == font.WeightNormal && f.Font.Style == font.StyleNormal {
		if encoded, ok := c.encode(text); ok {
			c.Canvas.FillString(f, at, encoded)
			return
		}
	}
	if path := outlines(f, at, text); len(path) > 0 {
		c.Fill(path)
	}
}

// DrawImage draws a picture into a rectangle, its first row on top.
func (c canvas) DrawImage(r vg.Rectangle, img image.Image) {
	if c.flips {
		img = upsideDown{img}
	}
	c.Canvas.DrawImage(r, img)
}

// upsideDown is a picture with its rows in reverse order.
type upsideDown struct{ image.Image }

func (u upsideDown) At(x, y int) color.Color {
	b := u.Bounds()
	return u.Image.At(x, b.Min.Y+b.Max.Y-1-y)
}

// outlines are those of the letters of a text, set as plotfont.Face.Width measures them.
func outlines(f plotfont.Face, at vg.Point, text string) vg.Path {
	var path vg.Path
	var buf sfnt.Buffer
	units := fixed.Int26_6(f.Face.UnitsPerEm()) // at this size the font's own units come out
	scale := f.Font.Size / vg.Length(units)
	var before sfnt.GlyphIndex
	for i, letter := range text {
		glyph, err := f.Face.GlyphIndex(&buf, letter)
		if err != nil {
			continue
		}
		if i > 0 {
			if kern, err := f.Face.Kern(&buf, before, glyph, units, font.HintingNone); err == nil {
				at.X += vg.Length(kern) * scale
			}
		}
		before = glyph
		segments, err := f.Face.LoadGlyph(&buf, glyph, units, nil)
		if err != nil {
			continue
		}
		place := func(p fixed.Point26_6) vg.Point {
			return vg.Point{X: at.X + vg.Length(p.X)*scale, Y: at.Y - vg.Length(p.Y)*scale}
		}
		for k, s := range segments {
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				if k > 0 {
					path.Close()
				}
				path.Move(place(s.Args[0]))
			case sfnt.SegmentOpLineTo:
				path.Line(place(s.Args[0]))
			case sfnt.SegmentOpQuadTo:
				path.QuadTo(place(s.Args[0]), place(s.Args[1]))
			case sfnt.SegmentOpCubeTo:
				path.CubeTo(place(s.Args[0]), place(s.Args[1]), place(s.Args[2]))
			}
		}
		if len(segments) > 0 {
			path.Close()
		}
		if advance, err := f.Face.GlyphAdvance(&buf, glyph, units, font.HintingNone); err == nil {
			at.X += vg.Length(advance) * scale
		}
	}
	return path
}
