package experiments

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"rd/rdlib"
	"rd/rdlib/dataset/phantom"
	"rd/rdlib/distill"
	"rd/rdlib/model"
	"rd/rdlib/peft"
	"rd/rdlib/spelling"
	"rd/rdlib/train"
)

// maxSeeds bounds the seeds of a matrix: beyond it a slip of the keyboard would ask for years.
const maxSeeds = 1000

// checker collects the mistakes of a matrix.
type checker struct {
	*Matrix
	mistakes []error
}

func (c *checker) say(where string, format string, args ...any) {
	c.mistakes = append(c.mistakes, fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...)))
}

// check tells all mistakes that can be told without images and teachers.
func (m *Matrix) check() error {
	c := &checker{Matrix: m}
	c.one("data", m.Data, Phantom, Real)
	c.one("training.report", m.Training.Report, "last", "best")
	if m.Seeds < 1 || m.Seeds > maxSeeds {
		c.say(m.source.at("seeds"), "seeds %d: 1 to %d are possible", m.Seeds, maxSeeds)
	}
	for _, list := range []struct {
		field string
		names []string
	}{
		{"datasets", names(m.Datasets, MatrixDataset.name)}, {"teachers", names(m.Teachers, MatrixTeacher.name)},
		{"students", m.Students}, {"methods", names(m.Methods, MatrixMethod.name)},
	} {
		if len(list.names) == 0 {
			c.say(m.source.at(list.field), "no %s are given", list.field)
		}
		c.once(list.names, list.field)
	}
	c.training()
	c.boundaries()
	c.datasets()
	c.teachers()
	c.students()
	c.methods()
	if len(c.mistakes) == 0 {
		c.run()
	}
	return errors.Join(c.mistakes...)
}

// one refuses a word that is not among those a field takes; a dot parts the fields that lead to it.
func (c *checker) one(field, word string, words ...string) {
	if slices.Contains(words, word) {
		return
	}
	var path []any
	for _, step := range strings.Split(field, ".") {
		path = append(path, step)
	}
	if word == "" {
		c.say(c.source.at(path...), "%s is not given: %s are possible", field, strings.Join(words, ", "))
		return
	}
	c.say(c.source.at(path...), "%s %q: did you mean %q? (possible: %s)", field, word, spelling.Nearest(word, words), strings.Join(words, ", "))
}

// known refuses a name that is not among those known.
func (c *checker) known(what, name string, known []string, path ...any) bool {
	if slices.Contains(known, name) {
		return true
	}
	c.say(c.source.at(path...), "unknown %s %q: did you mean %q? (known: %s)", what, name, spelling.Nearest(name, known), strings.Join(known, ", "))
	return false
}

// once refuses names that are given twice in a list, or are empty.
func (c *checker) once(names []string, path ...any) {
	for i, name := range names {
		at := append(path[:len(path):len(path)], i)
		switch first := slices.Index(names, name); {
		case name == "":
			c.say(c.source.at(at...), "a name is missing")
		case strings.ContainsAny(name, "/\\\n") || name != strings.TrimSpace(name):
			c.say(c.source.at(at...), "name %q: slashes, line breaks and blanks around it are not possible: files are named by it", name)
		case first < i:
			c.say(c.source.at(at...), "%q stands twice, in %s already: its cells would be computed twice", name, c.source.at(append(path[:len(path):len(path)], first)...))
		}
	}
}

// setting is a field of the matrix as an option of cells.
type setting struct {
	field string
	set   func(*rdlib.Options)
}

// settings checks the options that fields of a part of the matrix set, by way of a cell without teacher: each alone, so that a
// mistake is told at its own line, and then all.
func (c *checker) settings(part string, settings ...setting) {
	fresh := func() rdlib.Options {
		return rdlib.Options{Student: model.Students()[0], Method: "scratch", Optimizer: train.DefaultOptimizer()}
	}
	all, before := fresh(), len(c.mistakes)
	for _, s := range settings {
		s.set(&all)
		alone := fresh()
		s.set(&alone)
		if err := alone.Check(); err != nil {
			c.say(c.source.at(part, s.field), "%v", err)
		}
	}
	if len(c.mistakes) > before {
		return
	}
	if err := all.Check(); err != nil {
		c.say(c.source.at(part), "%v", err)
	}
}

// learning are the settings of length and optimizer.
func learning(epochs, steps int, learningRate, weightDecay float64, schedule string) []setting {
	return []setting{
		{"epochs", func(o *rdlib.Options) { o.Epochs = epochs }},
		{"steps", func(o *rdlib.Options) { o.Steps = steps }},
		{"learning_rate", func(o *rdlib.Options) { o.Optimizer.LearningRate = learningRate }},
		{"weight_decay", func(o *rdlib.Options) { o.Optimizer.WeightDecay = weightDecay }},
		{"schedule", func(o *rdlib.Options) { o.Optimizer.Schedule = schedule }},
	}
}

// training checks what all cells share.
func (c *checker) training() {
	t := c.Training
	if t.Epochs == 0 && t.Steps == 0 {
		c.say(c.source.at("training"), "how long is it to train? Give epochs or steps")
	}
	if t.Size == 0 {
		c.say(c.source.at("training", "size"), "size is not given: the side of the students' images in pixels is needed")
	}
	c.settings("training", append(learning(t.Epochs, t.Steps, t.LearningRate, t.WeightDecay, t.Schedule),
		setting{"size", func(o *rdlib.Options) { o.Size = t.Size }},
		setting{"teacher_size", func(o *rdlib.Options) { o.TeacherSize = t.TeacherSize }},
		setting{"width", func(o *rdlib.Options) { o.Width = t.Width }},
		setting{"views", func(o *rdlib.Options) { o.Views = t.Views }})...)
	if c.Training.Batch < 2 {
		c.say(c.source.at("training", "batch"), "batch %d: at least 2 images are needed", c.Training.Batch)
	}
	if c.Training.Threads < 1 {
		c.say(c.source.at("training", "threads"), "threads %d: give 1 or more; results are bit-exact for one number of threads only", c.Training.Threads)
	}
	if c.Training.PlainKD < 0 {
		c.say(c.source.at("training", "plain_kd"), "plain_kd %g: a weight from 0 is possible", c.Training.PlainKD)
	}
}

func (c *checker) boundaries() {
	for _, alone := range []struct {
		field string
		size  BoundarySize
	}{
		{"rows", BoundarySize{Rows: c.Boundaries.Rows}}, {"resolution", BoundarySize{Resolution: c.Boundaries.Resolution}},
		{"agreement_resolution", BoundarySize{Coarse: c.Boundaries.Coarse}},
	} {
		if err := alone.size.options().Check(); err != nil {
			c.say(c.source.at("boundaries", alone.field), "%v", err)
		}
	}
	if c.Boundaries.Triplets < 0 {
		c.say(c.source.at("boundaries", "triplets"), "triplets %d: 1 or more are possible, 0 for the default", c.Boundaries.Triplets)
	}
}

func (c *checker) datasets() {
	var kinds []string
	for _, k := range phantom.Kinds() {
		kinds = append(kinds, k.Name)
	}
	for i, d := range c.Datasets {
		if c.Data == Phantom && d.Phantom == "" || d.Phantom == "" && len(d.Folders) == 0 {
			c.say(c.source.at("datasets", i), "data set %s has no phantom and so no images", d.Name)
		}
		if d.Phantom != "" {
			c.known("phantom", d.Phantom, kinds, "datasets", i, "phantom")
			if d.PerClass < 10 {
				c.say(c.source.at("datasets", i, "per_class"), "data set %s: per_class %d: at least 10 phantom images a class are needed", d.Name, d.PerClass)
			}
		}
		if c.Data == Real && len(d.Folders) == 0 {
			c.say(c.source.at("datasets", i), "data set %s has no folders", d.Name)
		}
		for k, folder := range d.Folders {
			if !localPath(folder) {
				c.say(c.source.at("datasets", i, "folders", k), "folder %q does not lie below the root of the data", folder)
			}
		}
	}
}

func (c *checker) teachers() {
	var miniatures []string
	for _, m := range Miniatures(c.Matrix) {
		miniatures = append(miniatures, m.Name)
	}
	for i, t := range c.Teachers {
		switch {
		case t.Architecture != "" && !slices.Contains(model.Names(), t.Architecture):
			c.known("architecture", t.Architecture, model.Names(), "teachers", i, "architecture")
		case t.Miniature == (t.File != ""):
			c.say(c.source.at("teachers", i), "teacher %s: give either miniature: true or a file", t.Name)
		case t.Miniature:
			c.known("miniature", t.Name, miniatures, "teachers", i, "name")
			if c.Miniatures.PerClass < 4 || !(c.Miniatures.Share > 0) {
				c.say(c.source.at("miniatures"), "miniatures need at least 4 images a class (per_class) and a share above 0")
			}
		case !localPath(t.File):
			c.say(c.source.at("teachers", i, "file"), "file %q does not lie below the root of the data or the work folder", t.File)
		}
		if t.Paper != "" {
			c.known("teacher of the paper", t.Paper, paperTeachers, "teachers", i, "paper")
		}
		for k, name := range t.Datasets {
			c.known("data set", name, names(c.Datasets, MatrixDataset.name), "teachers", i, "datasets", k)
		}
	}
}

func (c *checker) students() {
	for i, name := range c.Students {
		c.known("student", name, model.Students(), "students", i)
	}
}

func (c *checker) methods() {
	adaptation := false
	known := slices.Concat(distill.Names(), rdlib.Adaptations())
	resolved := make([]any, len(c.Methods)) // options
	for i, method := range c.Methods {
		switch {
		case method.Method != "" && !c.known("method", method.Method, known, "methods", i, "method"):
			continue
		case method.Method == "" && !slices.Contains(known, method.Name):
			c.say(c.source.at("methods", i, "name"), "unknown method %q: did you mean %q? A variant names the method it is of: method: rd (known: %s)",
				method.Name, spelling.Nearest(method.Name, known), strings.Join(known, ", "))
			continue
		case method.method() != method.Name && slices.Contains(known, method.Name):
			c.say(c.source.at("methods", i, "name"), "a variant of %s cannot be called %s, which is another method: give it a name of its own", method.Method, method.Name)
			continue
		}
		adaptation = adaptation || adapts(method.method())
		var err error
		if resolved[i], err = c.tryMethod(method); err != nil {
			c.say(c.source.at("methods", i, "options"), "%v", err)
			continue
		}
		for k, other := range c.Methods[:i] {
			if other.method() == method.method() && other.Name != method.Name && reflect.DeepEqual(resolved[k], resolved[i]) {
				c.say(c.source.at("methods", i), "%s is the same as %s in %s, its method and all options: its cells would be computed twice", method.Name, other.Name, c.source.at("methods", k))
			}
		}
		if len(method.Options) > 0 && method.Source == "" {
			c.say(c.source.at("methods", i), "method %s: its options have no source", method.Name)
		}
	}
	if adaptation {
		c.adaptation()
	}
}

// tryMethod makes a method, to see whether its options fit, and returns all options that it then has.
func (c *checker) tryMethod(method MatrixMethod) (any, error) {
	switch name := method.method(); {
	case name == rdlib.FineTune && len(method.Options) > 0:
		return nil, fmt.Errorf("%s has no options", rdlib.FineTune)
	case name == rdlib.FineTune:
		return nil, nil
	case adapts(name):
		built, err := peft.New(name, method.Options)
		if err != nil {
			return nil, err
		}
		return built.Options(), nil
	default:
		built, err := distill.New(name, c.methodOptions(method))
		if err != nil {
			return nil, err
		}
		return built.Options(), nil
	}
}

// adaptation checks how teachers are adapted.
func (c *checker) adaptation() {
	a := c.Adaptation
	if a.Epochs == 0 && a.Steps == 0 {
		c.say(c.source.at("adaptation"), "how long are teachers to be adapted? Give epochs or steps")
	}
	c.settings("adaptation", learning(a.Epochs, a.Steps, a.LearningRate, a.WeightDecay, a.Schedule)...)
	if !c.known("method", a.Student.method(), distill.Names(), "adaptation", "student", "name") {
		return
	}
	if _, err := distill.New(a.Student.method(), a.Student.Options); err != nil {
		c.say(c.source.at("adaptation", "student"), "%v", err)
	}
	if a.Student.Source == "" {
		c.say(c.source.at("adaptation", "student"), "method %s: its options have no source", a.Student.Name)
	}
}

// run checks the blocks: every name known, no cell in two of them.
func (c *checker) run() {
	for i, b := range c.Run {
		for _, list := range []struct {
			what, field  string
			names, known []string
		}{
			{"data set", "datasets", b.Datasets, names(c.Datasets, MatrixDataset.name)},
			{"teacher", "teachers", b.Teachers, names(c.Teachers, MatrixTeacher.name)},
			{"student", "students", b.Students, c.Students},
			{"method", "methods", b.Methods, names(c.Methods, MatrixMethod.name)},
		} {
			for k, name := range list.names {
				c.known(list.what, name, list.known, "run", i, list.field, k)
			}
			c.once(list.names, "run", i, list.field)
		}
		if b.Seeds < 0 || b.Seeds > maxSeeds {
			c.say(c.source.at("run", i, "seeds"), "seeds %d: 1 to %d are possible", b.Seeds, maxSeeds)
		}
		for k, share := range b.Shares {
			switch at := c.source.at("run", i, "shares", k); {
			case share < 1 || share > 99:
				c.say(at, "share %d: 1 to 99 per cent of the training images are possible; all are what a block without shares has", share)
			case slices.Index(b.Shares, share) < k:
				c.say(at, "share %d stands twice: its cells would be computed twice", share)
			}
		}
	}
	if len(c.mistakes) > 0 {
		return
	}
	for _, data := range []string{Phantom, Real} {
		first := map[Cell]int{}
		for i, b := range c.Run {
			for _, cell := range c.block(b, data) {
				if before, twice := first[cell]; twice && before != i {
					c.say(c.source.at("run", i), "%s is planned in %s already", cell, c.source.at("run", before))
					break
				}
				first[cell] = i
			}
		}
		if len(c.mistakes) > 0 {
			return
		}
	}
}
