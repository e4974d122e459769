package phantom

import (
	"image"
	"math"
)

// fields are the backgrounds beside ultrasound: what the phantom of a modality shows without a finding.
var fields = []field{
	{"ct", "a ct-like slice", false, 0x63742d6c696b65, DefaultLungCT, func(p *painting) {
		c := newChest(DefaultLungCT, p.size, p.rng)
		p.over(c.scan(DefaultLungCT))
		p.place = func() (point, bool) { return c.place(0, 0, 0) }
	}},
	{"mri", "an mri-like slice", false, 0x6d72692d6c696b, DefaultBrainMRI, func(p *painting) {
		h := newHead(DefaultBrainMRI, max(choose(p.rng, DefaultBrainMRI.Views[:]), 0), p.size, p.rng)
		p.over(h.scan(DefaultBrainMRI))
		p.place = func() (point, bool) { return h.place(0, 1) }
	}},
	{"xray", "an x-ray-like picture", false, 0x787261792d6c69, DefaultChestXRay, func(p *painting) {
		t := newThorax(DefaultChestXRay, p.size, p.rng)
		p.over(t.expose(DefaultChestXRay))
		p.place = func() (point, bool) { return t.place(0, 0, 0) }
	}},
	{"skin", "a skin-like picture", true, 0x736b696e2d6c69, DefaultDermoscopy, func(p *painting) {
		s := newSkin(DefaultDermoscopy, p.size, p.rng)
		p.over(s.photograph(DefaultDermoscopy))
		p.hue = hues[p.rng.IntN(len(hues))]
		p.place = func() (point, bool) {
			angle, r := 2*math.Pi*p.rng.Float64(), 0.22*math.Sqrt(p.rng.Float64())
			return point{0.5 + r*math.Cos(angle), 0.5 + r*math.Sin(angle)}, true
		}
	}},
}

// over has the painting begin with an image, a phantom's own.
func (p *painting) over(img image.Image) {
	switch img := img.(type) {
	case *image.Gray:
		p.channels = [][]float64{make([]float64, len(img.Pix))}
		for i, v := range img.Pix {
			p.channels[0][i] = float64(v) / 255
		}
	case *image.RGBA:
		p.channels = make([][]float64, 3)
		for c := range p.channels {
			p.channels[c] = make([]float64, len(img.Pix)/4)
			for i := range p.channels[c] {
				p.channels[c][i] = float64(img.Pix[4*i+c]) / 255
			}
		}
	}
}
