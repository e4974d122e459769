package audit

import (
	"fmt"
	"slices"
)

// checkRowGains recomputes the gains of tables whose rows are compared with each other: a row's accuracy less that of the row which its
// column "gain over" names, among those of the same data set, student and teacher.
func (a *audit) checkRowGains() {
	for _, l := range a.tables {
		if l.gain < 0 || l.over < 0 || l.named < 0 || len(l.values) != 1 {
			continue
		}
		for row := range l.Rows {
			if kind, detail := a.checkRowGain(l, row); kind != "" {
				a.findings = append(a.findings, l.finding(kind, row, l.gain, "%s: %s", l.where(row, l.gain), detail))
			}
		}
	}
}

// checkRowGain says what is wrong with one gain; the kind is "" where nothing is.
func (a *audit) checkRowGain(l *layout, row int) (kind Kind, detail string) {
	text, over := l.Rows[row][l.gain], l.Rows[row][l.over]
	state, hasState := l.companion(row, l.gain, stateSuffix)
	v, ok := parseNumber(text)
	v = v.withDecimals(l.decimals)
	base := slices.IndexFunc(l.Rows, func(other []string) bool {
		same := func(k int) bool { return k < 0 || other[k] == l.Rows[row][k] }
		return other[l.named] == over && same(l.dataset) && same(l.student) && same(l.teacher)
	})
	switch {
	case over == "" || text == "" && hasState && state != "done":
		return "", "" // there is none, or the table says why
	case !ok:
		return Undetermined, fmt.Sprintf("%q is no number", text)
	case base < 0:
		return Undetermined, fmt.Sprintf("%s has no row %q there", l.Name, over)
	}
	var g recomputed
	found := 0
	seeds, _ := l.companion(row, l.gain, seedsSuffix)
	for _, c := range a.cells {
		if c.layout != l || c.row != row && c.row != base {
			continue
		}
		if fmt.Sprint(c.seeds) != seeds {
			return Undetermined, fmt.Sprintf("%s is printed, of %s seeds; the accuracies are not both of so many", text, seeds)
		}
		found++
		if c.row == row {
			g.add(c, 1)
		} else {
			g.add(c, -1)
		}
	}
	switch {
	case found != 2:
		return Undetermined, fmt.Sprintf("%s is printed, but the two accuracies are not there", text)
	case !g.is(v):
		return Gain, fmt.Sprintf("a gain of %s over %s is printed, the accuracies' difference is %.*f", text, over, v.decimals, g.printed)
	}
	return "", ""
}
