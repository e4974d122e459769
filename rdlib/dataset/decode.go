package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"strings"

	_ "golang.org/x/image/bmp"
	"golang.org/x/image/riff"
	_ "golang.org/x/image/tiff"
	"golang.org/x/image/vp8l"
	_ "golang.org/x/image/webp"
)

// DecodeLimits bound what one file may cost; both are checked before any pixel is decoded, and so is a side of at most
// 32768 pixels, because resizing takes memory in proportion to the sides. Zero means the default.
type DecodeLimits struct {
	Pixels int64 // width × height; default 64 Mi
	Bytes  int64 // file size; default 256 MiB
}

const (
	defaultPixels = 64 << 20
	defaultBytes  = 256 << 20
	maxImageSide  = 1 << 15
)

func (l DecodeLimits) withDefaults() DecodeLimits {
	if l.Pixels <= 0 {
		l.Pixels = defaultPixels
	}
	if l.Bytes <= 0 {
		l.Bytes = defaultBytes
	}
	return l
}

// Decode reads one image file. Every error is an *ImageError. A decoder that panics on damaged input is an error too.
func Decode(path string, limits DecodeLimits) (image.Image, error) {
	data, err := readPlainFile(path, limits.withDefaults())
	if err != nil {
		return nil, err
	}
	return decodeBytes(path, data, limits.withDefaults())
}

// decodeBytes decodes an image whose header keeps within the limits.
func decodeBytes(path string, data []byte, limits DecodeLimits) (img image.Image, err error) {
	defer func() {
		if r := recover(); r != nil {
			img, err = nil, &ImageError{path, ErrDamaged, fmt.Errorf("the decoder gave up: %v", r)}
		}
	}()
	config, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, decodeError(path, data, err)
	}
	if format == "webp" {
		config = webpSize(data, config)
	}
	if config.Width <= 0 || config.Height <= 0 {
		return nil, &ImageError{path, ErrDamaged, fmt.Errorf("%d×%d pixels", config.Width, config.Height)}
	}
	if int64(config.Width) > limits.Pixels/int64(config.Height) {
		return nil, &ImageError{path, ErrTooLarge, fmt.Errorf("%d×%d pixels, the limit is %d pixels", config.Width, config.Height, limits.Pixels)}
	}
	if config.Width > maxImageSide || config.Height > maxImageSide {
		return nil, &ImageError{path, ErrTooLarge, fmt.Errorf("%d×%d pixels, no side may have over %d", config.Width, config.Height, maxImageSide)}
	}
	img, _, err = image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, decodeError(path, data, err)
	}
	if img.Bounds().Empty() {
		return nil, &ImageError{path, ErrDamaged, errors.New("no pixels")}
	}
	return img, nil
}

// webpSize returns the larger of the declared canvas and a lossless frame inside it: the decoder allocates the frame
// before it compares the two.
func webpSize(data []byte, canvas image.Config) image.Config {
	_, chunks, err := riff.NewReader(bytes.NewReader(data))
	for err == nil {
		var id riff.FourCC
		var body io.Reader
		if id, _, body, err = chunks.Next(); err == nil && id == (riff.FourCC{'V', 'P', '8', 'L'}) {
			if frame, frameErr := vp8l.DecodeConfig(body); frameErr == nil && frame.Width*frame.Height > canvas.Width*canvas.Height {
				canvas.Width, canvas.Height = frame.Width, frame.Height
			}
		}
	}
	return canvas
}

// decodeError sorts what a decoder said into the kinds of ImageError. The decoders share no error types, only the word
// "unsupported", and an end of file where the file stops too early.
func decodeError(path string, data []byte, err error) error {
	text := err.Error()
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.Is(err, image.ErrFormat):
		if name := foreignFormat(data); name != "" {
			return &ImageError{path, ErrUnsupported, errors.New(name)}
		}
		if startsLikeImage(data) {
			return &ImageError{path, ErrTruncated, fmt.Errorf("only %d bytes", len(data))}
		}
		return &ImageError{path, ErrNotImage, nil}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), has("not enough", "no image data", "EOF", "short"):
		return &ImageError{path, ErrTruncated, err}
	case has("unsupported", "not implemented"):
		return &ImageError{path, ErrUnsupported, err}
	}
	return &ImageError{path, ErrDamaged, err}
}

// foreignFormat names image formats that are recognised but not read, so that the message can say what the file is.
func foreignFormat(data []byte) string {
	at := func(offset int, magic string) bool {
		return len(data) >= offset+len(magic) && string(data[offset:offset+len(magic)]) == magic
	}
	switch {
	case at(128, "DICM"):
		return "DICOM"
	case at(4, "ftypavif"):
		return "AVIF"
	case at(4, "ftyphei"), at(4, "ftypmif1"):
		return "HEIC"
	case at(0, "\x00\x00\x00\x0cjP  "), at(0, "\xff\x4f\xff\x51"):
		return "JPEG 2000"
	case at(344, "n+1\x00"), at(0, "\x1f\x8b"):
		return "NIfTI or another compressed file"
	case at(0, "8BPS"):
		return "Photoshop"
	case at(0, "%PDF"):
		return "PDF"
	case at(0, "II\x2b\x00"), at(0, "MM\x00\x2b"):
		return "BigTIFF"
	}
	return ""
}

// startsLikeImage is whether data, too short to be recognised, is the beginning of a format that is read.
func startsLikeImage(data []byte) bool {
	for _, magic := range []string{"\x89PNG\r\n\x1a\n", "\xff\xd8", "GIF89a", "GIF87a", "BM????\x00\x00\x00\x00", "II*\x00", "MM\x00*", "RIFF????WEBPVP8"} {
		if len(data) >= len(magic) {
			continue
		}
		match := true
		for i, b := range data {
			if magic[i] != '?' && magic[i] != b {
				match = false
			}
		}
		if match {
			return true
		}
	}
	return false
}
