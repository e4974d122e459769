package dataset

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"io"
	"testing"

	"golang.org/x/image/draw"
)

func TestPixelHashNamesThePicture(t *testing.T) {
	grey := image.NewGray(image.Rect(0, 0, 7, 5))
	for i := range grey.Pix {
		grey.Pix[i] = uint8(i * 7)
	}
	same := map[string]draw.Image{
		"RGB": image.NewRGBA(grey.Rect), "NRGBA": image.NewNRGBA(grey.Rect), "16 bit": image.NewGray16(grey.Rect), "RGB, 16 bit": image.NewNRGBA64(grey.Rect),
		"elsewhere": image.NewGray(grey.Rect.Add(image.Pt(3, 9))),
	}
	var palette color.Palette
	for v := range 256 {
		palette = append(palette, color.Gray{uint8(v)})
	}
	same["palette"] = image.NewPaletted(grey.Rect, palette)
	want := PixelHash(grey)
	for name, img := range same {
		draw.Draw(img, img.Bounds(), grey, image.Point{}, draw.Src)
		if got := PixelHash(img); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	different := map[string]image.Image{"transposed": image.NewGray(image.Rect(0, 0, 5, 7))}
	copy(different["transposed"].(*image.Gray).Pix, grey.Pix)
	deep := same["16 bit"].(*image.Gray16)
	deep.SetGray16(6, 4, color.Gray16{deep.Gray16At(6, 4).Y + 1})
	different["one bit in 16"] = deep
	red := same["RGB"].(*image.RGBA)
	red.Pix[0]++
	different["one channel"] = red
	for name, img := range different {
		if PixelHash(img) == want {
			t.Errorf("%s: the hash is the same", name)
		}
	}

	// Transparency is shown on black.
	shown, hidden := image.NewNRGBA(grey.Rect), image.NewNRGBA(grey.Rect)
	for i := range hidden.Pix {
		hidden.Pix[i] = 99
		if i%4 == 3 {
			shown.Pix[i], hidden.Pix[i] = 255, 0
		}
	}
	if PixelHash(shown) != PixelHash(hidden) {
		t.Error("what is transparent has a colour")
	}
}

// The hash is written into manifests: it must not change.
func TestPixelHashIsFixed(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	copy(img.Pix, []byte{1, 2, 3, 255, 4, 5, 6, 255})
	// printf '\0\0\0\2\0\0\0\1\1\2\3\4\5\6' | sha256sum
	if got, want := PixelHash(img), "562f567f19e0af6f51b8a5ad9b2746b8a5f25051cc298eccdbc62ece11f7ab30"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	decoded, err := png.Decode(bytes.NewReader(encoded(t, func(w io.Writer) error { return png.Encode(w, img) })))
	if err != nil || PixelHash(decoded) != PixelHash(img) {
		t.Errorf("after a file: %v", err)
	}
}
