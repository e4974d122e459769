package audit

import (
	"slices"
	"strings"
)

// nameDatasets works out which data set a table without a column of them is about: the one whose test images explain its
// accuracies. It then looks whether the full method is among the accuracies that the other tables have of it.
func (a *audit) nameDatasets() {
	for _, l := range a.plain {
		var of []*cell
		own := false
		for _, c := range a.cells {
			if c.layout == l {
				of = append(of, c)
				own = own || c.images > 0 || c.noImages
			}
		}
		if len(of) == 0 || own {
			continue
		}
		dataset, n := a.datasetOf(of)
		if n == 0 {
			a.findings = append(a.findings, l.finding(Undetermined, -1, of[0].column, "%s names no data set, and none can be told from its %d accuracies, which are therefore not checked", l.Name, len(of)))
			continue
		}
		for _, c := range of {
			c.images, c.dataset = n, dataset
		}
		explained := explainedBy(of, n)
		if dataset == "" {
			a.findings = append(a.findings, l.finding(Undetermined, -1, of[0].column, "%s names no data set; %d of its %d accuracies are k/%d", l.Name, explained, len(of), n))
			continue
		}
		a.findings = append(a.findings, l.finding(Undetermined, -1, of[0].column, "%s names no data set; %d of its %d accuracies are k/%d, as those of %s are", l.Name, explained, len(of), n, a.names[dataset]))
		a.fullMethod(l, of, dataset)
	}
}

// datasetOf is the data set of the other tables that explains the cells best, if more than chance would; or else a number of test images alone.
func (a *audit) datasetOf(of []*cell) (dataset string, n int64) {
	least := chance
	for _, name := range a.order {
		images := a.images[name]
		if images == 0 {
			continue
		}
		if p := float64(len(a.images)) * chanceOf(of, images); p < least && 2*explainedBy(of, images) >= len(of) {
			dataset, n, least = name, images, p
		}
	}
	if n == 0 {
		n, _ = findImages(of)
	}
	return dataset, n
}

// fullMethod compares the row of an ablation with most switched on with the other tables' cells of the data set.
func (a *audit) fullMethod(l *layout, of []*cell, dataset string) {
	if len(l.switches) < 2 {
		return
	}
	on := func(row int) (n int) {
		for _, k := range l.switches {
			if l.Rows[row][k] == "1" {
				n++
			}
		}
		return n
	}
	full := slices.MaxFunc(of, func(x, y *cell) int { return on(x.row) - on(y.row) })
	if slices.ContainsFunc(of, func(c *cell) bool { return c.row != full.row && on(c.row) == on(full.row) }) {
		return // no row is the full method
	}
	var tables []string
	for _, c := range a.cells {
		if c.layout == l || c.dataset != dataset {
			continue
		}
		if c.accuracy == full.accuracy {
			return
		}
		if !slices.Contains(tables, c.Name) {
			tables = append(tables, c.Name)
		}
	}
	if len(tables) > 0 {
		a.findings = append(a.findings, l.finding(Claim, full.row, full.column, "%s: %s, the full method's accuracy, is no cell of %s in %s", full.where(), full.accuracy, a.names[dataset], strings.Join(tables, ", ")))
	}
}
