package figures

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rd/rdlib/boundary"
)

// awkward are class names that some format would read as markup, or that are long, or of another script.
var awkward = []string{`50 % of_{x}^2 & "more"`, "<script>alert('a')</script>\n\nsecond line", `\input{x} $y$ #1 ~`, "δοκιμή ± φ", strings.Repeat("long ", 60)}

// rendered checks that a figure's three files are there, its PDF of one page, and that its SVG is XML without text that
// needs a font.
func rendered(t *testing.T, base string) {
	t.Helper()
	for _, ext := range []string{".pdf", ".svg", ".png"} {
		info, err := os.Stat(base + ext)
		if err != nil || info.Size() < 500 {
			t.Errorf("%s%s: %v", base, ext, err)
		}
	}
	if pdf, err := os.ReadFile(base + ".pdf"); err != nil || bytes.Count(pdf, []byte("/Type /Page\n")) != 1 {
		t.Errorf("%s.pdf has not one page (%v)", base, err)
	}
	file, err := os.Open(base + ".svg")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	d := xml.NewDecoder(file)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s.svg: %v", base, err)
		}
		if start, ok := token.(xml.StartElement); ok && (start.Name.Local == "text" || start.Name.Local == "script") {
			t.Fatalf("%s.svg has a <%s>", base, start.Name.Local)
		}
	}
}

// study is one of n models with regions that are halves of the planes.
func study(classes []string, n int) *boundary.Study {
	s := &boundary.Study{Dataset: "images of " + classes[0], Phantom: true, Classes: classes, Triplets: 4, Resolution: 20, Coarse: 10}
	grey, wide := image.NewGray(image.Rect(0, 0, 30, 30)), image.NewRGBA(image.Rect(5, 5, 205, 45))
	for _, corner := range []boundary.Point{{X: 2, Y: 4}, {X: 0.1, Y: 0.2}, {X: 30, Y: 1}} { // a common, a narrow and a flat triangle
		g := boundary.Grid{Min: boundary.Point{X: -0.4, Y: -0.4}, Max: boundary.Point{X: max(4, corner.X) + 0.4, Y: corner.Y + 0.4}, Resolution: 20}
		row := boundary.Row{Corners: [3]boundary.Point{{}, {X: 4}, corner}, Pictures: [3]image.Image{grey, wide, grey}}
		for k := range row.Images {
			row.Images[k].Label = k % len(classes)
		}
		for m := range n {
			r := &boundary.Regions{Grid: g}
			for i := range 400 {
				r.Class = append(r.Class, uint16((i/200+m)%len(classes)))
			}
			row.Regions = append(row.Regions, r)
		}
		s.Rows = append(s.Rows, row)
	}
	for m := range n {
		o := boundary.Outcome{Name: awkward[m%len(awkward)], Reference: m == 0, Agreement: boundary.Share{Mean: 0.5}}
		if m > 1 {
			o.Agreement.Interval = &[2]float64{0.25, 0.75}
		}
		s.Models = append(s.Models, o)
	}
	return s
}

func TestBoundaries(t *testing.T) {
	many := make([]string, 30)
	for i := range many {
		many[i] = strings.Repeat("x", i+1)
	}
	for name, s := range map[string]*boundary.Study{
		"common": study([]string{"benign", "malignant", "normal"}, 3), "awkward": study(awkward, 5), "many": study(many, 14), "one": study(awkward[:1], 1),
		"nothing": {}, "models alone": {Classes: awkward, Models: study(awkward, 4).Models},
	} {
		base := filepath.Join(t.TempDir(), "new", name)
		if err := Boundaries(s, base); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		rendered(t, base)
	}
}

func TestRegionImage(t *testing.T) {
	r := &boundary.Regions{Grid: boundary.Grid{Resolution: 2}, Class: []uint16{0, 1, 2, 2}}
	img := regionImage(r, 3)
	b := img.Bounds()
	for _, c := range []struct{ x, y, class int }{{0, 0, 2}, {b.Dx() - 1, 0, 2}, {0, b.Dy() - 1, 0}, {b.Dx() - 1, b.Dy() - 1, 1}} {
		if got := img.At(c.x, c.y); got != classColor(c.class) {
			t.Errorf("pixel (%d, %d) is %v, want class %d: the plane's y points up", c.x, c.y, got, c.class)
		}
	}
	seen := map[color.Color]bool{}
	for class := range 24 {
		if seen[classColor(class)] {
			t.Errorf("class %d has the colour of another", class)
		}
		seen[classColor(class)] = true
	}
}

func TestUpsideDown(t *testing.T) {
	img := image.NewGray(image.Rect(3, 3, 5, 6))
	img.SetGray(4, 3, color.Gray{9})
	flipped := upsideDown{img}
	if flipped.At(4, 5) != (color.Gray{9}) || flipped.At(4, 3) != (color.Gray{0}) {
		t.Error("the first row is not the last")
	}
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		text  string
		n     int
		count int
		cut   bool
	}{
		{"", 3, 0, false}, {"short", 1, 1, false}, {"several words that take two lines", 3, 2, false},
		{strings.Repeat("word ", 90), 3, 3, true}, {strings.Repeat("x", 300), 2, 1, true}, {"a " + strings.Repeat("x", 300), 1, 1, true},
	} {
		got := lines(c.text, sans(8), 90, c.n)
		if len(got) != c.count || len(got) > 0 && strings.HasSuffix(got[len(got)-1], "…") != c.cut {
			t.Errorf("%.20q in %d lines: %q", c.text, c.n, got)
		}
		for _, line := range got {
			if textWidth(line, sans(8)) > 90 {
				t.Errorf("%q is too wide", line)
			}
		}
	}
}
