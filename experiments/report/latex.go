package report

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
	extensionast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/util"

	"rd/experiments"
	"rd/rdlib"
)

//go:embed preamble.tex
var preamble string

// WriteLaTeX writes a LaTeX document with every table and figure that WriteHTML shows to the file out, which names their files,
// .tex and .pdf, as seen from its own folder. A table that is there as Markdown alone is set from that. It is an
// *rdlib.InputError that there is nothing to show, that a figure has no PDF, or that TeX cannot read a path.
func WriteLaTeX(results, figures, out string) error {
	sections, err := contents(results, figures)
	if err != nil {
		return err
	}
	folder := filepath.Dir(out)
	var b strings.Builder
	b.WriteString(preamble)
	for _, s := range sections {
		fmt.Fprintf(&b, "\n\\section{%s}\n", experiments.LaTeXText(s.Name))
		for _, file := range s.Tables {
			if ready := sibling(file, ".tex"); ready != "" {
				name, err := readable(folder, ready)
				if err != nil {
					return err
				}
				fmt.Fprintf(&b, "\\input{%s}\n\\clearpage\n", name)
				continue
			}
			table, err := readMarkdown(file)
			if err != nil {
				return err
			}
			b.WriteString(table.latex())
		}
		for _, file := range s.Figures {
			drawn := sibling(file, ".pdf")
			if drawn == "" {
				return &rdlib.InputError{Err: fmt.Errorf("%s is not there as PDF, which LaTeX needs: draw it again", file)}
			}
			name, err := readable(folder, drawn)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "\\begin{figure}[!htbp]\n\\centering\n\\drawn{%s}\n\\caption{%s, %s}\n\\end{figure}\n", name, experiments.LaTeXText(stem(file)), experiments.LaTeXText(s.Name))
		}
		b.WriteString("\\clearpage\n")
	}
	b.WriteString("\n\\end{document}\n")
	return write(out, []byte(b.String()))
}

// plainPath are the paths that TeX reads as they are.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9./_+,=@-]+$`)

// readable is the path of a file as seen from a folder.
func readable(folder, file string) (string, error) {
	rel, err := relative(folder, file)
	if err != nil {
		return "", err
	}
	if !plainPath.MatchString(rel) {
		return "", &rdlib.InputError{Err: fmt.Errorf("TeX cannot read the path %q: rename its folders so that they have letters, digits and . _ + - only", rel)}
	}
	return rel, nil
}

// latex is a Markdown file as LaTeX.
func (t tableFile) latex() string {
	var b strings.Builder
	for n := t.document.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.Heading:
			fmt.Fprintf(&b, "\\subsection*{%s}\n", t.line(n))
		case *ast.List:
			b.WriteString("\\begin{itemize}\n")
			for item := n.FirstChild(); item != nil; item = item.NextSibling() {
				var parts []string
				for part := item.FirstChild(); part != nil; part = part.NextSibling() {
					parts = append(parts, t.line(part))
				}
				fmt.Fprintf(&b, "\\item %s\n", strings.Join(parts, " "))
			}
			b.WriteString("\\end{itemize}\n")
		case *extensionast.Table:
			b.WriteString(t.tabular(n))
		case *ast.FencedCodeBlock, *ast.CodeBlock:
			for _, line := range strings.Split(strings.TrimSpace(string(n.Lines().Value(t.source))), "\n") {
				fmt.Fprintf(&b, "%s\n\n", code(experiments.LaTeXText(line)))
			}
		default:
			fmt.Fprintf(&b, "%s\n\n", t.line(n))
		}
	}
	return b.String()
}

// tabular is a table without caption, no wider than a line.
func (t tableFile) tabular(table *extensionast.Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\\begin{center}\n\\fitted{\\begin{tabular}{%s}\n\\toprule\n", strings.Repeat("l", len(table.Alignments)))
	for row := table.FirstChild(); row != nil; row = row.NextSibling() {
		var cells []string
		for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
			cells = append(cells, t.line(cell))
		}
		fmt.Fprintf(&b, "%s \\\\\n", strings.Join(cells, " & "))
		if row.Kind() == extensionast.KindTableHeader {
			b.WriteString("\\midrule\n")
		}
	}
	b.WriteString("\\bottomrule\n\\end{tabular}}\n\\end{center}\n")
	return b.String()
}

// line is the text within a node. Links are left out but for their text.
func (t tableFile) line(n ast.Node) string {
	switch n := n.(type) {
	case *ast.Text:
		words := util.UnescapePunctuations(util.ResolveEntityNames(util.ResolveNumericReferences(n.Value(t.source))))
		if n.SoftLineBreak() || n.HardLineBreak() {
			words = append(words[:len(words):len(words)], ' ')
		}
		return experiments.LaTeXText(string(words))
	case *ast.RawHTML:
		switch markup := string(n.Segments.Value(t.source)); markup {
		case "<u>":
			return `\underline{`
		case "</u>":
			return "}"
		case "<br>":
			return " "
		default:
			return experiments.LaTeXText(markup)
		}
	case *ast.HTMLBlock:
		return experiments.LaTeXText(string(n.Lines().Value(t.source)))
	case *ast.AutoLink:
		return experiments.LaTeXText(string(n.Label(t.source)))
	}
	var b strings.Builder
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		b.WriteString(t.line(child))
	}
	switch n := n.(type) {
	case *ast.Emphasis:
		if n.Level == 2 {
			return `\textbf{` + b.String() + "}"
		}
		return `\emph{` + b.String() + "}"
	case *ast.CodeSpan:
		return code(b.String())
	}
	return b.String()
}

// code is a path or command, of text that is LaTeX already.
func code(text string) string { return `\texttt{` + breakable.Replace(text) + "}" }

// breakable lets a line break after the separators of paths and commands.
var breakable = strings.NewReplacer("/", `/\allowbreak{}`, `\_`, `\_\allowbreak{}`, "--", `-{}-\allowbreak{}`, "-", `-\allowbreak{}`, "=", `=\allowbreak{}`)
