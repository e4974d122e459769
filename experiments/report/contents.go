// Package report puts what lies in folders of results, tables, figures and records, on one page of HTML and into one LaTeX
// document. It computes nothing: what it shows is what the folders hold.
package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"rd/rdlib"
)

// section is what one folder of results holds, each file with its path.
type section struct {
	Name    string   // the folder below that of the results, with slashes
	Tables  []string // Markdown
	Figures []string // SVG
	Records []string // JSON
}

// numbered is how a table of the paper's shape is called.
var numbered = regexp.MustCompile(`^table\d+\.md$`)

// contents collects the tables, figures and records below a folder of results, and the figures below a second folder, which may
// be "". Folders with tables of the paper's shape, and these in their folder, come first, then the others by name; the second folder's figures come last.
// It is an *rdlib.InputError that a folder is not there or that the first has neither table nor figure.
func contents(results, figures string) ([]section, error) {
	sections, err := collect(results)
	if err != nil {
		return nil, err
	}
	if len(sections) == 0 {
		return nil, &rdlib.InputError{Err: fmt.Errorf("no table (.md) and no figure (.svg) lies below %s: compute them with `rd reproduce` or `rd compare`", results)}
	}
	if figures != "" {
		more, err := collect(figures)
		if err != nil {
			return nil, err
		}
		sections = append(sections, more...)
	}
	return sections, nil
}

// collect makes a section of each folder below root that has a table, or a figure in itself or in its folder figures.
func collect(root string) ([]section, error) {
	found := map[string]*section{}
	of := func(folder string) *section {
		if found[folder] == nil {
			found[folder] = &section{Name: path.Join(filepath.Base(absolute(root)), folder)}
		}
		return found[folder]
	}
	records := map[string][]string{}
	if info, err := os.Stat(root); err == nil && !info.IsDir() {
		return nil, &rdlib.InputError{Err: fmt.Errorf("folder of results: %s is a file", root)}
	}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		folder, name := path.Split(filepath.ToSlash(below))
		folder = path.Clean(folder)
		if entry.IsDir() {
			if name == "claims" || name == "paper" {
				return fs.SkipDir
			}
			return nil
		}
		within := strings.Contains("/"+folder+"/", "/records/")
		switch filepath.Ext(name) {
		case ".md":
			if !within && name != "README.md" {
				s := of(folder)
				s.Tables = append(s.Tables, file)
			}
		case ".svg":
			if !within {
				if path.Base(folder) == "figures" {
					folder = path.Dir(folder)
				}
				s := of(folder)
				s.Figures = append(s.Figures, file)
			}
		case ".json":
			records[folder] = append(records[folder], file)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &rdlib.InputError{Err: fmt.Errorf("folder of results: %w", err)}
	}
	if err != nil {
		return nil, fmt.Errorf("folder of results: %w", err)
	}
	// A record belongs to the nearest folder above it that has a section.
	for folder, files := range records {
		for {
			if s := found[folder]; s != nil {
				s.Records = append(s.Records, files...)
				break
			}
			if folder == "." {
				break
			}
			folder = path.Dir(folder)
		}
	}
	var sections []section
	for _, s := range found {
		slices.Sort(s.Records)
		slices.SortStableFunc(s.Tables, func(a, b string) int { return shape(a) - shape(b) })
		sections = append(sections, *s)
	}
	slices.SortFunc(sections, func(a, b section) int {
		if a.numbered() != b.numbered() {
			if a.numbered() {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return sections, nil
}

// numbered is whether the section has a table of the paper's shape.
func (s section) numbered() bool {
	return slices.ContainsFunc(s.Tables, func(file string) bool { return shape(file) == 0 })
}

// shape is 0 for a table of the paper's shape, which stands before the others, whose is 1.
func shape(file string) int {
	if numbered.MatchString(filepath.Base(file)) {
		return 0
	}
	return 1
}

// absolute is the path from the root; the path itself where the working folder cannot be found.
func absolute(file string) string {
	if full, err := filepath.Abs(file); err == nil {
		return full
	}
	return file
}

// relative is the path of a file as seen from a folder, with slashes.
func relative(folder, file string) (string, error) {
	rel, err := filepath.Rel(absolute(folder), absolute(file))
	if err != nil {
		return "", fmt.Errorf("%s cannot be linked from %s: %w", file, folder, err)
	}
	return filepath.ToSlash(rel), nil
}

// sibling is the file of the same name with another extension; "" where there is none.
func sibling(file, extension string) string {
	other := strings.TrimSuffix(file, filepath.Ext(file)) + extension
	if _, err := os.Stat(other); err != nil {
		return ""
	}
	return other
}
