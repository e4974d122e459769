package report

import (
	"fmt"
	"html/template"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// markdown reads tables and writes them as HTML. Markup within the text is shown as text, but for the few elements that tables
// use; pictures are shown as their description.
var markdown = goldmark.New(goldmark.WithExtensions(extension.Table),
	goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(harmless{}, 1))))

// elements are those that tables use within a cell.
var elements = map[string]bool{"<u>": true, "</u>": true, "<br>": true}

// harmless renders what could bring foreign markup or outside files into a page.
type harmless struct{}

func (harmless) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindRawHTML, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkSkipChildren, nil
		}
		markup := string(n.(*ast.RawHTML).Segments.Value(source))
		if !elements[markup] {
			markup = template.HTMLEscapeString(markup)
		}
		_, err := w.WriteString(markup)
		return ast.WalkSkipChildren, err
	})
	r.Register(ast.KindHTMLBlock, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		markup := n.Lines().Value(source)
		if block := n.(*ast.HTMLBlock); block.HasClosure() {
			markup = append(markup[:len(markup):len(markup)], block.ClosureLine.Value(source)...)
		}
		_, err := fmt.Fprintf(w, "<p>%s</p>\n", template.HTMLEscapeString(string(markup)))
		return ast.WalkContinue, err
	})
	r.Register(ast.KindImage, func(util.BufWriter, []byte, ast.Node, bool) (ast.WalkStatus, error) { return ast.WalkContinue, nil })
}

// tableFile is one Markdown file, parsed.
type tableFile struct {
	source   []byte
	document ast.Node
}

func readMarkdown(file string) (tableFile, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return tableFile{}, fmt.Errorf("table: %w", err)
	}
	return tableFile{source, markdown.Parser().Parse(text.NewReader(source))}, nil
}

// tableHTML is a table for a page in the folder out: links, which lead from the table's own folder, are made to lead from there, and
// headings are put below those of the page.
func tableHTML(file, out string) (template.HTML, error) {
	table, err := readMarkdown(file)
	if err != nil {
		return "", err
	}
	err = ast.Walk(table.document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			n.Level = min(n.Level+2, 6)
		case *ast.Link:
			target, err := url.Parse(string(n.Destination))
			if err != nil || target.IsAbs() || target.Host != "" || target.Path == "" || strings.HasPrefix(target.Path, "/") {
				break
			}
			rel, err := relative(out, filepath.Join(filepath.Dir(file), filepath.FromSlash(target.Path)))
			if err != nil {
				return ast.WalkStop, err
			}
			n.Destination = []byte(link(rel))
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := markdown.Renderer().Render(&b, table.source, table.document); err != nil {
		return "", fmt.Errorf("table %s: %w", file, err)
	}
	return template.HTML(b.String()), nil
}

// link is a path as a link.
func link(rel string) string { return (&url.URL{Path: rel}).String() }
