package dataset

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Augmentation changes training images at random: a crop resized to the input size, a mirror image, brightness, contrast,
// blur and noise, in this order. The zero value of a field leaves its step out. It is a part of the configuration that
// records keep.
type Augmentation struct {
	// CropArea is the range of the share of the image's area that a crop keeps, drawn evenly.
	CropArea [2]float64 `json:"crop_area,omitzero"`
	// CropAspect is the range of width over height of a crop, where 1 is the input's own, drawn evenly in the logarithm;
	// zero is 1. A crop that does not fit is drawn again, ten times; then the sides that do not fit are the image's.
	CropAspect [2]float64 `json:"crop_aspect,omitzero"`
	Flip       bool       `json:"flip,omitempty"` // mirrors every other image left to right
	// Brightness b and Contrast c draw factors f from max(0, 1−b)…1+b and g from max(0, 1−c)…1+c. A pixel value v of an
	// image of mean m becomes f·(m + g·(v − m)), kept within 0…255.
	Brightness float64 `json:"brightness,omitempty"`
	Contrast   float64 `json:"contrast,omitempty"`
	// Blur is the range of a Gaussian's standard deviation, pixels of the input; every other image is blurred.
	Blur [2]float64 `json:"blur,omitzero"`
	// Noise is the largest standard deviation of Gaussian noise, the same in all channels, as a share of 255; each
	// image's is drawn evenly from 0 up.
	Noise float64 `json:"noise,omitempty"`
}

// Augmentations are the presets that have a name.
var Augmentations = map[string]Augmentation{
	// For training on labels: mild enough to leave the class what it is.
	"supervised": {CropArea: [2]float64{0.5, 1}, CropAspect: [2]float64{3.0 / 4, 4.0 / 3}, Flip: true, Brightness: 0.2, Contrast: 0.2},
	// For images with captions, which say left and right, dark and bright: what is said stays true.
	"captions": {Brightness: 0.1, Contrast: 0.1, Noise: 0.02},
	// For self-supervision by two views of an image (SimCLR's, without its colours: medical images are mostly grey).
	"contrastive": {
		CropArea: [2]float64{0.2, 1}, CropAspect: [2]float64{3.0 / 4, 4.0 / 3}, Flip: true, Brightness: 0.4, Contrast: 0.4,
		Blur: [2]float64{0.1, 1}, Noise: 0.05,
	},
}

// Validate says what of a makes no sense.
func (a *Augmentation) Validate() error {
	ordered := func(r [2]float64, low, high float64) bool { return r[0] >= low && r[0] <= r[1] && r[1] <= high }
	switch {
	case a.CropArea != [2]float64{} && !ordered(a.CropArea, 1e-3, 1):
		return fmt.Errorf("crops of %v of the area: two shares between 0.001 and 1 are needed, the smaller first", a.CropArea)
	case a.CropAspect != [2]float64{} && a.CropArea == [2]float64{}:
		return fmt.Errorf("an aspect of crops %v is given, and no area of crops", a.CropAspect)
	case a.CropAspect != [2]float64{} && !ordered(a.CropAspect, 0.1, 10):
		return fmt.Errorf("an aspect of crops of %v: two numbers between 0.1 and 10 are needed, the smaller first", a.CropAspect)
	case !(a.Brightness >= 0 && a.Brightness <= 10), !(a.Contrast >= 0 && a.Contrast <= 10):
		return fmt.Errorf("brightness %v, contrast %v: 0 to 10 are possible", a.Brightness, a.Contrast)
	case a.Blur != [2]float64{} && !ordered(a.Blur, 0, 20):
		return fmt.Errorf("a blur of %v pixels: two numbers between 0 and 20 are needed, the smaller first", a.Blur)
	case !(a.Noise >= 0 && a.Noise <= 1):
		return fmt.Errorf("noise %v: 0 to 1 are possible", a.Noise)
	}
	return nil
}

// look is one draw of an augmentation. The crop is in shares of the image's sides.
type look struct {
	x, y, width, height float64
	flip                bool
	brightness          float64 // factors
	contrast            float64
	blur, noise         float64 // standard deviations; noise in pixel values
}

// draw takes the random numbers of all steps but the noise itself.
func (a *Augmentation) draw(rng *rand.Rand) look {
	between := func(low, high float64) float64 { return low + (high-low)*rng.Float64() }
	k := look{width: 1, height: 1, brightness: 1, contrast: 1}
	if a.CropArea != [2]float64{} {
		aspect := a.CropAspect
		if aspect == [2]float64{} {
			aspect = [2]float64{1, 1}
		}
		for range 10 {
			area, ratio := between(a.CropArea[0], a.CropArea[1]), math.Exp(between(math.Log(aspect[0]), math.Log(aspect[1])))
			k.width, k.height = math.Sqrt(area*ratio), math.Sqrt(area/ratio)
			if k.width <= 1 && k.height <= 1 {
				break
			}
		}
		k.width, k.height = min(k.width, 1), min(k.height, 1)
		k.x, k.y = between(0, 1-k.width), between(0, 1-k.height)
	}
	k.flip = a.Flip && rng.IntN(2) == 1
	if a.Brightness > 0 {
		k.brightness = between(max(0, 1-a.Brightness), 1+a.Brightness)
	}
	if a.Contrast > 0 {
		k.contrast = between(max(0, 1-a.Contrast), 1+a.Contrast)
	}
	if a.Blur != [2]float64{} && rng.IntN(2) == 1 {
		k.blur = between(a.Blur[0], a.Blur[1])
	}
	if a.Noise > 0 {
		k.noise = 255 * between(0, a.Noise)
	}
	return k
}

// drawRandom is where the random numbers of an image's augmentation come from: they depend on the arguments only, so they
// are the same whichever worker asks.
func drawRandom(seed uint64, epoch, item, copy int) *rand.Rand {
	return rand.New(rand.NewPCG(copySeed(seed, copy)^0x6175676d656e7421, uint64(epoch)<<32|uint64(uint32(item))))
}

// copySeed gives each copy of an image in a batch a seed of its own; the first copy's is the seed.
func copySeed(seed uint64, copy int) uint64 { return seed + uint64(copy)*0x9e3779b97f4a7c15 }

// augment writes pixels as [3, height, width] of the input, changed as drawn. Pixels may have any size.
func (n *normalizer) augment(p Pixels, height, width int, k look, rng *rand.Rand, dst []float32) {
	plane := height * width
	if len(dst) != 3*plane {
		panic(fmt.Sprintf("dataset: a tensor of %d values for an image of 3×%d×%d", len(dst), height, width))
	}
	channels := 3
	if p.Grey() {
		channels = 1
	}
	values := dst[:channels*plane]
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.crop(p, k, height, width, values)
	if k.brightness != 1 || k.contrast != 1 {
		light(values, k)
	}
	if k.blur > 0 {
		for c := range channels {
			s.blur(values[c*plane:(c+1)*plane], height, width, k.blur)
		}
	}
	if k.noise > 0 {
		for i := range plane {
			more := float32(k.noise * rng.NormFloat64())
			for c := range channels {
				values[c*plane+i] += more
			}
		}
	}
	for c := 2; c >= 0; c-- { // the grey plane is the first: it is used up last
		in, out := values[min(c, channels-1)*plane:][:plane], dst[c*plane:(c+1)*plane]
		factor, shift := n.affine(c)
		for i, v := range in {
			out[i] = v*factor + shift
		}
	}
}

// affine is the normalisation of channel c as value·factor + shift.
func (n *normalizer) affine(c int) (factor, shift float32) {
	return (n[c][255] - n[c][0]) / 255, n[c][0]
}

// light changes brightness and contrast.
func light(values []float32, k look) {
	sum := 0.0
	for _, v := range values {
		sum += float64(v)
	}
	mean := sum / float64(len(values))
	factor, shift := float32(k.brightness*k.contrast), float32(k.brightness*mean*(1-k.contrast))
	for i, v := range values {
		values[i] = min(max(v*factor+shift, 0), 255)
	}
}
