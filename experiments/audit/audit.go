// Package audit checks published tables of accuracies against themselves and each other: whether each accuracy is a share
// of the test images, whether averages and gains follow from the cells, whether columns are there twice, and how often a method is the best.
// It knows the tables by their headings and numbers alone.
package audit

import (
	"fmt"
	"slices"
	"strings"
)

// Options are what is known beyond the tables.
type Options struct {
	Images map[string]int // test images by data set; those not given are found from the accuracies
}

// Report is what an audit found.
type Report struct {
	Findings []Finding
	Sizes    []Size // of the data sets, in the order in which the tables name them
}

// audit is one in progress.
type audit struct {
	tables []*layout // of accuracies, with a column of data sets
	plain  []*layout // of accuracies, without one
	gains  []*layout // with a column for each data set
	other  []*layout
	claims []claim

	cells    []*cell
	names    map[string]string // of data sets, by their plain names, as first written
	order    []string          // plain names of data sets
	images   map[string]int64
	sizes    []Size
	findings []Finding
}

// Run audits tables together. Those of one publication belong into one call, so that they are compared with each other.
// It is an error when two have the same name, when a table of claims cannot be read, or when Options give an impossible number or
// name a data set that no table has (ErrOptions).
func Run(tables []*Table, o Options) (*Report, error) {
	a := &audit{names: map[string]string{}, images: map[string]int64{}}
	if err := a.sort(tables); err != nil {
		return nil, err
	}
	if err := a.given(o.Images); err != nil {
		return nil, err
	}
	for _, l := range slices.Concat(a.tables, a.plain) {
		cells, findings := l.readCells()
		a.cells = append(a.cells, cells...)
		a.findings = append(a.findings, findings...)
	}
	a.findSizes()
	a.nameDatasets()
	a.granularity()
	a.repeatedAndAveraged()
	a.checkGains()
	a.checkRowGains()
	a.dataSizes()
	a.countBest()
	a.checkNamed()
	a.nothingChecked()
	sortFindings(a.findings)
	return &Report{Findings: a.findings, Sizes: a.sizes}, nil
}

// sort puts the tables into their groups.
func (a *audit) sort(tables []*Table) error {
	var rest []*layout
	for i, t := range tables {
		for _, other := range tables[:i] {
			if other.Name == t.Name {
				return fmt.Errorf("two tables have the name %s", t.Name)
			}
		}
		if isClaims(t) {
			claims, err := readClaims(t)
			if err != nil {
				return err
			}
			a.claims = append(a.claims, claims...)
			continue
		}
		l := newLayout(t, i)
		if l.dataset < 0 {
			rest = append(rest, l)
			continue
		}
		for row := range t.Rows {
			if name := l.label(row, l.dataset); name != "" && !l.average(row) {
				a.name(name)
			}
		}
		if len(l.values) > 0 {
			a.tables = append(a.tables, l)
		} else {
			a.other = append(a.other, l)
		}
	}
	for _, l := range rest {
		accuracies := slices.DeleteFunc(slices.Clone(l.values), func(k int) bool { return !strings.Contains(plainName(l.Header[k]), "acc") })
		switch {
		case len(accuracies) > 0:
			l.values = accuracies
			a.plain = append(a.plain, l)
		case slices.ContainsFunc(l.Header, func(h string) bool { return a.names[plainName(h)] != "" }):
			a.gains = append(a.gains, l)
		default:
			a.other = append(a.other, l)
		}
	}
	return nil
}

// name notes a data set.
func (a *audit) name(dataset string) {
	plain := plainName(dataset)
	if a.names[plain] == "" {
		a.names[plain] = dataset
		a.order = append(a.order, plain)
	}
}

// given takes over the numbers of test images that the caller knows.
func (a *audit) given(images map[string]int) error {
	for name, n := range images {
		if a.names[plainName(name)] == "" {
			return fmt.Errorf("%w: no table has a data set %q", ErrOptions, name)
		}
		if n < 1 || n > maxImages {
			return fmt.Errorf("%w: %s cannot have %d test images", ErrOptions, name, n)
		}
		a.images[plainName(name)] = int64(n)
	}
	return nil
}

// findSizes works out how many test images each data set has.
func (a *audit) findSizes() {
	for _, dataset := range a.order {
		var of []*cell
		given := a.images[dataset] > 0
		for _, c := range a.cells {
			if c.dataset == dataset && !c.noImages && c.images == 0 {
				of = append(of, c)
			}
		}
		if len(of) == 0 {
			continue
		}
		if !given {
			n, ok := findImages(of)
			if !ok {
				for _, l := range a.tables {
					if slices.ContainsFunc(of, func(c *cell) bool { return c.layout == l }) {
						f := l.finding(Undetermined, -1, -1, "%s: the number of test images cannot be told from its %d accuracies, which are therefore not checked; --images %s=N gives it",
							a.names[dataset], len(of), a.names[dataset])
						f.Row = a.names[dataset]
						a.findings = append(a.findings, f)
						break
					}
				}
				continue
			}
			a.images[dataset] = n
		}
		n := a.images[dataset]
		a.sizes = append(a.sizes, Size{Dataset: a.names[dataset], Images: n, Given: given, Cells: len(of), Explained: explainedBy(of, n)})
	}
}

// nothingChecked tells of tables that no check knows what to do with.
func (a *audit) nothingChecked() {
	for _, l := range a.other {
		if l.dataset < 0 || len(l.counts) == 0 {
			a.findings = append(a.findings, l.finding(Undetermined, -1, -1,
				"nothing of %s was checked: no column names data sets or is headed accuracy, and none is headed like a data set of another table", l.Name))
		}
	}
}
