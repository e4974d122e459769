package experiments

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"rd/rdlib"
)

// TrainingSize is the name of the figure and the table of TrainingSizes.
const TrainingSize = "training-size"

// SizeCurve is what RD gains over the student alone by the number of training images: of a student on a data set, with a
// teacher.
type SizeCurve struct {
	Dataset, Student, Teacher string      // as tables call them
	Points                    []SizePoint // by share, ascending; the last is of all training images
}

// SizePoint is what students reach that are trained on a share of the training images.
type SizePoint struct {
	Share       int    // per cent
	Images      []int  // training images, of each seed that has a record
	Scratch, RD Value  // test accuracy
	Gain        Value  // of RD over scratch, the mean of the differences at equal seeds
	Half        Value  // half width of the gain's 95 % t-interval; NaN below two seeds
	Verdict     string // on the gain
}

// HasShares is whether the plan computes students of a share of the training images.
func (p *Plan) HasShares() bool {
	return slices.ContainsFunc(p.Cells, func(c Cell) bool { return c.Share != 0 })
}

// CheckTrainingSize is an *rdlib.UsageError where the matrix has no such students at all.
func (p *Plan) CheckTrainingSize() error {
	if len(p.Matrix.shares()) > 0 {
		return nil
	}
	return &rdlib.UsageError{Err: fmt.Errorf("--figure %s: profile %s trains no student on a share of the training images: add a block such as {methods: [scratch, rd], shares: [10, 25, 50]} to its run", TrainingSize, p.Matrix.Name)}
}

// TrainingSizes lists a curve for each student, data set and teacher that the matrix has RD of at a share of the training images.
func (r *Results) TrainingSizes() []SizeCurve {
	m := r.plan.Matrix
	var rows []Cell // without seed and share
	shares := map[Cell][]int{}
	for _, c := range r.plan.chosen() {
		row := c.group()
		if c.Method != "rd" || c.Share == 0 || slices.Contains(shares[row], c.Share) {
			continue
		}
		if shares[row] == nil {
			rows = append(rows, row)
		}
		shares[row] = append(shares[row], c.Share)
	}
	curves := make([]SizeCurve, len(rows))
	for i, row := range rows {
		teacher, _ := named(m.Teachers, MatrixTeacher.name, row.Teacher)
		curves[i] = SizeCurve{Dataset: r.plan.entries[row.Dataset].Name, Student: paperName(row.Student), Teacher: teacher.label()}
		slices.Sort(shares[row])
		for _, share := range shares[row] {
			curves[i].Points = append(curves[i].Points, r.reduced[share].sizePoint(row))
		}
		curves[i].Points = append(curves[i].Points, r.sizePoint(row))
	}
	return curves
}

// sizePoint is what the results have of a student, data set and teacher.
func (r *Results) sizePoint(row Cell) SizePoint {
	none := math.NaN() // the paper has no such numbers
	alone := Cell{Dataset: row.Dataset, Student: row.Student, Method: "scratch", Share: r.share}
	taught := Cell{Dataset: row.Dataset, Student: row.Student, Method: "rd", Teacher: row.Teacher, Share: r.share}
	p := SizePoint{Share: cmp.Or(r.share, 100), Scratch: r.accuracy(alone, none), RD: r.accuracy(taught, none)}
	p.Gain, p.Half, p.Verdict = gainOf(r.differences(r.pairs(taught, alone)))
	for seed := range uint64(r.seeds) {
		alone.Seed, taught.Seed = seed+1, seed+1
		if rec := cmp.Or(r.records[taught], r.records[alone]); rec != nil {
			p.Images = append(p.Images, rec.Result.Counts.Train)
		}
	}
	return p
}

// WriteTrainingSize writes the table of TrainingSizes into the folder of the results and returns its path without extension.
func (r *Results) WriteTrainingSize() (string, error) {
	t := r.TrainingSizeTable()
	return filepath.Join(r.store.dir, t.name()), t.Write(r.store.dir)
}

// TrainingSizeTable has the numbers of TrainingSizes.
func (r *Results) TrainingSizeTable() *Table {
	t := &Table{
		Name: TrainingSize, Title: fmt.Sprintf("Test accuracy (%%) and gain of RD over the student alone, in points, by the number of training images, %s (%s)", r.data(), r.plan.Matrix.Name),
		Labels:  []string{"dataset", "student", "teacher", "share"},
		Columns: []string{"training images", "student scratch", "RD", "gain", "±", "verdict"},
	}
	for _, curve := range r.TrainingSizes() {
		for _, p := range curve.Points {
			values := []Value{absent(NotRun, math.NaN()), p.Scratch, p.RD, p.Gain, p.Half, absent(NotRun, math.NaN())}
			if len(p.Images) > 0 {
				values[0] = wordsValue(span(p.Images))
			}
			if p.Gain.State == Done {
				values[5] = wordsValue(p.Verdict)
			}
			t.Rows = append(t.Rows, TableRow{[]string{curve.Dataset, curve.Student, curve.Teacher, fmt.Sprintf("%d %%", p.Share)}, values})
		}
	}
	t.tellSeeds()
	length := "as many steps on every share"
	if r.plan.Matrix.Training.Epochs > 0 {
		length = "as many epochs on every share, an epoch being one pass over the images trained on, and so fewer steps on a smaller one"
	}
	t.Notes = append([]string{
		"Share of the training images of each class, drawn from the seed of the split; those of a smaller share are among those of a larger one. Validation and test images are the same for every share.",
		"Students are trained for " + length + ".",
		"Accuracies: mean ± standard deviation over seeds. Gain: mean of the differences at the same seed; ±: half width of its 95 % t-interval over seeds; verdict: p-value of the t-test, or within noise.",
	}, r.notes(overScratch, anyTeacher)...)
	for _, share := range r.plan.Matrix.shares() {
		for _, note := range r.reduced[share].unequal() {
			t.Notes = append(t.Notes, fmt.Sprintf("At %d %%: %s", share, note))
		}
	}
	return t
}
