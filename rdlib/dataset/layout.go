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

// The parts. Val chooses between students of one run; Test is looked at once.
const (
	Train Split = "train"
	Val   Split = "val"
	Test  Split = "test"
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
	layout  string
	root    string // paths are relative to it
	classes []string
	files   []Item // Path, Label, and Split where it is published
	ignored Ignored
	notes   []string
}

// A layout reads a folder published in its way. It returns nil and no error for a folder of another layout.
type layout struct {
	name string
	read func(dir string) (*listing, error)
}

// layouts are tried in order; the last takes every folder or says what it misses.
var layouts = []layout{
	{"class folders", readClassFolders},
}

// recognise finds the layout of a folder.
func recognise(dir string) (*listing, error) {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, badDataset("%s does not exist: give the folder that holds the class folders", dir)
	}
	if err != nil {
		return nil, badDataset("%w", err)
	}
	if !info.IsDir() {
		return nil, badDataset("%s is a file: give the folder that holds the class folders", dir)
	}
	for _, l := range layouts {
		found, err := l.read(dir)
		if err != nil {
			return nil, err
		}
		if found == nil {
			continue
		}
		found.layout = l.name
		slices.SortStableFunc(found.files, func(a, b Item) int { return CompareNatural(a.Path, b.Path) })
		return found, nil
	}
	return nil, badDataset("%s has none of the known layouts", dir)
}

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
		if strings.HasPrefix(name, ".") || name == "__MACOSX" {
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
