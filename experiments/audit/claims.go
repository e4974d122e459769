package audit

import (
	"fmt"
	"slices"
	"strings"
)

// claim is what a publication's text says of one of its tables.
type claim struct {
	from    *Table
	table   string
	what    string // claimBest or claimCompares
	subject string
}

const (
	claimBest     = "best"     // the subject is the best method of every row
	claimCompares = "compares" // the subject is among the methods compared
)

var claimHeader = []string{"table", "claim", "subject"}

// isClaims is whether a table lists claims.
func isClaims(t *Table) bool { return slices.Equal(t.Header, claimHeader) }

func readClaims(t *Table) ([]claim, error) {
	var claims []claim
	for i, row := range t.Rows {
		c := claim{from: t, table: row[0], what: row[1], subject: row[2]}
		if c.what != claimBest && c.what != claimCompares || c.table == "" || c.subject == "" {
			return nil, fmt.Errorf("%s: row %d: a claim is a table's name, %q or %q, and a method", t.Name, i+1, claimBest, claimCompares)
		}
		claims = append(claims, c)
	}
	return claims, nil
}

// bestOf are the columns of methods with the largest accuracy of a row; none where fewer than two have one.
func (l *layout) bestOf(row int) []int {
	var best []int
	var largest number
	n := 0
	for _, k := range l.methods() {
		v, ok := parseNumber(l.Rows[row][k])
		if !ok {
			continue
		}
		n++
		v = v.withDecimals(l.decimals)
		switch {
		case len(best) == 0 || v.float() > largest.float():
			best, largest = []int{k}, v
		case v.float() == largest.float():
			best = append(best, k)
		}
	}
	if n < 2 {
		return nil
	}
	return best
}

// bestCounts counts for each method the rows, averages apart, in which it alone is the best.
func (l *layout) bestCounts() map[int]int {
	counts := map[int]int{}
	for row := range l.Rows {
		if best := l.bestOf(row); len(best) == 1 && !l.average(row) {
			counts[best[0]]++
		}
	}
	return counts
}

// claimedBest is the method that is claimed to be the best of a table: what a claim says, or else the one that is so in most rows.
// Tables that experiments wrote claim nothing by themselves.
func (a *audit) claimedBest(l *layout) int {
	for _, c := range a.claims {
		if c.table == l.Name && c.what == claimBest {
			return slices.IndexFunc(l.Header, func(h string) bool { return plainName(h) == plainName(c.subject) })
		}
	}
	if l.ours() {
		return -1
	}
	for column, n := range l.bestCounts() {
		if 2*n > len(l.Rows) {
			return column
		}
	}
	return -1
}

// countBest counts in how many rows the method that is claimed to be the best is so, and names the others.
func (a *audit) countBest() {
	for _, l := range a.tables {
		subject := a.claimedBest(l)
		if subject < 0 {
			continue
		}
		rows, alone := 0, 0
		var shared, beaten []string
		for row := range l.Rows {
			best := l.bestOf(row)
			if len(best) == 0 || l.average(row) {
				continue
			}
			if _, ok := parseNumber(l.Rows[row][subject]); !ok {
				continue
			}
			rows++
			var others []string
			for _, k := range best {
				if k != subject {
					others = append(others, l.Header[k]+" "+l.Rows[row][k])
				}
			}
			text := fmt.Sprintf("%s: %s %s, %s", l.rowName(row), l.Header[subject], l.Rows[row][subject], strings.Join(others, ", "))
			switch {
			case !slices.Contains(best, subject):
				beaten = append(beaten, text)
			case len(best) > 1:
				shared = append(shared, text)
			default:
				alone++
			}
		}
		if alone == rows {
			continue
		}
		detail := fmt.Sprintf("%s is the best in %d of %d rows", l.Header[subject], alone, rows)
		for _, list := range []struct {
			what string
			rows []string
		}{{"shares the first place", shared}, {"is beaten", beaten}} {
			if len(list.rows) > 0 {
				detail += fmt.Sprintf("; it %s in %d (%s)", list.what, len(list.rows), strings.Join(list.rows, "; "))
			}
		}
		f := l.finding(Claim, -1, subject, "%s", detail)
		f.Value = Value(fmt.Sprintf("%d of %d", alone, rows))
		a.findings = append(a.findings, f)
	}
}

// checkNamed looks for the tables and methods that claims name.
func (a *audit) checkNamed() {
	for _, c := range a.claims {
		at := slices.IndexFunc(a.tables, func(l *layout) bool { return l.Name == c.table })
		if at < 0 {
			a.findings = append(a.findings, Finding{Table: c.table, Kind: Undetermined, Value: Value(c.subject), Detail: fmt.Sprintf("%s is not there, of which a claim about %s could be checked", c.table, c.subject)})
			continue
		}
		l := a.tables[at]
		if slices.ContainsFunc(l.values, func(k int) bool { return plainName(l.Header[k]) == plainName(c.subject) }) {
			continue
		}
		f := l.finding(Claim, -1, -1, "%s is said to be among the methods of %s, which has no column of it", c.subject, l.Name)
		f.Column, f.Value = c.subject, Value(c.subject)
		a.findings = append(a.findings, f)
	}
}
