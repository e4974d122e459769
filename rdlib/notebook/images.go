package notebook

import (
	"fmt"
	"image"
	"image/color"

	"golang.org/x/image/draw"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	vgdraw "gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Captioned is an image of a grid and the line below it.
type Captioned struct {
	Image   image.Image
	Caption string
}

// Image shows an image as large as it is.
func Image(img image.Image) {
	b := img.Bounds()
	showPNG(Must(encode(img)), fmt.Sprintf("image, %d×%d pixels", b.Dx(), b.Dy()))
}

// Grid shows images in rows of columns images, each scaled to a tile of 110 pixels.
func Grid(columns int, images ...Captioned) {
	showPNG(Must(encode(Must(grid(columns, images)))), fmt.Sprintf("%d images", len(images)))
}

func grid(columns int, images []Captioned) (image.Image, error) {
	if columns < 1 || len(images) == 0 {
		return nil, fmt.Errorf("a grid of %d images in %d columns is not possible", len(images), columns)
	}
	const tile, gap, line = 110, 6, 18 // pixels
	columns = min(columns, len(images))
	rows := (len(images) + columns - 1) / columns
	width, height := columns*(tile+gap), rows*(tile+line+gap)
	// One pixel is one point at 72 dpi.
	canvas := vgimg.NewWith(vgimg.UseWH(vg.Points(float64(width)), vg.Points(float64(height))), vgimg.UseDPI(72))
	drawn := vgdraw.New(canvas)
	style := text.Style{Color: color.Black, Font: sans(9), XAlign: text.XCenter, YAlign: text.YCenter, Handler: plot.DefaultTextHandler}
	picture, ok := canvas.Image().(draw.Image)
	if !ok {
		return nil, fmt.Errorf("a canvas of type %T cannot be drawn on", canvas.Image())
	}
	for i, c := range images {
		left, top := i%columns*(tile+gap), i/columns*(tile+line+gap)
		draw.CatmullRom.Scale(picture, image.Rect(left, top, left+tile, top+tile), c.Image, c.Image.Bounds(), draw.Src, nil)
		drawn.FillText(style, vg.Point{X: vg.Points(float64(left + tile/2)), Y: vg.Points(float64(height - top - tile - line/2))}, c.Caption)
	}
	return picture, nil
}
