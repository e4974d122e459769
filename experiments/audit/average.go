package audit

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// follows is whether a printed number is one of the values, rounded to its decimals, a half either way.
func follows(printed number, values ...float64) bool {
	half := 0.5 * math.Pow10(-printed.decimals)
	return slices.ContainsFunc(values, func(v float64) bool { return math.Abs(v-printed.float()) <= half+1e-9 })
}

// means are those of cells as printed, and as they were before.
func means(cells []*cell) (printed, exact float64) {
	for _, c := range cells {
		printed += c.accuracy.float() / float64(len(cells))
		exact += c.exact() / float64(len(cells))
	}
	return printed, exact
}

// averages recomputes the rows and columns of a table that are averages. copies are the blocks of cells that are copies of others.
func (a *audit) averages(l *layout, copies []block) {
	for row := range l.Rows {
		if l.average(row) {
			for _, column := range l.values {
				a.average(l, row, column, a.averaged(l, row, column), copies)
			}
			continue
		}
		for _, column := range l.averages {
			cells := slices.DeleteFunc(slices.Clone(a.cells), func(c *cell) bool { return c.layout != l || c.row != row || l.reference(c.column) })
			a.average(l, row, column, cells, copies)
		}
	}
}

// averaged are the cells that a row of averages is the mean of: those of its column in the rows above it, since the last such row, whose labels are its
// own where it has them.
func (a *audit) averaged(l *layout, row, column int) []*cell {
	first := row
	for first > 0 && !l.average(first-1) {
		first--
	}
	return slices.DeleteFunc(slices.Clone(a.cells), func(c *cell) bool {
		if c.layout != l || c.column != column || c.row < first || c.row >= row {
			return true
		}
		return slices.ContainsFunc(l.labels, func(k int) bool {
			own := l.Rows[row][k]
			return own != "" && !slices.Contains(averageNames, plainName(own)) && own != l.Rows[c.row][k]
		})
	})
}

// average checks one printed average of the cells.
func (a *audit) average(l *layout, row, column int, cells []*cell, copies []block) {
	text := l.Rows[row][column]
	where := l.where(row, column)
	v, ok := parseNumber(text)
	if state, has := l.companion(row, column, stateSuffix); text == "" && has && state != "done" {
		return
	}
	v = v.withDecimals(l.decimals)
	printed, exact := means(cells)
	switch {
	case !ok:
		a.findings = append(a.findings, l.finding(Undetermined, row, column, "%s: %q is no number", where, text))
	case len(cells) == 0:
		a.findings = append(a.findings, l.finding(Undetermined, row, column, "%s: there are no cells that %s is the average of", where, text))
	case !follows(v, printed, exact):
		a.findings = append(a.findings, l.finding(Average, row, column, "%s: %s is printed, the mean of its %d cells is %.*f", where, text, len(cells), v.decimals, printed))
	default:
		kept := slices.DeleteFunc(slices.Clone(cells), func(c *cell) bool {
			return slices.ContainsFunc(copies, func(b block) bool { return b.holds(c) })
		})
		if len(kept) == len(cells) {
			return
		}
		var of []string
		for _, b := range copies {
			if slices.ContainsFunc(cells, b.holds) {
				of = append(of, b.name())
			}
		}
		rest := "which leaves none"
		if mean, _ := means(kept); len(kept) > 0 {
			rest = fmt.Sprintf("without them it is %.*f", v.decimals, mean)
		}
		a.findings = append(a.findings, l.finding(Average, row, column, "%s: %s was computed with repeated cells (%s); %s", where, text, strings.Join(of, "; "), rest))
	}
}
