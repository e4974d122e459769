package audit

import (
	"fmt"
	"slices"
	"strings"
)

// layout says what the columns of a table are.
type layout struct {
	*Table
	index    int
	dataset  int // columns; -1 where there is none
	student  int
	teacher  int
	images   int   // how many test images a row's accuracies are of
	seeds    int   // of how many runs they are the mean
	labels   []int // what a row is, dataset, student and teacher among them
	values   []int // accuracies
	averages []int // means of a row's accuracies
	counts   []int // whole numbers
	switches []int // those that are 0 or 1 everywhere: what a row has switched on
	gain     int   // of differences between rows, in tables that experiments writes; -1 where there is none
	over     int   // of the row that it is the difference to
	named    int   // of the names of rows
	decimals int   // how many decimals accuracies are printed with, mostly
	// companions of a column of values are the columns next to it in meaning: of "RD" those headed "RD n", "RD state" and so on.
	companions map[int]map[string]int
}

// What follows a heading in those of the columns that belong to it, in tables that experiments writes.
const (
	seedsSuffix  = " n"
	imagesSuffix = " test images"
	stateSuffix  = " state"
)

var suffixes = []string{" sd", seedsSuffix, imagesSuffix, stateSuffix, " paper", " records"}

// Headings of tables whose rows are compared with each other, as experiments writes them.
const (
	rowHeading  = "row"
	gainHeading = "gain"
	overHeading = "gain over"
)

// besideGain are the headings of what stands beside a gain and follows from the single runs, which are not in the table.
var besideGain = []string{"±", "verdict"}

// Headings that always name what a row is, and words for an average.
var (
	datasetNames = []string{"dataset", "data", "datasets"}
	studentNames = []string{"student", "studentmodel"}
	teacherNames = []string{"teacher", "foundationmodel", "teachermodel"}
	labelNames   = slices.Concat(datasetNames, studentNames, teacherNames, []string{"method", "model", "task", "modality"})
	averageNames = []string{"average", "mean", "avg", "overall"}
	imagesNames  = []string{"n", "testn", "ntest", "testimages"}
)

// newLayout works out what the columns are: labels by their headings or because most cells are no numbers, accuracies because they have decimals.
func newLayout(t *Table, index int) *layout {
	l := &layout{Table: t, index: index, dataset: -1, student: -1, teacher: -1, images: -1, seeds: -1, gain: -1, over: -1, named: -1, companions: map[int]map[string]int{}}
	belongs := make([]bool, len(t.Header))
	for k, heading := range t.Header {
		for base, name := range t.Header {
			suffix, ok := strings.CutPrefix(heading, name)
			if ok && slices.Contains(suffixes, suffix) {
				if l.companions[base] == nil {
					l.companions[base] = map[string]int{}
				}
				l.companions[base][suffix] = k
				belongs[k] = true
			}
		}
	}
	for k, heading := range t.Header {
		plain := plainName(heading)
		filled, numbers, shares, withPoint, binary := 0, 0, 0, 0, 0
		for _, row := range t.Rows {
			if row[k] == "" {
				continue
			}
			filled++
			if v, ok := parseNumber(row[k]); ok {
				numbers++
				if v.decimals > 0 {
					withPoint++
				}
				if v.scaled >= 0 && v.scaled <= v.whole() {
					shares++
				}
				if row[k] == "0" || row[k] == "1" {
					binary++
				}
			}
		}
		switch {
		case belongs[k]:
		case slices.Contains(labelNames, plain):
			l.labels = append(l.labels, k)
			switch {
			case l.dataset < 0 && slices.Contains(datasetNames, plain):
				l.dataset = k
			case l.student < 0 && slices.Contains(studentNames, plain):
				l.student = k
			case l.teacher < 0 && slices.Contains(teacherNames, plain):
				l.teacher = k
			}
		case heading == gainHeading && len(l.companions[k]) > 0:
			l.gain = k
		case slices.Contains(besideGain, heading) && slices.Contains(t.Header, gainHeading):
		case heading == overHeading && slices.Contains(t.Header, gainHeading):
			l.over = k
		case slices.Contains(imagesNames, plain) && withPoint == 0:
			l.images = k
		case plain == "seeds" && withPoint == 0:
			l.seeds = k
		case len(l.companions[k]) > 0 || filled == 0 || withPoint > 0 && 2*numbers >= filled && 2*shares >= numbers:
			if slices.Contains(averageNames, plain) {
				l.averages = append(l.averages, k)
			} else {
				l.values = append(l.values, k)
			}
		case 2*numbers < filled:
			l.labels = append(l.labels, k)
		default:
			l.counts = append(l.counts, k)
			if binary == filled {
				l.switches = append(l.switches, k)
			}
		}
	}
	l.named = slices.Index(t.Header, rowHeading)
	l.decimals = l.usualDecimals()
	return l
}

// usualDecimals is how many decimals most values have; of equally frequent numbers the largest.
func (l *layout) usualDecimals() int {
	var frequency [maxDecimals + 1]int
	for _, row := range l.Rows {
		for _, k := range l.values {
			if v, ok := parseNumber(row[k]); ok {
				frequency[v.decimals]++
			}
		}
	}
	usual := 0
	for decimals, n := range frequency {
		if n > 0 && n >= frequency[usual] {
			usual = decimals
		}
	}
	return usual
}

// ours is whether the table is one that experiments wrote, which says of every value how it came about, and claims nothing.
func (l *layout) ours() bool { return len(l.companions) > 0 }

// companion is the cell of a row in a column that belongs to a column of values; ok is whether the table has it.
func (l *layout) companion(row, column int, suffix string) (text string, ok bool) {
	k, ok := l.companions[column][suffix]
	if !ok {
		return "", false
	}
	return l.Rows[row][k], true
}

// label is a row's cell in a column of labels; "" where there is no such column.
func (l *layout) label(row, column int) string {
	if column < 0 {
		return ""
	}
	return l.Rows[row][column]
}

// average is whether a row is the average of others.
func (l *layout) average(row int) bool {
	return slices.ContainsFunc(l.labels, func(k int) bool { return slices.Contains(averageNames, plainName(l.Rows[row][k])) })
}

// rowName is what a row is called: its labels, or what it has switched on, or its number.
func (l *layout) rowName(row int) string {
	var parts []string
	for _, k := range l.labels {
		parts = append(parts, l.Rows[row][k])
	}
	for _, k := range l.switches {
		if l.Rows[row][k] == "1" && len(l.labels) == 0 {
			parts = append(parts, l.Header[k])
		}
	}
	if name := names(parts...); name != "" {
		return name
	}
	return fmt.Sprintf("row %d", row+1)
}

// besides is a row's labels without its data set, for finding the same row of another one.
func (l *layout) besides(row int) string {
	var parts []string
	for _, k := range l.labels {
		if k != l.dataset {
			parts = append(parts, plainName(l.Rows[row][k]))
		}
	}
	return strings.Join(parts, "\x00")
}

// reference is whether a column is no method that is compared, but what a student alone or the teacher itself reaches.
func (l *layout) reference(column int) bool {
	plain := plainName(l.Header[column])
	return l.alone(column) || plain == "teacher" || strings.Contains(plain, "finetuned")
}

// alone is whether a column is what the student alone reaches.
func (l *layout) alone(column int) bool {
	return strings.Contains(plainName(l.Header[column]), "scratch")
}

// methods are the columns of the methods compared.
func (l *layout) methods() []int {
	return slices.DeleteFunc(slices.Clone(l.values), l.reference)
}

// finding is one about a place of the table; row or column -1 where it is about none.
func (l *layout) finding(kind Kind, row, column int, detail string, args ...any) Finding {
	f := Finding{Table: l.Name, Kind: kind, Detail: fmt.Sprintf(detail, args...), place: [3]int{l.index, row, column}}
	if row >= 0 {
		f.Row = l.rowName(row)
	}
	if column >= 0 {
		f.Column = l.Header[column]
	}
	if row >= 0 && column >= 0 {
		f.Value = Value(l.Rows[row][column])
	}
	return f
}

// where names a place in words.
func (l *layout) where(row, column int) string { return names(l.rowName(row), l.Header[column]) }
