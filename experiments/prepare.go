package experiments

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"rd/rdlib"
	"rd/rdlib/distill"
	"rd/rdlib/lockfile"
)

// preparation makes what the cells of a plan need, when the first of them needs it: phantoms, miniature teachers, features.
type preparation struct {
	plan  *Plan
	store *Store
	work  string // folder of phantoms and miniatures

	datasets map[string]string // data set, as cells name it → folder
	teachers map[string]string // teacher → ONNX file
	features map[[2]string]bool
}

func newPreparation(p *Plan, store *Store, work string) *preparation {
	return &preparation{plan: p, store: store, work: work, datasets: map[string]string{}, teachers: map[string]string{}, features: map[[2]string]bool{}}
}

// options are a cell's; what they name is there.
func (p *preparation) options(ctx context.Context, session *rdlib.Session, c Cell) (rdlib.Options, error) {
	m := p.plan.Matrix
	method, _ := named(m.Methods, MatrixMethod.name, c.Method)
	o := m.options()
	o.Student, o.Method, o.MethodOptions, o.Seeds = c.Student, c.Method, m.methodOptions(method), seeds(c.Seed)
	var err error
	if o.Data, err = p.data(ctx, session, c.Dataset); err != nil {
		return o, err
	}
	if p.plan.Data == Phantom {
		o.DataName = c.Dataset
	}
	o.InputOf = p.plan.inputOf(c.Dataset)
	if c.Teacher == "" {
		return o, nil
	}
	if o.Teacher, err = p.teacher(ctx, session, c.Teacher); err != nil {
		return o, err
	}
	return o, p.cache(ctx, session, c, o)
}

// inputOf is the teacher whose cut, scaling and colour all students of a data set follow: the first of those there. With
// phantoms none: the miniatures all see the whole image in colour, as students without a teacher do.
func (p *Plan) inputOf(dataset string) string {
	for _, t := range p.Matrix.Teachers {
		if path := p.teacherFile(t); p.Data == Real && t.teaches(p.entries[dataset].Name, Real) && isFile(path) {
			return path
		}
	}
	return ""
}

func (p *Plan) teacherFile(t MatrixTeacher) string {
	return filepath.Join(p.root, filepath.FromSlash(t.File))
}

// data returns the folder of a data set.
func (p *preparation) data(ctx context.Context, session *rdlib.Session, dataset string) (string, error) {
	if p.plan.Data == Real {
		return p.plan.folders[dataset], nil
	}
	return p.once(ctx, session, p.datasets, dataset, func() (string, error) {
		d := p.plan.entries[dataset]
		return p.plan.Matrix.makePhantom(session.Log, d.Phantom, d.PerClass, p.work)
	})
}

// teacher returns the ONNX file of a teacher.
func (p *preparation) teacher(ctx context.Context, session *rdlib.Session, name string) (string, error) {
	t, _ := named(p.plan.Matrix.Teachers, MatrixTeacher.name, name)
	if !t.Miniature {
		return p.plan.teacherFile(t), nil
	}
	return p.once(ctx, session, p.teachers, name, func() (string, error) {
		return p.plan.Matrix.makeMiniature(ctx, session, name, p.work)
	})
}

// once makes a thing the first time it is asked for, while no other process does.
func (p *preparation) once(ctx context.Context, session *rdlib.Session, made map[string]string, name string, do func() (string, error)) (string, error) {
	if path := made[name]; path != "" {
		return path, nil
	}
	folder := filepath.Join(p.work, p.plan.Matrix.Name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("folder of phantoms and miniatures: %w; choose another --work", err)
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
		built, err := distill.New(other.Method, p.plan.Matrix.methodOptions(method))
		return other.Dataset == c.Dataset && other.Teacher == c.Teacher && err == nil && built.Needs().Stages && !isFile(p.store.recordPath(other))
	})
	if _, err := session.Features(ctx, o, []string{o.Teacher}, stages); err != nil {
		return err
	}
	p.features[pair] = true
	return nil
}
