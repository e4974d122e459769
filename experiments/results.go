package experiments

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"rd/rdlib"
	"rd/rdlib/model"
	"rd/rdlib/record"
)

// Results are what a store holds of a plan's matrix. Tables are functions of them alone.
type Results struct {
	plan    *Plan
	store   *Store
	records map[Cell]*record.Record
	failed  map[Cell]*Failure
	seeds   int // 1 … seeds were looked for
	share   int // of the training images, per cent, that these records are of; 0: all
	// reduced are the results of each share of the training images that the matrix has; tables of methods know nothing of them.
	reduced map[int]*Results
	// Strange says of each record that is not counted why.
	Strange []string
}

// Results reads the records of the whole matrix, whatever part of it the plan computes. Records that are damaged or of
// another configuration are not counted.
func (p *Plan) Results(store *Store) (*Results, error) {
	r, err := p.resultsOf(store, 0)
	if err != nil {
		return nil, err
	}
	r.reduced = map[int]*Results{}
	for _, share := range p.Matrix.shares() {
		reduced, err := p.resultsOf(store, share)
		if err != nil {
			return nil, err
		}
		r.reduced[share] = reduced
		r.Strange = append(r.Strange, reduced.Strange...)
	}
	return r, nil
}

// resultsOf reads the records of the students of a share of the training images; 0: of all.
func (p *Plan) resultsOf(store *Store, share int) (*Results, error) {
	r := &Results{plan: p, store: store, share: share, records: map[Cell]*record.Record{}, failed: map[Cell]*Failure{}}
	r.seeds = p.Matrix.Seeds
	for _, c := range p.Cells {
		r.seeds = max(r.seeds, int(c.Seed))
	}
	for _, c := range p.Matrix.block(Block{Seeds: r.seeds, Shares: []int{share}}, p.Data) {
		found, err := store.Record(c)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if f := store.Failed(c); f != nil {
				r.failed[c] = f
			}
		case errors.Is(err, record.ErrDamaged):
			r.Strange = append(r.Strange, err.Error()+"; rd reproduce sets it aside and computes it again")
		case err != nil:
			return nil, err
		default:
			if why := p.differs(c, found); why != "" {
				r.Strange = append(r.Strange, fmt.Sprintf("%s is of another configuration: %s", store.recordPath(c), why))
				continue
			}
			r.records[c] = found
		}
	}
	return r, nil
}

// of is the part of the results that a cell's record belongs to.
func (r *Results) of(c Cell) *Results {
	if reduced := r.reduced[c.Share]; reduced != nil {
		return reduced
	}
	return r
}

// differs says in what a record is not what the matrix asks of a cell; "" where it is, as far as can be told without
// the images and the teacher.
func (p *Plan) differs(c Cell, r *record.Record) string {
	m, config := p.Matrix, r.Result.Config
	t := m.Training
	if c.Student == theTeacher {
		return p.teacherDiffers(c, r)
	}
	method, _ := named(m.Methods, MatrixMethod.name, c.Method)
	methodName, options := method.method(), m.methodOptions(method)
	if adapts(methodName) {
		methodName, options = m.Adaptation.Student.method(), m.Adaptation.Student.Options
	}
	width := t.Width
	if width == 0 {
		width = 1
	}
	student, err := model.New(c.Student, model.Config{Classes: max(2, len(r.Result.Classes)), Width: width})
	if err != nil {
		return err.Error()
	}
	pairs := []pair{
		{"student", config.Student, student.Name()}, {"width", config.Width, width}, {"method", config.Method, methodName},
		{"seeds", config.Seeds, record.SameSeeds(c.Seed)}, {"epochs", config.Epochs, t.Epochs}, {"batch", config.Batch, t.Batch},
		{"learning rate", config.Optimizer.LearningRate, t.LearningRate}, {"weight decay", config.Optimizer.WeightDecay, t.WeightDecay},
		{"schedule", config.Optimizer.Schedule, t.Schedule}, {"threads", config.Backend.Threads, t.Threads},
		{"phantom", config.Dataset.Phantom || p.Data == Real, true}, {"images left out", config.Dataset.DropLeaks, t.DropLeaks},
		{"share of the training images", config.Dataset.TrainShare, c.share()},
	}
	if t.Epochs == 0 {
		pairs = append(pairs, pair{"steps", config.Steps, t.Steps})
	}
	if t.Views != 0 {
		pairs = append(pairs, pair{"views", config.Views, t.Views})
	}
	if height, ok := numberIn(config.Input, "height"); ok {
		pairs = append(pairs, pair{"size", height, float64(t.Size)})
	}
	for name, want := range options {
		if got, ok := member(config.Options, name); ok && !sameOption(got, want) {
			pairs = append(pairs, pair{"option " + name, got, want})
		}
	}
	return unlike(pairs)
}

// pair is what a record has of something, and what the matrix asks for.
type pair struct {
	what      string
	got, want any
}

// unlike tells the first pair that differs.
func unlike(pairs []pair) string {
	for _, x := range pairs {
		if x.got != x.want {
			return fmt.Sprintf("%s is %v, not %v", x.what, x.got, x.want)
		}
	}
	return ""
}

// teacherDiffers is differs for a teacher that was adapted itself.
func (p *Plan) teacherDiffers(c Cell, r *record.Record) string {
	a, t, config := p.Matrix.Adaptation, p.Matrix.Training, r.Result.Config
	pairs := []pair{
		{"method", config.Method, p.Matrix.methodOf(c.Method)}, {"seeds", config.Seeds, record.SameSeeds(c.Seed)}, {"epochs", config.Epochs, a.Epochs}, {"batch", config.Batch, t.Batch},
		{"learning rate", config.Optimizer.LearningRate, a.LearningRate}, {"weight decay", config.Optimizer.WeightDecay, a.WeightDecay},
		{"schedule", config.Optimizer.Schedule, a.Schedule}, {"threads", config.Backend.Threads, t.Threads}, {"phantom", config.Dataset.Phantom || p.Data == Real, true},
		{"share of the training images", config.Dataset.TrainShare, c.share()},
	}
	if a.Epochs == 0 {
		pairs = append(pairs, pair{"steps", config.Steps, a.Steps})
	}
	return unlike(pairs)
}

// member is a member of what was read from a JSON object.
func member(object any, name string) (any, bool) {
	data, err := json.Marshal(object)
	if err != nil {
		return nil, false
	}
	var members map[string]any
	if json.Unmarshal(data, &members) != nil {
		return nil, false
	}
	value, ok := members[name]
	return value, ok
}

func numberIn(object any, name string) (float64, bool) {
	value, _ := member(object, name)
	n, ok := value.(float64)
	return n, ok
}

// sameOption is whether a recorded value is what an option's text says.
func sameOption(got any, text string) bool {
	switch got := got.(type) {
	case float64:
		var want float64
		return json.Unmarshal([]byte(text), &want) == nil && want == got
	case bool:
		return got == (text == "on" || text == "true")
	}
	return fmt.Sprint(got) == text
}

// reported is the outcome that the matrix reports.
func (r *Results) reported(rec *record.Record) record.Outcome {
	if r.plan.Matrix.Training.Report == "best" {
		return rec.Result.Best
	}
	return rec.Result.Last
}

// outcome is the accuracy in per cent that the matrix reports.
func (r *Results) outcome(rec *record.Record) float64 { return 100 * r.reported(rec).TestAccuracy }

// link is a path of the store, relative to the folder of the tables.
func (r *Results) link(path string) string {
	if relative, err := filepath.Rel(r.store.dir, path); err == nil {
		path = relative
	}
	return strings.ReplaceAll(filepath.ToSlash(path), " ", "%20")
}

// seedsOf lists a row's and column's cells that are done, by seed, and notes records and failures in the value.
func (r *Results) seedsOf(v *Value, dataset, student, method, teacher string) map[uint64]float64 {
	found := map[uint64]float64{}
	for seed := range uint64(r.seeds) {
		c := Cell{Dataset: dataset, Student: student, Method: method, Teacher: teacher, Seed: seed + 1, Share: r.share}
		if rec := r.records[c]; rec != nil {
			found[c.Seed] = r.outcome(rec)
			v.Records = append(v.Records, r.link(r.store.recordPath(c)))
		} else if r.failed[c] != nil {
			v.Failures = append(v.Failures, r.link(r.store.failure(c)))
		}
	}
	return found
}

// accuracy is the mean accuracy of a row and column over its seeds: of the cell, whatever its own.
func (r *Results) accuracy(c Cell, paper float64) Value {
	v := absent(NotRun, paper)
	found := r.seedsOf(&v, c.Dataset, c.Student, c.Method, c.Teacher)
	if len(found) > 0 {
		v.State = Done
		v.mean(slices.Collect(maps.Values(found)))
		var images []int
		for seed := range found {
			c.Seed = seed
			images = append(images, r.reported(r.records[c]).TestTotal)
		}
		v.Images = span(images)
		if len(v.Failures) > 0 {
			v.Remark = fmt.Sprintf("(%d failed)", len(v.Failures))
		}
	} else if len(v.Failures) > 0 {
		v.State = Failed
	}
	return v
}

// mean fills in mean, standard deviation and number of values, in their sorted order, so that they are the same bit for bit.
func (v *Value) mean(values []float64) {
	slices.Sort(values)
	v.N = len(values)
	v.Mean, v.SD = stat.MeanStdDev(values, nil)
	if v.N < 2 {
		v.SD = math.NaN()
	}
}

// comparable is whether data, size and length of training are the paper's, and the teacher, where there is one.
func (p *Plan) comparable(teacher string) bool {
	t, _ := named(p.Matrix.Teachers, MatrixTeacher.name, teacher)
	return p.Data == Real && p.Matrix.Training.Size == 224 && p.Matrix.Training.Epochs == rdlib.PaperEpochs && (teacher == "" || t.Original)
}
