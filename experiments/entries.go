package experiments

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"rd/rdlib/record"
	"rd/rdlib/stat"
)

// Entry is a record as a row of a data frame. Accuracies are of the last epoch, in per cent.
type Entry struct {
	Dataset  string // and the share of its training images, where not all are used
	Student  string
	Teacher  string // "" where the method needs none
	Method   string // as the profile calls it
	Seed     int
	Right    int
	Images   int // of the test part
	Accuracy float64
	Record   *record.Record `dataframe:"-"`
}

// ReadEntries reads all records in a folder of results and below it, in the order of their paths. A folder without records is an
// error, and so is a damaged record.
func ReadEntries(dir string) ([]Entry, error) {
	var entries []Entry
	err := filepath.WalkDir(filepath.Join(dir, "records"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".json" || strings.HasSuffix(path, ".failed.json") {
			return err
		}
		r, err := record.Read(path)
		if errors.Is(err, record.ErrDamaged) {
			err = fmt.Errorf("%w; the command that made it computes it again once it is deleted", err)
		}
		if err != nil {
			return err
		}
		entries = append(entries, entryOf(r))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("records of %s: %w", dir, err)
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("records of %s: there are none yet", dir)
	}
	return entries, nil
}

// entryOf is a record's entry.
func entryOf(r *record.Record) Entry {
	c, last := r.Result.Config, r.Result.Last
	entry := Entry{
		Dataset: c.Dataset.Name, Student: c.Student, Method: cmp.Or(r.Run.ProfileMethod, c.Method), Seed: int(c.Seeds.Init),
		Right: last.TestCorrect, Images: last.TestTotal, Accuracy: 100 * last.TestAccuracy, Record: r,
	}
	if share := c.Dataset.TrainShare; share != 0 {
		entry.Dataset += fmt.Sprintf(", %g %% of the training images", 100*share)
	}
	if r.Result.Teacher != nil {
		entry.Teacher = r.Result.Teacher.Name
	}
	return entry
}

// Pair are two methods' entries of one student, data set and seed.
type Pair struct{ First, Second Entry }

// Pairs are those of two methods, in the order of the first's entries. An entry with a teacher is paired with one of the same teacher
// or of none.
func Pairs(entries []Entry, first, second string) []Pair {
	var pairs []Pair
	for _, a := range entries {
		for _, b := range entries {
			if a.Method == first && b.Method == second && a.Dataset == b.Dataset && a.Student == b.Student && a.Seed == b.Seed &&
				(b.Teacher == "" || a.Teacher == b.Teacher) {
				pairs = append(pairs, Pair{a, b})
			}
		}
	}
	return pairs
}

// PairTest is McNemar's test of a pair: the test images that only one of the two names right.
type PairTest struct {
	Student     string  `dataframe:"student"`
	Seed        int     `dataframe:"seed"`
	OnlyFirst   int     `dataframe:"only the first right"`
	OnlySecond  int     `dataframe:"only the second right"`
	P           float64 `dataframe:"McNemar p"`
	Holm        float64 `dataframe:"p after Holm"` // corrected for the number of tests
	Low, High   float64 // of the first's accuracy in per cent, Wilson's 95 % interval
	FirstMethod string  `dataframe:"first"`
}

// TestPairs tests each pair, on the images of its test part. It is an error that the two of a pair do not have predictions of the same
// test images.
func TestPairs(pairs []Pair) ([]PairTest, error) {
	tests := make([]PairTest, len(pairs))
	for i, pair := range pairs {
		var err error
		if tests[i], err = testPair(pair); err != nil {
			return nil, err
		}
	}
	return tests, correct(tests)
}

// testPair tests one pair, without a correction.
func testPair(pair Pair) (PairTest, error) {
	t := PairTest{Student: pair.First.Student, Seed: pair.First.Seed, FirstMethod: pair.First.Method}
	a, b := pair.First.Record.Result.Predictions, pair.Second.Record.Result.Predictions
	if len(a) != len(b) || len(a) == 0 {
		return t, fmt.Errorf("%s, seed %d: predictions of %d and %d test images cannot be paired", t.Student, t.Seed, len(a), len(b))
	}
	var labels, first, second []int
	for k := range a {
		if a[k].Path != b[k].Path {
			return t, fmt.Errorf("%s, seed %d: the two methods were tested on different images (%s, %s)", t.Student, t.Seed, a[k].Path, b[k].Path)
		}
		labels, first, second = append(labels, a[k].Label), append(first, a[k].Class), append(second, b[k].Class)
	}
	var err error
	if t.OnlyFirst, t.OnlySecond, err = stat.Discordant(labels, first, second); err != nil {
		return t, err
	}
	if t.P, err = stat.McNemar(t.OnlyFirst, t.OnlySecond); err != nil {
		return t, err
	}
	if t.Low, t.High, err = stat.Wilson(pair.First.Right, pair.First.Images); err != nil {
		return t, err
	}
	t.Low, t.High = 100*t.Low, 100*t.High
	return t, nil
}

// correct fills in the p-values after Holm's correction for the number of tests.
func correct(tests []PairTest) error {
	p := make([]float64, len(tests))
	for i, t := range tests {
		p[i] = t.P
	}
	holm, err := stat.Holm(p)
	for i := range holm {
		tests[i].Holm = holm[i]
	}
	return err
}

// Gain is what the first method of pairs gains over the second, over the seeds of one student, in points.
type Gain struct {
	Dataset string  `dataframe:"data"`
	Student string  `dataframe:"student"`
	Teacher string  `dataframe:"teacher"`
	Seeds   int     `dataframe:"seeds"`
	Mean    float64 `dataframe:"gain"`
	Half    float64 `dataframe:"±"` // half width of the 95 % t-interval; NaN of one seed
	Verdict string  `dataframe:"verdict"`
}

// Gains are those of pairs, a row for each data set, student and teacher in the order in which they first stand there.
func Gains(pairs []Pair) []Gain {
	var gains []Gain
	differences := map[[3]string][]float64{}
	for _, p := range pairs {
		key := [3]string{p.First.Dataset, p.First.Student, p.First.Teacher}
		if differences[key] == nil {
			gains = append(gains, Gain{Dataset: key[0], Student: key[1], Teacher: key[2]})
		}
		differences[key] = append(differences[key], p.First.Accuracy-p.Second.Accuracy)
	}
	for i := range gains {
		g := &gains[i]
		d := differences[[3]string{g.Dataset, g.Student, g.Teacher}]
		g.Seeds = len(d)
		g.Mean, g.Half = stat.MeanInterval(d)
		_, g.Verdict = overSeeds(d)
	}
	return gains
}
