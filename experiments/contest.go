package experiments

import (
	"errors"
	"fmt"
	"math"
	"strings"

	gonum "gonum.org/v1/gonum/stat"

	"rd/rdlib/stat"
)

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
				v.State, done = Done, true
				v.mean(r.differences(pairs))
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
	table.tellSeeds()
	said, err = table.addMean(means)
	table.Notes = []string{
		fmt.Sprintf("In a row: exact tests by McNemar of the two students of each seed on the same test images, with Holm's correction for all tests of the row; p is the smallest. “%s”: no test of any seed has p below %.2f after it.", withinNoise, significance),
		fmt.Sprintf("In the last row: mean over the n rows that have both, and Wilcoxon's signed-rank test over these, with Holm's correction for all columns. Of fewer than six rows its p cannot be below %.2f. Rows share test images, and those of one data set and student the student alone: the p-values describe these rows and promise nothing of others.", significance),
		fmt.Sprintf("“%s”: predictions of the students compared, on the same test images, are not kept.", notTested),
		fmt.Sprintf("Rows in which there is nothing to compare are left out. The records are those of Table %d.", c.Number),
	}
	return table, said, err
}

// addMean adds the row of means over rows, tested, and says it in a sentence.
func (t *Table) addMean(means [][]float64) (said string, err error) {
	row := TableRow{Labels: make([]string, len(t.Labels))}
	row.Labels[0] = "mean over rows"
	var p []float64
	var of []int // the column of each
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
		p, of = append(p, ranks.P()), append(of, k)
	}
	holm, err := stat.Holm(p)
	if err != nil {
		return "", err
	}
	var noise, beyond []string
	for i, p := range holm {
		v := &row.Values[of[i]]
		v.Remark = fmt.Sprintf("(n=%d) %s", v.N, verdict(p))
		part := fmt.Sprintf("%s %+.2f over %d", t.Columns[of[i]], v.Mean, v.N)
		if p < significance {
			beyond = append(beyond, fmt.Sprintf("%s (%s)", part, verdict(p)))
		} else {
			noise = append(noise, part)
		}
	}
	t.Rows = append(t.Rows, row)
	if len(p) == 0 {
		return "", nil
	}
	said = "RD less each other method, mean of so many rows in points, Wilcoxon's test over rows with Holm's correction for the columns: "
	if len(beyond) > 0 {
		said += strings.Join(beyond, ", ") + "; "
	}
	if len(noise) > 0 {
		said += withinNoise + ": " + strings.Join(noise, ", ") + "; "
	}
	return fmt.Sprintf("%seach row, tested on its test images: %s.md.", said, t.name()), nil
}
