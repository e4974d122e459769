package experiments

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"rd/rdlib"
	"rd/rdlib/dataset/phantom"
	"rd/rdlib/model"
)

// Profile is how much a reproduction computes.
type Profile struct {
	Name          string
	Size          int // of phantoms, teacher and students, pixels
	PerClass      int // phantom images a class
	PretrainEach  int // pre-training images a class
	PretrainSteps int
	Students      []string
	Methods       []string
	Seeds         int
	Steps         int // of each student
}

// Profiles are the sizes `rd reproduce` knows: ci shows that everything runs, quick is the default.
var Profiles = []Profile{
	{Name: "ci", Size: 32, PerClass: 40, PretrainEach: 24, PretrainSteps: 20, Students: []string{"shufflenet"}, Methods: []string{"scratch", "direct", "rd"}, Seeds: 2, Steps: 20},
	{Name: "quick", Size: 48, PerClass: 200, PretrainEach: 100, PretrainSteps: 200, Students: model.Students(), Methods: []string{"scratch", "direct", "rd"}, Seeds: 3, Steps: 100},
}

// FindProfile returns the profile of that name.
func FindProfile(name string) (Profile, error) {
	i := slices.IndexFunc(Profiles, func(p Profile) bool { return p.Name == name })
	if i < 0 {
		names := make([]string, len(Profiles))
		for k, p := range Profiles {
			names[k] = p.Name
		}
		return Profile{}, &rdlib.UsageError{Err: fmt.Errorf("unknown profile %q: there are %v", name, names)}
	}
	return Profiles[i], nil
}

// Seeds of the phantoms and of the miniature teacher; fixed, so that everyone compares on the same images.
const (
	phantomSeed  = 2024
	pretrainSeed = 7
)

// Reproduce makes the phantom data and the miniature teacher where they are missing, under work, then runs and renders
// the comparison under out.
func Reproduce(ctx context.Context, session *rdlib.Session, p Profile, work, out string) (*Spec, error) {
	work = filepath.Join(work, p.Name)
	data := filepath.Join(work, "phantom-busi")
	if err := once(data, func(dir string) error {
		fmt.Fprintf(session.Log, "phantom breast ultrasound: %d images a class, %d pixels\n", p.PerClass, p.Size)
		return phantom.BreastUltrasound(dir, phantom.Options{PerClass: p.PerClass, Size: p.Size, Seed: phantomSeed})
	}); err != nil {
		return nil, err
	}
	corpus := filepath.Join(work, "phantom-pretraining")
	if err := once(corpus, func(dir string) error {
		fmt.Fprintf(session.Log, "phantom pre-training corpus: %d images a class\n", p.PretrainEach)
		return phantom.UltrasoundPretrain(dir, phantom.Options{PerClass: p.PretrainEach, Size: p.Size, Seed: pretrainSeed})
	}); err != nil {
		return nil, err
	}
	teacher := filepath.Join(work, "teacher.onnx")
	if _, err := os.Stat(teacher); err != nil {
		o := rdlib.PretrainOptions{
			Data: []string{corpus}, Objective: rdlib.Supervised, Architecture: "resnet18", Network: model.Config{Width: 0.5}, Size: p.Size, Steps: p.PretrainSteps, Batch: 32, Seed: pretrainSeed,
			Name: "miniature phantom teacher",
		}
		if _, err := session.Pretrain(ctx, o, teacher); err != nil {
			return nil, fmt.Errorf("miniature teacher: %w", err)
		}
	}
	spec := &Spec{
		Title:    fmt.Sprintf("Phantom breast ultrasound, profile %s", p.Name),
		Base:     rdlib.Options{Data: data, DataName: "busi-phantom", Size: p.Size, Steps: p.Steps, Batch: 32},
		Teachers: []string{teacher}, Students: p.Students, Methods: p.Methods, Seeds: p.Seeds,
		Out:     filepath.Join(out, p.Name),
		Command: "make reproduce PROFILE=" + p.Name,
	}
	return spec, Run(ctx, session, spec)
}

// once makes a folder in a temporary place and renames it when it is complete, unless it is there already.
func once(dir string, make func(dir string) error) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	partial := dir + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	if err := make(partial); err != nil {
		return err
	}
	return os.Rename(partial, dir)
}
