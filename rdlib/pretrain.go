package rdlib

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rd/rdlib/checkpoint"
	"rd/rdlib/dataset"
	"rd/rdlib/distill"
	"rd/rdlib/foundation"
	"rd/rdlib/model"
	"rd/rdlib/pretrain"
	"rd/rdlib/record"
	"rd/rdlib/train"
)

// Objectives of pre-training.
const (
	Supervised     = "supervised"      // the labels of all sets, one head for each list of classes
	SelfSupervised = "self-supervised" // two views of one image, no labels
	Both           = "both"            // the sum of the two
	Captions       = "captions"        // which caption belongs to which image
)

// Objectives are their names, as PretrainOptions takes them.
var Objectives = []string{Supervised, SelfSupervised, Both, Captions}

// augmentation names the preset of dataset.Augmentations for each objective.
var augmentation = map[string]string{Supervised: "supervised", SelfSupervised: "contrastive", Both: "contrastive", Captions: "captions"}

// PretrainOptions describe a foundation model to be: a network, what it is trained on and how.
type PretrainOptions struct {
	Data   []string // folders of images, each a data set of its own
	Target string   // a data set that is never to be seen: its images, by their pixels, are left out; "" for none
	Layout string   // of all these data sets; "" recognises each
	Name   string   // in the side-car

	Objective    string
	Architecture string       // of model.Names
	Network      model.Config // its choices; Classes is filled in
	Size         int          // of the images, height and width; 0 is 64
	Colour       string       // "auto" (grey where the target, or else all sets, are), "grey" or "rgb"; "" is auto

	Epochs, Steps int                   // exactly one
	Batch         int                   // images a step; each is seen twice where views are learnt. 0 is 64
	Augment       *dataset.Augmentation // nil: the preset that suits the objective
	Seed          uint64
	Optimizer     record.Optimizer // the zero value is DefaultPretraining's
	Replace       bool             // a model of another run at the same place is replaced; else it is an error
	Command       string
}

// DefaultPretraining is AdamW at 1e-3 with a warm-up and a cosine.
func DefaultPretraining() record.Optimizer {
	o := train.DefaultOptimizer()
	o.LearningRate, o.WeightDecay, o.Schedule = 1e-3, 0.05, "warmup-cosine"
	return o
}

func (o PretrainOptions) resolve() (PretrainOptions, error) {
	if o.Size == 0 {
		o.Size = 64
	}
	if o.Batch == 0 {
		o.Batch = 64
	}
	if o.Colour == "" {
		o.Colour = "auto"
	}
	if o.Optimizer == (record.Optimizer{}) {
		o.Optimizer = DefaultPretraining()
	}
	o.Network.Transformer.Height, o.Network.Transformer.Width = o.Size, o.Size
	if o.Augment == nil {
		o.Augment = new(dataset.Augmentations[augmentation[o.Objective]])
	}
	if err := dataset.CheckLayout(o.Layout); err != nil {
		return o, &UsageError{err}
	}
	switch {
	case len(o.Data) == 0:
		return o, usagef("no data to pre-train on")
	case !slices.Contains(Objectives, o.Objective):
		return o, usagef("unknown objective %q: there are %s", o.Objective, strings.Join(Objectives, ", "))
	case o.Epochs == 0 && o.Steps == 0:
		return o, usagef("how long is it to train? Give epochs or steps")
	case o.Epochs != 0 && o.Steps != 0:
		return o, usagef("give epochs or steps, not both")
	case o.Epochs < 0 || o.Steps < 0:
		return o, usagef("%d epochs, %d steps: at least 1 is needed", o.Epochs, o.Steps)
	case o.Batch < 2:
		return o, usagef("batch %d: at least 2 images are needed", o.Batch)
	case o.Size < 8 || o.Size > 4096:
		return o, usagef("size %d: 8 to 4096 pixels are possible", o.Size)
	case !slices.Contains([]string{"auto", "grey", "rgb"}, o.Colour):
		return o, usagef("colour %q: there are auto, grey and rgb", o.Colour)
	}
	for _, dir := range o.Data {
		if o.Target != "" && sameFolder(dir, o.Target) {
			return o, usagef("%s is the target: a teacher that has seen it is worth nothing there", dir)
		}
	}
	if err := train.CheckOptimizer(o.Optimizer); err != nil {
		return o, &UsageError{err}
	}
	return o, nil
}

func sameFolder(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y)
}

// PretrainRecord is where the record of a pre-trained model lies: FILE.record.json beside FILE.onnx.
func PretrainRecord(path string) string { return strings.TrimSuffix(path, ".onnx") + ".record.json" }

// WhiteBox is where the weights of a pre-trained model lie, its heads among them: FILE.safetensors beside FILE.onnx.
func WhiteBox(path string) string { return strings.TrimSuffix(path, ".onnx") + ".safetensors" }

// Pretrain trains a network and writes it to path as a black box: an ONNX file with the outputs stage1 …, feature_map and
// pooled, no classifier; a side-car with preprocessing, provenance and what was seen; its weights; and the record. Data sets are used
// without their test parts, which tell what was learnt. A run that was stopped continues from its checkpoint; one that
// is done is not computed again.
func (s *Session) Pretrain(ctx context.Context, o PretrainOptions, path string) (*record.Record, error) {
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	if _, err := newNetwork(o.Architecture, o.network(2), o.Size); err != nil {
		return nil, err
	}
	if filepath.Ext(path) != ".onnx" {
		return nil, usagef("%s: the teacher's file must end in .onnx", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("teacher's folder: %w", err)
	}
	p, err := s.preparePretraining(ctx, o)
	if err != nil {
		return nil, err
	}
	if done, err := p.done(path); err != nil || done != nil {
		if done != nil {
			fmt.Fprintf(s.Log, "%s is done already\n", path)
		}
		return done, err
	}
	return p.run(ctx, path)
}

// network is the architecture's configuration for a number of classes.
func (o PretrainOptions) network(classes int) model.Config {
	c := o.Network
	c.Classes = classes
	return c
}

// pretraining is a run ready to start.
type pretraining struct {
	session  *Session
	options  PretrainOptions
	corpus   *corpus
	captions *captions // nil without
	network  *model.Network
	method   distill.Method
	input    dataset.Preprocess
	config   record.Config
	key      string
}

func (s *Session) preparePretraining(ctx context.Context, o PretrainOptions) (*pretraining, error) {
	p := &pretraining{session: s, options: o}
	var err error
	if p.corpus, err = s.corpus(ctx, o.Data, o.Target, o.Layout, o.Seed); err != nil {
		return nil, err
	}
	for _, set := range p.corpus.sets {
		fmt.Fprintf(s.Log, "%s: %d images to train on, %d held out, %d duplicates and %d of the target left out\n", set.Name, set.Train, set.Test, set.Duplicates, set.InTarget)
	}
	if p.network, err = newNetwork(o.Architecture, o.network(p.corpus.classes()), o.Size); err != nil {
		return nil, err
	}
	p.input = dataset.DefaultPreprocess(o.Size, o.Size)
	if p.input.Channels, err = s.colour(ctx, o, p.corpus); err != nil {
		return nil, err
	}
	if o.Objective == Captions {
		if p.captions, err = readCaptions(p.corpus); err != nil {
			return nil, err
		}
	}
	if p.method, err = p.objective(); err != nil {
		return nil, &UsageError{err}
	}
	steps := o.Steps
	if steps == 0 {
		steps = o.Epochs * stepsPerEpoch(p.corpus.train.Len(), o.Batch)
	}
	p.config = record.Config{
		Dataset: record.Dataset{Name: p.corpus.name(), Phantom: p.corpus.phantom(), Manifest: p.corpus.hash()},
		Student: p.network.Name(), Width: o.Network.Width, Network: o.network(p.corpus.classes()),
		Method: p.method.Name(), Options: p.method.Options(), Input: p.input,
		Views: 1, Epochs: o.Epochs, Steps: steps, Batch: o.Batch, Copies: p.copies(), Augment: o.Augment, Optimizer: o.Optimizer,
		Seeds:   record.SameSeeds(o.Seed),
		Backend: s.recordedBackend(),
	}
	p.key, err = p.config.Key()
	return p, err
}

// colour settles the channel order: grey where the images of the target, or of all sets, are grey.
func (s *Session) colour(ctx context.Context, o PretrainOptions, c *corpus) (string, error) {
	switch o.Colour {
	case "grey":
		return dataset.Grey, nil
	case "rgb":
		return dataset.RGB, nil
	}
	var look []*dataset.Dataset
	if o.Target != "" {
		look = append(look, s.data[dataKey{dir: o.Target, layout: o.Layout, seed: o.Seed}])
	} else {
		for _, set := range c.sets {
			look = append(look, set.data)
		}
	}
	for _, d := range look {
		if grey, err := d.Grey(ctx); err != nil || !grey {
			return dataset.RGB, asInput(err)
		}
	}
	return dataset.Grey, nil
}

func (p *pretraining) objective() (distill.Method, error) {
	supervised, err := pretrain.NewSupervised(p.corpus.heads())
	if err != nil {
		return nil, err
	}
	switch p.options.Objective {
	case SelfSupervised:
		return pretrain.DefaultContrastive(), nil
	case Both:
		return &pretrain.Both{Supervised: supervised, Contrastive: pretrain.DefaultContrastive(), Weight: 1}, nil
	case Captions:
		return &pretrain.Captions{Temperature: 0.07, Words: p.captions.words}, nil
	}
	return supervised, nil
}

// copies is how often each image of a batch is seen.
func (p *pretraining) copies() int {
	if p.options.Objective == SelfSupervised || p.options.Objective == Both {
		return 2
	}
	return 0
}

// labels is whether the objective learns labels.
func (p *pretraining) labels() bool {
	return p.options.Objective == Supervised || p.options.Objective == Both
}

// done returns the record of a finished run with the same key whose model is still there; nil when there is none. A model of
// another run is an error, unless it may be replaced.
func (p *pretraining) done(path string) (*record.Record, error) {
	r, err := record.Read(PretrainRecord(path))
	switch {
	case !exists(path):
		return nil, nil
	case err == nil && r.Result.Key == p.key:
		car, err := foundation.ReadSideCar(path)
		if err != nil || car == nil {
			return nil, nil
		}
		if sum, err := fileSHA256(path); err != nil || sum != car.SHA256 {
			return nil, nil
		}
		return r, nil
	case p.options.Replace, errors.Is(err, record.ErrDamaged):
		return nil, nil
	}
	return nil, usagef("%s is there already, made with other settings or data: choose another --out, or remove it", path)
}

func (p *pretraining) run(ctx context.Context, path string) (*record.Record, error) {
	started := time.Now()
	if err := p.corpus.load(ctx, p.session, p.options.Data, p.options.Layout, p.options.Seed, p.input); err != nil {
		return nil, err
	}
	cell := &train.Cell{
		Config: p.config, Student: p.network, Method: p.method, Backend: p.session.Backend,
		Height: p.input.Height, Width: p.input.Width, Channels: 3, Classes: p.corpus.classes(),
		Views: p.config.Views, Copies: p.config.Copies, Augment: p.options.Augment,
		Train: &p.corpus.train, Validation: &images{}, Test: &images{},
		Checkpoint: strings.TrimSuffix(path, ".onnx") + ".checkpoint", Progress: p.session.Log, Name: "pre-training " + p.network.Name(),
	}
	if p.labels() {
		cell.Test = &p.corpus.test
	}
	if p.captions != nil {
		cell.Features, cell.Outputs = p.captions, train.TeacherOutputs{Pooled: captionWords}
	}
	trained, err := p.session.runner.Run(ctx, cell)
	if err != nil {
		return nil, err
	}
	if err := p.export(path, trained.LastWeights); err != nil {
		return nil, err
	}
	r := &record.Record{Result: record.Result{
		Version: record.Version, Key: p.key, Config: p.config, Curves: trained.Curves, Last: trained.Last, Best: trained.Best,
		Counts:      record.Counts{Train: p.corpus.train.Len(), Test: p.corpus.test.Len()},
		Pretraining: &record.Pretraining{},
	}, Run: run(started, trained, p.options.Command)}
	pre := r.Result.Pretraining
	if p.options.Target != "" {
		pre.Target = folderName(p.options.Target)
	}
	if p.labels() {
		p.corpus.correct(trained.Probabilities)
	}
	for _, set := range p.corpus.sets {
		pre.Sets = append(pre.Sets, set.PretrainingSet)
	}
	if p.captions != nil {
		if pre.Retrieval, err = p.retrieve(ctx, path, trained.Modules[pretrain.TextModule]); err != nil {
			return nil, err
		}
	}
	if err := r.Write(PretrainRecord(path)); err != nil {
		return nil, err
	}
	if err := os.Remove(cell.Checkpoint); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove checkpoint: %w", err)
	}
	return r, nil
}

// export writes the network as ONNX with its side-car.
func (p *pretraining) export(path string, weights model.Weights) error {
	car, err := exportTeacher(path, p.network, weights, p.input, p.options.Name)
	if err != nil {
		return err
	}
	note, err := json.Marshal(map[string]any{"objective": p.options.Objective, "steps": p.config.Steps, "key": p.key, "record": filepath.Base(PretrainRecord(path))})
	if err != nil {
		return err
	}
	car.Pretraining = &foundation.Pretraining{Kind: p.options.Objective, Data: p.corpus.name(), Phantom: p.corpus.phantom(), Record: note}
	for _, set := range p.corpus.sets {
		car.Pretraining.Seen = append(car.Pretraining.Seen, set.Name)
	}
	if err := saveWeights(WhiteBox(path), p.network, weights, checkpoint.Origin{Input: p.input, Pretraining: car.Pretraining}); err != nil {
		return err
	}
	return car.Write(path)
}
