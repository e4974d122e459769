package experiments

import (
	"errors"
	"fmt"
	"math"
	"strings"

	gonum "gonum.org/v1/gonum/stat"

	"rd/rdlib/stat"
)

// pairs are two cells' records at equal seeds.
func (r *Results) pairs(first, second Cell) []Pair {
	var pairs []Pair
	for seed := range uint64(r.seeds) {
		first.Seed, second.Seed = seed+1, seed+1
		if a, b := r.records[first], r.records[second]; a != nil && b != nil {
			pairs = append(pairs, Pair{entryOf(a), entryOf(b)})
		}
	}
	return pairs
}

// tested is whether predictions of the students that are reported are kept: they are the last epoch's.
func (r *Results) tested() bool { return r.plan.Matrix.Training.Report != "best" }

// tally is what McNemar's tests of some pairs say, after a correction for all that were made with them.
type tally struct {
	better, worse, tests int
	p                    float64 // the smallest
}

// notTested is printed where no test can be made.
const notTested = "not tested"

// String is the tally as tables have it.
func (t tally) String() string {
	p := verdict(t.p)
	switch {
	case t.tests == 0:
		return notTested
	case t.better+t.worse == 0:
		return withinNoise
	case t.tests == 1:
		return p
	case t.worse == 0:
		return fmt.Sprintf("better in %d of %d, %s", t.better, t.tests, p)
	case t.better == 0:
		return fmt.Sprintf("worse in %d of %d, %s", t.worse, t.tests, p)
	}
	return fmt.Sprintf("better in %d, worse in %d of %d, %s", t.better, t.worse, t.tests, p)
}

// tallies are those of groups of pairs, with Holm's correction for all pairs of all groups. A pair that was not tested on the same
// images, or whose predictions were not kept, counts as no test.
func tallies(groups [][]Pair) ([]tally, error) {
	var tests []PairTest
	var of []int // the group of each
	for i, pairs := range groups {
		for _, pair := range pairs {
			if t, err := testPair(pair); err == nil {
				tests, of = append(tests, t), append(of, i)
			}
		}
	}
	if err := correct(tests); err != nil {
		return nil, err
	}
	found := make([]tally, len(groups))
	for k, test := range tests {
		t := &found[of[k]]
		if t.tests == 0 || test.Holm < t.p {
			t.p = test.Holm
		}
		t.tests++
		switch {
		case test.Holm >= significance:
		case test.OnlyFirst > test.OnlySecond:
			t.better++
		default:
			t.worse++
		}
	}
	return found, nil
}

// contest is a table with the cells, but for their seed, that each of its values is of.
type contest struct {
	*Table
	cells [][]Cell // [row][column]
}

// add adds a row.
func (c *contest) add(labels []string, values []Value, cells []Cell) {
	c.Rows = append(c.Rows, TableRow{labels, values})
	c.cells = append(c.cells, cells)
}

// column is that of the method; -1 where there is none.
func (c *contest) column(method string) int {
	for _, row := range c.cells {
		for k, cell := range row {
			if cell.Method == method {
				return k
			}
		}
	}
	return -1
}

// against is the table of what RD has more than each other column, in points: for each row the mean over seeds, with McNemar's
// test of each seed on the same test images; below, the mean over rows, with Wilcoxon's test. In the same words it says the
// latter, "" where there is nothing to compare.
func (r *Results) against(c *contest) (table *Table, said string, err error) {
	rd := c.column("rd")
	if rd < 0 || len(c.Columns) < 2 {
		return nil, "", nil
	}
	table = &Table{
		Name: fmt.Sprintf("tests%d", c.Number), Labels: c.Labels,
		Title: fmt.Sprintf("RD against each other method of Table %d: difference of test accuracy in points, RD less the other; mean ± standard deviation over seeds, %s (%s)", c.Number, r.data(), r.plan.Matrix.Name),
	}
	for k, column := range c.Columns {
		if k != rd {
			table.Columns = append(table.Columns, column)
		}
	}
	means := make([][]float64, len(table.Columns)) // of the rows that have both
	for i, cells := range c.cells {
		row := TableRow{Labels: c.Rows[i].Labels}
		var groups [][]Pair
		done := false
		for k, cell := range cells {
			if k == rd {
				continue
			}
			v := absent(NotRun, math.NaN())
			v.Signed = true
			pairs := r.pairs(cells[rd], cell)
			if len(pairs) > 0 {
				var differences []float64
				for _, p := range pairs {
					differences = append(differences, r.outcome(p.First.Record)-r.outcome(p.Second.Record))
				}
				v.State, done = Done, true
				v.mean(differences)
				other := len(row.Values)
				means[other] = append(means[other], v.Mean)
			}
			if !r.tested() {
				pairs = nil
			}
			row.Values, groups = append(row.Values, v), append(groups, pairs)
		}
		if !done {
			continue
		}
		found, err := tallies(groups)
		if err != nil {
			return nil, "", err
		}
		for k := range row.Values {
			if v := &row.Values[k]; v.State == Done {
				v.Remark = found[k].String()
			}
		}
		table.Rows = append(table.Rows, row)
	}
	said, err = table.addMean(means)
	table.Notes = []string{
		fmt.Sprintf("In a row: exact tests by McNemar of the two students of each seed on the same test images, with Holm's correction for all tests of the row; p is the smallest. “%s”: no test of any seed has p below %.2f after it.", withinNoise, significance),
		fmt.Sprintf("In the last row: mean over the rows that have both, and Wilcoxon's signed-rank test over these, with Holm's correction for all columns. Of fewer than six rows its p cannot be below %.2f. Rows share test images, and those of one data set and student the student alone: the p-values describe these rows and promise nothing of others.", significance),
		fmt.Sprintf("“%s”: predictions of the students compared, on the same test images, are not kept.", notTested),
		fmt.Sprintf("Rows in which there is nothing to compare are left out. The records are those of Table %d.", c.Number),
	}
	return table, said, err
}

// addMean adds the row of means over rows, tested, and says it in a sentence.
func (t *Table) addMean(means [][]float64) (said string, err error) {
	row := TableRow{Labels: make([]string, len(t.Labels))}
	row.Labels[0] = "mean over rows"
	var tests []PairTest
	var of []int
	for k, differences := range means {
		v := absent(NotRun, math.NaN())
		v.Signed, v.N = true, len(differences)
		row.Values = append(row.Values, v)
		if len(differences) == 0 {
			continue
		}
		row.Values[k].State, row.Values[k].Mean = Done, gonum.Mean(differences, nil)
		ranks, err := stat.Wilcoxon(differences, make([]float64, len(differences)), stat.DropZeros)
		if err != nil {
			return "", err
		}
		tests, of = append(tests, PairTest{P: ranks.P()}), append(of, k)
	}
	if err := correct(tests); err != nil {
		return "", err
	}
	var noise, real []string
	for i, test := range tests {
		v := &row.Values[of[i]]
		v.Remark = fmt.Sprintf("(n=%d) %s", v.N, verdict(test.Holm))
		part := fmt.Sprintf("%s %+.2f over %d", t.Columns[of[i]], v.Mean, v.N)
		if test.Holm < significance {
			real = append(real, fmt.Sprintf("%s (%s)", part, verdict(test.Holm)))
		} else {
			noise = append(noise, part)
		}
	}
	t.Rows = append(t.Rows, row)
	if len(tests) == 0 {
		return "", nil
	}
	said = "RD less each other method, mean of so many rows in points, Wilcoxon's test over rows with Holm's correction for the columns: "
	if len(real) > 0 {
		said += strings.Join(real, ", ") + "; "
	}
	if len(noise) > 0 {
		said += withinNoise + ": " + strings.Join(noise, ", ") + "; "
	}
	return fmt.Sprintf("%seach row, tested on its test images: %s.md.", said, t.name()), nil
}

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
	var real []string
	untested := 0
	for i, t := range found {
		switch {
		case t.tests == 0:
			untested++
		case t.better+t.worse > 0:
			real = append(real, fmt.Sprintf("%s (%s)", duels[i].name, t))
		}
	}
	text := fmt.Sprintf("Bold against the next best, on the same test images (McNemar's test of each seed, Holm's correction for all of the table): beyond noise in %d of %d %s", len(real), len(duels), of)
	if len(real) > 0 {
		text += ": " + strings.Join(real, "; ")
	}
	if untested > 0 {
		text += fmt.Sprintf("; %d not tested", untested)
	}
	return text + ".", nil
}

// judge puts what the tests say below the table, and the table of RD against the other methods beside it.
func (r *Results) judge(c *contest) {
	table, against, err := r.against(c)
	bold, other := r.bold(c)
	if table != nil {
		c.Beside = append(c.Beside, table)
	}
	for _, note := range []string{bold, against} {
		if note != "" {
			c.Notes = append(c.Notes, note)
		}
	}
	if err = errors.Join(err, other); err != nil {
		c.Notes = append(c.Notes, fmt.Sprintf("Tests could not be made: %v.", err))
	}
}
