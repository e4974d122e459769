package experiments

import (
	"context"
	"fmt"
	"io"
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

// Miniatures are the three of a matrix.
func Miniatures(m *Matrix) []Miniature {
	share := func(steps int) int { return max(4, int(float64(steps)*m.Miniatures.Share)) }
	rate := func(learning, decay float64) record.Optimizer {
		o := rdlib.DefaultPretraining()
		o.LearningRate, o.WeightDecay = learning, decay
		return o
	}
	said := dataset.Augmentations["captions"] // what is asked for stays true
	return []Miniature{
		// PMC-CLIP: contrastive pre-training of images with captions
		{"mini-pmc-clip", rdlib.PretrainOptions{
			Objective: rdlib.Captions, Architecture: "clip_resnet50", Steps: share(600), Batch: 64, Optimizer: rate(3e-3, 0.05),
			Network: model.Config{Width: 0.25, Blocks: []int{1, 1, 1, 1}},
		}},
		// RadDenseNet: supervised pre-training, on what images of several modalities show
		{"mini-raddensenet", rdlib.PretrainOptions{
			Objective: rdlib.Supervised, Architecture: "densenet121", Steps: share(1400), Batch: 32, Optimizer: rate(3e-3, 0.005),
			Network: model.Config{Width: 0.5, Blocks: []int{1, 2, 3, 2}}, Augment: &said,
		}},
		// LVM-Med: self-supervised pre-training of a vision transformer
		{"mini-lvm-med", rdlib.PretrainOptions{
			Objective: rdlib.SelfSupervised, Architecture: "vit", Steps: share(350), Batch: 64, Optimizer: rate(1e-3, 0.05),
			Network: model.Config{Transformer: model.Transformer{Patch: 8, Dim: 96, Depth: 4, Heads: 3}},
		}},
	}
}

// makePhantom makes a phantom where it is missing, under work, and returns its folder.
func (m *Matrix) makePhantom(log io.Writer, kind string, perClass int, work string) (string, error) {
	k, ok := named(phantom.Kinds(), func(k phantom.Kind) string { return k.Name }, kind)
	if !ok {
		return "", fmt.Errorf("no phantom is called %s", kind)
	}
	dir := filepath.Join(work, m.Name, "phantom-"+kind)
	fmt.Fprintf(log, "phantom %s (%s): %d images a class, %d pixels\n", kind, k.Shows, perClass, m.Training.Size)
	if err := k.Write(dir, phantom.Options{PerClass: perClass, Size: m.Training.Size, Seed: phantomSeed}); err != nil {
		return dir, fmt.Errorf("%w (where another profile of this name has made it, give another --work)", err)
	}
	return dir, nil
}

// makeMiniature makes the corpora and pre-trains the named miniature where they are missing, under work, and returns its
// ONNX file.
func (m *Matrix) makeMiniature(ctx context.Context, session *rdlib.Session, name, work string) (string, error) {
	mini, ok := named(Miniatures(m), func(m Miniature) string { return m.Name }, name)
	if !ok {
		return "", fmt.Errorf("no miniature is called %s", name)
	}
	work = filepath.Join(work, m.Name)
	var corpora []string
	for _, c := range phantom.Corpora() {
		perClass := m.Miniatures.PerClass
		if c.Colour { // one corpus of five: where it is no larger than the others, a network learns little about colours
			perClass = perClass * 5 / 2
		}
		for _, task := range phantom.Tasks {
			dir := filepath.Join(work, "pretraining-"+c.Name+"-"+string(task))
			fmt.Fprintf(session.Log, "phantom corpus %s, %s: %d images a class\n", c.Name, task, perClass)
			if err := c.WriteTask(dir, task, phantom.Options{PerClass: perClass, Size: m.Training.Size, Seed: pretrainSeed}); err != nil {
				return "", err
			}
			corpora = append(corpora, dir)
		}
	}
	o := mini.pretrained
	o.Data, o.Name, o.Size, o.Seed, o.Colour, o.Replace = corpora, name, m.Training.Size, pretrainSeed, "rgb", true
	path := filepath.Join(work, name+".onnx")
	if _, err := session.Pretrain(ctx, o, path); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return path, nil
}

// ProbeMiniatures makes the miniatures and probes each on the five phantoms, of perClass images a class, against random weights. Under
// out lie the miniatures' own records (teachers/), the probes' records and their table.
func ProbeMiniatures(ctx context.Context, session *rdlib.Session, m *Matrix, perClass, seeds int, work, out, command string) error {
	var teachers []string
	for _, mini := range Miniatures(m) {
		path, err := m.makeMiniature(ctx, session, mini.Name, work)
		if err != nil {
			return err
		}
		teachers = append(teachers, path)
		r, err := record.Read(rdlib.PretrainRecord(path))
		if err != nil {
			return err
		}
		if err := r.Write(filepath.Join(out, "teachers", mini.Name+".json")); err != nil {
			return err
		}
	}
	for _, d := range m.Datasets {
		if d.Phantom == "" {
			continue
		}
		data, err := m.makePhantom(session.Log, d.Phantom, perClass, filepath.Join(work, "probes"))
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
