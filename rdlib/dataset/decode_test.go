package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// picture is a colour gradient with a transparent left half when alpha is set.
func picture(width, height int, alpha bool) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			c := color.NRGBA{uint8(x * 255 / width), uint8(y * 255 / height), 128, 255}
			if alpha && x < width/2 {
				c.A = 0
			}
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

func encoded(t testing.TB, encode func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// samples holds one 24×16 file of each kind that is read.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	colour, alpha := picture(24, 16, false), picture(24, 16, true)
	grey, grey16, colour16 := image.NewGray(colour.Rect), image.NewGray16(colour.Rect), image.NewNRGBA64(colour.Rect)
	palette := image.NewPaletted(colour.Rect, color.Palette{color.Black, color.White, color.RGBA{200, 30, 30, 255}})
	for y := range 16 {
		for x := range 24 {
			grey.Set(x, y, colour.At(x, y))
			grey16.Set(x, y, colour.At(x, y))
			colour16.Set(x, y, colour.At(x, y))
			palette.SetColorIndex(x, y, uint8((x+y)%3))
		}
	}
	files := map[string][]byte{}
	for name, img := range map[string]image.Image{"colour": colour, "alpha": alpha, "grey": grey, "grey16": grey16, "colour16": colour16, "palette": palette} {
		files[name+".png"] = encoded(t, func(w io.Writer) error { return png.Encode(w, img) })
		files[name+".tiff"] = encoded(t, func(w io.Writer) error { return tiff.Encode(w, img, &tiff.Options{Compression: tiff.Deflate}) })
		files[name+".raw.tif"] = encoded(t, func(w io.Writer) error { return tiff.Encode(w, img, nil) })
	}
	for name, img := range map[string]image.Image{"colour": colour, "grey": grey} {
		files[name+".jpg"] = encoded(t, func(w io.Writer) error { return jpeg.Encode(w, img, nil) })
		files[name+".bmp"] = encoded(t, func(w io.Writer) error { return bmp.Encode(w, img) })
	}
	files["palette.gif"] = encoded(t, func(w io.Writer) error {
		return gif.EncodeAll(w, &gif.GIF{Image: []*image.Paletted{palette, palette}, Delay: []int{1, 1}})
	})
	for _, name := range []string{"lossy.webp", "lossless_alpha.webp"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	return files
}

func writeFile(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDecodeReadsEveryKind(t *testing.T) {
	dir := t.TempDir()
	for name, data := range samples(t) {
		t.Run(name, func(t *testing.T) {
			img, err := Decode(writeFile(t, filepath.Join(dir, name), data), DecodeLimits{})
			if err != nil {
				t.Fatal(err)
			}
			if size := img.Bounds().Size(); size != image.Pt(24, 16) {
				t.Fatalf("%v pixels, not 24×16", size)
			}
			// The right half is opaque everywhere; the left half of the files with alpha must come out black.
			p := DefaultPreprocess(16, 24).Pixels(img)
			channels := len(p.Pix) / (16 * 24)
			left, right := p.Pix[8*24*channels], p.Pix[(8*24+23)*channels]
			if strings.Contains(name, "alpha") {
				if left != 0 || right < 200 {
					t.Errorf("red is %d left and %d right: transparent pixels must be black, and the right edge red", left, right)
				}
			}
			if strings.HasPrefix(name, "colour") && (left > 20 || right < 220) {
				t.Errorf("red is %d left and %d right", left, right)
			}
		})
	}
}

// The name says nothing about the content: what counts is the file.
func TestDecodeIgnoresExtension(t *testing.T) {
	path := writeFile(t, filepath.Join(t.TempDir(), "photo.jpg"), samples(t)["grey.png"])
	if _, err := Decode(path, DecodeLimits{}); err != nil {
		t.Fatal(err)
	}
}

func TestDecodeErrorsNameTheFileAndRemedy(t *testing.T) {
	dir := t.TempDir()
	files := samples(t)
	dicom := append(make([]byte, 128), "DICM and more"...)
	cases := []struct {
		name   string
		data   []byte
		limits DecodeLimits
		want   error
	}{
		{name: "empty.png", data: []byte{}, want: ErrEmpty},
		{name: "text.png", data: []byte("this is a text, not an image"), want: ErrNotImage},
		{name: "dicom.png", data: dicom, want: ErrUnsupported},
		{name: "heic.jpg", data: []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1"), want: ErrUnsupported},
		{name: "jpeg2000.jpg", data: []byte("\x00\x00\x00\x0cjP  \r\n\x87\n\x00\x00\x00\x14"), want: ErrUnsupported},
		{name: "animated.webp", data: riffFile("VP8X", []byte{2, 0, 0, 0, 3, 0, 0, 3, 0, 0}, "ANIM", make([]byte, 6)), want: ErrDamaged},
		{name: "one byte.png", data: []byte{0x89}, want: ErrTruncated},
		{name: "half.png", data: files["colour.png"][:len(files["colour.png"])/2], want: ErrTruncated},
		{name: "half.jpg", data: files["colour.jpg"][:len(files["colour.jpg"])/2], want: ErrTruncated},
		{name: "half.bmp", data: files["colour.bmp"][:len(files["colour.bmp"])/2], want: ErrTruncated},
		{name: "half.gif", data: files["palette.gif"][:len(files["palette.gif"])/4], want: ErrTruncated},
		{name: "half.webp", data: files["lossy.webp"][:len(files["lossy.webp"])/2], want: ErrTruncated},
		{name: "half.tif", data: files["colour.raw.tif"][:len(files["colour.raw.tif"])/2], want: ErrTruncated},
		{name: "bad checksum.png", data: flip(files["colour.png"], 50), want: ErrDamaged},
		{name: "many bytes.png", data: files["colour.png"], limits: DecodeLimits{Bytes: 20}, want: ErrTooLarge},
		{name: "many pixels.png", data: files["colour.png"], limits: DecodeLimits{Pixels: 24*16 - 1}, want: ErrTooLarge},
		{name: "bomb.png", data: pngHeader(100_000, 100_000), want: ErrTooLarge},
		{name: "strip.png", data: pngHeader(1<<25, 1), want: ErrTooLarge},
		{name: "bomb.bmp", data: bmpHeader(files["colour.bmp"], 1<<20, 1<<20), want: ErrTooLarge},
		{name: "bomb.gif", data: gifHeader(files["palette.gif"], 65535, 65535), want: ErrTooLarge},
		{name: "bomb.webp", data: riffFile("VP8X", make([]byte, 10), "VP8L", []byte{0x2f, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0}), want: ErrTooLarge},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := writeFile(t, filepath.Join(dir, c.name), c.data)
			_, err := Decode(path, c.limits)
			checkImageError(t, err, path, c.want)
		})
	}
	t.Run("missing", func(t *testing.T) {
		path := filepath.Join(dir, "nothing.png")
		_, err := Decode(path, DecodeLimits{})
		checkImageError(t, err, path, ErrMissing)
	})
	t.Run("folder", func(t *testing.T) {
		_, err := Decode(dir, DecodeLimits{})
		checkImageError(t, err, dir, ErrUnreadable)
	})
	t.Run("dangling link", func(t *testing.T) {
		path := filepath.Join(dir, "link.png")
		if err := os.Symlink("nowhere.png", path); err != nil {
			t.Fatal(err)
		}
		_, err := Decode(path, DecodeLimits{})
		checkImageError(t, err, path, ErrMissing)
	})
}

func checkImageError(t *testing.T, err error, path string, want error) {
	t.Helper()
	var image *ImageError
	if !errors.As(err, &image) || !errors.Is(err, want) {
		t.Fatalf("error %v is not of kind %q", err, want)
	}
	if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), remedies[want]) {
		t.Errorf("%q names not both %s and the remedy %q", err, path, remedies[want])
	}
}

// A file cut anywhere, or with any byte changed, is read or refused with an *ImageError; it never panics.
func TestDecodeSurvivesDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, data := range samples(t) {
		for length := range data {
			checkDecodes(t, name, data[:length])
		}
		for range 200 {
			damaged := bytes.Clone(data)
			for range 1 + rng.IntN(4) {
				damaged[rng.IntN(len(damaged))] = byte(rng.Uint32())
			}
			checkDecodes(t, name, damaged)
		}
	}
}

func checkDecodes(t *testing.T, name string, data []byte) {
	img, err := decodeBytes(name, data, DecodeLimits{Pixels: 1 << 20}.withDefaults())
	var image *ImageError
	if (err == nil) != (img != nil) || err != nil && !errors.As(err, &image) {
		t.Fatalf("%s, %d bytes: image %v, error %v", name, len(data), img != nil, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, data := range samples(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkDecodes(t, "fuzz", data) })
}

func flip(data []byte, at int) []byte {
	data = bytes.Clone(data)
	data[at] ^= 0x40
	return data
}

// pngHeader is a PNG that ends after a header of the given size.
func pngHeader(width, height uint32) []byte {
	chunk := append([]byte("IHDR"), make([]byte, 13)...)
	binary.BigEndian.PutUint32(chunk[4:], width)
	binary.BigEndian.PutUint32(chunk[8:], height)
	chunk[12] = 8
	data := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), chunk...)
	return binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE(chunk))
}

func bmpHeader(data []byte, width, height uint32) []byte {
	data = bytes.Clone(data)
	binary.LittleEndian.PutUint32(data[18:], width)
	binary.LittleEndian.PutUint32(data[22:], height)
	return data
}

func gifHeader(data []byte, width, height uint16) []byte {
	data = bytes.Clone(data)
	binary.LittleEndian.PutUint16(data[6:], width)
	binary.LittleEndian.PutUint16(data[8:], height)
	return data
}

// riffFile is a WebP of two chunks.
func riffFile(first string, one []byte, second string, two []byte) []byte {
	body := []byte("WEBP")
	for _, c := range []struct {
		id   string
		data []byte
	}{{first, one}, {second, two}} {
		body = append(body, c.id...)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(c.data)))
		body = append(body, c.data...)
	}
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}
