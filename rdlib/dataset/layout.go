package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// ErrDataset marks a folder, or a manifest, that no data set can be made from. It is wrapped with the path and the remedy.
var ErrDataset = errors.New("unusable data set")

func badDataset(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDataset}, args...)...)
}

// Split is the part of a data set an image belongs to.
type Split string

// The parts. Val chooses between students of one run; Test is looked at once; what is Dropped was of the test part and is
// not used, see Options.DropLeaks; what is Unused was of the training part, see Dataset.Reduced.
const (
	Train   Split = "train"
	Val     Split = "val"
	Test    Split = "test"
	Dropped Split = "dropped"
	Unused  Split = "unused"
)

// Ignored counts what a folder holds beside images.
type Ignored struct {
	Masks    int      `json:"masks"`    // NAME_mask.png, NAME_mask_1.png: segmentations of NAME.png
	Hidden   int      `json:"hidden"`   // names that begin with a dot, and __MACOSX
	Other    int      `json:"other"`    // files and folders where images are expected
	Examples []string `json:"examples"` // of Other, at most maxExamples
}

const maxExamples = 20

func (g *Ignored) other(path string) {
	g.Other++
	if len(g.Examples) < maxExamples {
		g.Examples = append(g.Examples, path)
	}
}

// listing is what a layout finds in a folder, before any image is opened.
type listing struct {
	layout      string
	name        string  // of the data set; "" is the root's
	source      *source // paths are relative to its root
	classes     []string
	files       []Item // Path, Label, Group, and Split where it is published
	ignored     Ignored
	refused     []Skipped // entries of zip files that must not be read
	listedTwice []string  // paths
	notes       []string
}

// A layout reads a folder published in its way.
type layout struct {
	name  string
	about string // what the folder holds, on one line
	// looks is whether a folder is arranged in this way, wholly or with parts missing.
	looks func(root string, top folder) bool
	// read lists the images, or returns missingParts, also for a folder of another kind.
	read func(root string, o Options) (*listing, error)
	// published is the number of images of the publication, by part ("" where none is published) and
	// class ("" is all of them, where the publication does not say more).
	published map[Split]map[string]int
}

// layouts are tried in order on the folder, and then on those it wraps. The last takes every folder, or says what it
// misses, and goes into wrapped folders by itself.
var layouts = []layout{
	csvFile, busi, covidCT, btc, isic2018, chestXray,
	{name: "class-folders", about: "[train|val|test/]CLASS/IMAGE", read: readClassFolders},
}

// LayoutNames are the layouts that are known.
func LayoutNames() []string {
	var names []string
	for _, l := range layouts {
		names = append(names, l.name)
	}
	return names
}

// CheckLayout refuses a name that no layout has; "" stands for recognising it.
func CheckLayout(name string) error {
	if name != "" && !slices.Contains(LayoutNames(), name) {
		return fmt.Errorf("no layout is called %q: there are %s", name, strings.Join(LayoutNames(), ", "))
	}
	return nil
}

// Look recognises the layout of a folder by the names in it, without opening an image. Errors wrap ErrDataset.
func Look(dir string) (layout string, classes []string, images int, err error) {
	found, err := recognise(dir, Options{})
	if err != nil {
		return "", nil, 0, err
	}
	return found.layout, found.classes, len(found.files), nil
}

// recognise finds the layout of a folder, or reads it in the one that was named.
func recognise(dir string, o Options) (*listing, error) {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, badDataset("%s does not exist: give the folder that holds the class folders", dir)
	}
	if err != nil {
		return nil, badDataset("%w", err)
	}
	if !info.IsDir() && !isCSV(dir) {
		return nil, badDataset("%s is a file: give the folder that holds the class folders, or a CSV file", dir)
	}
	l, root, err := choose(dir, o.Layout)
	if err != nil {
		return nil, err
	}
	found, err := l.read(root, o)
	var missing missingParts
	if errors.As(err, &missing) {
		return nil, badDataset("%s lacks %s of the layout %s, %s: add what is missing, or give another --layout", root, strings.Join(missing, ", "), l.name, l.about)
	}
	if err != nil {
		return nil, err
	}
	found.layout = l.name
	slices.SortStableFunc(found.files, func(a, b Item) int { return CompareNatural(a.Path, b.Path) })
	return found, nil
}

// choose finds the layout, and the folder that is arranged so: dir, or one it wraps.
func choose(dir, name string) (layout, string, error) {
	if err := CheckLayout(name); err != nil {
		return layout{}, "", badDataset("%w", err)
	}
	if isCSV(dir) {
		if name != "" && name != csvFile.name {
			return layout{}, "", badDataset("%s cannot be read as %s: give the folder, or leave --layout out", dir, name)
		}
		return csvFile, dir, nil
	}
	root := dir
	for range maxWrapping + 1 {
		top, err := readFolder(root)
		if err != nil {
			return layout{}, "", err
		}
		for _, l := range layouts {
			if l.looks != nil && (name == "" || name == l.name) && l.looks(root, top) {
				return l, root, nil
			}
		}
		if len(top.dirs) != 1 || splitFolders[strings.ToLower(top.dirs[0])] != "" { // a part does not wrap a data set
			break
		}
		root = filepath.Join(root, top.dirs[0])
	}
	for _, l := range layouts {
		if name == l.name {
			return l, dir, nil
		}
	}
	return layouts[len(layouts)-1], dir, nil
}

// missingParts are the files and folders that a layout has and a folder lacks.
type missingParts []string

func (m missingParts) Error() string { return "lacks " + strings.Join(m, ", ") }

// folder is one directory's content, in natural order.
type folder struct {
	dirs   []string
	files  []string
	hidden int
}

// readFolder lists a directory. A link counts as what it leads to; one that leads nowhere counts as a file, so that it
// is reported with the images.
func readFolder(dir string) (folder, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return folder{}, badDataset("read %s: %w", dir, err)
	}
	var f folder
	for _, e := range entries {
		name := e.Name()
		if isHiddenName(name) {
			f.hidden++
			continue
		}
		isDir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
				isDir = info.IsDir()
			}
		}
		if isDir {
			f.dirs = append(f.dirs, name)
		} else {
			f.files = append(f.files, name)
		}
	}
	slices.SortFunc(f.dirs, CompareNatural)
	slices.SortFunc(f.files, CompareNatural)
	return f, nil
}

// without lists, as paths below prefix, the folders among names that f lacks.
func (f folder) without(prefix string, names []string) missingParts {
	var missing missingParts
	for _, name := range names {
		if !slices.Contains(f.dirs, name) {
			missing = append(missing, prefix+name)
		}
	}
	return missing
}

// leaveOut counts what lies in a folder, whose path below the root is prefix, beside the sub-folders that are read.
func (l *listing) leaveOut(prefix string, f folder, read []string) {
	l.ignored.Hidden += f.hidden
	for _, name := range f.files {
		l.ignored.other(prefix + name)
	}
	for _, name := range f.dirs {
		if !slices.Contains(read, name) {
			l.ignored.other(prefix + name + "/")
		}
	}
}

// countOf is a number and a noun, "1 image" or "2 images".
func countOf(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// isHiddenName is whether a file or folder is the system's own.
func isHiddenName(name string) bool { return strings.HasPrefix(name, ".") || name == "__MACOSX" }

var imageExtensions = []string{".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".gif"}

func isImageName(name string) bool {
	return slices.Contains(imageExtensions, strings.ToLower(filepath.Ext(name)))
}

// maskName is how BUSI names the segmentations that lie among its images.
var maskName = regexp.MustCompile(`(?i)_mask(_\d+)?\.[a-z]+$`)

// images returns the image files of a folder, and counts what is left out. rel is the folder's path under the root.
func (f folder) images(rel string, ignored *Ignored) []string {
	ignored.Hidden += f.hidden
	var images []string
	for _, name := range f.files {
		switch {
		case !isImageName(name):
			ignored.other(rel + "/" + name)
		case maskName.MatchString(name):
			ignored.Masks++
		default:
			images = append(images, rel+"/"+name)
		}
	}
	for _, name := range f.dirs {
		ignored.other(rel + "/" + name + "/")
	}
	return images
}

// hasImages is whether a folder holds an image directly.
func (f folder) hasImages() bool { return slices.ContainsFunc(f.files, isImageName) }
