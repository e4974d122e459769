package dataset

import (
	"context"
	"errors"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"testing"
)

// scan is an image of 300×224 with the texture of a medical one: it does not compress to nothing.
func scan() *image.Gray {
	img := image.NewGray(image.Rect(0, 0, 300, 224))
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range img.Pix {
		img.Pix[i] = uint8(60 + i%300/3 + rng.IntN(40))
	}
	return img
}

func report(b *testing.B, images int) {
	b.ReportMetric(float64(b.N*images)/b.Elapsed().Seconds(), "images/s")
}

// BenchmarkDecode reads, resizes and normalises one image of 300×224 to 64×64, on one goroutine.
func BenchmarkDecode(b *testing.B) {
	p := DefaultPreprocess(64, 64)
	dst := make([]float32, p.Len())
	for name, data := range map[string][]byte{
		"png":  encoded(b, func(w io.Writer) error { return png.Encode(w, scan()) }),
		"jpeg": encoded(b, func(w io.Writer) error { return jpeg.Encode(w, scan(), nil) }),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				img, err := decodeBytes(name, data, DecodeLimits{}.withDefaults())
				if err != nil {
					b.Fatal(err)
				}
				p.Tensor(img, false, dst)
			}
			report(b, 1)
		})
	}
}

// BenchmarkLoader fills batches of 32 from images in memory, as every epoch after the first does.
func BenchmarkLoader(b *testing.B) {
	for name, side := range map[string]int{"64": 64, "224": 224} {
		b.Run(name, func(b *testing.B) {
			d := open(b, mixedFolder(b, 20), Options{})
			p := DefaultPreprocess(side, side)
			images := newStore(b, d, p, 0).Part(Train)
			sampler := newSampler(b, images.Len(), 32, 1)
			l := NewLoader(context.Background(), images, sampler, LoaderOptions{Values: p.Len(), Views: 2})
			defer l.Close()
			for b.Loop() {
				batch, err := l.Next()
				if err != nil && !errors.Is(err, ErrEnd) {
					b.Fatal(err)
				}
				batch.Release()
			}
			report(b, 32)
		})
	}
}
