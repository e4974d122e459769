package dataset

import (
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"
)

// raw is a preprocessing whose values are the pixel values.
func raw(height, width int) Preprocess {
	p := DefaultPreprocess(height, width)
	p.Scale, p.Mean, p.Std = 1, [3]float32{}, [3]float32{1, 1, 1}
	return p
}

// ramp is an image whose channels rise to the right, rise downwards and do not change.
func ramp(height, width int) Pixels {
	p := Pixels{Height: height, Width: width}
	for y := range height {
		for x := range width {
			p.Pix = append(p.Pix, uint8(2*x), uint8(2*y), 77)
		}
	}
	return p
}

func whole() look { return look{width: 1, height: 1, brightness: 1, contrast: 1} }

func augmented(p Pixels, height, width int, k look) []float32 {
	dst := make([]float32, 3*height*width)
	raw(height, width).normalizer().augment(p, height, width, k, rand.New(rand.NewPCG(1, 2)), dst)
	return dst
}

func near(a, b []float32, tolerance float64) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Abs(float64(x-y)) <= tolerance })
}

func TestCropOfTheWholeImageIsTheImage(t *testing.T) {
	for _, p := range []Preprocess{DefaultPreprocess(9, 14), {Height: 9, Width: 14, Resize: Stretch, Filter: Bilinear, Channels: BGR, Scale: 1, Mean: [3]float32{127.5, 120, 3}, Std: [3]float32{127.5, 60, 9}}} {
		for _, colour := range []bool{false, true} {
			pixels := p.Pixels(picture(9, 14, colour))
			for _, flip := range []bool{false, true} {
				want, got := make([]float32, p.Len()), make([]float32, p.Len())
				p.normalizer().tensor(pixels, flip, want)
				k := whole()
				k.flip = flip
				p.normalizer().augment(pixels, 9, 14, k, nil, got)
				if !near(got, want, 1e-5) {
					t.Errorf("%s, colour %v, flip %v: the whole image differs", p.Channels, colour, flip)
				}
			}
		}
	}
}

// The filter reproduces straight lines, nearly, wherever it does not meet the image's edge.
func TestCropLiesWhereItWasDrawn(t *testing.T) {
	const size = 120
	image := ramp(size, size)
	for _, k := range []look{
		{x: 0.25, y: 0.4, width: 0.5, height: 0.3, brightness: 1, contrast: 1},
		{x: 0.3, y: 0.1, width: 0.11, height: 0.8, brightness: 1, contrast: 1, flip: true},
	} {
		const height, width = 20, 30
		got := augmented(image, height, width, k)
		for y := range height {
			for x := range width {
				at := float64(x)
				if k.flip {
					at = width - 1 - at
				}
				want := []float64{
					2 * (size*(k.x+k.width*(at+0.5)/width) - 0.5),
					2 * (size*(k.y+k.height*(float64(y)+0.5)/height) - 0.5),
					77,
				}
				for c := range 3 {
					if v := float64(got[(c*height+y)*width+x]); math.Abs(v-want[c]) > 0.2 {
						t.Fatalf("%+v: channel %d of (%d,%d) is %.3f, want %.3f", k, c, x, y, v, want[c])
					}
				}
			}
		}
	}
}

func TestCropsOfAnySizeStayWithinTheImage(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	a := Augmentation{CropArea: [2]float64{0.001, 1}, CropAspect: [2]float64{0.1, 10}}
	for range 2000 {
		height, width := 1+rng.IntN(40), 1+rng.IntN(40)
		p := Pixels{Height: height, Width: width, Pix: make([]uint8, height*width)}
		for i := range p.Pix {
			p.Pix[i] = uint8(50 + rng.IntN(100))
		}
		for _, v := range augmented(p, 1+rng.IntN(20), 1+rng.IntN(20), a.draw(rng)) {
			if !(v >= 49.99 && v <= 149.01) {
				t.Fatalf("a value of %v from pixels of 50 to 149", v)
			}
		}
	}
}

func TestDrawsAreSpreadAsDocumented(t *testing.T) {
	a := Augmentation{CropArea: [2]float64{0.2, 0.6}, CropAspect: [2]float64{0.8, 1.25}, Flip: true, Brightness: 0.3, Contrast: 2, Blur: [2]float64{0.5, 1.5}, Noise: 0.1}
	rng := rand.New(rand.NewPCG(1, 1))
	const n = 4000
	var area, flips, brightness, contrast, blur, x []float64
	for range n {
		k := a.draw(rng)
		if s := k.width * k.height; s < 0.2-1e-9 || s > 0.6+1e-9 {
			t.Fatalf("%+v", k)
		}
		if r := k.width / k.height; r < 0.8-1e-9 || r > 1.25+1e-9 {
			t.Fatalf("%+v", k)
		}
		if k.x < 0 || k.y < 0 || k.x+k.width > 1+1e-9 || k.y+k.height > 1+1e-9 || k.noise < 0 || k.noise > 25.5 || k.contrast < 0 {
			t.Fatalf("%+v", k)
		}
		area, brightness, contrast = append(area, k.width*k.height), append(brightness, k.brightness), append(contrast, k.contrast)
		x = append(x, k.x/(1-k.width))
		flips = append(flips, map[bool]float64{true: 1}[k.flip])
		if k.blur > 0 {
			blur = append(blur, k.blur)
		}
	}
	for name, c := range map[string]struct {
		values        []float64
		mean, allowed float64
	}{
		"area": {area, 0.4, 0.01}, "flip": {flips, 0.5, 0.03}, "brightness": {brightness, 1, 0.01}, "contrast": {contrast, 1.5, 0.05}, "blur": {blur, 1, 0.03}, "x": {x, 0.5, 0.02},
	} {
		if got := stat.Mean(c.values, nil); math.Abs(got-c.mean) > c.allowed {
			t.Errorf("%s has the mean %.3f, want %.3f", name, got, c.mean)
		}
	}
	if share := float64(len(blur)) / n; math.Abs(share-0.5) > 0.03 {
		t.Errorf("%.3f of the images are blurred", share)
	}
}

func TestBrightnessAndContrast(t *testing.T) {
	p := Pixels{Height: 1, Width: 4, Pix: []uint8{40, 80, 120, 160}}
	for _, c := range []struct{ brightness, contrast float64 }{{1.2, 1}, {1, 0.5}, {0.5, 1.5}, {1.5, 2}, {0, 1}} {
		k := whole()
		k.brightness, k.contrast = c.brightness, c.contrast
		got := augmented(p, 1, 4, k)
		for i, v := range p.Pix {
			want := min(max(c.brightness*(100+c.contrast*(float64(v)-100)), 0), 255)
			for channel := range 3 {
				if math.Abs(float64(got[4*channel+i])-want) > 1e-3 {
					t.Errorf("%+v: %d became %v, want %v", c, v, got[4*channel+i], want)
				}
			}
		}
	}
}

func TestBlurIsAGaussian(t *testing.T) {
	const n, deviation = 41, 2.0
	point := Pixels{Height: n, Width: n, Pix: make([]uint8, n*n)}
	point.Pix[n*n/2] = 255
	k := whole()
	k.blur = deviation
	got := augmented(point, n, n, k)[:n*n]
	total, spread := 0.0, 0.0
	for i, v := range got {
		dx, dy := float64(i%n-n/2), float64(i/n-n/2)
		total += float64(v)
		spread += float64(v) * dx * dx
		if want := 255 / (2 * math.Pi * deviation * deviation) * math.Exp(-(dx*dx+dy*dy)/(2*deviation*deviation)); math.Abs(float64(v)-want) > 0.2 {
			t.Fatalf("at (%v,%v) %v, want %.3f", dx, dy, v, want)
		}
	}
	if math.Abs(total-255) > 0.01 || math.Abs(math.Sqrt(spread/total)-deviation) > 0.05 {
		t.Errorf("the sum is %.3f, the standard deviation %.3f", total, math.Sqrt(spread/total))
	}
	flat := Pixels{Height: 5, Width: 3, Pix: slices.Repeat([]uint8{90}, 15)} // smaller than the filter
	if !near(augmented(flat, 5, 3, k), slices.Repeat([]float32{90}, 45), 1e-3) {
		t.Error("a blurred flat image is not flat")
	}
}

func TestNoise(t *testing.T) {
	flat := Pixels{Height: 60, Width: 60, Pix: slices.Repeat([]uint8{100}, 3*3600)}
	k := whole()
	k.noise = 8
	got := augmented(flat, 60, 60, k)
	if !slices.Equal(got[:3600], got[3600:7200]) || !slices.Equal(got[:3600], got[7200:]) {
		t.Error("the channels have noise of their own")
	}
	wide := make([]float64, 3600)
	for i := range wide {
		wide[i] = float64(got[i])
	}
	if mean, deviation := stat.MeanStdDev(wide, nil); math.Abs(mean-100) > 0.5 || math.Abs(deviation-8) > 0.3 {
		t.Errorf("mean %.2f, standard deviation %.2f", mean, deviation)
	}
}

func TestAugmentationsWithoutMeaning(t *testing.T) {
	for name, a := range map[string]Augmentation{
		"area 0": {CropArea: [2]float64{0, 1}}, "area above 1": {CropArea: [2]float64{0.5, 1.5}}, "swapped": {CropArea: [2]float64{0.5, 0.2}},
		"aspect alone": {CropAspect: [2]float64{1, 1}}, "aspect": {CropArea: [2]float64{0.5, 1}, CropAspect: [2]float64{-1, 1}},
		"brightness": {Brightness: -1}, "contrast": {Contrast: math.NaN()}, "blur": {Blur: [2]float64{2, 1}}, "noise": {Noise: 2},
	} {
		if a.Validate() == nil {
			t.Errorf("%s: %+v was taken", name, a)
		}
	}
	for name, a := range Augmentations {
		if err := a.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is kept for augmentation is a larger version of the same stretch of the image, not larger than the file's.
func TestDetail(t *testing.T) {
	crop := DefaultPreprocess(20, 30)
	crop.Resize, crop.ShortSide = ShortSideCrop, 40
	for _, c := range []struct {
		p             Preprocess
		source        image.Point
		height, width int
	}{
		{DefaultPreprocess(20, 30), image.Pt(1000, 1000), 40, 60},
		{DefaultPreprocess(20, 30), image.Pt(45, 10), 20, 45},
		{crop, image.Pt(1000, 500), 40, 60},
		{crop, image.Pt(60, 50), 25, 37},
		{crop, image.Pt(10, 10), 20, 30},
	} {
		p := c.p.detailed(c.source)
		if p.Height != c.height || p.Width != c.width || p.Validate() != nil {
			t.Errorf("%v at %d×%d: %+v", c.source, c.p.Height, c.p.Width, p)
		}
	}
	// The whole of the larger version, at the input size again, is the image as it is.
	smooth := image.NewGray(image.Rect(0, 0, 400, 300))
	for y := range 300 {
		for x := range 400 {
			smooth.SetGray(x, y, color.Gray{Y: uint8(128 + 60*math.Sin(float64(x)/40) + 60*math.Cos(float64(y)/50))})
		}
	}
	for _, p := range []Preprocess{DefaultPreprocess(32, 48), crop} {
		want, got := make([]float32, p.Len()), make([]float32, p.Len())
		p.Tensor(smooth, false, want)
		p.normalizer().augment(p.detailed(image.Pt(400, 300)).Pixels(smooth), p.Height, p.Width, whole(), nil, got)
		inner := func(values []float32) (kept []float32) { // the filter is cut off at the edges
			for i, v := range values {
				if x, y := i%p.Width, i/p.Width%p.Height; x > 1 && y > 1 && x < p.Width-2 && y < p.Height-2 {
					kept = append(kept, v)
				}
			}
			return kept
		}
		if !near(inner(got), inner(want), 9.0/255/0.22) { // the crop's middle may be half a pixel off
			t.Errorf("%s: the larger version shows something else", p.ResizeText())
		}
	}
}

func augmentingLoader() LoaderOptions {
	a := Augmentations["contrastive"]
	return LoaderOptions{Values: 3 * 9 * 7, Augment: &a, Copies: 2, AugmentationSeed: 3, Workers: 1, Ahead: 1, Batches: 11}
}

func TestAugmentedBatchesDoNotDependOnWorkersOrResuming(t *testing.T) {
	d := open(t, mixedFolder(t, 14), Options{})
	images := newStore(t, d, DefaultPreprocess(9, 7), 0).Part(Train)
	o := augmentingLoader()
	want := read(t, images, newSampler(t, images.Len(), 4, 5), o)
	for _, workers := range []int{2, 5} {
		o.Workers, o.Ahead = workers, 4
		forgetful := newStore(t, d, DefaultPreprocess(9, 7), -1).Part(Train)
		for i, b := range read(t, forgetful, newSampler(t, images.Len(), 4, 5), o) {
			if !slices.Equal(b.Images, want[i].Images) {
				t.Fatalf("%d workers: batch %d differs", workers, i)
			}
		}
	}
	sampler := newSampler(t, images.Len(), 4, 5)
	sampler.Skip(6)
	o.Batches = 5
	for i, b := range read(t, images, sampler, o) {
		if !slices.Equal(b.Images, want[6+i].Images) {
			t.Fatalf("continued at batch 6, batch %d differs", 6+i)
		}
	}
	o.AugmentationSeed = 4
	if other := read(t, images, newSampler(t, images.Len(), 4, 5), o)[0]; slices.Equal(other.Images, want[0].Images) || !slices.Equal(other.Items, want[0].Items) {
		t.Error("another augmentation seed changes the order, or nothing")
	}
}

func TestCopiesStandInSuccession(t *testing.T) {
	d := open(t, mixedFolder(t, 14), Options{})
	images := newStore(t, d, DefaultPreprocess(9, 7), 0).Part(Train)
	o := augmentingLoader()
	pairs := read(t, images, newSampler(t, images.Len(), 4, 5), o)
	o.Copies = 1
	singles := read(t, images, newSampler(t, images.Len(), 4, 5), o)
	plain := read(t, images, newSampler(t, images.Len(), 4, 5), LoaderOptions{Values: o.Values, Views: 2, Copies: 2, AugmentationSeed: 3, Batches: 11})
	once := read(t, images, newSampler(t, images.Len(), 4, 5), LoaderOptions{Values: o.Values, Views: 2, AugmentationSeed: 3, Batches: 11})
	otherView := 0
	for i, b := range pairs {
		if len(b.Items) != 8 || len(b.Labels) != 8 || len(b.Views) != 8 || len(b.Images) != 8*o.Values {
			t.Fatalf("batch %d has %d rows", i, len(b.Items))
		}
		row := func(b Batch, k int) []float32 { return b.Images[k*o.Values : (k+1)*o.Values] }
		for k := range 4 {
			item := once[i].Items[k]
			if b.Items[2*k] != item || b.Items[2*k+1] != item || int(b.Labels[2*k+1]) != images.Label(item) {
				t.Fatalf("batch %d: rows %d and %d are not item %d", i, 2*k, 2*k+1, item)
			}
			if slices.Equal(row(b, 2*k), row(b, 2*k+1)) {
				t.Errorf("batch %d: both copies of item %d are alike", i, item)
			}
			if !slices.Equal(row(b, 2*k), row(singles[i], k)) {
				t.Errorf("batch %d: the first copy of item %d is not the only one", i, item)
			}
			if !slices.Equal(row(plain[i], 2*k), row(once[i], k)) || plain[i].Views[2*k] != once[i].Views[k] {
				t.Errorf("batch %d: without augmentation the first copy of item %d is not the only one", i, item)
			}
			if plain[i].Views[2*k] != plain[i].Views[2*k+1] {
				otherView++
			}
		}
	}
	if otherView < 10 || otherView > 34 {
		t.Errorf("%d of 44 copies show the other view", otherView)
	}
}

func TestSourceThatCannotBeAugmented(t *testing.T) {
	source := &blocked{release: make(chan struct{})}
	close(source.release)
	o := augmentingLoader()
	l := NewLoader(context.Background(), source, newSampler(t, 8, 2, 1), o)
	defer l.Close()
	if _, err := l.Next(); err == nil || errors.Is(err, ErrEnd) || !strings.Contains(err.Error(), "augmented") {
		t.Errorf("%v", err)
	}
}

// Stores of several splits keep each file once, and duplicates too.
func TestSharedStoresDecodeOnce(t *testing.T) {
	dir := mixedFolder(t, 10)
	first, second := open(t, dir, Options{SplitSeed: 1}), open(t, dir, Options{SplitSeed: 2})
	p := DefaultPreprocess(8, 8)
	a := newStore(t, first, p, 0)
	if err := a.Load(context.Background(), 1, nil, Train); err != nil {
		t.Fatal(err)
	}
	left := a.memory.room.Load()
	b := a.Share(second)
	if err := b.Load(context.Background(), 1, nil); err != nil {
		t.Fatal(err)
	}
	trains := len(first.Indices(Train))
	if used := left - b.memory.room.Load(); used > int64(trains*p.Len()) || used < int64(trains*8*8) {
		t.Errorf("the second store took %d bytes for the %d images that were kept for augmentation only", used, trains)
	}
	for i := range first.Items {
		writeFile(t, first.Path(i), greyPNG(t, 1)) // whoever decodes now is found out
	}
	x, y := make([]float32, p.Len()), make([]float32, p.Len())
	for i, item := range second.Items {
		j := slices.IndexFunc(first.Items, func(other Item) bool { return other.Path == item.Path })
		if err := b.Tensor(i, true, x); err != nil {
			t.Fatal(err)
		}
		if err := a.Tensor(j, true, y); err != nil || !slices.Equal(x, y) {
			t.Fatalf("%s differs between the stores (%v)", item.Path, err)
		}
	}
}

// BenchmarkAugment crops, resizes and changes one image of 128×128 kept pixels to 64×64, and of 448 to 224.
func BenchmarkAugment(b *testing.B) {
	for name, channels := range map[string]int{"grey": 1, "colour": 3} {
		for size, side := range map[string]int{"64": 64, "224": 224} {
			for preset, a := range Augmentations {
				b.Run(name+"/"+size+"/"+preset, func(b *testing.B) {
					p := Pixels{Height: 2 * side, Width: 2 * side, Pix: make([]uint8, channels*4*side*side)}
					n := DefaultPreprocess(side, side).normalizer()
					dst := make([]float32, 3*side*side)
					item := 0
					for b.Loop() {
						item++
						rng := drawRandom(1, 2, item, 0)
						n.augment(p, side, side, a.draw(rng), rng, dst)
					}
					report(b, 1)
				})
			}
		}
	}
}

// BenchmarkAugmentedLoader is BenchmarkLoader with augmentation.
func BenchmarkAugmentedLoader(b *testing.B) {
	dir := b.TempDir()
	for _, class := range []string{"a", "b"} {
		for i := range 8 {
			writeFile(b, filepath.Join(dir, class, string(rune('a'+i))+".png"), encoded(b, func(w io.Writer) error { return png.Encode(w, scan()) }))
		}
	}
	images := newStore(b, open(b, dir, Options{}), DefaultPreprocess(64, 64), 0).Part(Train)
	a := Augmentations["supervised"]
	l := NewLoader(context.Background(), images, newSampler(b, images.Len(), 32, 1), LoaderOptions{Values: 3 * 64 * 64, Augment: &a})
	defer l.Close()
	for b.Loop() {
		batch, err := l.Next()
		if err != nil {
			b.Fatal(err)
		}
		batch.Release()
	}
	report(b, 32)
}
