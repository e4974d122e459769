package experiments

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"rd/rdlib"
	"rd/rdlib/dataset/phantom"
)

// Profile is how much a reproduction computes.
type Profile struct {
	Name         string
	Size         int     // of phantoms, teachers and students, pixels
	PerClass     int     // phantom images a class
	PretrainEach int     // pre-training images a class, of each corpus
	Pretrain     float64 // share of the miniatures' full pre-training steps
	Students     []string
	Methods      []string
	Seeds        int
	Steps        int // of each student
}

// Profiles are the sizes `rd reproduce` knows: ci shows that everything runs, quick is the default.
var Profiles = []Profile{
	{Name: "ci", Size: 32, PerClass: 40, PretrainEach: 6, Pretrain: 0.02, Students: []string{"shufflenet"}, Methods: []string{"scratch", "direct", "rd"}, Seeds: 2, Steps: 20},
	{Name: "quick", Size: 48, PerClass: 200, PretrainEach: 60, Pretrain: 1, Students: []string{"shufflenet"}, Methods: []string{"scratch", "direct", "rd"}, Seeds: 3, Steps: 100},
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

// Reproduce makes the phantom data and the miniature teachers where they are missing, under work, then runs and renders
// the comparison under out.
func Reproduce(ctx context.Context, session *rdlib.Session, p Profile, work, out string) (*Spec, error) {
	data, err := phantomData(session, p, phantom.Kinds()[0], work) // breast ultrasound
	if err != nil {
		return nil, err
	}
	teachers, err := MakeMiniatures(ctx, session, p, work)
	if err != nil {
		return nil, err
	}
	spec := &Spec{
		Title:    fmt.Sprintf("Phantom breast ultrasound, profile %s", p.Name),
		Base:     rdlib.Options{Data: data, DataName: "busi-phantom", Size: p.Size, Steps: p.Steps, Batch: 32},
		Teachers: teachers, Students: p.Students, Methods: p.Methods, Seeds: p.Seeds,
		Out:     filepath.Join(out, p.Name),
		Command: "make reproduce PROFILE=" + p.Name,
	}
	return spec, Run(ctx, session, spec)
}
