package audit

import (
	"fmt"
	"slices"
	"strings"
)

// gained is a gain recomputed from the accuracies.
type gained struct {
	recomputed
	students []string
	missing  int   // students that the table has elsewhere, unless it says of each why
	seeds    int64 // of every accuracy; 0 where they differ
}

// accuraciesFor finds the table that gains are recomputed from: data sets, teachers, and what the student alone reaches.
func (a *audit) accuraciesFor() (*layout, int) {
	for _, l := range a.tables {
		if l.teacher < 0 || l.student < 0 || len(l.methods()) == 0 {
			continue
		}
		if k := slices.IndexFunc(l.values, l.alone); k >= 0 {
			return l, l.values[k]
		}
	}
	return nil, -1
}

// checkGains recomputes the tables with a column for each data set and a row for each teacher: the mean over students of a method's
// accuracy less the student's alone.
func (a *audit) checkGains() {
	base, alone := a.accuraciesFor()
	for _, l := range a.gains {
		if base == nil {
			a.findings = append(a.findings, l.finding(Undetermined, -1, -1,
				"%s has columns for data sets, but no table has what students reach alone and with each teacher, from which its gains could be recomputed", l.Name))
			continue
		}
		method := a.gainOf(l, base, alone)
		for row := range l.Rows {
			for k, heading := range l.Header {
				if a.names[plainName(heading)] == "" || l.sizes(row) {
					continue
				}
				if kind, detail := a.checkGain(l, row, k, base, method, alone); kind != "" {
					a.findings = append(a.findings, l.finding(kind, row, k, "%s: %s", l.where(row, k), detail))
				}
			}
		}
	}
}

// checkGain says what is wrong with one gain; the kind is "" where nothing is.
func (a *audit) checkGain(l *layout, row, column int, base *layout, method, alone int) (kind Kind, detail string) {
	text := l.Rows[row][column]
	v, ok := parseNumber(text)
	v = v.withDecimals(l.decimals)
	state, hasState := l.companion(row, column, stateSuffix)
	seeds, hasSeeds := l.companion(row, column, seedsSuffix)
	teacher := l.teacherOf(row, base)
	g := a.gain(base, method, alone, plainName(l.Header[column]), teacher)
	switch {
	case text == "" && hasState && state != "done":
		return "", "" // the table says why
	case text == "":
		return Undetermined, "there is no value"
	case !ok:
		return Undetermined, fmt.Sprintf("%q is no number", text)
	case teacher == "":
		return Undetermined, base.Name + " has no such teacher"
	case len(g.students) == 0:
		return Undetermined, base.Name + " has no accuracies of it"
	case g.is(v):
		return "", ""
	}
	students := strings.Join(g.students, ", ")
	switch {
	case hasSeeds && seeds != fmt.Sprint(g.seeds):
		return Undetermined, fmt.Sprintf("%s is printed, of %s seeds; the means of %s, from which %.*f follows, are not all of so many", text, seeds, base.Name, v.decimals, g.printed)
	case g.missing > 0:
		return Undetermined, fmt.Sprintf("%s is printed; %s has only %s of its %d students there, whose gain is %.*f", text, base.Name, students,
			len(g.students)+g.missing, v.decimals, g.printed)
	}
	return Gain, fmt.Sprintf("a gain of %s is printed, %s less %s in %s recomputes to %.*f (mean over %s)", text,
		base.Header[method], base.Header[alone], base.Name, v.decimals, g.printed, students)
}

// teacherOf is the row's label that is a teacher of the other table; "" where there is none.
func (l *layout) teacherOf(row int, base *layout) string {
	for _, k := range l.labels {
		for other := range base.Rows {
			if name := plainName(l.Rows[row][k]); name != "" && name == plainName(base.label(other, base.teacher)) {
				return name
			}
		}
	}
	return ""
}

// gainOf is the method whose gains a table prints: the one with most that recompute, else the one that is most often the best.
func (a *audit) gainOf(l, base *layout, alone int) int {
	method, most := -1, [2]int{-1, -1}
	best := base.bestCounts()
	for _, column := range base.methods() {
		hits := 0
		for row := range l.Rows {
			teacher := l.teacherOf(row, base)
			for k, heading := range l.Header {
				v, ok := parseNumber(l.Rows[row][k])
				if dataset := plainName(heading); ok && teacher != "" && a.names[dataset] != "" {
					if g := a.gain(base, column, alone, dataset, teacher); len(g.students) > 0 && g.is(v.withDecimals(l.decimals)) {
						hits++
					}
				}
			}
		}
		if score := [2]int{hits, best[column]}; slices.Compare(score[:], most[:]) > 0 {
			method, most = column, score
		}
	}
	return method
}

// gain recomputes one.
func (a *audit) gain(base *layout, method, alone int, dataset, teacher string) gained {
	var g gained
	with, without := map[int]*cell{}, map[int]*cell{}
	for _, c := range a.cells {
		if c.layout == base && c.column == method {
			with[c.row] = c
		}
		if c.layout == base && c.column == alone {
			without[c.row] = c
		}
	}
	var rows []int
	students := map[string]bool{}
	for row := range base.Rows {
		if base.average(row) {
			continue
		}
		student := base.label(row, base.student)
		students[student] = true
		if plainName(base.label(row, base.dataset)) != dataset || plainName(base.label(row, base.teacher)) != teacher || with[row] == nil || without[row] == nil {
			continue
		}
		g.students = append(g.students, student)
		rows = append(rows, row)
	}
	for i, row := range rows {
		share := 1 / float64(len(rows))
		g.add(with[row], share)
		g.add(without[row], -share)
		if i == 0 {
			g.seeds = with[row].seeds
		}
		if with[row].seeds != g.seeds || without[row].seeds != g.seeds {
			g.seeds = 0
		}
	}
	if !base.ours() {
		g.missing = len(students) - len(g.students)
	}
	return g
}
