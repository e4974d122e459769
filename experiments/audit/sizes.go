package audit

import "strings"

// sizes is whether a row of a table of gains is the number of images of its data sets.
func (l *layout) sizes(row int) bool {
	for _, k := range l.labels {
		if sizeName(l.Rows[row][k]) {
			return true
		}
	}
	return false
}

func sizeName(name string) bool {
	plain := plainName(name)
	return strings.HasSuffix(plain, "size") || plain == "images"
}

// dataSizes compares what different tables say of how many images a data set has.
func (a *audit) dataSizes() {
	type said struct{ table, text string }
	first := map[string]said{}
	compare := func(l *layout, dataset string, row, column int) {
		text := l.Rows[row][column]
		if v, ok := parseNumber(text); !ok || v.decimals > 0 {
			return
		}
		known, ok := first[dataset]
		if !ok {
			first[dataset] = said{l.Name, text}
		} else if known.text != text {
			a.findings = append(a.findings, l.finding(Claim, row, column, "%s has %s images here, and %s in %s", a.names[dataset], text, known.text, known.table))
		}
	}
	for _, l := range a.other {
		for row := range l.Rows {
			for _, k := range l.counts {
				if dataset := plainName(l.label(row, l.dataset)); dataset != "" && sizeName(l.Header[k]) {
					compare(l, dataset, row, k)
				}
			}
		}
	}
	for _, l := range a.gains {
		for row := range l.Rows {
			for k, heading := range l.Header {
				if dataset := plainName(heading); a.names[dataset] != "" && l.sizes(row) {
					compare(l, dataset, row, k)
				}
			}
		}
	}
}
