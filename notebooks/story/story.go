// Package story holds what the notebooks have in common: what their parameters stand for.
package story

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/compute"

	"rd/experiments"
	"rd/rdlib"
	"rd/rdlib/backend"
	"rd/rdlib/backend/ortlib"
	"rd/rdlib/dataset"
	"rd/rdlib/dataset/phantom"
	"rd/rdlib/model"
	"rd/rdlib/notebook"
	"rd/rdlib/record"
)

// workEnv names the environment variable with the folder that everything is written to.
const workEnv = "RD_NOTEBOOK_WORK"

// Parameters are those at the top of a notebook.
type Parameters struct {
	Profile string // size and length of training, a name or a file as `rd reproduce --profile` takes it
	Data    string // folder of images; "" draws phantoms
	Teacher string // foundation model, an ONNX file; "" pre-trains a miniature on phantoms
	Seed    uint64
}

// Phantoms, and the pre-training of the miniature teacher.
const (
	perClass     = 80
	teacherSteps = 100
)

// Study is a session, with the options that all its students share.
type Study struct {
	*rdlib.Session
	Options rdlib.Options // data, teacher, size, length, seed; the student and the method are missing
	work    string
}

// Ready says what a notebook needs and this machine lacks: the library that teachers and students run on, and the backend that
// trains.
func Ready() {
	err := ortlib.Init()
	var b compute.Backend
	if err == nil {
		b, err = backend.Open(backend.Options{})
	}
	if err != nil {
		notebook.Check(fmt.Errorf("%w\nPut that right in the clone's folder, then start Jupyter again; `bin/rd doctor` says what this machine has", err))
	}
	b.Finalize()
	notebook.Say("Ready.")
}

// Open opens a session. Phantoms are drawn, and the miniature teacher is pre-trained, where they are needed and not there yet.
// What fails ends the cell with a message.
func Open(p Parameters) *Study {
	matrix := notebook.Must(experiments.LoadMatrix(p.Profile))
	s := &Study{Options: matrix.Options(), work: os.Getenv(workEnv)}
	if s.work == "" {
		s.work = filepath.Join("..", "runs", "notebooks", "lab")
	}
	notebook.Check(os.MkdirAll(s.work, 0o755))
	s.Session = notebook.Must(rdlib.OpenSession(rdlib.SessionOptions{
		Threads: matrix.Training.Threads, Cache: filepath.Join(s.work, "features"), Log: s.log(),
	}))
	s.Options.Seeds = record.SameSeeds(p.Seed)
	s.Options.Data, s.Options.Teacher = p.Data, p.Teacher
	if p.Data == "" {
		s.Options.Data = s.phantoms("busi")
	}
	if p.Teacher == "" {
		s.Options.Teacher = s.miniature()
	}
	s.Options.InputOf = s.Options.Teacher // students alone see what the others see
	return s
}

// log is where the session's messages go: to a file when nobody watches, since some hold times.
func (s *Study) log() *os.File {
	if !notebook.Headless() {
		return os.Stdout
	}
	return notebook.Must(os.OpenFile(filepath.Join(s.work, "log.txt"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644))
}

// Folder is a folder of the study, of its own for each size and length of training, data, teacher and seed.
func (s *Study) Folder(name string) string {
	o := s.Options
	return filepath.Join(s.work, fmt.Sprintf("%s-%s-%d-%d-%d", stem(o.Data), stem(o.Teacher), o.Size, max(o.Epochs, o.Steps), o.Seeds.Init), name)
}

// stem is a file's or folder's name without what follows its last point.
func stem(path string) string { return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) }

// Train trains one student by one method and returns its record; set holds options of the method. The curve, which may be
// nil, grows meanwhile. The student lies in Folder(name) afterwards.
func (s *Study) Train(name, student, method string, set map[string]string, curve *notebook.Curve) *record.Record {
	o := s.Options
	o.Student, o.Method, o.MethodOptions, o.Name = student, method, set, name
	if curve != nil {
		o.Epoch = curve.Add
	}
	return notebook.Must(s.Distill(notebook.Context(), o, s.Folder(name)))
}

// Dataset opens the images.
func (s *Study) Dataset() *dataset.Dataset {
	return notebook.Must(dataset.Open(notebook.Context(), s.Options.Data, dataset.Options{SplitSeed: s.Options.Seeds.Split}))
}

// phantoms draws the phantom of a published data set.
func (s *Study) phantoms(kind string) string {
	for _, k := range phantom.Kinds() {
		if k.Name == kind {
			dir := filepath.Join(s.work, fmt.Sprintf("phantom-%s-%d", kind, s.Options.Size))
			notebook.Check(k.Write(dir, phantom.Options{PerClass: perClass, Size: s.Options.Size, Seed: 1}))
			return dir
		}
	}
	panic("no phantom " + kind)
}

// miniature pre-trains a small DenseNet on phantoms of shapes, none of which is a diagnosis.
func (s *Study) miniature() string {
	path := filepath.Join(s.work, fmt.Sprintf("miniature-%d.onnx", s.Options.Size))
	if _, err := os.Stat(rdlib.PretrainRecord(path)); err == nil { // it is the last file that is written
		return path
	}
	var corpora []string
	for _, c := range phantom.Corpora() {
		dir := filepath.Join(s.work, fmt.Sprintf("pretraining-%s-%d", c.Name, s.Options.Size))
		notebook.Check(c.Write(dir, phantom.Options{PerClass: perClass / 2, Size: s.Options.Size, Seed: 1}))
		corpora = append(corpora, dir)
	}
	optimizer := rdlib.DefaultPretraining()
	optimizer.LearningRate = 3e-3
	notebook.Must(s.Pretrain(notebook.Context(), rdlib.PretrainOptions{
		Data: corpora, Name: "miniature", Objective: rdlib.Supervised, Architecture: "densenet121",
		Network: model.Config{Width: 0.25, Blocks: []int{2, 4, 6, 4}}, Size: s.Options.Size, Colour: "rgb", Steps: teacherSteps,
		Seed: 1, Optimizer: optimizer,
	}, path))
	return path
}
