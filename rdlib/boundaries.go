package rdlib

import (
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"

	"rd/rdlib/boundary"
	"rd/rdlib/dataset"
	"rd/rdlib/deploy"
	"rd/rdlib/progress"
	"rd/rdlib/train"
)

// BoundaryOptions say which exported students are compared, and on which images.
type BoundaryOptions struct {
	Data   string // folder of images, or a CSV file that names them; the triplets are of its test part
	Layout string // of Data; "" recognises it
	// Models are the files of exported students. All are compared with the student Reference, or, where that is "", with
	// Teacher, or else with the first of them. A teacher that was adapted to the images classifies by its logits, another
	// by a linear classifier on its features.
	Models    []string
	Reference string
	Teacher   string // foundation model, an ONNX file

	Triplets  int    // to measure agreement on
	Seed      uint64 // of the triplets
	SplitSeed uint64 // of the parts, where none are published: the students'
	DropLeaks bool   // leave test images out whose pixels are in another part
	Study     boundary.Options
	Threads   int      // 0: one per processor
	Log       *os.File // progress and messages; nil is os.Stderr
}

// Boundaries lays planes through triplets of test images, of which no two have the same pixels, and compares the regions
// of exported students there. Students that take their images in different forms can be compared; all must have the
// classes of the images.
func Boundaries(ctx context.Context, o BoundaryOptions) (*boundary.Study, error) {
	if o.Log == nil {
		o.Log = os.Stderr
	}
	if len(o.Models) == 0 {
		return nil, usagef("name at least one exported student to compare")
	}
	if o.Triplets < 1 {
		return nil, usagef("%d triplets: at least 1 is needed", o.Triplets)
	}
	if err := o.Study.Check(); err != nil {
		return nil, &UsageError{err}
	}
	if o.Reference != "" && o.Teacher != "" {
		return nil, usagef("the reference is either an exported student or a teacher: leave one out")
	}
	if err := dataset.CheckLayout(o.Layout); err != nil {
		return nil, &UsageError{err}
	}
	students, err := openStudents(o)
	defer func() {
		for _, s := range students {
			s.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	d, err := dataset.Open(ctx, o.Data, dataset.Options{Layout: o.Layout, SplitSeed: o.SplitSeed, DropLeaks: o.DropLeaks, Progress: progress.Callback(o.Log, "checking images", "images")})
	if err != nil {
		return nil, asInput(err)
	}
	fmt.Fprintln(o.Log, d.Summary())
	for _, s := range students {
		if !slices.Equal(s.Classes, d.Classes) {
			return nil, &InputError{fmt.Errorf("%s knows the classes %q, and %s has %q: compare students of these images", s.file, s.Classes, o.Data, d.Classes)}
		}
		if manifest := s.Provenance["manifest_sha256"]; manifest != "" && manifest != d.Hash() {
			fmt.Fprintf(o.Log, "warning: %s was trained on another split of the images than that of seed %d: it may have learnt from the test images; give its --split-seed\n", s.file, o.SplitSeed)
		}
	}
	triplets, err := drawTriplets(d, o.Triplets, o.Seed)
	if err != nil {
		return nil, &InputError{fmt.Errorf("%s: %w", o.Data, err)}
	}
	o.Study.Progress = progress.Callback(o.Log, "decision regions", "points")
	var models []boundary.Model
	var files []string
	if o.Teacher != "" {
		p, err := openTaskTeacher(ctx, o.Teacher, d, o.Threads)
		if err != nil {
			return nil, err
		}
		defer p.teacher.Close()
		models, files = append(models, p.model()), append(files, o.Teacher)
	}
	for _, s := range students {
		models, files = append(models, s.model()), append(files, s.file)
	}
	study, err := boundary.Compare(ctx, models, triplets, o.Study)
	if err != nil {
		return nil, asInput(err)
	}
	study.Dataset, study.Phantom, study.Classes = d.Name, d.Phantom != nil, d.Classes
	for i, file := range files {
		study.Models[i].File = file
	}
	return study, nil
}

// namedStudent is an exported student and what it is called beside others.
type namedStudent struct {
	*deploy.Student
	file, name string
}

// model is the student as a classifier of tensors.
func (s namedStudent) model() boundary.Model {
	return boundary.Model{
		Name: s.name,
		Tensor: func(img image.Image) []float32 {
			values := make([]float32, s.Preprocess.Len())
			s.Preprocess.Tensor(img, false, values)
			return values
		},
		Classify: func(images []float32) ([]int, error) {
			rows, err := s.Predict(images)
			if err != nil {
				return nil, err
			}
			return classesOf(rows), nil
		},
	}
}

// classesOf are those of rows of probabilities or logits.
func classesOf(rows [][]float32) []int {
	classes := make([]int, len(rows))
	for i, row := range rows {
		classes[i] = train.ArgMax(row)
	}
	return classes
}

// openStudents opens the reference and the models, the reference first. What was opened before an error is returned with
// it, to be closed.
func openStudents(o BoundaryOptions) ([]namedStudent, error) {
	files := o.Models
	if o.Reference != "" {
		files = append([]string{o.Reference}, o.Models...)
	}
	var students []namedStudent
	for _, file := range files {
		s, err := deploy.Open(file, o.Threads)
		if err != nil {
			return students, &InputError{err}
		}
		students = append(students, namedStudent{Student: s, file: file})
	}
	nameStudents(students)
	return students, nil
}

// nameStudents calls students of one network by their method, others by method and network, and where that does not tell
// them apart by their folder or by their whole path.
func nameStudents(students []namedStudent) {
	for _, name := range []func(namedStudent) string{
		func(s namedStudent) string {
			if s.Name != students[0].Name {
				return ""
			}
			return s.Provenance["method"]
		},
		func(s namedStudent) string { return s.Provenance["method"] + ", " + s.Name },
		func(s namedStudent) string { return filepath.Base(filepath.Dir(s.file)) },
		func(s namedStudent) string { return s.file },
	} {
		seen := map[string]bool{"": true}
		apart := true
		for i := range students {
			students[i].name = name(students[i])
			apart = apart && !seen[students[i].name]
			seen[students[i].name] = true
		}
		if apart {
			return
		}
	}
}

// drawTriplets draws triplets of test images, of those with the same pixels only the first.
func drawTriplets(d *dataset.Dataset, n int, seed uint64) ([][3]boundary.Image, error) {
	var items, labels []int
	seen := map[string]bool{}
	for _, i := range d.Indices(dataset.Test) {
		if pixels := d.Items[i].Pixels; !seen[pixels] {
			seen[pixels] = true
			items, labels = append(items, i), append(labels, d.Items[i].Label)
		}
	}
	if all := len(d.Indices(dataset.Test)); len(items) < 3 {
		return nil, fmt.Errorf("test part: a plane needs three different images, and %d of %d differ", len(items), all)
	}
	drawn, err := boundary.Triplets(labels, n, seed)
	if err != nil {
		return nil, fmt.Errorf("test part: %w", err)
	}
	triplets := make([][3]boundary.Image, n)
	for t, triplet := range drawn {
		for k, at := range triplet {
			item := items[at]
			triplets[t][k] = boundary.Image{Name: d.Items[item].Path, Label: labels[at], Open: func() (image.Image, error) { return d.Image(item) }}
		}
	}
	return triplets, nil
}
