package experiments

import (
	"context"
	"fmt"
	"path/filepath"

	"rd/rdlib"
	"rd/rdlib/dataset"
	"rd/rdlib/dataset/phantom"
	"rd/rdlib/model"
	"rd/rdlib/record"
)

// Miniature is a small stand-in for one of the paper's three foundation models: the same family of network and the same
// kind of pre-training, on synthetic images.
type Miniature struct {
	Name       string
	pretrained rdlib.PretrainOptions // data and size are filled in
}

// Miniatures are the three of a profile.
func Miniatures(p Profile) []Miniature {
	share := func(steps int) int { return max(4, int(float64(steps)*p.Pretrain)) }
	return []Miniature{
		// PMC-CLIP: contrastive pre-training of images with captions
		{"mini-pmc-clip", rdlib.PretrainOptions{
			Objective: rdlib.Captions, Architecture: "clip_resnet50", Steps: share(600),
			Network: model.Config{Width: 0.25, Blocks: []int{1, 1, 1, 1}},
		}},
		// RadDenseNet: supervised pre-training
		{"mini-raddensenet", rdlib.PretrainOptions{
			Objective: rdlib.Supervised, Architecture: "densenet121", Steps: share(1000),
			Network: model.Config{Width: 0.25, Blocks: []int{2, 4, 6, 4}}, Augment: &dataset.Augmentation{Flip: true, Brightness: 0.2, Contrast: 0.2},
		}},
		// LVM-Med: self-supervised pre-training of a vision transformer
		{"mini-lvm-med", rdlib.PretrainOptions{
			Objective: rdlib.SelfSupervised, Architecture: "vit", Steps: share(350),
			Network: model.Config{Transformer: model.Transformer{Patch: 8, Dim: 96, Depth: 4, Heads: 3}},
		}},
	}
}

// Seeds of the phantoms and of the miniature teachers; fixed, so that everyone compares on the same images.
const (
	phantomSeed  = 2024
	pretrainSeed = 7
)

// phantomData makes the phantom of one data set where it is missing, under work, and returns its folder.
func phantomData(session *rdlib.Session, p Profile, kind phantom.Kind, work string) (string, error) {
	dir := filepath.Join(work, p.Name, "phantom-"+kind.Name)
	fmt.Fprintf(session.Log, "phantom %s (%s): %d images a class, %d pixels\n", kind.Name, kind.Shows, p.PerClass, p.Size)
	return dir, kind.Write(dir, phantom.Options{PerClass: p.PerClass, Size: p.Size, Seed: phantomSeed})
}

// MakeMiniatures makes the corpora and pre-trains the three miniatures where they are missing, under work, and returns
// their ONNX files.
func MakeMiniatures(ctx context.Context, session *rdlib.Session, p Profile, work string) ([]string, error) {
	work = filepath.Join(work, p.Name)
	var corpora []string
	for _, c := range phantom.Corpora() {
		dir := filepath.Join(work, "pretraining-"+c.Name)
		fmt.Fprintf(session.Log, "phantom corpus %s: %d images a class\n", c.Name, p.PretrainEach)
		if err := c.Write(dir, phantom.Options{PerClass: p.PretrainEach, Size: p.Size, Seed: pretrainSeed}); err != nil {
			return nil, err
		}
		corpora = append(corpora, dir)
	}
	var teachers []string
	for _, m := range Miniatures(p) {
		o := m.pretrained
		o.Data, o.Name, o.Size, o.Batch, o.Seed, o.Colour, o.Replace = corpora, m.Name, p.Size, 64, pretrainSeed, "rgb", true
		o.Optimizer = rdlib.DefaultPretraining()
		o.Optimizer.LearningRate = 3e-3
		path := filepath.Join(work, m.Name+".onnx")
		if _, err := session.Pretrain(ctx, o, path); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		teachers = append(teachers, path)
	}
	return teachers, nil
}

// ProbeMiniatures makes the miniatures and probes each on the five phantoms against random weights. Under out lie the
// miniatures' own records (teachers/), the probes' records and their table.
func ProbeMiniatures(ctx context.Context, session *rdlib.Session, p Profile, seeds int, work, out, command string) error {
	teachers, err := MakeMiniatures(ctx, session, p, work)
	if err != nil {
		return err
	}
	for _, teacher := range teachers {
		r, err := record.Read(rdlib.PretrainRecord(teacher))
		if err != nil {
			return err
		}
		if err := r.Write(filepath.Join(out, "teachers", teacherName(teacher)+".json")); err != nil {
			return err
		}
	}
	for _, kind := range phantom.Kinds() {
		data, err := phantomData(session, p, kind, work)
		if err != nil {
			return err
		}
		for _, teacher := range teachers {
			probe, err := session.Probe(ctx, rdlib.ProbeOptions{Data: data, Teacher: teacher, Seeds: seeds, Command: command})
			if err != nil {
				return err
			}
			if err := WriteProbe(out, probe); err != nil {
				return err
			}
		}
	}
	return nil
}
