package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"
)

// covidCT is the COVID-CT set of Yang et al. (2020): images in zip files, which are read in place, and split lists.
var covidCT = layout{
	name:  "covid-ct",
	about: "Images-processed/CT_{COVID,NonCOVID}.zip and Data-split/{COVID,NonCOVID}/{train,val,test}CT_….txt",
	looks: func(_ string, top folder) bool {
		return len(top.without("", []string{covidImages, covidLists})) < 2
	},
	read: readCovidCT,
	published: map[Split]map[string]int{
		Train: {"COVID": 191, "NonCOVID": 234},
		Val:   {"COVID": 60, "NonCOVID": 58},
		Test:  {"COVID": 98, "NonCOVID": 105},
	},
}

const (
	covidImages = "Images-processed"
	covidLists  = "Data-split"
)

func readCovidCT(root string, o Options) (*listing, error) {
	l := &listing{source: newSource(root, o.Limits), classes: []string{"COVID", "NonCOVID"}}
	var missing missingParts
	for label, class := range l.classes {
		images, absent, err := l.covidImages(class)
		if err != nil {
			return nil, err
		}
		missing = append(missing, absent...)
		unlisted := len(images)
		listed := map[string]Split{}
		for _, part := range []Split{Train, Val, Test} {
			list := fmt.Sprintf("%s/%s/%sCT_%s.txt", covidLists, class, part, class)
			names, err := readNameList(l.source.place(list))
			if errors.Is(err, fs.ErrNotExist) {
				missing = append(missing, list)
				continue
			}
			if err != nil {
				return nil, err
			}
			for _, name := range names {
				image, found := images[name]
				if !found {
					image = fmt.Sprintf("%s/CT_%s.zip/CT_%s/%s", covidImages, class, class, name)
				}
				if before, twice := listed[name]; twice {
					if before != part {
						return nil, badDataset("%s of %s is listed in both %s and %s: take it off one list", name, class, before, part)
					}
					l.listedTwice = append(l.listedTwice, image)
					l.notes = append(l.notes, fmt.Sprintf("%s names %s twice: it is used once", list, name))
					continue
				}
				listed[name] = part
				if found {
					unlisted--
				}
				l.files = append(l.files, Item{Path: image, Label: label, Split: part})
			}
		}
		if unlisted > 0 && len(missing) == 0 {
			l.notes = append(l.notes, fmt.Sprintf("%s of %s in no split list: not used", countOf(unlisted, "image"), class))
		}
	}
	if len(missing) > 0 {
		return nil, missing
	}
	return l, l.check()
}

// covidImages finds a class's images, by name: in the published zip file, or in the folder it was unpacked to.
func (l *listing) covidImages(class string) (images map[string]string, absent missingParts, err error) {
	images = map[string]string{}
	unpacked := fmt.Sprintf("%s/CT_%s", covidImages, class)
	zip := unpacked + ".zip"
	a, err := l.source.archive(zip)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	if a != nil {
		for _, entry := range a.names {
			l.addImage(images, zip+"/"+entry)
		}
		l.ignored.Hidden += a.hidden
		for _, r := range a.refused {
			l.refused = append(l.refused, Skipped{zip + "/" + r.Path, zip + ": " + r.Reason})
		}
		return images, nil, nil
	}
	f, err := readFolder(l.source.place(unpacked))
	if errors.Is(err, fs.ErrNotExist) {
		return images, missingParts{zip}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, image := range f.images(unpacked, &l.ignored) {
		l.addImage(images, image)
	}
	return images, nil, nil
}

func (l *listing) addImage(images map[string]string, p string) {
	switch name := path.Base(p); {
	case !isImageName(name):
		l.ignored.other(p)
	case images[name] != "":
		l.refused = append(l.refused, Skipped{p, fmt.Sprintf("%s has the name of %s: the latter is used; rename one", p, images[name])})
	default:
		images[name] = p
	}
}

// maxListBytes bounds a list of file names.
const maxListBytes = 16 << 20

// readNameList reads a text file with one file name a line. Blanks around a name, empty lines, and a byte order mark mean
// nothing; every other character, % too, is part of the name.
func readNameList(file string) ([]string, error) {
	data, err := readPlainFile(file, DecodeLimits{Bytes: maxListBytes})
	switch {
	case errors.Is(err, ErrMissing):
		return nil, fs.ErrNotExist
	case errors.Is(err, ErrEmpty):
		return nil, badDataset("%s is empty: copy or download it again", file)
	case err != nil:
		return nil, badDataset("%w", err)
	}
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return nil, badDataset("%s is no text in UTF-8: it must have one file name a line", file)
	}
	var names []string
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	for number := 1; lines.Scan(); number++ {
		name := strings.TrimSpace(lines.Text())
		if name == "" {
			continue
		}
		if strings.Contains(name, "/") || leadsOut(name) {
			return nil, badDataset("line %d of %s is %q, which is no file name: it must have one file name a line", number, file, name)
		}
		names = append(names, name)
	}
	if err := lines.Err(); err != nil {
		return nil, badDataset("%s: %w: it must have one file name a line", file, err)
	}
	if len(names) == 0 {
		return nil, badDataset("%s names no file", file)
	}
	return names, nil
}
