package main

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"rd/rdlib/dataset"
	"rd/rdlib/dataset/phantom"
)

// pictures are the two kinds of files that the published data sets are made of.
type pictures struct {
	name string
	data *dataset.Dataset
}

// makePictures writes grey PNG files, as BUSI's, and colour JPEG files, as ISIC's, of the same phantoms.
func makePictures(ctx context.Context, s settings) ([]pictures, error) {
	grey, colour := filepath.Join(s.work, "png"), filepath.Join(s.work, "jpeg")
	if err := phantom.BreastUltrasound(grey, phantom.Options{PerClass: s.images, Size: s.pixels, Seed: 1}); err != nil {
		return nil, err
	}
	err := filepath.WalkDir(grey, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".png" {
			return err
		}
		relative, err := filepath.Rel(grey, path)
		if err != nil {
			return err
		}
		return tint(path, filepath.Join(colour, strings.TrimSuffix(relative, ".png")+".jpg"))
	})
	if err != nil {
		return nil, err
	}
	var all []pictures
	for _, p := range []pictures{{name: "PNG, grey"}, {name: "JPEG, colour"}} {
		dir := grey
		if strings.HasPrefix(p.name, "JPEG") {
			dir = colour
		}
		if p.data, err = dataset.Open(ctx, dir, dataset.Options{}); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// tint writes a grey image as a colour JPEG.
func tint(from, to string) error {
	img, err := dataset.Decode(from, dataset.DecodeLimits{})
	if err != nil {
		return err
	}
	coloured := image.NewRGBA(img.Bounds())
	for y := range coloured.Rect.Dy() {
		for x := range coloured.Rect.Dx() {
			v := color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y
			coloured.SetRGBA(x, y, color.RGBA{255 - v/4, v, v / 2, 255})
		}
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	if err := jpeg.Encode(file, coloured, &jpeg.Options{Quality: 90}); err != nil {
		file.Close()
		return fmt.Errorf("write %s: %w", to, err)
	}
	return file.Close()
}

// toDisk writes the files out and has the system forget them, where it can; it tells whether it could.
func (p pictures) toDisk() bool {
	all := true
	for i := range p.data.Items {
		all = forget(p.data.Path(i)) && all
	}
	return all
}
