package dataset

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// isic2018 is task 3 of the ISIC 2018 challenge, dermoscopy: a folder of images and a CSV file of one-hot labels for each
// part. A part that is absent altogether is drawn from the training part.
var isic2018 = layout{
	name:  "isic2018",
	about: "ISIC2018_Task3_{Training,Validation,Test}_Input/ISIC_*.jpg with …_GroundTruth/…_GroundTruth.csv",
	looks: func(_ string, top folder) bool {
		return slices.ContainsFunc(top.dirs, func(name string) bool { return strings.HasPrefix(name, isicPrefix) })
	},
	read: readISIC2018,
	published: map[Split]map[string]int{
		Train: {"MEL": 1113, "NV": 6705, "BCC": 514, "AKIEC": 327, "BKL": 1099, "DF": 115, "VASC": 142},
		Val:   {"": 193},
		Test:  {"": 1512},
	},
}

const isicPrefix = "ISIC2018_Task3_"

var isicClasses = []string{"MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"}

func readISIC2018(root string, o Options) (*listing, error) {
	top, err := readFolder(root)
	if err != nil {
		return nil, err
	}
	l := &listing{source: newSource(root, o.Limits), classes: isicClasses}
	var missing missingParts
	var folders []string
	for _, p := range []struct {
		split Split
		name  string
	}{{Train, "Training"}, {Val, "Validation"}, {Test, "Test"}} {
		input, truth := isicPrefix+p.name+"_Input", isicPrefix+p.name+"_GroundTruth"
		absent := top.without("", []string{input, truth})
		if len(absent) == 2 && p.split != Train {
			continue
		}
		folders = append(folders, input, truth)
		if len(absent) > 0 {
			missing = append(missing, absent...)
			continue
		}
		if err := l.addISIC(input, truth, p.split); err != nil {
			if m, ok := err.(missingParts); ok {
				missing = append(missing, m...)
				continue
			}
			return nil, err
		}
	}
	if len(missing) > 0 {
		return nil, missing
	}
	l.leaveOut("", top, folders)
	return l, l.check()
}

// addISIC lists the images of one part.
func (l *listing) addISIC(input, truth string, part Split) error {
	f, err := readFolder(l.source.place(input))
	if err != nil {
		return err
	}
	file := map[string]string{} // name without extension → path
	for _, image := range f.images(input, &l.ignored) {
		file[strings.TrimSuffix(path.Base(image), path.Ext(image))] = image
	}
	list := truth + "/" + truth + ".csv"
	t, err := readTable(l.source.place(list))
	if err != nil {
		return err
	}
	if t == nil {
		return missingParts{list}
	}
	if err := t.columns(append([]string{"image"}, isicClasses...), nil); err != nil {
		return err
	}
	labels := map[string]int{}
	for i := range t.rows {
		name := t.get(i, "image")
		if name == "" || strings.Contains(name, "/") || leadsOut(name) {
			return t.errorf(i, "image %q is no file name", name)
		}
		label, err := t.oneHot(i, isicClasses)
		if err != nil {
			return err
		}
		image := file[name]
		if image == "" {
			image = input + "/" + name + ".jpg"
		}
		if before, twice := labels[name]; twice {
			if before != label {
				return t.errorf(i, "%s is %s here and %s before: keep one", name, isicClasses[label], isicClasses[before])
			}
			l.listedTwice = append(l.listedTwice, image)
			l.notes = append(l.notes, fmt.Sprintf("%s names %s twice: it is used once", list, name))
			continue
		}
		labels[name] = label
		delete(file, name)
		l.files = append(l.files, Item{Path: image, Label: label, Split: part})
	}
	if len(file) > 0 {
		l.notes = append(l.notes, fmt.Sprintf("%s of %s not named by %s: not used", countOf(len(file), "image"), input, list))
	}
	return nil
}

// oneHot is the column, among classes, that is 1 where the others are 0.
func (t *table) oneHot(row int, classes []string) (int, error) {
	label := -1
	for k, class := range classes {
		value, err := strconv.ParseFloat(t.get(row, class), 64)
		switch {
		case err != nil || value != 0 && value != 1:
			return 0, t.errorf(row, "%s is %q: one class must be 1 and the others 0", class, t.get(row, class))
		case value == 1 && label >= 0:
			return 0, t.errorf(row, "%s and %s are both 1: an image has one class", classes[label], class)
		case value == 1:
			label = k
		}
	}
	if label < 0 {
		return 0, t.errorf(row, "no class is 1: the label is missing")
	}
	return label, nil
}
