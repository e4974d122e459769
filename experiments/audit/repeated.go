package audit

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// block is a column's cells of one data set, or of the whole table, in the order of the rows.
type block struct {
	column  int
	dataset string // as written; "" for the whole table
	cells   []*cell
}

func (b block) name() string { return names(b.dataset, b.cells[0].Header[b.column]) }

func (b block) holds(c *cell) bool { return slices.Contains(b.cells, c) }

func (b block) values() string {
	var texts []string
	for _, c := range b.cells {
		texts = append(texts, c.Rows[c.row][c.column])
	}
	return strings.Join(texts, ", ")
}

// misfits counts the cells that are no share of their test images.
func (b block) misfits() (n int) {
	for _, c := range b.cells {
		if c.n > 0 && c.how == noFit {
			n++
		}
	}
	return n
}

// rows names the rows of the block.
func (b block) rows() string {
	parts := []string{b.dataset}
	for _, c := range b.cells {
		for _, k := range c.labels {
			label := c.Rows[c.row][k]
			if (k != c.layout.dataset || b.dataset == "") && !slices.Contains(parts, label) {
				parts = append(parts, label)
			}
		}
	}
	return names(parts...)
}

// pairing is two blocks of the same rows, or of the same rows of two data sets.
type pairing struct {
	a, b      block
	equal     int
	different int // values that are not the same as another of the block
}

func (p pairing) all() bool { return p.equal == len(p.a.cells) }

// pair compares two blocks where both have the rows; ok is whether one of them is covered whole.
func pair(a, b block, key func(*cell) string) (p pairing, ok bool) {
	p = pairing{a: block{column: a.column, dataset: a.dataset}, b: block{column: b.column, dataset: b.dataset}}
	of := map[string]*cell{}
	for _, c := range b.cells {
		of[key(c)] = c
	}
	seen := map[number]bool{}
	for _, c := range a.cells {
		other := of[key(c)]
		if other == nil {
			continue
		}
		p.a.cells, p.b.cells = append(p.a.cells, c), append(p.b.cells, other)
		if c.accuracy == other.accuracy {
			p.equal++
			seen[c.accuracy] = true
		}
	}
	p.different = len(seen)
	n := len(p.a.cells)
	return p, n > 0 && (n == len(a.cells) || n == len(b.cells))
}

// blocks are the blocks of a table's columns, by data set; "" is the whole table.
func (a *audit) blocks(l *layout) map[int]map[string]block {
	blocks := map[int]map[string]block{}
	for _, c := range a.cells {
		if c.layout != l {
			continue
		}
		if blocks[c.column] == nil {
			blocks[c.column] = map[string]block{}
		}
		for plain, dataset := range map[string]string{"": "", c.dataset: c.label(c.row, l.dataset)} {
			blocks[c.column][plain] = block{column: c.column, dataset: dataset, cells: append(blocks[c.column][plain].cells, c)}
		}
	}
	return blocks
}

// pairings are all pairs of blocks that are compared: two columns on a data set, or on all where they are equal throughout, and
// one column on two data sets.
func (a *audit) pairings(l *layout) (pairings []pairing) {
	sameRow := func(c *cell) string { return strconv.Itoa(c.row) }
	besides := func(c *cell) string { return l.besides(c.row) }
	blocks := a.blocks(l)
	add := func(x, y block, key func(*cell) string) {
		if p, ok := pair(x, y, key); ok {
			pairings = append(pairings, p)
		}
	}
	for i, column := range l.values {
		for _, other := range l.values[i+1:] {
			whole, ok := pair(blocks[column][""], blocks[other][""], sameRow)
			if ok && whole.all() && whole.different > 1 && len(a.order) > 1 {
				pairings = append(pairings, whole)
				continue
			}
			for _, dataset := range a.order {
				add(blocks[column][dataset], blocks[other][dataset], sameRow)
			}
		}
		for k, dataset := range a.order {
			for _, other := range a.order[k+1:] {
				add(blocks[column][dataset], blocks[column][other], besides)
			}
		}
	}
	return pairings
}

// repeated finds columns that are there twice. Equal values are found when so many different ones would rarely agree by chance,
// given how often the cells of other pairs do, or when they are shares of the test images of one of the data sets alone. It gives the
// blocks that are copies.
func (a *audit) repeated(l *layout) (copies []block) {
	pairings := a.pairings(l)
	equal, compared := 0, 0
	for _, p := range pairings {
		equal += p.equal
		compared += len(p.a.cells)
	}
	for _, p := range pairings {
		if !p.all() {
			continue
		}
		share := 0.0 // of other cells that agree
		if others := compared - len(p.a.cells); others > 0 {
			share = float64(equal-p.equal) / float64(others)
		}
		from, to, why := a.original(p)
		foreign := from.misfits() == 0 && to.misfits() > 1
		if !foreign && (p.different < 2 || float64(len(pairings))*math.Pow(share, float64(p.different)) >= chance) {
			continue
		}
		rows := "rows of both: " + to.rows()
		if from.rows() != to.rows() {
			rows = "rows: " + to.rows()
		}
		f := l.finding(Repeated, -1, to.column, "%s (%s) repeats %s; %s; %s", to.name(), to.values(), from.name(), why, rows)
		f.Row, f.Value, f.place[1] = to.rows(), Value(to.values()), to.cells[0].row
		a.findings = append(a.findings, f)
		copies = append(copies, to)
		if why == undecided {
			copies = append(copies, from)
		}
	}
	return copies
}

// Why a block is taken for the copy.
const (
	misfit    = "unlike the other, it does not fit its own test images"
	undecided = "which of the two is right cannot be told from the tables"
)

// original tells of two equal blocks which is the original: the one whose values are shares of its test images, or of which another table has
// values in the same place.
func (a *audit) original(p pairing) (from, to block, why string) {
	switch misfitsA, misfitsB := p.a.misfits(), p.b.misfits(); {
	case misfitsA > misfitsB:
		return p.b, p.a, misfit
	case misfitsB > misfitsA:
		return p.a, p.b, misfit
	}
	from, to = p.b, p.a
	timesA, timesB := a.confirmed(p.a), a.confirmed(p.b)
	if timesA == timesB {
		return from, to, undecided
	}
	if timesA > timesB {
		from, to = p.a, p.b
	}
	return from, to, "another table has values of " + from.name() + " in the same place"
}

// confirmed counts the cells of a block that another table has too, for the same data set, student and method.
func (a *audit) confirmed(b block) (n int) {
	for _, c := range b.cells {
		for _, other := range a.cells {
			if other.layout != c.layout && other.dataset == c.dataset && other.accuracy == c.accuracy &&
				plainName(other.Header[other.column]) == plainName(c.Header[c.column]) &&
				plainName(other.label(other.row, other.student)) == plainName(c.label(c.row, c.student)) {
				n++
				break
			}
		}
	}
	return n
}

// repeatedAndAveraged looks for repeated columns, and then at the averages, which may have been computed with them.
func (a *audit) repeatedAndAveraged() {
	for _, l := range a.tables {
		a.averages(l, a.repeated(l))
	}
	for _, l := range a.plain {
		a.averages(l, nil)
	}
}
