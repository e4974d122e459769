package dataset

import (
	"fmt"
	"image"
	"math"

	"golang.org/x/image/draw"
)

// Pixels is an image at a network's input size, 8 bits a channel, before normalisation.
type Pixels struct {
	Height, Width int
	// Pix is [height, width, 3], or [height, width] when all three channels are equal.
	Pix []uint8
}

// Grey is whether one channel stands for three.
func (p Pixels) Grey() bool { return len(p.Pix) == p.Height*p.Width }

// Pixels brings an image to the input size and channel order. p must be valid.
func (p Preprocess) Pixels(img image.Image) Pixels {
	rgba := p.resize(img)
	out := Pixels{Height: p.Height, Width: p.Width}
	if p.Channels == Grey || isGrey(rgba) {
		out.Pix = make([]uint8, p.Height*p.Width)
		for i := range out.Pix {
			out.Pix[i] = luma(rgba.Pix[4*i], rgba.Pix[4*i+1], rgba.Pix[4*i+2])
		}
		return out
	}
	first, last := 0, 2
	if p.Channels == BGR {
		first, last = 2, 0
	}
	out.Pix = make([]uint8, 3*p.Height*p.Width)
	for i := range p.Height * p.Width {
		out.Pix[3*i] = rgba.Pix[4*i+first]
		out.Pix[3*i+1] = rgba.Pix[4*i+1]
		out.Pix[3*i+2] = rgba.Pix[4*i+last]
	}
	return out
}

// detailed is the preprocessing that keeps what augmentation crops from, of an image of that size: the same stretch of
// the image, Detail times as large as the input or as large as it is in the file, whichever is less, but not smaller
// than the input.
func (p Preprocess) detailed(image image.Point) Preprocess {
	factor := func(has, needs int) float64 { return min(max(float64(has)/float64(needs), 1), Detail) }
	if p.Resize == ShortSideCrop {
		short := p.ShortSide
		p.ShortSide = int(float64(short) * factor(min(image.X, image.Y), short))
		p.Height, p.Width = p.Height*p.ShortSide/short, p.Width*p.ShortSide/short
		return p
	}
	p.Height = int(float64(p.Height) * factor(image.Y, p.Height))
	p.Width = int(float64(p.Width) * factor(image.X, p.Width))
	return p
}

// luma is Rec. 601's, in 16-bit fixed point with rounding; of three equal values it is that value.
func luma(r, g, b uint8) uint8 {
	return uint8((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<15) >> 16)
}

func isGrey(m *image.RGBA) bool {
	for i := 0; i < len(m.Pix); i += 4 {
		if m.Pix[i] != m.Pix[i+1] || m.Pix[i] != m.Pix[i+2] {
			return false
		}
	}
	return true
}

// resize returns the image at the input size with a stride of 4·Width. Drawing on an empty image composites on black.
func (p Preprocess) resize(img image.Image) *image.RGBA {
	source := img.Bounds()
	height, width := p.Height, p.Width
	if p.Resize == ShortSideCrop {
		source = middle(source)
		if source.Dx() < source.Dy() {
			width, height = p.ShortSide, p.ShortSide*source.Dy()/source.Dx()
		} else {
			width, height = p.ShortSide*source.Dx()/source.Dy(), p.ShortSide
		}
	}
	target := image.NewRGBA(image.Rect(0, 0, p.Width, p.Height))
	// The scaled image lies so that the crop is the target's own rectangle.
	scaled := image.Rect(0, 0, width, height).Sub(image.Pt(centred(width, p.Width), centred(height, p.Height)))
	if scaled.Size() == source.Size() {
		draw.Draw(target, scaled, img, source.Min, draw.Src)
		return target
	}
	filter := draw.BiLinear
	if p.Filter == Bicubic {
		filter = draw.CatmullRom
	}
	filter.Scale(target, scaled, img, source, draw.Src, nil)
	return target
}

// middle cuts a strip down to maxAspect: the crop takes less, and scaling a strip's whole length would take memory
// without bound.
func middle(r image.Rectangle) image.Rectangle {
	const maxAspect = 32
	if most := maxAspect * r.Dy(); r.Dx() > most {
		r.Min.X += (r.Dx() - most) / 2
		r.Max.X = r.Min.X + most
	}
	if most := maxAspect * r.Dx(); r.Dy() > most {
		r.Min.Y += (r.Dy() - most) / 2
		r.Max.Y = r.Min.Y + most
	}
	return r
}

// centred is where a crop begins; halves go to the even number, as in torchvision.
func centred(size, crop int) int { return int(math.RoundToEven(float64(size-crop) / 2)) }

// Tensor writes the image as [3, Height, Width], mirrored left to right when flip is set. It panics when dst is not of
// p.Len() values. p must be valid.
func (p Preprocess) Tensor(img image.Image, flip bool, dst []float32) {
	p.Normalize(p.Pixels(img), flip, dst)
}

// Normalize is Tensor for an image that Pixels has prepared.
func (p Preprocess) Normalize(pixels Pixels, flip bool, dst []float32) {
	p.normalizer().tensor(pixels, flip, dst)
}

// normalizer holds the value of each pixel value, per channel.
type normalizer [3][256]float32

func (p Preprocess) normalizer() *normalizer {
	n := new(normalizer)
	for c := range n {
		for v := range n[c] {
			n[c][v] = float32((float64(v)*float64(p.Scale) - float64(p.Mean[c])) / float64(p.Std[c]))
		}
	}
	return n
}

// tensor writes pixels as [3, height, width].
func (n *normalizer) tensor(p Pixels, flip bool, dst []float32) {
	plane := p.Height * p.Width
	if len(dst) != 3*plane {
		panic(fmt.Sprintf("dataset: a tensor of %d values for an image of 3×%d×%d", len(dst), p.Height, p.Width))
	}
	channels, step := 3, 3
	if p.Grey() {
		step = 1
	}
	for c := range channels {
		table, out := &n[c], dst[c*plane:(c+1)*plane]
		pix := p.Pix[min(c, step-1):]
		for y := range p.Height {
			row, in := out[y*p.Width:(y+1)*p.Width], pix[y*p.Width*step:]
			if flip {
				for x := range row {
					row[len(row)-1-x] = table[in[x*step]]
				}
				continue
			}
			for x := range row {
				row[x] = table[in[x*step]]
			}
		}
	}
}
