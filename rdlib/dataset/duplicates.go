package dataset

import (
	"fmt"
	"slices"
)

// Duplicate is a picture that stands in a data set more than once.
type Duplicate struct {
	SHA256 string `json:"sha256,omitempty"` // of the bytes; "" when these differ
	Pixels string `json:"pixels"`           // PixelHash
	Images []Copy `json:"images"`           // in natural order of their paths

	AcrossClasses bool `json:"across_classes"` // its images have several labels
	AcrossParts   bool `json:"across_parts"`   // its images lie in several parts
}

// Copy is one image among those with the same pixels.
type Copy struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Class  string `json:"class"`
	Split  Split  `json:"split,omitempty"` // "" when no part is published
}

func (d *Dataset) copyOf(item int) Copy {
	i := d.Items[item]
	return Copy{i.Path, i.SHA256, d.Classes[i.Label], i.Split}
}

// Duplicates are the pictures that stand in the data set more than once, by their decoded pixels, in natural order of
// their first paths. Images with the same bytes have the same pixels, so these are among them.
func (d *Dataset) Duplicates() []Duplicate {
	return d.duplicates(func(i Item) string { return i.Pixels })
}

// duplicates are the images that agree in key.
func (d *Dataset) duplicates(key func(Item) string) []Duplicate {
	items := map[string][]int{}
	for i, item := range d.Items {
		items[key(item)] = append(items[key(item)], i)
	}
	var found []Duplicate
	for i, item := range d.Items {
		same := items[key(item)]
		if len(same) < 2 || same[0] != i {
			continue
		}
		dup := Duplicate{SHA256: item.SHA256, Pixels: item.Pixels}
		for _, k := range same {
			other := d.Items[k]
			dup.Images = append(dup.Images, d.copyOf(k))
			dup.AcrossClasses = dup.AcrossClasses || other.Label != item.Label
			dup.AcrossParts = dup.AcrossParts || other.Split != item.Split
			if other.SHA256 != item.SHA256 {
				dup.SHA256 = ""
			}
		}
		found = append(found, dup)
	}
	return found
}

// Leak is a test image whose pixels are in the training or validation part too.
type Leak struct {
	Test      Copy   `json:"test"`
	Learnt    []Copy `json:"learnt"`     // the images it is the same as
	SameBytes bool   `json:"same_bytes"` // as one of these
}

// leaksOf are the test images among duplicates that Leaks tells of, in natural order of their paths.
func leaksOf(duplicates []Duplicate) []Leak {
	var leaks []Leak
	for _, dup := range duplicates {
		leaks = append(leaks, dup.leaks()...)
	}
	slices.SortFunc(leaks, func(a, b Leak) int { return CompareNatural(a.Test.Path, b.Test.Path) })
	return leaks
}

func (dup Duplicate) leaks() []Leak {
	var learnt []Copy
	for _, c := range dup.Images {
		if c.Split == Train || c.Split == Val {
			learnt = append(learnt, c)
		}
	}
	if len(learnt) == 0 {
		return nil
	}
	var leaks []Leak
	for _, c := range dup.Images {
		if c.Split == Test {
			same := slices.ContainsFunc(learnt, func(other Copy) bool { return other.SHA256 == c.SHA256 })
			leaks = append(leaks, Leak{Test: c, Learnt: learnt, SameBytes: same})
		}
	}
	return leaks
}

// duplicateNotes says, in a sentence each, that images with the same pixels bear different labels, and that test images
// are in the training or validation part too. Neither is mended: a reader of the results should know.
func (d *Dataset) duplicateNotes() []string {
	var notes []string
	var conflicts []Duplicate
	duplicates := d.Duplicates()
	for _, dup := range duplicates {
		if dup.AcrossClasses {
			conflicts = append(conflicts, dup)
		}
	}
	if len(conflicts) > 0 {
		notes = append(notes, fmt.Sprintf("%s several labels, such as %s", have(len(conflicts), "picture"), conflicts[0].text()))
	}
	if leaks := leaksOf(duplicates); len(leaks) > 0 {
		notes = append(notes, fmt.Sprintf("%s the pixels of a training or validation image, such as %s, which is %s: accuracy on them says little",
			have(len(leaks), "test image"), leaks[0].Test.Path, leaks[0].Learnt[0].Path))
	}
	return notes
}

// text names two images of the picture, of two classes where it has them.
func (dup Duplicate) text() string {
	first, other := dup.Images[0], dup.Images[1]
	for _, c := range dup.Images {
		if c.Class != first.Class {
			other = c
			break
		}
	}
	return fmt.Sprintf("%s (%s) and %s (%s)", first.Path, first.Class, other.Path, other.Class)
}

// have is countOf with its verb.
func have(n int, noun string) string {
	if n == 1 {
		return countOf(n, noun) + " has"
	}
	return countOf(n, noun) + " have"
}
