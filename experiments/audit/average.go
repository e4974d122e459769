package audit

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// recomputed is a number that follows from cells: from what they print, and from what they were before they were printed.
type recomputed struct {
	printed, exact float64
	// slack is how far, in units of half a last digit, the exact number may be off because test images are not known.
	slack float64
}

// add adds a cell so many times.
func (r *recomputed) add(c *cell, times float64) {
	r.printed += times * c.accuracy.float()
	r.exact += times * c.exact()
	if c.n == 0 {
		r.slack += math.Abs(times)
	}
}

// is whether a printed number is the recomputed one, rounded to its decimals, a half either way.
func (r recomputed) is(v number) bool {
	half := 0.5*math.Pow10(-v.decimals) + 1e-9
	return math.Abs(r.printed-v.float()) <= half || math.Abs(r.exact-v.float()) <= half*(1+r.slack)
}

func mean(cells []*cell) (r recomputed) {
	for _, c := range cells {
		r.add(c, 1/float64(len(cells)))
	}
	return r
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

// averaged are the cells that a row of averages is the mean of: those of its column in the rows above it, since the last such row. Where one of its
// labels is that of other rows, it is the mean of these; in a table of experiments, of rows that have every value.
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
			shared := slices.ContainsFunc(l.Rows[first:row], func(other []string) bool { return other[k] == own })
			return own != "" && shared && own != l.Rows[c.row][k]
		}) || l.ours() && slices.ContainsFunc(l.values, func(k int) bool { return l.Rows[c.row][k] == "" })
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
	recomputed := mean(cells)
	switch {
	case !ok:
		a.findings = append(a.findings, l.finding(Undetermined, row, column, "%s: %q is no number", where, text))
	case len(cells) == 0:
		a.findings = append(a.findings, l.finding(Undetermined, row, column, "%s: there are no cells that %s is the average of", where, text))
	case !recomputed.is(v):
		a.findings = append(a.findings, l.finding(Average, row, column, "%s: %s is printed, the mean of its %d cells is %.*f", where, text, len(cells), v.decimals, recomputed.printed))
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
		if len(kept) > 0 {
			rest = fmt.Sprintf("without them it is %.*f", v.decimals, mean(kept).printed)
		}
		a.findings = append(a.findings, l.finding(Average, row, column, "%s: %s was computed with repeated cells (%s); %s", where, text, strings.Join(of, "; "), rest))
	}
}
