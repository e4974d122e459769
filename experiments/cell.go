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
}

func (c Cell) String() string {
	text := c.Student + " " + Variant{c.Method, c.Teacher}.String() + fmt.Sprintf(" seed %d", c.Seed)
	if c.Dataset != "" {
		text = c.Dataset + " " + text
	}
	return text
}

// file is the cell's name in a folder of records, without extension.
func (c Cell) file() string {
	name := c.Student + "-" + c.Method
	if c.Teacher != "" {
		name += "-" + c.Teacher
	}
	name = fmt.Sprintf("%s-%d", name, c.Seed)
	if c.Dataset != "" {
		name = c.Dataset + "/" + name
	}
	return name
}

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
