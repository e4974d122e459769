package experiments

import (
	"fmt"
	"strings"
)

// Cell is one combination, the unit of everything: it is computed as a whole and leaves one record.
type Cell struct {
	Student, Method string
	Seed            uint64
	Teacher         string // "" where the method has none, or where a comparison has one only
	Dataset         string // "" where a comparison has one only
	Share           int    // of the training images, per cent; 0: all
}

func (c Cell) String() string {
	text := c.Student + " " + Variant{c.Method, c.Teacher}.String() + fmt.Sprintf(" seed %d", c.Seed)
	if c.Dataset != "" {
		text = c.Dataset + " " + text
	}
	if c.Share != 0 {
		text += fmt.Sprintf(", %d %% of the training images", c.Share)
	}
	return text
}

// group is what the cell shares with those of other methods and seeds: a student on a data set, with a teacher.
func (c Cell) group() Cell { return Cell{Dataset: c.Dataset, Student: c.Student, Teacher: c.Teacher} }

// file is the cell's name in a folder of records, without extension.
func (c Cell) file() string {
	name := c.Student + "-" + c.Method
	if c.Teacher != "" {
		name += "-" + c.Teacher
	}
	name = fmt.Sprintf("%s-%d", name, c.Seed) + c.suffix()
	if c.Dataset != "" {
		name = c.Dataset + "/" + name
	}
	return name
}

// suffix ends the names of files of a cell of a share. It stands behind the seed, so that no other cell's name ends so.
func (c Cell) suffix() string {
	if c.Share == 0 {
		return ""
	}
	return fmt.Sprintf("-share%d", c.Share)
}

// share is the cell's share of the training images as options and records have it; 0: all.
func (c Cell) share() float64 { return float64(c.Share) / 100 }

// Variant is a method with the teacher it learns from, as Cell names it.
type Variant struct{ Method, Teacher string }

func (v Variant) String() string {
	if v.Teacher == "" {
		return v.Method
	}
	return v.Method + ", " + v.Teacher
}

// folderOf is a data set's name as folders and records have it.
func folderOf(dataset, data string) string {
	name := strings.ReplaceAll(strings.ToLower(dataset), " ", "-")
	if data == Phantom {
		name += "-phantom"
	}
	return name
}
