package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"image"

	"golang.org/x/image/draw"
)

// PixelHash names a picture by what it shows, whatever the file that holds it: the sha256 of its width and height, 32 bits
// each, and of its pixels, row by row, each as red, green and blue composited on black; all numbers big-endian. Samples
// have 8 bits; those of a 16-bit picture have 16, unless each is 257 times an 8-bit value, which is how 8 bits are
// written as 16. So a picture saved as grey, as a palette, as colour with three equal channels, as 8 or as 16 bits, with
// or without compression, has one hash. JPEG is lossy, but a JPEG and what it decodes to here, saved as PNG, agree.
func PixelHash(img image.Image) string {
	b := img.Bounds()
	sum := sha256.New()
	head := binary.BigEndian.AppendUint32(nil, uint32(b.Dx()))
	sum.Write(binary.BigEndian.AppendUint32(head, uint32(b.Dy())))
	if deep, ok := img.(image.RGBA64Image); ok && needs16(deep) {
		for y := b.Min.Y; y < b.Max.Y; y++ {
			sum.Write(row16(deep, y))
		}
		return hex.EncodeToString(sum.Sum(nil))
	}
	line := image.NewRGBA(image.Rect(0, 0, b.Dx(), 1))
	row := make([]byte, 3*b.Dx())
	for y := b.Min.Y; y < b.Max.Y; y++ {
		draw.Draw(line, line.Rect, img, image.Pt(b.Min.X, y), draw.Src)
		for x := range b.Dx() {
			copy(row[3*x:3*x+3], line.Pix[4*x:])
		}
		sum.Write(row)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// needs16 is whether a picture has 16 bits a sample, and 8 are not enough for them.
func needs16(img image.RGBA64Image) bool {
	switch img.(type) {
	case *image.Gray16, *image.RGBA64, *image.NRGBA64:
	default:
		return false
	}
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		row := row16(img, y)
		for i := 0; i < len(row); i += 2 {
			if row[i] != row[i+1] { // v·257 repeats its byte
				return true
			}
		}
	}
	return false
}

// row16 is a row of pixels, 16 bits a sample.
func row16(img image.RGBA64Image, y int) []byte {
	b := img.Bounds()
	row := make([]byte, 0, 6*b.Dx())
	for x := b.Min.X; x < b.Max.X; x++ {
		c := img.RGBA64At(x, y)
		row = binary.BigEndian.AppendUint16(row, c.R)
		row = binary.BigEndian.AppendUint16(row, c.G)
		row = binary.BigEndian.AppendUint16(row, c.B)
	}
	return row
}
