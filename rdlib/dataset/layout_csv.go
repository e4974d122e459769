package dataset

import (
	"encoding/csv"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// csvFile is a table of images: a CSV file, or a folder with one whose header names path and label. Paths are relative to
// the folder of the file.
var csvFile = layout{
	name:  "csv",
	about: "a CSV file with the columns path, label and, optionally, split and group",
	looks: func(root string, top folder) bool { return len(imageTables(root, top)) > 0 },
	read:  readCSV,
}

func isCSV(file string) bool { return strings.EqualFold(filepath.Ext(file), ".csv") }

// imageTables are the CSV files of a folder whose header names path and label.
func imageTables(root string, top folder) []string {
	var tables []string
	for _, name := range top.files {
		if !isCSV(name) {
			continue
		}
		file, err := os.Open(filepath.Join(root, name))
		if err != nil {
			continue
		}
		header, err := csv.NewReader(io.LimitReader(file, 1<<16)).Read()
		file.Close()
		if err != nil {
			continue
		}
		for k := range header {
			header[k] = columnName(header[k])
		}
		if slices.Contains(header, "path") && slices.Contains(header, "label") {
			tables = append(tables, name)
		}
	}
	return tables
}

// readCSV reads a CSV file, or the only one of a folder.
func readCSV(given string, o Options) (*listing, error) {
	file := given
	if !isCSV(file) {
		top, err := readFolder(given)
		if err != nil {
			return nil, err
		}
		switch tables := imageTables(given, top); len(tables) {
		case 0:
			return nil, missingParts{"a CSV file whose first line names path and label"}
		case 1:
			file = filepath.Join(given, tables[0])
		default:
			return nil, badDataset("%s has several tables of images, %s: give one of them", given, strings.Join(tables, ", "))
		}
	}
	t, err := readTable(file)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, badDataset("%s is missing", file)
	}
	if err := t.columns([]string{"path", "label"}, []string{"split", "group"}); err != nil {
		return nil, err
	}
	l := &listing{source: newSource(filepath.Dir(file), o.Limits)}
	if file == given {
		l.name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	}
	for i := range t.rows {
		l.label(t.get(i, "label"))
	}
	slices.SortFunc(l.classes, CompareNatural)
	if err := l.addRows(t); err != nil {
		return nil, err
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	if file != given {
		l.unnamed(given, filepath.Base(file))
	}
	return l, l.filesExist(t)
}

// unnamed notes how many images below the folder its table does not name: a table of a few of them hides the others.
func (l *listing) unnamed(root, table string) {
	named := map[string]bool{}
	for _, item := range l.files {
		named[item.Path] = true
	}
	n := 0
	filepath.WalkDir(root, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // what cannot be looked into holds nothing that could be used
		}
		if e.IsDir() {
			if file != root && isHiddenName(e.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		below, err := filepath.Rel(root, file)
		if err == nil && !isHiddenName(e.Name()) && isImageName(e.Name()) && !named[filepath.ToSlash(below)] {
			n++
		}
		return nil
	})
	if n > 0 {
		l.notes = append(l.notes, fmt.Sprintf("%s in the folder, not named in %s: not used (--layout class-folders reads folders of classes instead)", countOf(n, "image"), table))
	}
}

// filesExist refuses a table, one image a row, that names files that do not exist.
func (l *listing) filesExist(t *table) error {
	var missing []int // rows
	for i := range t.rows {
		if l.source.missing(l.files[i].Path) {
			missing = append(missing, i)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	more := ""
	if n := len(missing) - 1; n > 0 {
		more = fmt.Sprintf(" (nor does the file of %s below)", countOf(n, "line"))
	}
	return t.errorf(missing[0], "%s does not exist%s: correct the path, which is relative to the folder of the table, or take the line out", l.files[missing[0]].Path, more)
}

// addRows lists the images of a table.
func (l *listing) addRows(t *table) error {
	line := map[string]int{} // of a path
	published := t.get(0, "split") != ""
	for i := range t.rows {
		image, label, split := t.get(i, "path"), t.get(i, "label"), strings.ToLower(t.get(i, "split"))
		part := splitFolders[split]
		switch {
		case image == "":
			return t.errorf(i, "the path is missing")
		case leadsOut(image):
			return t.errorf(i, "path %q leads out of the folder of the table, or is not written with forward slashes: paths are relative to that folder", image)
		case label == "":
			return t.errorf(i, "%s has no label", image)
		case split != "" && part == "":
			return t.errorf(i, "split %q of %s is none of train, val and test", split, image)
		case (split != "") != published:
			return t.errorf(i, "%s: some images have a split and others none: fill in all or none", image)
		}
		image = path.Clean(image)
		if before, twice := line[image]; twice {
			return t.errorf(i, "%s is listed before, in line %d: keep one", image, before)
		}
		line[image] = t.lines[i]
		l.files = append(l.files, Item{Path: image, Label: l.label(label), Split: part, Group: t.get(i, "group")})
	}
	return nil
}
