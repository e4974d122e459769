package experiments

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"rd/rdlib"
	"rd/rdlib/distill"
	"rd/rdlib/lockfile"
	"rd/rdlib/record"
)

// preparation makes what the cells of a plan need, when the first of them needs it: phantoms, miniature teachers, features.
type preparation struct {
	plan            *Plan
	store           *Store
	command         string
	checkpointEvery time.Duration

	datasets map[string]string // data set, as cells name it → folder
	inputs   map[string]string // data set, as cells name it → see inputOf
	teachers map[string]string // teacher → ONNX file
	features map[[2]string]bool
}

func newPreparation(r Reproduction) *preparation {
	return &preparation{
		plan: r.Plan, store: r.Store, command: r.Command, checkpointEvery: r.CheckpointEvery,
		datasets: map[string]string{}, inputs: map[string]string{}, teachers: map[string]string{}, features: map[[2]string]bool{},
	}
}

// options are a cell's; what they name is there.
func (p *preparation) options(ctx context.Context, session *rdlib.Session, c Cell) (rdlib.Options, error) {
	m := p.plan.Matrix
	method, _ := named(m.Methods, MatrixMethod.name, c.Method)
	o := m.Options()
	o.Student, o.Method, o.MethodOptions, o.Seeds = c.Student, method.method(), m.methodOptions(method), record.SameSeeds(c.Seed)
	o.TrainShare = c.share()
	var err error
	if o.Data, err = p.data(ctx, session, c.Dataset); err != nil {
		return o, err
	}
	if p.plan.Data == Phantom {
		o.DataName = c.Dataset
	}
	o.InputOf = p.inputOf(ctx, session, c.Dataset)
	if c.Teacher == "" {
		return o, nil
	}
	if o.Teacher, err = p.teacher(ctx, session, c.Teacher); err != nil {
		return o, err
	}
	if adapts(o.Method) {
		return p.adapted(ctx, session, c, o)
	}
	return o, p.cache(ctx, session, c, o)
}

// adapted are the options of a student of an adapted teacher, which is adapted first where it is not yet; the adaptation's
// record stands beside the student's.
func (p *preparation) adapted(ctx context.Context, session *rdlib.Session, c Cell, o rdlib.Options) (rdlib.Options, error) {
	teacher := c
	teacher.Student = theTeacher
	path, err := p.once(ctx, session, p.teachers, teacher.file(), func() (string, error) {
		path := p.adaptedFile(c)
		r, err := session.Adapt(ctx, p.adaptation(c, o), path)
		if err == nil {
			err = p.store.Finish(teacher, r)
		}
		return path, err
	})
	if err != nil {
		return o, fmt.Errorf("adapt %s: %w", c.Teacher, err)
	}
	student := p.plan.Matrix.Adaptation.Student
	o.Teacher, o.Method, o.MethodOptions = path, student.method(), student.Options
	return o, nil
}

func (p *preparation) adaptedFile(c Cell) string {
	return filepath.Join(p.plan.workFolder(), "adapted", c.Dataset, fmt.Sprintf("%s-%s-%d%s.onnx", c.Teacher, c.Method, c.Seed, c.suffix()))
}

// adaptation are the options of a cell's adaptation of its teacher.
func (p *preparation) adaptation(c Cell, o rdlib.Options) rdlib.Options {
	m := p.plan.Matrix
	method, _ := named(m.Methods, MatrixMethod.name, c.Method)
	a := m.Adaptation
	o.Method, o.MethodOptions, o.Steps, o.Epochs = method.method(), method.Options, a.Steps, a.Epochs
	o.Optimizer.LearningRate, o.Optimizer.WeightDecay, o.Optimizer.Schedule = a.LearningRate, a.WeightDecay, a.Schedule
	o.Name = fmt.Sprintf("adapting %s to %s by %s, seed %d:", c.Teacher, c.Dataset, c.Method, c.Seed)
	o.Command, o.CheckpointEvery, o.Replace = p.command, p.checkpointEvery, true
	return o
}

// own computes the cells of a teacher itself: the whole of it fine-tuned.
func (p *preparation) own(ctx context.Context, session *rdlib.Session, c Cell, name string) (r *record.Record, done bool, err error) {
	m := p.plan.Matrix
	o := m.Options()
	o.Seeds, o.TrainShare = record.SameSeeds(c.Seed), c.share()
	if o.Data, err = p.data(ctx, session, c.Dataset); err != nil {
		return nil, false, err
	}
	if p.plan.Data == Phantom {
		o.DataName = c.Dataset
	}
	if o.Teacher, err = p.teacher(ctx, session, c.Teacher); err != nil {
		return nil, false, err
	}
	o = p.adaptation(c, o)
	o.Name = name
	key, err := session.AdaptKey(ctx, o)
	if err != nil {
		return nil, false, err
	}
	if r, err = p.store.Have(c, key, session.Log); err != nil || r != nil {
		return r, true, err
	}
	if r, err = session.Adapt(ctx, o, p.adaptedFile(c)); err != nil {
		return nil, false, err
	}
	return r, false, p.store.Finish(c, r)
}

// inputOf is the teacher whose cut, scaling and colour all students of a data set follow: the first of those there that can be
// read. With phantoms none: the miniatures all see the whole image in colour, as students without a teacher do.
func (p *preparation) inputOf(ctx context.Context, session *rdlib.Session, dataset string) string {
	if path, known := p.inputs[dataset]; known || p.plan.Data == Phantom {
		return path
	}
	p.inputs[dataset] = ""
	for _, path := range p.plan.teacherFiles(dataset) {
		if err := session.CheckTeacher(ctx, path, p.plan.Matrix.Training.TeacherSize); err != nil {
			fmt.Fprintf(session.Log, "warning: %s cannot be read; until it is mended, students of %s see images as without it\n", path, dataset)
			continue
		}
		p.inputs[dataset] = path
		break
	}
	return p.inputs[dataset]
}

// teacherFiles are the files that are there of the teachers of a data set of real images.
func (p *Plan) teacherFiles(dataset string) []string {
	var files []string
	for _, t := range p.Matrix.Teachers {
		if path := p.teacherFile(t); t.teaches(p.entries[dataset].Name, Real) && isFile(path) {
			files = append(files, path)
		}
	}
	return files
}

// teacherFile is the file of a teacher that is no miniature: below the root of the data, or else the work folder.
func (p *Plan) teacherFile(t MatrixTeacher) string {
	file := filepath.FromSlash(t.File)
	if path := filepath.Join(p.root, file); isFile(path) {
		return path
	}
	return filepath.Join(p.work, file)
}

// data returns the folder of a data set.
func (p *preparation) data(ctx context.Context, session *rdlib.Session, dataset string) (string, error) {
	if p.plan.Data == Real {
		return p.plan.folders[dataset], nil
	}
	return p.once(ctx, session, p.datasets, dataset, func() (string, error) {
		d := p.plan.entries[dataset]
		return p.plan.Matrix.makePhantom(session.Log, d.Phantom, d.PerClass, p.plan.work)
	})
}

// teacher returns the ONNX file of a teacher.
func (p *preparation) teacher(ctx context.Context, session *rdlib.Session, name string) (string, error) {
	t, _ := named(p.plan.Matrix.Teachers, MatrixTeacher.name, name)
	if !t.Miniature {
		return p.plan.teacherFile(t), nil
	}
	return p.once(ctx, session, p.teachers, name, func() (string, error) {
		return p.plan.Matrix.makeMiniature(ctx, session, name, p.plan.work)
	})
}

// once makes a thing the first time it is asked for, while no other process does.
func (p *preparation) once(ctx context.Context, session *rdlib.Session, made map[string]string, name string, do func() (string, error)) (string, error) {
	if path := made[name]; path != "" {
		return path, nil
	}
	folder := p.plan.workFolder()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("folder of phantoms and miniatures: %w; choose another --work", err)
	}
	if err := p.plan.Matrix.own(folder); err != nil {
		return "", err
	}
	lock, err := lockfile.Wait(ctx, filepath.Join(folder, ".lock"), func() {
		fmt.Fprintf(session.Log, "waiting for another process that prepares data or teachers in %s\n", folder)
	})
	if err != nil {
		return "", err
	}
	defer lock.Release()
	path, err := do()
	if err == nil {
		made[name] = path
	}
	return path, err
}

// cache computes the features of a cell's teacher for all cells of its data set that have no record: with the maps of all
// stages, where one of them needs those.
func (p *preparation) cache(ctx context.Context, session *rdlib.Session, c Cell, o rdlib.Options) error {
	pair := [2]string{c.Dataset, c.Teacher}
	if p.features[pair] || isFile(p.store.recordPath(c)) {
		return nil
	}
	stages := slices.ContainsFunc(p.plan.Cells, func(other Cell) bool {
		method, _ := named(p.plan.Matrix.Methods, MatrixMethod.name, other.Method)
		built, err := distill.New(method.method(), p.plan.Matrix.methodOptions(method))
		return other.Dataset == c.Dataset && other.Teacher == c.Teacher && err == nil && built.Needs().Stages && !isFile(p.store.recordPath(other))
	})
	if _, err := session.Features(ctx, o, []string{o.Teacher}, stages); err != nil {
		return err
	}
	p.features[pair] = true
	return nil
}
