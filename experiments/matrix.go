package experiments

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"rd/experiments/profiles"
	"rd/rdlib"
	"rd/rdlib/distill"
	"rd/rdlib/peft"
	"rd/rdlib/train"
)

// Matrix is everything a profile computes: data sets × teachers × students × methods × seeds, and how. One YAML file holds
// one matrix; nothing that decides a result has a default outside it.
type Matrix struct {
	Name string `yaml:"-"` // the file's, without extension

	About      string          `yaml:"about"` // one line for people
	Data       string          `yaml:"data"`  // what it is meant for: phantom or real
	Training   Training        `yaml:"training"`
	Miniatures MiniatureSize   `yaml:"miniatures"`
	Datasets   []MatrixDataset `yaml:"datasets"`
	Teachers   []MatrixTeacher `yaml:"teachers"`
	Students   []string        `yaml:"students"`
	Methods    []MatrixMethod  `yaml:"methods"`
	Adaptation Adaptation      `yaml:"adaptation"` // of teachers, where a method asks for it
	Boundaries BoundarySize    `yaml:"boundaries"`
	Seeds      int             `yaml:"seeds"` // seeds 1 … Seeds, each for split, initialisation, order and augmentation alike
	// Run lists the cells to compute, in this order; the others stand in the tables as not run. Empty: all.
	Run []Block `yaml:"run"`

	profile       string // what --profile takes, without the folder of a file
	file          string // its path; "" of a profile that comes with rd, or is the same
	source        *source
	teacherNeeded map[string]bool // by method; what needsTeacher found
}

// Training is what all cells of a matrix share: images, length, optimizer.
type Training struct {
	Size         int     `yaml:"size"`         // of the students' images, pixels
	TeacherSize  int     `yaml:"teacher_size"` // 0: the teacher's own
	Epochs       int     `yaml:"epochs"`
	Steps        int     `yaml:"steps"` // instead of epochs
	Batch        int     `yaml:"batch"`
	Width        float64 `yaml:"width"` // multiplier of the students' widths
	Views        int     `yaml:"views"` // 1: the image; 2: and its mirror image
	LearningRate float64 `yaml:"learning_rate"`
	WeightDecay  float64 `yaml:"weight_decay"`
	Schedule     string  `yaml:"schedule"`
	PlainKD      float64 `yaml:"plain_kd"`   // weight of KL(z_t, z_s) in every compared method that does not set alpha itself
	Report       string  `yaml:"report"`     // the student that tables show: of the last epoch, or the best on validation images
	Threads      int     `yaml:"threads"`    // of the backend: a part of each result's identity
	DropLeaks    bool    `yaml:"drop_leaks"` // test images that are in another part are left out
}

// Adaptation is how teachers are adapted to a data set, and how students learn from them afterwards: the same for every method.
type Adaptation struct {
	Epochs       int          `yaml:"epochs"`
	Steps        int          `yaml:"steps"` // instead of epochs
	LearningRate float64      `yaml:"learning_rate"`
	WeightDecay  float64      `yaml:"weight_decay"`
	Schedule     string       `yaml:"schedule"`
	Student      MatrixMethod `yaml:"student"` // the method by which students learn
}

// MiniatureSize says how long the miniature teachers are pre-trained.
type MiniatureSize struct {
	PerClass int     `yaml:"per_class"` // images a shape of each corpus and task; two and a half times as many of the coloured one
	Share    float64 `yaml:"share"`     // of the full number of steps
}

// MatrixDataset is one data set: real images in a folder below the root given, or a phantom of the same classes.
type MatrixDataset struct {
	Name     string   `yaml:"name"`    // in tables; the paper's, where it is one of the paper's
	Folders  []string `yaml:"folders"` // below the root of the real data: the first that is there
	Phantom  string   `yaml:"phantom"` // kind of phantom
	PerClass int      `yaml:"per_class"`
}

// MatrixTeacher is one foundation model: a file below the root of the real data or the work folder, or a miniature for phantoms.
type MatrixTeacher struct {
	Name      string `yaml:"name"`
	Paper     string `yaml:"paper"`    // the paper's teacher in whose place it stands
	Original  bool   `yaml:"original"` // it is the paper's teacher itself
	File      string `yaml:"file"`
	Miniature bool   `yaml:"miniature"`
	// Architecture is that of a file whose record and weights lie beside it, so that it can be adapted.
	Architecture string   `yaml:"architecture"`
	Datasets     []string `yaml:"datasets"` // those it teaches; empty: all
}

// MatrixMethod is one column of the tables, or a row of Table 2: a method of package distill or one of rdlib.Adaptations, or a
// variant of one, with options and a name of its own.
type MatrixMethod struct {
	Name    string            `yaml:"name"`   // of the cells and their records
	Method  string            `yaml:"method"` // whose variant it is; "": the method of that name itself
	Options map[string]string `yaml:"options"`
	Source  string            `yaml:"source"` // of the options
}

// Block is a part of a matrix. An empty list of names stands for all there are, zero seeds for the matrix's.
type Block struct {
	Datasets []string `yaml:"datasets"`
	Teachers []string `yaml:"teachers"`
	Students []string `yaml:"students"`
	Methods  []string `yaml:"methods"`
	Seeds    int      `yaml:"seeds"`
	Shares   []int    `yaml:"shares"` // of the training images, per cent; empty: all images
}

// Kinds of data.
const (
	Phantom = "phantom"
	Real    = "real"
)

// LoadMatrix reads a profile, one of profiles.Names, or a YAML file. The error tells all mistakes, each with file and line.
func LoadMatrix(name string) (*Matrix, error) {
	if slices.Contains(profiles.Names(), name) {
		text, path, err := profiles.Read(name)
		if err != nil {
			return nil, err
		}
		m, err := parseMatrix(path, text)
		if err == nil {
			m.profile = name
		}
		return m, err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, &rdlib.UsageError{Err: fmt.Errorf("profile %q: there are %s; or give the path of a YAML file (%w)", name, strings.Join(profiles.Names(), ", "), err)}
	}
	m, err := parseMatrix(name, text)
	if err != nil {
		return nil, err
	}
	m.file = name
	if known, _, err := profiles.Read(m.Name); err == nil && slices.Contains(profiles.Names(), m.Name) {
		if !bytes.Equal(known, text) {
			return nil, &rdlib.UsageError{Err: fmt.Errorf("%s: rd has a profile of that name, too, whose results lie in results/%s: rename the file", name, m.Name)}
		}
		m.file = ""
	}
	return m, nil
}

func parseMatrix(path string, text []byte) (*Matrix, error) {
	m := &Matrix{Name: strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), profile: filepath.Base(path)}
	var err error
	if m.source, err = readSource(path, text, m); err == nil {
		err = m.check()
	}
	if err != nil {
		return nil, &rdlib.UsageError{Err: err}
	}
	return m, nil
}

// Options are what all cells share.
func (m *Matrix) Options() rdlib.Options {
	t := m.Training
	o := train.DefaultOptimizer()
	o.LearningRate, o.WeightDecay, o.Schedule = t.LearningRate, t.WeightDecay, t.Schedule
	return rdlib.Options{
		Size: t.Size, TeacherSize: t.TeacherSize, Epochs: t.Epochs, Steps: t.Steps, Batch: t.Batch, Width: t.Width, Views: t.Views,
		Optimizer: o, DropLeaks: t.DropLeaks,
	}
}

// methodOptions are a method's own and, where it is a compared method that does not set alpha, the matrix's weight of plain KD.
func (m *Matrix) methodOptions(method MatrixMethod) map[string]string {
	options := maps.Clone(method.Options)
	if _, set := options["alpha"]; !set && distill.Compared(method.method()) {
		if options == nil {
			options = map[string]string{}
		}
		options["alpha"] = strconv.FormatFloat(m.Training.PlainKD, 'g', -1, 64)
	}
	return options
}

func named[T any](all []T, name func(T) string, wanted string) (found T, ok bool) {
	i := slices.IndexFunc(all, func(t T) bool { return name(t) == wanted })
	if i < 0 {
		return found, false
	}
	return all[i], true
}

func (d MatrixDataset) name() string { return d.Name }
func (t MatrixTeacher) name() string { return t.Name }
func (m MatrixMethod) name() string  { return m.Name }

// method is the method that is run.
func (m MatrixMethod) method() string { return cmp.Or(m.Method, m.Name) }

// methodOf is the method that is run in cells whose method has the name.
func (m *Matrix) methodOf(name string) string {
	entry, _ := named(m.Methods, MatrixMethod.name, name)
	return cmp.Or(entry.method(), name)
}

// names are those of data sets, teachers or methods.
func names[T any](all []T, name func(T) string) []string {
	out := make([]string, len(all))
	for i, t := range all {
		out[i] = name(t)
	}
	return out
}

// adapts is whether a method adapts the teacher first.
func adapts(method string) bool { return slices.Contains(rdlib.Adaptations(), method) }

// theTeacher stands for the student in cells of a teacher itself, fine-tuned.
const theTeacher = "teacher"

// architecture is the teacher's, where it can be opened; "" where it cannot.
func (m *Matrix) architecture(t MatrixTeacher) string {
	if !t.Miniature {
		return t.Architecture
	}
	mini, _ := named(Miniatures(m), func(m Miniature) string { return m.Name }, t.Name)
	return mini.pretrained.Architecture
}

// canTeach is whether a teacher can be had for a method: those of package peft adapt a vision transformer.
func (m *Matrix) canTeach(t MatrixTeacher, method string) bool {
	return !adapts(method) || peft.Adapts(m.architecture(t)) || method == rdlib.FineTune && m.architecture(t) != ""
}

// teaches is whether a teacher stands in the tables of a data set, for one kind of data.
func (t MatrixTeacher) teaches(dataset, data string) bool {
	return t.Miniature == (data == Phantom) && (len(t.Datasets) == 0 || slices.Contains(t.Datasets, dataset))
}
