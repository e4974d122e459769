package dataset

import (
	"encoding/json"
	"image"
	"image/color"
	"math"
	"strings"
	"testing"
)

func TestSetResizeReadsSideCars(t *testing.T) {
	for _, c := range []struct {
		text                     string
		height, width            int
		wantMode                 string
		short, wantHigh, wantWid int
	}{
		{"stretch", 64, 48, Stretch, 0, 64, 48},
		{"Stretch ", 64, 64, Stretch, 0, 64, 64},
		{"short side 112, centre crop 96", 96, 96, ShortSideCrop, 112, 96, 96},
		{"short side 112, centre crop 96", 0, 0, ShortSideCrop, 112, 96, 96},
		{"short side 256, center crop 224x192", 0, 0, ShortSideCrop, 256, 224, 192},
		{"short side 256, centre crop 224 × 192", 224, 192, ShortSideCrop, 256, 224, 192},
		{"short side 80, centre crop", 64, 48, ShortSideCrop, 80, 64, 48},
	} {
		p := DefaultPreprocess(c.height, c.width)
		if err := p.SetResize(c.text); err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if p.Resize != c.wantMode || p.ShortSide != c.short || p.Height != c.wantHigh || p.Width != c.wantWid {
			t.Errorf("%q: %+v", c.text, p)
		}
		if err := p.Validate(); err != nil {
			t.Errorf("%q: %v", c.text, err)
		}
		again := DefaultPreprocess(p.Height, p.Width)
		if err := again.SetResize(p.ResizeText()); err != nil || again != p {
			t.Errorf("%q does not come back from %q: %+v, %v", c.text, p.ResizeText(), again, err)
		}
	}
	for _, bad := range []string{"", "crop", "short side, centre crop 96", "short side 112, centre crop 64", "short side 99999999999999999999999"} {
		p := DefaultPreprocess(96, 96)
		if err := p.SetResize(bad); err == nil {
			t.Errorf("%q was taken as %+v", bad, p)
		}
	}
}

func TestScaleJSON(t *testing.T) {
	for text, want := range map[string]float64{`"1/255"`: 1.0 / 255, `1`: 1, `"1"`: 1, `0.5`: 0.5, `" 2 / 510 "`: 1.0 / 255} {
		var s Scale
		if err := json.Unmarshal([]byte(text), &s); err != nil || float64(s) != want {
			t.Errorf("%s: %v, %v", text, float64(s), err)
		}
		data, err := json.Marshal(s)
		var again Scale
		if err != nil || json.Unmarshal(data, &again) != nil || again != s {
			t.Errorf("%s does not come back from %s", text, data)
		}
	}
	for _, bad := range []string{`"1/0"`, `-1`, `0`, `"x"`, `"NaN"`, `{}`, `null`} {
		var s Scale
		if err := json.Unmarshal([]byte(bad), &s); err == nil {
			t.Errorf("%s was taken as %v", bad, s)
		}
	}
}

func TestPreprocessValidate(t *testing.T) {
	good := DefaultPreprocess(64, 48)
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Preprocess){
		"input size":   func(p *Preprocess) { p.Height = 0 },
		"short side":   func(p *Preprocess) { p.Resize, p.ShortSide = ShortSideCrop, 60 },
		"resize":       func(p *Preprocess) { p.Resize = "squeeze" },
		"filter":       func(p *Preprocess) { p.Filter = "nearest" },
		"channels":     func(p *Preprocess) { p.Channels = "RBG" },
		"scale":        func(p *Preprocess) { p.Scale = 0 },
		"normalised":   func(p *Preprocess) { p.Std[1] = 0 },
		"takes no sho": func(p *Preprocess) { p.ShortSide = 10 },
		"channel 2":    func(p *Preprocess) { p.Mean[2] = float32(math.NaN()) },
	} {
		p := good
		change(&p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error about %q, not %v", want, err)
		}
	}
	data, err := json.Marshal(good)
	var again Preprocess
	if err != nil || json.Unmarshal(data, &again) != nil || again != good {
		t.Errorf("%s does not come back", data)
	}
}

func TestTensorNormalises(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 5, 4))
	for y := range 4 {
		for x := range 5 {
			img.SetNRGBA(x, y, color.NRGBA{uint8(10 * x), uint8(20 * y), 200, 255})
		}
	}
	for _, channels := range []string{RGB, BGR, Grey} {
		for _, flip := range []bool{false, true} {
			p := DefaultPreprocess(4, 5)
			p.Channels = channels
			p.Scale, p.Mean, p.Std = 1, [3]float32{127.5, 127.5, 100}, [3]float32{127.5, 127.5, 50}
			got := make([]float32, p.Len())
			p.Tensor(img, flip, got)
			for y := range 4 {
				for x := range 5 {
					at := x
					if flip {
						at = 4 - x
					}
					c := img.NRGBAAt(at, y)
					value := [3]uint8{c.R, c.G, c.B}
					switch channels {
					case BGR:
						value = [3]uint8{c.B, c.G, c.R}
					case Grey:
						l := uint8(math.Round(0.299*float64(c.R) + 0.587*float64(c.G) + 0.114*float64(c.B)))
						value = [3]uint8{l, l, l}
					}
					for k := range 3 {
						want := (float32(value[k]) - p.Mean[k]) / p.Std[k]
						tolerance := 1e-6
						if channels == Grey { // fixed point may round to the neighbouring grey value
							tolerance = 1.01 / float64(p.Std[k])
						}
						if g := got[k*20+y*5+x]; math.Abs(float64(g-want)) > tolerance {
							t.Fatalf("%s, flip %v, channel %d at (%d,%d): %v, want %v", channels, flip, k, x, y, g, want)
						}
					}
				}
			}
		}
	}
}

func TestTensorPanicsOnWrongLength(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	DefaultPreprocess(4, 4).Tensor(picture(4, 4, false), false, make([]float32, 5))
}

// A constant image stays constant at every size and filter, and an image that has the size already is not touched.
func TestResizeKeepsConstants(t *testing.T) {
	grey := image.NewGray(image.Rect(3, 7, 3+37, 7+23)) // bounds that do not begin at 0
	for i := range grey.Pix {
		grey.Pix[i] = 77
	}
	for _, filter := range []string{Bilinear, Bicubic} {
		for _, size := range [][2]int{{1, 1}, {8, 50}, {64, 64}, {23, 37}, {11, 12}} {
			for _, mode := range []string{Stretch, ShortSideCrop} {
				p := DefaultPreprocess(size[0], size[1])
				p.Filter, p.Resize = filter, mode
				if mode == ShortSideCrop {
					p.ShortSide = max(size[0], size[1]) + 5
				}
				pixels := p.Pixels(grey)
				if !pixels.Grey() {
					t.Fatalf("%+v: a grey image takes three channels", p)
				}
				for _, v := range pixels.Pix {
					if v != 77 {
						t.Fatalf("%+v: value %d", p, v)
					}
				}
			}
		}
	}
	img := picture(13, 9, false)
	pixels := DefaultPreprocess(9, 13).Pixels(img)
	for i := range 13 * 9 {
		if [3]uint8(pixels.Pix[3*i:]) != [3]uint8(img.Pix[4*i:]) {
			t.Fatalf("pixel %d changed", i)
		}
	}
}

// The crop is the middle of the scaled image: of a picture of three vertical stripes it keeps the middle one.
func TestShortSideCropIsCentred(t *testing.T) {
	for _, tall := range []bool{false, true} {
		img := image.NewGray(image.Rect(0, 0, 300, 100))
		if tall {
			img = image.NewGray(image.Rect(0, 0, 100, 300))
		}
		for y := range img.Rect.Dy() {
			for x := range img.Rect.Dx() {
				if max(x, y)/100 == 1 && (x >= 100 || y >= 100) {
					img.SetGray(x, y, color.Gray{255})
				}
			}
		}
		p := DefaultPreprocess(40, 40)
		p.Resize, p.ShortSide = ShortSideCrop, 44
		for i, v := range p.Pixels(img).Pix {
			if v != 255 {
				t.Fatalf("tall %v: value %d at %d", tall, v, i)
			}
		}
	}
}

// Shrinking averages: no pixel of the source is left out.
func TestResizeIsAntialiased(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 128, 128))
	for i := range img.Pix {
		if (i%128+i/128)%2 == 0 {
			img.Pix[i] = 255
		}
	}
	for _, filter := range []string{Bilinear, Bicubic} {
		p := DefaultPreprocess(16, 16)
		p.Filter = filter
		for _, v := range p.Pixels(img).Pix {
			if v < 120 || v > 135 {
				t.Fatalf("%s: a checkerboard shrinks to %d", filter, v)
			}
		}
	}
}

// A strip as long as images may be takes no more time and memory than others, and keeps its middle.
func TestResizeOfStrips(t *testing.T) {
	for _, size := range []image.Point{{1, maxImageSide}, {maxImageSide, 1}, {3, 2000}} {
		img := image.NewGray(image.Rectangle{Max: size})
		for i := range img.Pix {
			if at := float64(i) / float64(len(img.Pix)); at > 0.25 && at < 0.75 {
				img.Pix[i] = 200
			}
		}
		p := DefaultPreprocess(16, 20)
		p.Resize, p.ShortSide = ShortSideCrop, 24
		for _, v := range p.Pixels(img).Pix {
			if v != 200 {
				t.Fatalf("%v: value %d", size, v)
			}
		}
		p.Resize, p.ShortSide = Stretch, 0
		if n := len(p.Pixels(img).Pix); n != 16*20 {
			t.Fatalf("%v: %d values", size, n)
		}
	}
}

func TestGreySixteenBit(t *testing.T) {
	img := image.NewGray16(image.Rect(0, 0, 2, 1))
	img.SetGray16(0, 0, color.Gray16{0x80ff})
	img.SetGray16(1, 0, color.Gray16{0xffff})
	pixels := DefaultPreprocess(1, 2).Pixels(img)
	if pixels.Pix[0] != 0x80 || pixels.Pix[1] != 0xff {
		t.Errorf("%v", pixels.Pix)
	}
}
