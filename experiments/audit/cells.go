package audit

import (
	"fmt"
	"strconv"
)

// The largest numbers of test images and seeds that are taken for such; a share of both and seven decimals is still exact.
const (
	maxImages = 1000000
	maxSeeds  = 1000
)

// cell is one accuracy of a table.
type cell struct {
	*layout
	row, column int
	accuracy    number
	seeds       int64 // it is the mean of so many
	images      int64 // on so many test images each, as the table says; 0: it does not say
	noImages    bool  // the table says that they differ
	dataset     string

	n   int64 // what its share is of: images × seeds; 0: not known
	k   int64 // the images that are right, where a fit was found, else the nearest
	how fit
}

func (c *cell) where() string { return c.layout.where(c.row, c.column) }

// exact is the accuracy in per cent before it was printed, as far as is known.
func (c *cell) exact() float64 {
	if c.how == noFit {
		return c.accuracy.float()
	}
	return 100 * float64(c.k) / float64(c.n)
}

// readCells reads the accuracies of a table, rows that are averages apart, and tells of those that are missing or no accuracies.
func (l *layout) readCells() (cells []*cell, findings []Finding) {
	for row := range l.Rows {
		if l.average(row) {
			continue
		}
		if l.dataset >= 0 && l.label(row, l.dataset) == "" {
			findings = append(findings, l.finding(Undetermined, row, l.dataset, "%s: the row names no data set, and is not checked", names(fmt.Sprintf("row %d", row+1), l.rowName(row))))
			continue
		}
		for _, column := range l.values {
			text := l.Rows[row][column]
			state, hasState := l.companion(row, column, stateSuffix)
			v, ok := parseNumber(text)
			c := &cell{layout: l, row: row, column: column, accuracy: v.withDecimals(l.decimals), seeds: 1, dataset: plainName(l.label(row, l.dataset))}
			switch {
			case text == "" && hasState && state != "done":
				continue // the table says why
			case text == "":
				findings = append(findings, l.finding(Undetermined, row, column, "%s: there is no value", l.where(row, column)))
				continue
			case !ok:
				findings = append(findings, l.finding(Undetermined, row, column, "%s: %q is no number", l.where(row, column), text))
				continue
			case c.accuracy.scaled < 0 || c.accuracy.scaled > c.accuracy.whole():
				findings = append(findings, l.finding(Granularity, row, column, "%s: %s is no accuracy, which is 0 to 100 %%", l.where(row, column), text))
				continue
			}
			read := func(text string, into *int64, most int64) {
				if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 && n <= most {
					*into = n
				}
			}
			if seeds, ok := l.companion(row, column, seedsSuffix); ok {
				read(seeds, &c.seeds, maxSeeds)
			} else if l.seeds >= 0 {
				read(l.Rows[row][l.seeds], &c.seeds, maxSeeds)
			}
			if images, ok := l.companion(row, column, imagesSuffix); ok {
				read(images, &c.images, maxImages)
				c.noImages = images != "" && c.images == 0
			} else if l.images >= 0 {
				read(l.Rows[row][l.images], &c.images, maxImages)
			}
			cells = append(cells, c)
		}
	}
	return cells, findings
}
