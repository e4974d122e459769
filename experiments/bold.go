package experiments

import (
	"fmt"
	"strings"
)

// bold says which of the bold values exceed the underlined ones of their rows by more than noise.
func (r *Results) bold(c *contest) (string, error) {
	var duels []duel
	for i, row := range c.Rows[:len(c.cells)] {
		first, second := duelists(row.Values)
		if first < 0 {
			continue
		}
		duels = append(duels, duel{fmt.Sprintf("%s: %s over %s", strings.Join(row.Labels, " "), c.Columns[first], c.Columns[second]), r.pairs(c.cells[i][first], c.cells[i][second])})
	}
	return r.boldNote(duels, "rows")
}

// duel is a bold value against an underlined one.
type duel struct {
	name  string
	pairs []Pair
}

// duelists are the places of the best value and of the one that comes next; -1 where values have no rank.
func duelists(values []Value) (first, second int) {
	first, second = -1, -1
	for place := 1; place <= 2; place++ {
		for i, v := range values {
			switch {
			case v.Rank != place:
			case first < 0:
				first = i
			case second < 0:
				second = i
			}
		}
	}
	return first, second
}

// boldNote tests duels; "" of none.
func (r *Results) boldNote(duels []duel, of string) (string, error) {
	if len(duels) == 0 {
		return "", nil
	}
	if !r.tested() {
		return "Whether a bold value is better than an underlined one is not tested: predictions of the reported students are not kept.", nil
	}
	var groups [][]Pair
	for _, d := range duels {
		groups = append(groups, d.pairs)
	}
	found, err := tallies(groups)
	if err != nil {
		return "", err
	}
	var beyond []string
	untested := 0
	for i, t := range found {
		switch {
		case t.tests == 0:
			untested++
		case t.better > t.worse:
			beyond = append(beyond, fmt.Sprintf("%s (%s)", duels[i].name, t))
		}
	}
	text := fmt.Sprintf("Bold against the next best, on the same test images (McNemar's test of each seed, Holm's correction for all of the table): beyond noise in %d of %d %s", len(beyond), len(duels), of)
	if len(beyond) > 0 {
		text += ": " + strings.Join(beyond, "; ")
	}
	if untested > 0 {
		text += fmt.Sprintf("; %d not tested", untested)
	}
	return text + ".", nil
}
