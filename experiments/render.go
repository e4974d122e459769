package experiments

import (
	"bytes"
	"fmt"
	"html/template"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/go-gota/gota/dataframe"
	"github.com/go-gota/gota/series"
	"github.com/google/renameio/v2"

	md "rd/rdlib/markdown"
)

// name is the table's file name, without extension.
func (t *Table) name() string {
	if t.Number == 0 {
		return t.Name
	}
	return fmt.Sprintf("table%d", t.Number)
}

// heading is the title, behind the number where there is one.
func (t *Table) heading() string {
	if t.Number == 0 {
		return t.Title
	}
	return fmt.Sprintf("Table %d. %s", t.Number, t.Title)
}

// Write writes a table, and those beside it, to a folder as Markdown, CSV, LaTeX (booktabs) and HTML.
func (t *Table) Write(dir string) error {
	csv, err := t.csv()
	if err != nil {
		return fmt.Errorf("%s of %s: %w", t.name(), dir, err)
	}
	html, err := t.html()
	if err != nil {
		return fmt.Errorf("%s of %s: %w", t.name(), dir, err)
	}
	for ext, data := range map[string][]byte{"md": []byte(t.markdown()), "csv": csv, "tex": []byte(t.latex()), "html": html} {
		path := filepath.Join(dir, t.name()+"."+ext)
		if err := renameio.WriteFile(path, data, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	for _, beside := range t.Beside {
		if err := beside.Write(dir); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", md.Escape(t.heading()))
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	var heads, rule []string
	for _, h := range slices.Concat(t.Labels, t.Columns) {
		heads, rule = append(heads, md.Escape(h)), append(rule, "---")
	}
	line(heads)
	line(rule)
	for _, row := range t.Rows {
		var cells []string
		for _, l := range row.Labels {
			cells = append(cells, md.Escape(l))
		}
		for _, v := range row.Values {
			cells = append(cells, v.markdown())
		}
		line(cells)
	}
	b.WriteByte('\n')
	for _, note := range t.footer() {
		fmt.Fprintf(&b, "- %s\n", md.Escape(note))
	}
	return b.String()
}

func (v *Value) markdown() string {
	text := md.Escape(v.plain())
	switch v.Rank {
	case 1:
		text = "**" + text + "**"
	case 2:
		text = "<u>" + text + "</u>"
	}
	for i, path := range v.links() {
		text += fmt.Sprintf(" [%d](%s)", i+1, path)
	}
	if paper := v.paper(); paper != "" {
		text += "<br>paper " + paper
	}
	return text
}

// csv has for each column of values its mean, and then its standard deviation, number of seeds and of test images, state, the
// paper's value and the records, in columns of their own. Columns of counts alone have nothing of that but the paper's value and
// the records, where there are any, so that nobody takes them for accuracies.
func (t *Table) csv() ([]byte, error) {
	var columns []series.Series
	texts := func(name string, of func(TableRow) string) {
		values := make([]string, len(t.Rows))
		for i, row := range t.Rows {
			values[i] = of(row)
		}
		columns = append(columns, series.New(values, series.String, name))
	}
	for i, label := range t.Labels {
		texts(label, func(r TableRow) string { return r.Labels[i] })
	}
	decimal := func(v float64, digits int) string {
		if math.IsNaN(v) {
			return ""
		}
		return strconv.FormatFloat(v, 'f', digits, 64)
	}
	for i, column := range t.Columns {
		texts(column, func(r TableRow) string {
			if v := r.Values[i]; v.Text != "" {
				return v.Text
			}
			return decimal(r.Values[i].Mean, r.Values[i].digits())
		})
	}
	for i, column := range t.Columns {
		paper := func(r TableRow) string { return decimal(r.Values[i].Paper, r.Values[i].digits()) }
		records := func(r TableRow) string {
			return strings.Join(r.Values[i].links(), " ")
		}
		if t.counts(i) {
			if slices.ContainsFunc(t.Rows, func(r TableRow) bool { return paper(r) != "" }) {
				texts("paper: "+column, paper)
			}
			if slices.ContainsFunc(t.Rows, func(r TableRow) bool { return records(r) != "" }) {
				texts("records: "+column, records)
			}
			continue
		}
		texts(column+" sd", func(r TableRow) string { return decimal(r.Values[i].SD, 2) })
		texts(column+" n", func(r TableRow) string { return strconv.Itoa(r.Values[i].N) })
		texts(column+" test images", func(r TableRow) string { return r.Values[i].Images })
		texts(column+" state", func(r TableRow) string {
			if r.Values[i].State == Done {
				return "done"
			}
			return string(r.Values[i].State)
		})
		texts(column+" paper", paper)
		texts(column+" records", records)
	}
	var out bytes.Buffer
	frame := dataframe.New(columns...)
	if frame.Err != nil {
		return nil, frame.Err
	}
	err := frame.WriteCSV(&out)
	return out.Bytes(), err
}

// counts is whether a column holds whole numbers and nothing else.
func (t *Table) counts(column int) bool {
	return !slices.ContainsFunc(t.Rows, func(r TableRow) bool { return !r.Values[column].Whole })
}

// latexText escapes what LaTeX would read as markup, and two hyphens, which it would make a dash.
var latexText = strings.NewReplacer(`\`, `\textbackslash{}`, "{", `\{`, "}", `\}`, "$", `\$`, "&", `\&`, "#", `\#`, "%", `\%`, "_", `\_`,
	"^", `\textasciicircum{}`, "~", `\textasciitilde{}`, "±", `$\pm$`, otherTeacher, `$^\dagger$`, "“", "``", "”", "''", "--", "-{}-", "–", "--", "α", `$\alpha$`, "β", `$\beta$`, "φ", `$\varphi$`, "×", `$\times$`, "γ", `$\gamma$`, "·", `$\cdot$`, "¹", `$^1$`, "²", `$^2$`, "³", `$^3$`, "−", "$-$", "≤", `$\leq$`, "<", `\textless{}`, ">", `\textgreater{}`, "|", `\textbar{}`, "`", "", "\n", " ", "\r", " ")

// LaTeXText is text as LaTeX, with what would be markup escaped.
func LaTeXText(text string) string { return latexText.Replace(text) }

// stackedRows is how many rows a table may have whose cells have two lines in LaTeX: with more it would be narrow and too high.
const stackedRows = 30

// fitted makes box 0 no wider than a line and no higher than leaves room for a table's notes.
const fitted = `\ifdim\wd0>\linewidth\sbox0{\resizebox{\linewidth}{!}{\usebox0}}\fi
\ifdim\dimexpr\ht0+\dp0\relax>.55\textheight\resizebox*{!}{.55\textheight}{\usebox0}\else\usebox0\fi`

// blockColumns is how many columns of values stand side by side in LaTeX: with more they would be too small to read across a page of
// two text columns. onePart is how many columns in all fit one of the two.
const (
	blockColumns = 8
	onePart      = 6
)

// blocks are the columns of values in parts of about the same size, of which each has blockColumns at most: the ends of each.
func (t *Table) blocks() [][2]int {
	n := len(t.Columns)
	parts := max(1, (n+blockColumns-1)/blockColumns)
	blocks := make([][2]int, parts)
	for i := range blocks {
		blocks[i] = [2]int{i * n / parts, (i + 1) * n / parts}
	}
	return blocks
}

// latex is a table for the packages booktabs and graphicx, as large as it is or as fits a line and a page with its notes, across both
// text columns where it is wide; one of many columns in several parts under one number, with the notes below the last. The records
// of each row stand behind it in a comment.
func (t *Table) latex() string {
	var b strings.Builder
	float := "table"
	if len(t.Labels)+len(t.Columns) > onePart {
		float = "table*"
	}
	blocks := t.blocks()
	fmt.Fprint(&b, "% Needs \\usepackage{booktabs,graphicx}.\n")
	for i, block := range blocks {
		fmt.Fprintf(&b, "\\begin{%s}\n\\centering\n", float)
		if i == 0 {
			fmt.Fprintf(&b, "\\caption{%s}\n\\label{tab:%s}\n", latexText.Replace(t.Title), t.name())
		} else {
			fmt.Fprintf(&b, "\\addtocounter{table}{-1}\n\\caption{%s (further columns)}\n", latexText.Replace(t.Title))
		}
		t.tabular(&b, block[0], block[1])
		if i == len(blocks)-1 {
			b.WriteString("\n\\begin{flushleft}\\scriptsize\n")
			for _, note := range t.footer() {
				fmt.Fprintf(&b, "%s\\\\\n", latexText.Replace(note))
			}
			b.WriteString("\\end{flushleft}\n")
		}
		fmt.Fprintf(&b, "\\end{%s}\n", float)
	}
	return b.String()
}

// tabular writes the labels and the columns of values from first to before end, fitted.
func (t *Table) tabular(b *strings.Builder, first, end int) {
	fmt.Fprintf(b, "\\sbox0{%%\n\\begin{tabular}{%s%s}\n\\toprule\n", strings.Repeat("l", len(t.Labels)), strings.Repeat("c", end-first))
	line := func(cells []string) { fmt.Fprintf(b, "%s \\\\", strings.Join(cells, " & ")) }
	var heads []string
	for _, h := range slices.Concat(t.Labels, t.Columns[first:end]) {
		heads = append(heads, latexText.Replace(h))
	}
	line(heads)
	b.WriteString("\n\\midrule\n")
	for i, row := range t.Rows {
		if i > 0 && row.Labels[0] != t.Rows[i-1].Labels[0] {
			b.WriteString("\\midrule\n")
		}
		var cells, records []string
		for _, l := range row.Labels {
			cells = append(cells, latexText.Replace(l))
		}
		for _, v := range row.Values[first:end] {
			cells = append(cells, v.latex(len(t.Rows) <= stackedRows))
			records = append(records, v.links()...)
		}
		line(cells)
		if len(records) > 0 {
			fmt.Fprintf(b, " %% %s", strings.Join(records, " "))
		}
		b.WriteByte('\n')
	}
	b.WriteString("\\bottomrule\n\\end{tabular}}%\n" + fitted + "\n")
}

// latex is the value with the paper's behind it, or, stacked, below it, so that the table is narrow.
func (v *Value) latex(stacked bool) string {
	text := latexText.Replace(v.plain())
	switch v.Rank {
	case 1:
		text = `\textbf{` + text + "}"
	case 2:
		text = `\underline{` + text + "}"
	}
	paper := v.paper()
	if paper == "" {
		return text
	}
	paper = `{\scriptsize [` + latexText.Replace(paper) + "]}"
	if stacked {
		return `\begin{tabular}[t]{@{}c@{}}` + text + `\\[-2pt]` + paper + `\end{tabular}`
	}
	return text + " " + paper
}

// page is the HTML of one table; html/template escapes what it is given.
var page = template.Must(template.New("table").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Heading}}</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em; color: #222; }
h1 { font-size: 1.2em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; border-top: 2px solid #222; border-bottom: 2px solid #222; }
thead { border-bottom: 1px solid #222; }
th, td { padding: .3em .6em; text-align: left; vertical-align: top; white-space: nowrap; }
tbody tr:hover { background: #f2f5f9; }
.second { text-decoration: underline; }
.paper, .records { font-size: .8em; color: #555; }
.none { color: #777; }
.failed { color: #a40000; }
</style>
</head>
<body>
<h1>{{.Heading}}</h1>
<div class="wide"><table>
<thead><tr>{{range .Labels}}<th>{{.}}</th>{{end}}{{range .Columns}}<th>{{.}}</th>{{end}}</tr></thead>
<tbody>
{{range .Rows}}<tr>{{range .Labels}}<td>{{.}}</td>{{end}}{{range .Values}}<td>{{template "value" .}}</td>{{end}}</tr>
{{end}}</tbody>
</table></div>
<ul>
{{range .Footer}}<li>{{.}}</li>
{{end}}</ul>
</body>
</html>
{{define "value"}}{{if eq .Rank 1}}<strong>{{.Plain}}</strong>{{else if eq .Rank 2}}<span class="second">{{.Plain}}</span>{{else if eq .State "failed"}}<span class="failed">{{.Plain}}</span>{{else if .State}}<span class="none">{{.Plain}}</span>{{else}}{{.Plain}}{{end}}{{if .Links}} <span class="records">{{range $i, $l := .Links}}{{if $i}} {{end}}<a href="{{.Path}}">{{.Number}}</a>{{end}}</span>{{end}}{{with .PaperText}}<br><span class="paper">paper {{.}}</span>{{end}}{{end}}`))

func (t *Table) html() ([]byte, error) {
	type link struct {
		Number int
		Path   string
	}
	type value struct {
		Rank      int
		State     State
		Plain     string
		PaperText string
		Links     []link
	}
	type row struct {
		Labels []string
		Values []value
	}
	var rows []row
	for _, r := range t.Rows {
		out := row{Labels: r.Labels}
		for _, v := range r.Values {
			shown := value{Rank: v.Rank, State: v.State, Plain: v.plain(), PaperText: v.paper()}
			for i, path := range v.links() {
				shown.Links = append(shown.Links, link{i + 1, path})
			}
			out.Values = append(out.Values, shown)
		}
		rows = append(rows, out)
	}
	var b bytes.Buffer
	err := page.Execute(&b, map[string]any{"Heading": t.heading(), "Labels": t.Labels, "Columns": t.Columns, "Rows": rows, "Footer": t.footer()})
	return b.Bytes(), err
}
