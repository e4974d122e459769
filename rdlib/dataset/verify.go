package dataset

import (
	"context"
	"fmt"
	"slices"
)

// Verification is what Verify finds in a folder of images. It is complete: every image concerned is named.
type Verification struct {
	Name    string   `json:"name"`
	Root    string   `json:"root"`
	Layout  string   `json:"layout"`
	About   string   `json:"about"` // the layout's folders
	Phantom bool     `json:"phantom"`
	Classes []string `json:"classes"`
	Images  int      `json:"images"` // that can be read

	// Counts compares the readable images with the publication, by part and class. A layout that is no publication, and a
	// phantom, which only has its classes, have nothing to compare with.
	Counts      []Count     `json:"counts"`
	Unreadable  []Skipped   `json:"unreadable"`
	ListedTwice []string    `json:"listed_twice"` // by a published list; each is used once
	ByBytes     Copies      `json:"by_bytes"`
	ByPixels    Copies      `json:"by_pixels"`
	Duplicates  []Duplicate `json:"duplicates"` // by pixels
	Conflicts   []Duplicate `json:"label_conflicts"`
	Leaks       []Leak      `json:"leaks"`
	SplitGroups []string    `json:"split_groups"` // on both sides of the published split
	Ignored     Ignored     `json:"ignored"`
	Notes       []string    `json:"notes"`
	Unusable    string      `json:"unusable,omitempty"` // why Open refuses the folder
}

// Count is the number of images of a class in a part.
type Count struct {
	Split     Split  `json:"split"` // "" where the layout publishes no parts
	Class     string `json:"class"` // "" is all of them
	Images    int    `json:"images"`
	Published *int   `json:"published,omitempty"`
}

// Differs is whether the publication has another number.
func (c Count) Differs() bool { return c.Published != nil && *c.Published != c.Images }

// Copies counts the pictures that stand in a data set more than once, each in one of the four places.
type Copies struct {
	Pictures int `json:"pictures"`
	Images   int `json:"images"` // of these pictures, all copies

	Within        int `json:"within"`         // one class, one part
	AcrossParts   int `json:"across_parts"`   // one class, several parts
	AcrossClasses int `json:"across_classes"` // several classes, one part
	AcrossBoth    int `json:"across_both"`
}

func countCopies(duplicates []Duplicate) Copies {
	c := Copies{Pictures: len(duplicates)}
	for _, dup := range duplicates {
		c.Images += len(dup.Images)
		switch {
		case dup.AcrossClasses && dup.AcrossParts:
			c.AcrossBoth++
		case dup.AcrossClasses:
			c.AcrossClasses++
		case dup.AcrossParts:
			c.AcrossParts++
		default:
			c.Within++
		}
	}
	return c
}

// Verify reads all images of a folder and finds what is wrong with them. Only published parts count: none are drawn. An
// error is as those of Open, of a folder that no images can be found in; whatever else keeps Open from using the folder is
// in Unusable. Of the options only Layout, Limits, Workers and Progress matter.
func Verify(ctx context.Context, dir string, o Options) (*Verification, error) {
	o.Strict, o.TestFraction, o.ValFraction = false, 0, 0
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	found, err := recognise(dir, o)
	if err != nil {
		return nil, err
	}
	d, err := newDataset(dir, found, o)
	if err != nil {
		return nil, err
	}
	if err := d.keepReadable(ctx, found, o); err != nil {
		return nil, err
	}
	l := layouts[slices.IndexFunc(layouts, func(l layout) bool { return l.name == d.Layout })]
	v := &Verification{
		Name: d.Name, Root: d.Root, Layout: d.Layout, About: l.about, Phantom: d.Phantom != nil, Classes: d.Classes, Images: len(d.Items),
		Counts: d.countAgainst(l.published), Unreadable: notNil(d.Skipped), ListedTwice: notNil(d.ListedTwice),
		ByBytes:  countCopies(d.duplicates(func(i Item) string { return i.SHA256 })),
		Notes:    notNil(d.Notes),
		Ignored:  d.Ignored,
		Unusable: d.unusable(found, o),
	}
	v.Duplicates = notNil(d.Duplicates())
	v.ByPixels = countCopies(v.Duplicates)
	v.Leaks = notNil(leaksOf(v.Duplicates))
	v.Conflicts = []Duplicate{}
	for _, dup := range v.Duplicates {
		if dup.AcrossClasses {
			v.Conflicts = append(v.Conflicts, dup)
		}
	}
	v.SplitGroups = notNil(splitGroups(found.files))
	v.Ignored.Examples = notNil(v.Ignored.Examples)
	return v, nil
}

// unusable is what Open says of images that were found and read.
func (d *Dataset) unusable(found *listing, o Options) string {
	trial := *d
	trial.Items, trial.Notes = slices.Clone(d.Items), nil
	err := checkGroups(d.Root, found.files)
	if err == nil {
		_, err = assignSplits(trial.Items, d.Classes, o)
	}
	if err == nil {
		err = trial.checkParts()
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

// Findings are the kinds of things that are wrong, each in a few words; a data set without any is as published and clean.
func (v *Verification) Findings() []string {
	differing := 0
	for _, c := range v.Counts {
		if c.Differs() {
			differing++
		}
	}
	var findings []string
	for _, f := range []struct {
		n         int
		one, many string
	}{
		{differing, "count is not as published", "counts are not as published"},
		{len(v.Unreadable), "file cannot be read", "files cannot be read"},
		{len(v.ListedTwice), "name is listed twice", "names are listed twice"},
		{v.ByPixels.Pictures, "picture is there more than once", "pictures are there more than once"},
		{len(v.Conflicts), "picture has several labels", "pictures have several labels"},
		{len(v.Leaks), "test image is in training", "test images are in training"},
		{len(v.SplitGroups), "group is on both sides of the split", "groups are on both sides of the split"},
	} {
		switch {
		case f.n == 1:
			findings = append(findings, "1 "+f.one)
		case f.n > 1:
			findings = append(findings, fmt.Sprintf("%d %s", f.n, f.many))
		}
	}
	return findings
}

// countAgainst counts the images by part and class, beside the publication's numbers.
func (d *Dataset) countAgainst(published map[Split]map[string]int) []Count {
	if d.Phantom != nil {
		published = nil
	}
	counts := []Count{}
	for _, part := range []Split{"", Train, Val, Test} {
		found := d.Counts(part)
		total := 0
		for _, n := range found {
			total += n
		}
		if total == 0 && published[part] == nil {
			continue
		}
		all, complete := 0, true
		for label, class := range d.Classes {
			c := Count{Split: part, Class: class, Images: found[label]}
			if n, ok := published[part][class]; ok {
				c.Published = &n
				all += n
			} else {
				complete = false
				if c.Images == 0 {
					continue
				}
			}
			counts = append(counts, c)
		}
		c := Count{Split: part, Images: total}
		if n, ok := published[part][""]; ok {
			all, complete = n, true
		}
		if complete {
			c.Published = &all
		}
		counts = append(counts, c)
	}
	return counts
}

// notNil is what JSON writes as [] where there is nothing.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
