package experiments

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"rd/rdlib/stat"
)

// Ranking is the methods of a matrix by their average rank.
type Ranking struct {
	Labels   []string  // best first
	Ranks    []float64 // average, of each
	Rows     int       // over so many rows of the table
	Critical float64   // Nemenyi's critical difference at 5 %
	Friedman float64   // p-value
}

// Ranking compares the methods of one group over all groups that have these: of the group for which most scores can be
// compared. A score is the mean test accuracy over seeds. Nil where no two groups have the same two methods.
func (r *Results) Ranking(groups []Group) (*Ranking, error) {
	var methods []Series
	var scores [][]float64
	for _, g := range groups {
		found := r.scores(groups, g.Series)
		if (len(found)-1)*(len(g.Series)-1) > max(0, (len(scores)-1)*(len(methods)-1)) {
			methods, scores = g.Series, found
		}
	}
	if methods == nil {
		return nil, nil
	}
	var labels []string
	for _, m := range methods {
		labels = append(labels, m.Label)
	}
	return newRanking(labels, scores)
}

// newRanking ranks methods by scores[row][method].
func newRanking(labels []string, scores [][]float64) (*Ranking, error) {
	average, err := stat.AverageRanks(scores)
	if err != nil {
		return nil, err
	}
	_, p, err := stat.Friedman(scores)
	if err != nil {
		return nil, err
	}
	critical, err := stat.Nemenyi(len(labels), len(scores), significance)
	if err != nil {
		return nil, err
	}
	order := make([]int, len(labels))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(average[a], average[b]) })
	k := &Ranking{Rows: len(scores), Critical: critical, Friedman: p}
	for _, i := range order {
		k.Labels, k.Ranks = append(k.Labels, labels[i]), append(k.Ranks, average[i])
	}
	return k, nil
}

// scores are the mean accuracies of methods in each group that has them all.
func (r *Results) scores(groups []Group, methods []Series) (scores [][]float64) {
	for _, g := range groups {
		var row []float64
		for _, m := range methods {
			i := slices.IndexFunc(g.Series, func(s Series) bool { return s.Method == m.Method })
			if i < 0 {
				break
			}
			mean := 0.0
			for _, rec := range g.Series[i].Records {
				mean += r.Accuracy(rec) / float64(len(g.Series[i].Records))
			}
			row = append(row, mean)
		}
		if len(row) == len(methods) {
			scores = append(scores, row)
		}
	}
	return scores
}

// rankNote says the average ranks of the methods of Table 3, where some can be compared.
func (r *Results) rankNote() []string {
	groups, err := r.Groups()
	if err != nil {
		return nil // Metrics tells it
	}
	return rankingNote(r.Ranking(groups))
}

// rankingNote is a ranking, or why there is none, as notes; none of nil.
func rankingNote(k *Ranking, err error) []string {
	switch {
	case err != nil:
		return []string{fmt.Sprintf("Methods could not be ranked: %v.", err)}
	case k == nil:
		return nil
	}
	return []string{k.String()}
}

// String is the ranking in a sentence.
func (k *Ranking) String() string {
	var ranked []string
	for i, label := range k.Labels {
		ranked = append(ranked, fmt.Sprintf("%s %.2f", label, k.Ranks[i]))
	}
	text := fmt.Sprintf("Average ranks over the %d rows that have these methods, 1 being the best: %s. Friedman's test of all: %s", k.Rows, strings.Join(ranked, ", "), verdict(k.Friedman))
	if k.Friedman < significance {
		text += fmt.Sprintf("; two whose ranks differ by less than %.2f, Nemenyi's critical difference at 5 %%, are within noise of each other", k.Critical)
	}
	return text + "."
}
