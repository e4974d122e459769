package rdlib

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"rd/rdlib/dataset"
	"rd/rdlib/foundation"
	"rd/rdlib/model"
	"rd/rdlib/probe"
	"rd/rdlib/record"
)

// ProbeOptions say which teacher is probed on which data.
type ProbeOptions struct {
	Data    string
	Layout  string // of Data; "" recognises it
	Teacher string
	Seeds   int // 1 … Seeds
	// Architecture and Network describe the network that is compared with at random weights. "" takes them from the
	// teacher's record, and leaves the comparison out where there is none.
	Architecture string
	Network      model.Config
	Command      string
}

// probeShare is the share of the images beside the test part that a seed uses, so that seeds differ in their training
// images too where the split is published.
const probeShare = 0.9

// Probe fits linear probes on a teacher's pooled feature and on that of the same network with random weights, once per
// seed. A fifth of the images that are used beside the test part chooses the penalty.
func (s *Session) Probe(ctx context.Context, o ProbeOptions) (*record.Probe, error) {
	if o.Seeds < 1 {
		return nil, usagef("%d seeds: at least 1 is needed", o.Seeds)
	}
	if err := dataset.CheckLayout(o.Layout); err != nil {
		return nil, &UsageError{err}
	}
	t, err := foundation.Open(o.Teacher, foundation.Options{Threads: s.threads})
	if err != nil {
		return nil, asInput(err)
	}
	defer t.Close()
	info := t.Info()
	if o.Architecture == "" {
		if o.Architecture, o.Network, err = recordedNetwork(o.Teacher); err != nil {
			return nil, err
		}
	}
	if o.Architecture == "" {
		fmt.Fprintf(s.Log, "%s has no record of its pre-training, so its network is not known: give --arch, and --width, to compare with random weights\n", info.Name)
	}
	if hasSeen(&info, folderName(o.Data)) {
		fmt.Fprintf(s.Log, "warning: %s has seen %s in pre-training: the probe says nothing about new images\n", info.Name, folderName(o.Data))
	}
	p := &record.Probe{
		Version: record.Version, Dataset: folderName(o.Data), Teacher: info.Name, SHA256: info.SHA256, Random: o.Architecture,
		Input: info.Preprocess, Share: probeShare, Command: o.Command,
	}
	var features [][]float32 // of all images, in the order of the items, which no split changes
	for k := range o.Seeds {
		seed := uint64(k + 1)
		key := dataKey{dir: o.Data, layout: o.Layout, seed: seed}
		d, err := s.dataset(ctx, key)
		if err != nil {
			return nil, err
		}
		store, err := s.store(ctx, storeKey{key, info.Preprocess}, false)
		if err != nil {
			return nil, err
		}
		all := &images{stores: []*dataset.Store{store}}
		for i, item := range d.Items {
			all.list = append(all.list, corpusImage{item: i, label: item.Label})
		}
		if features == nil {
			if features, err = teacherFeatures(ctx, t, all); err != nil {
				return nil, err
			}
		}
		p.Phantom, p.Classes = d.Phantom != nil, d.Classes
		parts := partsOf(d, seed)
		outcome := record.ProbeSeed{Seed: seed, Manifest: d.Hash(), Total: len(parts.test)}
		if n := len(parts.leaks); n > 0 {
			outcome.Clean = len(parts.test) - n
		}
		if outcome.Teacher, err = parts.probe(features, d); err != nil {
			return nil, err
		}
		text := fmt.Sprintf("seed %d: %d of %d", seed, outcome.Teacher.Correct, outcome.Total)
		if o.Architecture != "" {
			random, err := s.randomFeatures(ctx, o, info, seed, all)
			if err != nil {
				return nil, err
			}
			chance, err := parts.probe(random, d)
			if err != nil {
				return nil, err
			}
			outcome.Random = &chance
			text += fmt.Sprintf(", random weights %d", chance.Correct)
		}
		fmt.Fprintln(s.Log, text)
		p.Seeds = append(p.Seeds, outcome)
	}
	return p, nil
}

// recordedNetwork reads the architecture off a teacher's record, or off its side-car where that tells it, as of published
// weights; "" where neither does.
func recordedNetwork(teacher string) (string, model.Config, error) {
	var c model.Config
	path := PretrainRecord(teacher)
	if !exists(path) {
		car, err := foundation.ReadSideCar(teacher)
		if err != nil || car == nil || car.Pretraining == nil {
			return "", c, err
		}
		var published struct {
			Architecture string       `json:"architecture"`
			Network      model.Config `json:"network"`
		}
		if json.Unmarshal(car.Pretraining.Record, &published) != nil {
			return "", c, nil // notes of another program
		}
		return published.Architecture, published.Network, nil
	}
	r, err := record.Read(path)
	if err != nil {
		return "", c, &InputError{fmt.Errorf("record of the teacher: %w; copy it again", err)}
	}
	data, err := json.Marshal(r.Result.Config.Network)
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		return "", c, &InputError{fmt.Errorf("%s describes no network: %w", path, err)}
	}
	return r.Result.Config.Student, c, nil
}

// randomFeatures are the pooled features of the architecture with weights drawn from the seed, through the same export
// as the teacher.
func (s *Session) randomFeatures(ctx context.Context, o ProbeOptions, info foundation.Info, seed uint64, all *images) ([][]float32, error) {
	c := o.Network
	if c.Classes == 0 {
		c.Classes = 2 // of a classifier that is not exported
	}
	c.Transformer.Height, c.Transformer.Width = info.Preprocess.Height, info.Preprocess.Width
	network, err := model.New(o.Architecture, c)
	if err != nil {
		return nil, &UsageError{err}
	}
	if width := pooledWidth(info); network.FeatureDim() != width {
		return nil, usagef("%s gives %d features and %s %d: they are not the same network; give the --arch and --width it has", o.Architecture, network.FeatureDim(), info.Name, width)
	}
	dir, err := os.MkdirTemp("", "rd-probe-")
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "random.onnx")
	car, err := exportTeacher(path, network, network.Init(seed), info.Preprocess, "random weights")
	if err != nil {
		return nil, err
	}
	if err := car.Write(path); err != nil {
		return nil, err
	}
	return pooledFeatures(ctx, path, s.threads, all)
}

// probeParts are items of a data set.
type probeParts struct {
	train, validation, test []int
	leaks                   []int // the test items whose pixels are in another part
}

// partsOf draws the images a seed uses.
func partsOf(d *dataset.Dataset, seed uint64) probeParts {
	p := probeParts{test: d.Indices(dataset.Test), leaks: d.Leaks()}
	var rest []int
	for i, item := range d.Items {
		if item.Split != dataset.Test {
			rest = append(rest, i)
		}
	}
	rng := rand.New(rand.NewPCG(seed, 0x70726f6265))
	rng.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	rest = rest[:max(2, int(probeShare*float64(len(rest))))]
	n := max(1, len(rest)/5)
	p.validation, p.train = rest[:n], rest[n:]
	return p
}

func (p probeParts) probe(features [][]float32, d *dataset.Dataset) (record.ProbeOutcome, error) {
	samples := func(items []int) probe.Samples {
		var s probe.Samples
		for _, i := range items {
			s.Features, s.Labels = append(s.Features, features[i]), append(s.Labels, d.Items[i].Label)
		}
		return s
	}
	c, penalty, err := probe.Select(samples(p.train), samples(p.validation), len(d.Classes))
	if err != nil {
		return record.ProbeOutcome{}, err
	}
	o := record.ProbeOutcome{Penalty: penalty}
	test := samples(p.test)
	for i, class := range c.Predict(test.Features) {
		if class != test.Labels[i] {
			continue
		}
		o.Correct++
		if len(p.leaks) > 0 && !slices.Contains(p.leaks, p.test[i]) {
			o.Clean++
		}
	}
	return o, nil
}

// pooledWidth is how many features a teacher's pooled output has.
func pooledWidth(info foundation.Info) int {
	if o, err := info.Output(foundation.Pooled); err == nil {
		return o.Elements()
	}
	return 0
}
