package experiments

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"rd/rdlib/stat"
)

// State is why a value of a table has no number.
type State string

const (
	Done   State = ""
	NotRun State = "not run"
	Failed State = "failed"
)

// Table is a table of results before it is written down, in any format.
type Table struct {
	Number  int    // the paper's; 0: it has none
	Name    string // of its files, where it has no number
	Title   string
	Labels  []string // headings of the columns that say what a row is
	Columns []string // headings of the columns of values
	Rows    []TableRow
	Notes   []string // below the table, in plain text
	// Same says what has to be the paper's for a difference to it to be printed; "": data, teacher, size and length of training.
	Same   string
	Beside []*Table // those that are written with it
}

// TableRow is one row: as many labels and values as the table has headings.
type TableRow struct {
	Labels []string
	Values []Value
}

// Value is what one place of a table says: a mean over seeds, or why there is none.
type Value struct {
	State    State
	Text     string  // instead of a number
	Mean     float64 // in per cent, or points
	SD       float64 // standard deviation over seeds; NaN below two
	N        int     // seeds
	Images   string  // test images of each seed, as span writes them; "" where the value is none of one data set
	Signed   bool    // a difference: it is written with its sign
	Whole    bool    // a count: it is written without decimals
	Rank     int     // 1: the best of its row or column, 2: the second, 0: neither
	Remark   string  // such as "within noise"
	p        float64 // of a gain, before a correction for the others; NaN where it was not tested
	Paper    float64 // NaN: the paper has none
	SameAs   bool    // data, teacher, size and length are the paper's: the difference means something
	Records  []string
	Failures []string // paths of the notes on the cells that failed, as Records' relative to the table's folder
}

// links are the paths of what the value was made of: records, and notes of failures.
func (v *Value) links() []string { return slices.Concat(v.Records, v.Failures) }

// absent is a value that was not computed, with the paper's beside it.
func absent(state State, paper float64) Value {
	return Value{State: state, Mean: math.NaN(), SD: math.NaN(), Paper: paper}
}

// wordsValue is a value of words alone.
func wordsValue(words string) Value {
	v := absent(Done, math.NaN())
	v.Text, v.Whole = words, true
	return v
}

// gainOf is the mean of differences, one for each seed, the half width of its 95 % t-interval, and the verdict on it.
func gainOf(differences []float64) (gain, half Value, said string) {
	gain, half = absent(NotRun, math.NaN()), absent(NotRun, math.NaN())
	gain.Signed = true
	if len(differences) == 0 {
		return gain, half, ""
	}
	gain.State = Done
	gain.mean(differences)
	gain.p, said = overSeeds(differences)
	gain.SD = math.NaN() // the interval stands beside it
	half.State, half.N = Done, gain.N
	if _, half.Mean = stat.MeanInterval(differences); half.N < 2 {
		half.Text = "–"
	}
	return gain, half, said
}

// rank marks the largest and second largest of values; equal ones, as printed, share their place, and where all are equal there
// is none.
func rank(values []*Value) {
	var done []*Value
	for _, v := range values {
		if v.State == Done && v.Text == "" {
			done = append(done, v)
		}
	}
	if len(done) < 2 {
		return
	}
	printed := func(v *Value) float64 { return math.Round(v.Mean * 100) }
	var distinct []float64
	for _, v := range done {
		if !slices.Contains(distinct, printed(v)) {
			distinct = append(distinct, printed(v))
		}
	}
	if len(distinct) < 2 {
		return // nothing is better than anything
	}
	slices.Sort(distinct)
	slices.Reverse(distinct)
	for _, v := range done {
		if place := slices.Index(distinct, printed(v)); place < 2 {
			v.Rank = place + 1
		}
	}
}

// otherTeacher marks the paper's values that were reached with another teacher, other data, size or length than ours.
const otherTeacher = "†"

// footer is what the marks of a table mean, as far as it has them.
func (t *Table) footer() []string {
	var paper, other, differs, notRun, failed, ranked bool
	same := cmp.Or(t.Same, "data, teacher, size and length")
	for _, row := range t.Rows {
		for _, v := range row.Values {
			paper = paper || !math.IsNaN(v.Paper) && v.Text == ""
			other = other || !math.IsNaN(v.Paper) && !v.SameAs && v.Text == ""
			differs = differs || !math.IsNaN(v.Paper) && v.SameAs && v.State == Done
			notRun, failed, ranked = notRun || v.State == NotRun, failed || v.State == Failed, ranked || v.Rank > 0
		}
	}
	var lines []string
	for _, line := range []struct {
		has  bool
		text string
	}{
		{ranked, "Bold: the largest, underlined: the second largest, be it by noise."},
		{paper, "“paper”: the paper's value for the same place of its table."},
		{other && t.Same == "", otherTeacher + " other teacher: the paper's data, teacher, size or length of training are not those used here, so that no difference is printed."},
		{other && t.Same != "", otherTeacher + " not the paper's " + t.Same + ", so that no difference is printed."},
		{differs, "In brackets behind the paper's value: the difference to it, where " + same + " are the paper's."},
		{notRun, "“not run”: not computed, by choice of the profile or because data or teacher are not there."},
		{failed, "“failed”: the computation ended with an error; rd status names it."},
	} {
		if line.has {
			lines = append(lines, line.text)
		}
	}
	return append(lines, t.Notes...)
}

// number writes a mean and its standard deviation over seeds, in plain text.
func (v *Value) number() string {
	format := v.format()
	if v.Signed {
		format = "%+" + format[1:]
	}
	text := fmt.Sprintf(format, v.Mean)
	if !math.IsNaN(v.SD) {
		text += fmt.Sprintf(" ± %.2f", v.SD)
	}
	return text
}

// format is how the value's numbers are written.
func (v *Value) format() string { return fmt.Sprintf("%%.%df", v.digits()) }

// digits are their decimals.
func (v *Value) digits() int {
	if v.Whole {
		return 0
	}
	return 2
}

// paper writes the paper's value; "" where it has none.
func (v *Value) paper() string {
	switch {
	case math.IsNaN(v.Paper) || v.Text != "":
		return ""
	case !v.SameAs:
		return fmt.Sprintf(v.format(), v.Paper) + otherTeacher
	case v.State == Done:
		difference := v.Mean - v.Paper
		if math.Abs(difference) < 0.005 {
			difference = 0 // not −0.00
		}
		return fmt.Sprintf(v.format()+" (%+"+v.format()[1:]+")", v.Paper, difference)
	}
	return fmt.Sprintf(v.format(), v.Paper)
}

// plain is a value as text without any markup.
func (v *Value) plain() string {
	switch {
	case v.Text != "":
		return v.Text
	case v.State != Done:
		return string(v.State)
	}
	return strings.TrimSpace(v.number() + " " + v.Remark)
}
