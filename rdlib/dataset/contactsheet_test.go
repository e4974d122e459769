package dataset

import (
	"image"
	"os"
	"testing"
)

func TestContactSheet(t *testing.T) {
	d := open(t, mixedFolder(t, 6), Options{})
	sheet, err := ContactSheet(d, 9, 32) // more than there are
	if err != nil {
		t.Fatal(err)
	}
	if size := sheet.Bounds().Size(); size.X < 9*32 || size.Y < 2*32 {
		t.Errorf("%v pixels", size)
	}
	dark := 0
	for y := range sheet.Bounds().Dy() {
		for x := range sheet.Bounds().Dx() {
			if sheet.(*image.RGBA).RGBAAt(x, y).B < 200 {
				dark++
			}
		}
	}
	if dark < 12*32*16 {
		t.Errorf("only %d pixels are drawn", dark)
	}
	if sheet, err := ContactSheet(open(t, folderOf(t, map[string]int{"a": 3, "b": 3}), Options{}), 2, 32); err != nil {
		t.Error(err)
	} else if _, ok := sheet.(*image.Gray); !ok {
		t.Errorf("the sheet of grey images is %T", sheet)
	}
	if _, err := ContactSheet(d, 0, 32); err == nil {
		t.Error("no images a class was taken")
	}
	if err := os.Remove(d.Path(0)); err != nil {
		t.Fatal(err)
	}
	if _, err := ContactSheet(d, 2, 32); err == nil {
		t.Error("a missing image went unnoticed")
	}
}
