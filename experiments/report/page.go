package report

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
)

//go:embed page.html
var pageSource string

var page = template.Must(template.New("page").Parse(pageSource))

// shownLink is a link to a file beside the page.
type shownLink struct {
	Text string
	Path template.URL
}

// shownFigure is a figure with its picture within the page.
type shownFigure struct {
	Name    string
	Picture template.URL
	Files   []shownLink
}

// shownSection is a section as the page has it.
type shownSection struct {
	ID      string
	Name    string
	Tables  []template.HTML
	Figures []shownFigure
	Records []shownLink
}

// WriteHTML writes one page with every table and figure below a folder of results, and every figure below a second folder where
// that is not "", to the file out. The page needs no other file: figures are within it. Records are linked, with paths as seen
// from the page's folder. The same files give the same page. It is an *rdlib.InputError that there is nothing to show.
func WriteHTML(results, figures, out string) error {
	sections, err := contents(results, figures)
	if err != nil {
		return err
	}
	folder := filepath.Dir(out)
	var shown []shownSection
	for i, s := range sections {
		one, err := s.shown(folder)
		if err != nil {
			return err
		}
		one.ID = fmt.Sprintf("s%d", i+1)
		shown = append(shown, one)
	}
	var b bytes.Buffer
	if err := page.Execute(&b, shown); err != nil {
		return fmt.Errorf("page of %s: %w", results, err)
	}
	return write(out, b.Bytes())
}

// shown reads what the section holds, for a page in a folder.
func (s section) shown(folder string) (shownSection, error) {
	one := shownSection{Name: s.Name}
	for _, file := range s.Tables {
		table, err := tableHTML(file, folder)
		if err != nil {
			return one, err
		}
		one.Tables = append(one.Tables, table)
	}
	for _, file := range s.Figures {
		picture, err := os.ReadFile(file)
		if err != nil {
			return one, fmt.Errorf("figure: %w", err)
		}
		f := shownFigure{Name: stem(file), Picture: template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(picture))}
		for _, extension := range []string{".pdf", ".svg", ".png", ".json"} {
			other := sibling(file, extension)
			if other == "" {
				continue
			}
			rel, err := relative(folder, other)
			if err != nil {
				return one, err
			}
			f.Files = append(f.Files, shownLink{strings.ToUpper(extension[1:]), template.URL(link(rel))})
		}
		one.Figures = append(one.Figures, f)
	}
	for _, file := range s.Records {
		rel, err := relative(folder, file)
		if err != nil {
			return one, err
		}
		one.Records = append(one.Records, shownLink{path.Join(path.Base(path.Dir(rel)), stem(file)), template.URL(link(rel))})
	}
	return one, nil
}

// stem is a file's name without its extension.
func stem(file string) string { return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)) }

// write writes a file, and its folder where there is none.
func write(file string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("folder of the report: %w", err)
	}
	if err := renameio.WriteFile(file, data, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
