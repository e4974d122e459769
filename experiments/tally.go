package experiments

import (
	"fmt"

	"rd/rdlib/record"
)

// pairsOf are two cells' records at equal seeds, 1 … seeds.
func pairsOf(records map[Cell]*record.Record, seeds int, first, second Cell) []Pair {
	var pairs []Pair
	for seed := range uint64(seeds) {
		first.Seed, second.Seed = seed+1, seed+1
		if a, b := records[first], records[second]; a != nil && b != nil {
			pairs = append(pairs, Pair{entryOf(a), entryOf(b)})
		}
	}
	return pairs
}

func (r *Results) pairs(first, second Cell) []Pair { return pairsOf(r.records, r.seeds, first, second) }

// differences are those of the accuracies of pairs that tables report, the first's less the second's, in points.
func (r *Results) differences(pairs []Pair) []float64 {
	var differences []float64
	for _, p := range pairs {
		differences = append(differences, r.outcome(p.First.Record)-r.outcome(p.Second.Record))
	}
	return differences
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
