package dataset

import (
	"fmt"
	"image"
	"image/color"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// ContactSheet draws one row of images for each class, spread evenly over the class, with the class's name beside it and
// "phantom" on top where the images are synthetic. Each image is stretched to a tile of tile×tile pixels. The sheet of
// grey images is grey.
func ContactSheet(d *Dataset, perClass, tile int) (image.Image, error) {
	if perClass < 1 || tile < 8 {
		return nil, fmt.Errorf("a contact sheet of %d images a class and %d pixels an image is not possible", perClass, tile)
	}
	const gap, head = 4, 20
	margin := 0
	face := basicfont.Face7x13
	for _, class := range d.Classes {
		margin = max(margin, font.MeasureString(face, class).Ceil()+2*gap)
	}
	sheet := image.NewRGBA(image.Rect(0, 0, margin+perClass*(tile+gap), head+len(d.Classes)*(tile+gap)))
	draw.Draw(sheet, sheet.Bounds(), image.White, image.Point{}, draw.Src)
	write := func(text string, x, y int) {
		(&font.Drawer{Dst: sheet, Src: image.NewUniform(color.Black), Face: face, Dot: fixed.P(x, y)}).DrawString(text)
	}
	title := d.Name
	if d.Phantom != nil {
		title = "phantom: " + d.Phantom.Generator
	}
	write(title, gap, head-6)
	for label, class := range d.Classes {
		var items []int
		for i, item := range d.Items {
			if item.Label == label {
				items = append(items, i)
			}
		}
		top := head + label*(tile+gap)
		write(class, gap, top+tile/2+4)
		for k := range min(perClass, len(items)) {
			img, err := d.Image(items[k*len(items)/min(perClass, len(items))])
			if err != nil {
				return nil, err
			}
			left := margin + k*(tile+gap)
			draw.BiLinear.Scale(sheet, image.Rect(left, top, left+tile, top+tile), img, img.Bounds(), draw.Src, nil)
		}
	}
	return withoutColour(sheet), nil
}

// withoutColour is the image with one channel where its three are the same, so that it is a third of the size on disk.
func withoutColour(img *image.RGBA) image.Image {
	grey := image.NewGray(img.Rect)
	for i := range grey.Pix {
		p := img.Pix[4*i : 4*i+3]
		if p[0] != p[1] || p[1] != p[2] {
			return img
		}
		grey.Pix[i] = p[0]
	}
	return grey
}
