package dataset

import (
	"path/filepath"
	"slices"
	"strings"
)

// splitFolders are the names under which a part is published, in small letters.
var splitFolders = map[string]Split{
	"train": Train, "training": Train,
	"val": Val, "valid": Val, "validation": Val,
	"test": Test, "testing": Test,
}

// maxWrapping is how many folders may lie around the class folders, as unpacked archives have them.
const maxWrapping = 2

// readClassFolders reads DIR/CLASS/IMAGE and DIR/PART/CLASS/IMAGE, PART being one of splitFolders, also when DIR holds
// nothing but one folder that is arranged so.
func readClassFolders(dir string, o Options) (*listing, error) {
	given := dir
	for range maxWrapping + 1 {
		top, err := readFolder(dir)
		if err != nil {
			return nil, err
		}
		parts, others, err := partFolders(dir, top)
		if err != nil {
			return nil, err
		}
		if len(parts) > 0 {
			return readParts(dir, top, parts, others, o)
		}
		l := &listing{source: newSource(dir, o.Limits)}
		if err := l.addClasses("", top.dirs, ""); err != nil {
			return nil, err
		}
		if len(l.files) > 0 {
			l.ignored.Hidden += top.hidden
			for _, name := range top.files {
				l.ignored.other(name)
			}
			return l, l.check()
		}
		if len(top.dirs) != 1 {
			return nil, notClassFolders(given, dir, top)
		}
		dir = filepath.Join(dir, top.dirs[0])
	}
	return nil, badDataset("%s holds no class folders: arrange the images as %s", given, filepath.Join(given, "CLASS", "IMAGE.png"))
}

// notClassFolders says what a folder holds instead of class folders.
func notClassFolders(given, dir string, top folder) error {
	want := filepath.Join(given, "CLASS", "IMAGE.png")
	if top.hasImages() {
		return badDataset("the images of %s lie in no class folders: arrange them as %s", dir, want)
	}
	for _, name := range top.dirs {
		if below, err := readFolder(filepath.Join(dir, name)); err == nil {
			for _, deeper := range below.dirs {
				if f, err := readFolder(filepath.Join(dir, name, deeper)); err == nil && f.hasImages() {
					return badDataset("%s holds no class folders, but %s may: give that one", given, filepath.Join(dir, name))
				}
			}
		}
	}
	return badDataset("%s holds no class folders: arrange the images as %s", given, want)
}

// partFolders finds the published parts among a folder's sub-folders. One that is called "test" beside classes of other
// names is a class, unless there is a training part too, and a training part holds class folders.
func partFolders(dir string, top folder) (parts map[Split]string, others []string, err error) {
	parts = map[Split]string{}
	for _, name := range top.dirs {
		part, ok := splitFolders[strings.ToLower(name)]
		if !ok {
			others = append(others, name)
			continue
		}
		if parts[part] != "" {
			return nil, nil, badDataset("%s holds both %s and %s: keep one", dir, parts[part], name)
		}
		parts[part] = name
	}
	if parts[Train] == "" && len(others) > 0 {
		return nil, nil, nil
	}
	if parts[Train] != "" {
		below, err := readFolder(filepath.Join(dir, parts[Train]))
		if err != nil || len(below.dirs) == 0 { // a class that happens to be called train
			return nil, nil, err
		}
	}
	if len(parts) > 0 && parts[Train] == "" {
		return nil, nil, badDataset("%s has no training part beside %s: add a folder named train", dir, strings.Join(top.dirs, ", "))
	}
	return parts, others, nil
}

func readParts(dir string, top folder, parts map[Split]string, others []string, o Options) (*listing, error) {
	l := &listing{source: newSource(dir, o.Limits)}
	l.ignored.Hidden += top.hidden
	for _, name := range top.files {
		l.ignored.other(name)
	}
	for _, name := range others {
		l.ignored.other(name + "/")
	}
	for _, part := range []Split{Train, Val, Test} {
		name := parts[part]
		if name == "" {
			continue
		}
		below, err := readFolder(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		l.ignored.Hidden += below.hidden
		for _, file := range below.files {
			l.ignored.other(name + "/" + file)
		}
		if part == Train {
			l.classes = below.dirs
		}
		for _, class := range below.dirs {
			if !slices.Contains(l.classes, class) {
				return nil, badDataset("class %q of %s is not in %s, whose classes are %s: rename it, or add it there", class, filepath.Join(dir, name), filepath.Join(dir, parts[Train]), strings.Join(l.classes, ", "))
			}
		}
		if err := l.addClasses(name, below.dirs, part); err != nil {
			return nil, err
		}
	}
	return l, l.check()
}

// addClasses lists the images of class folders under the sub-folder part of the root ("" is the root itself).
func (l *listing) addClasses(part string, classes []string, split Split) error {
	for _, class := range classes {
		if err := l.addClass(strings.TrimPrefix(part+"/"+class, "/"), class, split); err != nil {
			return err
		}
	}
	return nil
}

// addClass lists the images of one folder.
func (l *listing) addClass(folder, class string, split Split) error {
	f, err := readFolder(l.source.place(folder))
	if err != nil {
		return err
	}
	label := l.label(class)
	for _, path := range f.images(folder, &l.ignored) {
		l.files = append(l.files, Item{Path: path, Label: label, Split: split})
	}
	return nil
}

// label is the number of a class, which is added when it is new.
func (l *listing) label(class string) int {
	if !slices.Contains(l.classes, class) {
		l.classes = append(l.classes, class)
	}
	return slices.Index(l.classes, class)
}

// check refuses a listing that nothing can be learnt from.
func (l *listing) check() error {
	if len(l.classes) == 1 {
		return badDataset("%s has only the class %q: a second class is needed", l.source.root, l.classes[0])
	}
	var parts []Split
	for _, part := range []Split{"", Train} {
		if slices.ContainsFunc(l.files, func(i Item) bool { return i.Split == part }) {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return badDataset("%s has no image in its training part", l.source.root)
	}
	for label, class := range l.classes {
		if !slices.ContainsFunc(l.files, func(i Item) bool { return i.Label == label && i.Split == parts[0] }) {
			return badDataset("class %q of %s holds no images to train on (%s): add some, or remove it", class, l.source.root, strings.Join(imageExtensions, " "))
		}
	}
	return nil
}
