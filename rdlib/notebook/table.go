package notebook

import (
	"fmt"
	"html"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/go-gota/gota/dataframe"
	"github.com/go-gota/gota/series"
	"github.com/janpfeifer/gonb/gonbui/protocol"
	"gonum.org/v1/gonum/floats"
)

// Frame is a data frame of a slice of structs: a column for each exported field of a text, a number or a truth value, named by
// its tag `dataframe:"name"` or else as the field; a field with the tag "-" is left out. A data frame is returned as it is.
func Frame(rows any) (dataframe.DataFrame, error) {
	if df, ok := rows.(dataframe.DataFrame); ok {
		return df, df.Err
	}
	v := reflect.ValueOf(rows)
	if !v.IsValid() || v.Kind() != reflect.Slice || v.Type().Elem().Kind() != reflect.Struct {
		return dataframe.DataFrame{}, fmt.Errorf("a table is made of a data frame or a slice of structs, not of %T", rows)
	}
	if v.Len() == 0 {
		return dataframe.DataFrame{}, fmt.Errorf("a table of %T without rows", rows)
	}
	var columns []series.Series
	for _, field := range reflect.VisibleFields(v.Type().Elem()) {
		name, named := field.Tag.Lookup("dataframe")
		if !field.IsExported() || field.Anonymous || name == "-" {
			continue
		}
		if !named {
			name = field.Name
		}
		column, err := column(v, field, name)
		if err != nil {
			return dataframe.DataFrame{}, err
		}
		columns = append(columns, column)
	}
	df := dataframe.New(columns...)
	return df, df.Err
}

// column has one field of all structs of a slice.
func column(rows reflect.Value, field reflect.StructField, name string) (series.Series, error) {
	kind := series.String
	var value func(reflect.Value) any
	switch t := field.Type; {
	case t.Kind() == reflect.String:
		value = func(v reflect.Value) any { return v.String() }
	case t.Kind() == reflect.Bool:
		kind, value = series.Bool, func(v reflect.Value) any { return v.Bool() }
	case t.ConvertibleTo(reflect.TypeFor[int]()) && t.Kind() != reflect.Float64 && t.Kind() != reflect.Float32:
		kind, value = series.Int, func(v reflect.Value) any { return int(v.Convert(reflect.TypeFor[int64]()).Int()) }
	case t.ConvertibleTo(reflect.TypeFor[float64]()):
		kind, value = series.Float, func(v reflect.Value) any { return v.Convert(reflect.TypeFor[float64]()).Float() }
	default:
		return series.Series{}, fmt.Errorf("the field %s is of type %s, which a table has no column for: give it the tag `dataframe:\"-\"`", field.Name, t)
	}
	values := series.New([]string{}, kind, name)
	for i := range rows.Len() {
		values.Append(value(rows.Index(i).FieldByIndex(field.Index)))
	}
	return values, values.Err
}

// Table shows a data frame or a slice of structs, all columns or the named ones. What is no number is shown as –.
func Table(rows any, columns ...string) {
	df, err := Frame(rows)
	Check(err)
	if len(columns) > 0 {
		df = df.Select(columns)
		Check(df.Err)
	}
	show(map[protocol.MIMEType]any{protocol.MIMETextHTML: tableHTML(df), protocol.MIMETextPlain: tableText(df)})
}

// LaTeX is a data frame or slice of structs as a tabular environment in the style of the package booktabs.
func LaTeX(rows any) (string, error) {
	df, err := Frame(rows)
	if err != nil {
		return "", err
	}
	cells := tableCells(df)
	var b strings.Builder
	fmt.Fprintf(&b, "\\begin{tabular}{%s}\n\\toprule\n", alignment(df, "l", "r"))
	for i, row := range cells {
		for k := range row {
			row[k] = latexEscapes.Replace(row[k])
		}
		fmt.Fprintf(&b, "%s \\\\\n", strings.Join(row, " & "))
		if i == 0 {
			b.WriteString("\\midrule\n")
		}
	}
	b.WriteString("\\bottomrule\n\\end{tabular}")
	return b.String(), nil
}

var latexEscapes = strings.NewReplacer(`\`, `\textbackslash{}`, `&`, `\&`, `%`, `\%`, `$`, `\$`, `#`, `\#`, `_`, `\_`, `{`, `\{`, `}`, `\}`, `~`, `\textasciitilde{}`, `^`, `\textasciicircum{}`, `–`, `--`, `±`, `$\pm$`)

// alignment has a mark for each column, one for text and one for numbers.
func alignment(df dataframe.DataFrame, text, number string) string {
	var b strings.Builder
	for _, t := range df.Types() {
		if t == series.Float || t == series.Int {
			b.WriteString(number)
		} else {
			b.WriteString(text)
		}
	}
	return b.String()
}

// tableCells are the headings and then the rows as they are shown.
func tableCells(df dataframe.DataFrame) [][]string {
	cells := [][]string{df.Names()}
	types := df.Types()
	digits := make([]int, df.Ncol())
	for k, name := range df.Names() {
		if types[k] == series.Float {
			digits[k] = decimals(df.Col(name).Float())
		}
	}
	for i := range df.Nrow() {
		row := make([]string, df.Ncol())
		for k := range row {
			e := df.Elem(i, k)
			switch {
			case types[k] == series.Float:
				row[k] = number(e.Float(), digits[k])
			case e.IsNA():
				row[k] = "–"
			default:
				row[k] = e.String()
			}
		}
		cells = append(cells, row)
	}
	return cells
}

// decimals is how many digits after the point a column's numbers have: none for whole ones, else as many as leave its largest
// number three or four digits in all.
func decimals(values []float64) int {
	most, whole := 0.0, true
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			most, whole = max(most, math.Abs(v)), whole && v == math.Trunc(v)
		}
	}
	switch {
	case whole:
		return 0
	case most >= 10:
		return 1
	case most >= 1:
		return 2
	}
	return 3
}

// number is a number as it is shown; one that its column's decimals would make 0 keeps two digits.
func number(v float64, decimals int) string {
	switch text := strconv.FormatFloat(v, 'f', decimals, 64); {
	case math.IsNaN(v):
		return "–"
	case v != 0 && strings.Trim(text, "-0.") == "":
		return strconv.FormatFloat(v, 'g', 2, 64)
	default:
		return text
	}
}

func tableHTML(df dataframe.DataFrame) string {
	align := alignment(df, "l", "r")
	var b strings.Builder
	b.WriteString("<table>\n")
	for i, row := range tableCells(df) {
		tag := "td"
		if i == 0 {
			tag = "th"
		}
		b.WriteString("<tr>")
		for k, cell := range row {
			side := "left"
			if align[k] == 'r' {
				side = "right"
			}
			fmt.Fprintf(&b, `<%s style="text-align:%s">%s</%s>`, tag, side, html.EscapeString(cell), tag)
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</table>")
	return b.String()
}

func tableText(df dataframe.DataFrame) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range tableCells(df) {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	w.Flush()
	return strings.TrimRight(b.String(), "\n")
}

// Pivot has a row for each value of one column and a column for each value of another, both in the order in which they first
// stand there; a cell is the mean of a column of numbers over the rows that have both, NaN where there are none.
func Pivot(rows any, row, column, value string) (dataframe.DataFrame, error) {
	df, err := Frame(rows)
	if err != nil {
		return df, err
	}
	for _, name := range []string{row, column, value} {
		if df.Select(name).Err != nil {
			return df, fmt.Errorf("there is no column %q: there are %q", name, df.Names())
		}
	}
	rowNames, columnNames := distinct(df.Col(row).Records()), distinct(df.Col(column).Records())
	sums, counts := make([][]float64, len(columnNames)), make([][]float64, len(columnNames))
	for k := range columnNames {
		sums[k], counts[k] = make([]float64, len(rowNames)), make([]float64, len(rowNames))
	}
	values := df.Col(value).Float()
	for i := range df.Nrow() {
		r, c := slices.Index(rowNames, df.Col(row).Elem(i).String()), slices.Index(columnNames, df.Col(column).Elem(i).String())
		sums[c][r] += values[i]
		counts[c][r]++
	}
	columns := []series.Series{series.New(rowNames, series.String, row)}
	for k, name := range columnNames {
		floats.Div(sums[k], counts[k])
		columns = append(columns, series.New(sums[k], series.Float, name))
	}
	pivot := dataframe.New(columns...)
	return pivot, pivot.Err
}

func distinct(values []string) []string {
	var found []string
	for _, v := range values {
		if !slices.Contains(found, v) {
			found = append(found, v)
		}
	}
	return found
}
