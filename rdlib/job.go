package rdlib

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"

	"rd/rdlib/backend"
	"rd/rdlib/dataset"
	"rd/rdlib/distill"
	"rd/rdlib/foundation"
	"rd/rdlib/model"
	"rd/rdlib/record"
	"rd/rdlib/train"
)

// PaperEpochs is the paper's length of training.
const PaperEpochs = 240

// Options describe one cell: one student trained by one method on one data set, with one teacher or none.
type Options struct {
	Data     string // folder of images, or a CSV file that names them
	DataName string // name in records; "" takes the folder's
	Layout   string // how Data is arranged, one of dataset.LayoutNames; "" recognises it
	Teacher  string // ONNX file; may be "" for methods without one
	InputOf  string // teacher whose cut, scaling and colour the student's images follow; "" is Teacher

	Student       string
	Width         float64 // multiplier; 0 is 1
	Method        string
	MethodOptions map[string]string

	Size          int // of the student's images, height and width; 0 is 64
	TeacherSize   int // 0: the side-car's or graph's, else Size
	Epochs, Steps int // at most one; both 0 is PaperEpochs
	Batch         int // 0 is 32
	Views         int // 0 is 2: the image and its mirror image; 1 with Augment
	// Augment changes the training images of methods without a teacher: its features are cached for the views alone.
	Augment   *dataset.Augmentation
	Half      bool
	Strict    bool
	DropLeaks bool // leave test images out whose pixels are in another part
	// TrainShare of the training images, in (0, 1], is trained on, see dataset.Reduced; 0 is 1. Steps are as many whatever the
	// share; an epoch is one pass over the images trained on, so that a smaller share has fewer steps.
	TrainShare float64
	Seeds      record.Seeds
	Optimizer  record.Optimizer // the zero value is train.DefaultOptimizer

	Replace         bool               // by Adapt: a model of other settings at the same place is replaced; else it is an error
	Checkpoint      string             // file; "" keeps none
	CheckpointEvery time.Duration      // 0 is a minute
	Name            string             // in progress lines; "" makes one
	Command         string             // noted in the record
	Epoch           func(record.Epoch) // told of every epoch that ends; may be nil
}

func (o Options) resolve() (Options, error) {
	if o.Size == 0 {
		o.Size = 64
	}
	if o.Batch == 0 {
		o.Batch = 32
	}
	if o.Views == 0 {
		o.Views = 2
		if o.Augment != nil {
			o.Views = 1
		}
	}
	if o.Width == 0 {
		o.Width = 1
	}
	if o.Optimizer == (record.Optimizer{}) {
		o.Optimizer = train.DefaultOptimizer()
	}
	if o.Epochs == 0 && o.Steps == 0 {
		o.Epochs = PaperEpochs
	}
	if o.Name == "" {
		o.Name = o.Student + " " + o.Method
	}
	if o.TrainShare == 1 {
		o.TrainShare = 0
	}
	if o.TrainShare != 0 {
		if err := dataset.CheckShare(o.TrainShare); err != nil {
			return o, &UsageError{err}
		}
	}
	switch {
	case o.Epochs != 0 && o.Steps != 0:
		return o, usagef("give epochs or steps, not both")
	case o.Epochs < 0 || o.Steps < 0:
		return o, usagef("%d epochs, %d steps: at least 1 is needed", o.Epochs, o.Steps)
	case o.Batch < 2:
		return o, usagef("batch %d: at least 2 images are needed", o.Batch)
	case o.Views != 1 && o.Views != 2:
		return o, usagef("views %d: 1 (the image) or 2 (and its mirror image) are possible", o.Views)
	case o.Size < 8 || o.Size > 4096:
		return o, usagef("size %d of the student's images: 8 to 4096 pixels are possible", o.Size)
	case o.TeacherSize != 0 && (o.TeacherSize < 8 || o.TeacherSize > 4096):
		return o, usagef("size %d of the teacher's images: 8 to 4096 pixels are possible", o.TeacherSize)
	}
	if o.Augment != nil {
		if o.Views != 1 {
			return o, usagef("%d views of augmented images: leave --views out, and let the augmentation flip", o.Views)
		}
		if err := o.Augment.Validate(); err != nil {
			return o, &UsageError{err}
		}
	}
	if err := train.CheckOptimizer(o.Optimizer); err != nil {
		return o, &UsageError{err}
	}
	return o, nil
}

func (o Options) dataKey() dataKey {
	return dataKey{o.Data, o.Layout, o.Seeds.Split, o.Strict, o.DropLeaks, o.TrainShare}
}

// Job is a cell ready to train: checked, resolved, with its key.
type Job struct {
	Config  record.Config
	Key     string
	Dataset *dataset.Dataset
	Student *model.Network

	session *Session
	options Options
	method  distill.Method
	data    dataKey
	input   dataset.Preprocess
	teacher *foundation.Info // nil when the method needs none
}

// Prepare checks everything that can be checked before training: options, images, teacher. The student sees the part of
// the image that the teacher sees, at its own size, so that students with and without a teacher are compared fairly.
func (s *Session) Prepare(ctx context.Context, o Options) (*Job, error) {
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	j := &Job{session: s, options: o, data: o.dataKey()}
	// Names first: a slip of the keyboard should not wait for images to be read.
	if j.method, err = o.checkNames(); err != nil {
		return nil, err
	}
	var info *foundation.Info
	if o.Teacher != "" {
		found, err := s.teacher(ctx, teacherKey{o.Teacher, o.TeacherSize}, j.data)
		if err != nil {
			return nil, err
		}
		info = &found
	}
	if j.Dataset, err = s.dataset(ctx, j.data); err != nil {
		return nil, err
	}
	if j.Student, err = newNetwork(o.Student, model.Config{Classes: len(j.Dataset.Classes), Width: o.Width}, o.Size); err != nil {
		return nil, err
	}
	follow := info
	if o.InputOf != "" && o.InputOf != o.Teacher {
		found, err := s.teacher(ctx, teacherKey{o.InputOf, o.TeacherSize}, j.data)
		if err != nil {
			return nil, err
		}
		follow = &found
	}
	j.input = studentInput(follow, o.Size)
	if j.method.Needs().Teacher() {
		j.teacher = info
		if err := j.checkLogits(); err != nil {
			return nil, err
		}
		if err := j.suitMethod(); err != nil {
			return nil, err
		}
	}
	j.Config = j.config()
	if name := j.Config.Dataset.Name; hasSeen(j.teacher, name) && !s.warned[j.teacher.Identity+name] {
		s.warned[j.teacher.Identity+name] = true
		fmt.Fprintf(s.Log, "warning: %s has seen %s in pre-training: what its students reach there says nothing about new images\n", j.teacher.Name, name)
	}
	if t := j.teacher; t != nil && t.SideCar != nil && t.SideCar.Adapted != nil && t.SideCar.Adapted.Manifest != j.Config.Dataset.Manifest {
		s.once(fmt.Sprintf("warning: %s was adapted to %s in other parts than these: test images of its students may be among its training images; use the split, and the share of the training images, it was adapted with", t.Name, t.SideCar.Adapted.Data))
	}
	j.Key, err = j.Config.Key()
	return j, err
}

// checkLogits says why a method cannot have the teacher's logits.
func (j *Job) checkLogits() error {
	if !j.method.Needs().Logits {
		return nil
	}
	if _, err := j.teacher.Output(foundation.Logits); err != nil {
		return usagef("method %s needs the teacher's logits on your classes, and %s has none: set teacher-logits=reprogrammed, or adapt the teacher first", j.options.Method, j.teacher.Name)
	}
	if classes := j.teacher.SideCar.Classes; !slices.Equal(classes, j.Dataset.Classes) {
		return usagef("%s has logits of %v, and the classes of %s are %v: adapt the teacher to these", j.teacher.Name, classes, j.options.Data, j.Dataset.Classes)
	}
	return nil
}

// Check looks at everything that can be checked without reading images or teacher.
func (o Options) Check() error {
	o, err := o.resolve()
	if err == nil {
		_, err = o.checkNames()
	}
	return err
}

// checkNames checks layout, student and method, and that the method has the teacher it needs.
func (o Options) checkNames() (distill.Method, error) {
	if err := dataset.CheckLayout(o.Layout); err != nil {
		return nil, &UsageError{err}
	}
	if _, err := newNetwork(o.Student, model.Config{Classes: 2, Width: o.Width}, o.Size); err != nil {
		return nil, err
	}
	method, err := distill.New(o.Method, o.MethodOptions)
	if err != nil {
		return nil, &UsageError{err}
	}
	switch needs := method.Needs(); {
	case needs.Teacher() && o.Teacher == "":
		return nil, usagef("method %s needs a teacher: give --teacher FILE.onnx", o.Method)
	case needs.Teacher() && o.Augment != nil:
		return nil, usagef("method %s cannot train on augmented images: the teacher's features are cached for the views of each image alone; leave --augment out for every method you compare", o.Method)
	}
	return method, nil
}

// studentInput is the teacher's geometry scaled to the student's size, with ImageNet's normalisation; a plain stretch
// without a teacher.
func studentInput(info *foundation.Info, size int) dataset.Preprocess {
	p := dataset.DefaultPreprocess(size, size)
	if info == nil {
		return p
	}
	t := info.Preprocess
	p.Resize, p.Filter = t.Resize, t.Filter
	if t.Channels == dataset.Grey {
		p.Channels = dataset.Grey
	}
	if t.Resize == dataset.ShortSideCrop {
		p.ShortSide = int(math.Round(float64(t.ShortSide) * float64(size) / float64(min(t.Height, t.Width))))
	}
	return p
}

func (j *Job) config() record.Config {
	o := j.options
	c := record.Config{
		Dataset: o.recordOf(j.Dataset),
		Student: j.Student.Name(), Width: o.Width, Method: j.method.Name(), Options: j.method.Options(), Input: j.input,
		Views: o.Views, Epochs: o.Epochs, Steps: o.steps(j.Dataset), Batch: o.Batch, Optimizer: o.Optimizer, Seeds: o.Seeds,
		Backend: j.session.recordedBackend(),
	}
	if o.Augment != nil {
		c.Augment = o.Augment
	}
	if j.teacher != nil {
		c.TeacherID = j.teacher.Identity
		c.Features = &record.Features{Input: j.teacher.Preprocess, Half: o.Half, Outputs: j.outputs().all()}
	}
	return c
}

// recordOf is what records say of the images.
func (o Options) recordOf(d *dataset.Dataset) record.Dataset {
	r := record.Dataset{Name: o.DataName, Phantom: d.Phantom != nil, Manifest: d.Hash(), DropLeaks: o.DropLeaks, TrainShare: o.TrainShare}
	if r.Name == "" {
		r.Name = folderName(o.Data)
	}
	return r
}

// steps are the optimizer's: those given, or those of the epochs.
func (o Options) steps(d *dataset.Dataset) int {
	if o.Steps != 0 {
		return o.Steps
	}
	return o.Epochs * stepsPerEpoch(len(d.Indices(dataset.Train)), o.Batch)
}

// stepsPerEpoch is how many batches so many images make.
func stepsPerEpoch(images, batch int) int { return (images + batch - 1) / batch }

// recordedBackend is what records say of the backend.
func (s *Session) recordedBackend() record.Backend {
	return record.Backend{Name: backend.NameOf(s.Backend), Version: backend.VersionOf(s.Backend), Threads: backend.ThreadsOf(s.Backend)}
}

// folderName is the last part of a folder's path, or of a table's without its extension.
func folderName(dir string) string {
	if absolute, err := filepath.Abs(dir); err == nil {
		dir = absolute
	}
	return strings.TrimSuffix(filepath.Base(dir), ".csv")
}

// outputs are the teacher's features the method is fed.
func (j *Job) outputs() featureNames {
	var names featureNames
	needs := j.method.Needs()
	switch {
	case needs.Maps && needs.Stages:
		names.maps = j.teacher.Stages
	case needs.Maps:
		names.maps = []string{foundation.FeatureMap}
	}
	if needs.Pooled {
		names.pooled = foundation.Pooled
	}
	if needs.Logits {
		names.logits = foundation.Logits
	}
	return names
}

type featureNames struct {
	maps           []string
	pooled, logits string
}

func (f featureNames) all() []string {
	all := slices.Clone(f.maps)
	for _, name := range []string{f.pooled, f.logits} {
		if name != "" {
			all = append(all, name)
		}
	}
	return all
}

// Keep names the file of the job's checkpoint.
func (j *Job) Keep(checkpoint string) { j.options.Checkpoint = checkpoint }

// Train trains the cell, or continues it from its checkpoint, and returns its record, not yet written.
func (j *Job) Train(ctx context.Context) (*record.Record, *train.Trained, error) {
	started := time.Now()
	store, err := j.session.store(ctx, storeKey{j.data, j.input}, j.options.Augment != nil)
	if err != nil {
		return nil, nil, err
	}
	names := j.outputs()
	cell := &train.Cell{
		Config: j.Config, Student: j.Student, Method: j.method, Backend: j.session.Backend,
		Height: j.input.Height, Width: j.input.Width, Channels: 3, Classes: len(j.Dataset.Classes), Views: j.options.Views, Augment: j.options.Augment,
		Train: store.Part(dataset.Train), Validation: store.Part(dataset.Val), Test: store.Part(dataset.Test),
		Outputs:    train.TeacherOutputs{Maps: names.maps, Pooled: names.pooled, Logits: names.logits},
		Checkpoint: j.options.Checkpoint, CheckpointEvery: j.options.CheckpointEvery, Progress: j.session.Log, Name: j.options.Name, Epoch: j.options.Epoch,
	}
	if j.teacher != nil {
		if cell.Features, err = j.features(ctx); err != nil {
			return nil, nil, err
		}
	}
	if j.options.Checkpoint != "" {
		if err := os.MkdirAll(filepath.Dir(j.options.Checkpoint), 0o755); err != nil {
			return nil, nil, fmt.Errorf("checkpoint folder: %w", err)
		}
	}
	trained, err := j.session.runner.Run(ctx, cell)
	if err != nil {
		return nil, nil, err
	}
	r := &record.Record{Result: j.result(trained), Run: run(started, trained, j.options.Command)}
	r.Leaks = j.Leaks()
	return r, trained, r.Seal()
}

// Leaks are the paths of the test images whose pixels are in the training or validation part too.
func (j *Job) Leaks() []string {
	var paths []string
	for _, item := range j.Dataset.Leaks() {
		paths = append(paths, j.Dataset.Items[item].Path)
	}
	return paths
}

func (j *Job) result(t *train.Trained) record.Result {
	r := record.Result{
		Version: record.Version, Key: j.Key, Config: j.Config, Classes: j.Dataset.Classes,
		Counts: record.Counts{
			Train: len(j.Dataset.Indices(dataset.Train)), Validation: len(j.Dataset.Indices(dataset.Val)),
			Test: len(j.Dataset.Indices(dataset.Test)), Skipped: len(j.Dataset.Skipped), Dropped: len(j.Dataset.Indices(dataset.Dropped)),
			Unused: len(j.Dataset.Indices(dataset.Unused)),
		},
		Curves: t.Curves, Last: t.Last, Best: t.Best,
	}
	if j.teacher != nil {
		r.Teacher = &record.Teacher{Name: j.teacher.Name, SHA256: j.teacher.SHA256, Shapes: map[string][]int{}}
		if side := j.teacher.SideCar; side != nil && side.Pretraining != nil {
			r.Teacher.Phantom, r.Teacher.SawData = side.Pretraining.Phantom, hasSeen(j.teacher, j.Config.Dataset.Name)
		}
		for _, o := range j.teacher.Outputs {
			r.Teacher.Shapes[o.Name] = o.Shape
		}
	}
	for i, item := range j.Dataset.Indices(dataset.Test) {
		r.Predictions = append(r.Predictions, record.Prediction{
			Path: j.Dataset.Items[item].Path, Label: j.Dataset.Items[item].Label,
			Class: train.ArgMax(t.Probabilities[i]), Probabilities: t.Probabilities[i],
		})
	}
	return r
}

func run(started time.Time, t *train.Trained, command string) record.Run {
	r := record.Run{
		Started: started.UTC().Format(time.RFC3339), Seconds: t.Seconds, SecondsPerStep: t.SecondsPerStep, WaitPerStep: t.WaitPerStep,
		PeakRSSMiB: peakRSSMiB(), Resumed: t.Resumed, Go: runtime.Version(), Command: command,
	}
	r.Host, _ = os.Hostname()
	r.CPU = CPU()
	return r
}

// CPU is the name of the processor; "" where the system does not tell it.
func CPU() string {
	infos, err := cpu.Info()
	if err != nil || len(infos) == 0 {
		return ""
	}
	return strings.TrimSpace(infos[0].ModelName)
}
