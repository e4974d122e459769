package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"rd/rdlib"
	"rd/rdlib/dataset"
	"rd/rdlib/foundation"
	"rd/rdlib/model"
	"rd/rdlib/stat"
	"rd/rdlib/train"
)

// feed is a way in which images come to a step.
type feed struct {
	name    string
	source  *dataset.Images
	augment *dataset.Augmentation
	cold    func() bool // not nil: called before each pass of the loader alone
	alone   bool        // only the loader is measured
}

// feeds are the ways at one input size, the lightest first.
func feeds(ctx context.Context, all []pictures, size int) ([]feed, error) {
	supervised, contrastive := dataset.Augmentations["supervised"], dataset.Augmentations["contrastive"]
	p := dataset.DefaultPreprocess(size, size)
	var list []feed
	for _, pictures := range all {
		kept, err := dataset.NewStore(pictures.data, p, 0)
		if err != nil {
			return nil, err
		}
		for _, augmented := range [][]dataset.Split{nil, {dataset.Train}} {
			if err := kept.Load(ctx, 0, nil, augmented...); err != nil {
				return nil, err
			}
		}
		files, err := dataset.NewStore(pictures.data, p, -1)
		if err != nil {
			return nil, err
		}
		memory, disk := kept.Part(dataset.Train), files.Part(dataset.Train)
		list = append(list,
			feed{name: pictures.name + ", kept in memory", source: memory},
			feed{name: pictures.name + ", kept in memory, augmented (supervised)", source: memory, augment: &supervised, alone: true},
			feed{name: pictures.name + ", kept in memory, augmented (contrastive)", source: memory, augment: &contrastive},
			feed{name: pictures.name + ", decoded each time", source: disk},
			feed{name: pictures.name + ", decoded each time, augmented (contrastive)", source: disk, augment: &contrastive},
			feed{name: pictures.name + ", decoded each time, read from the disk", source: disk, cold: pictures.toDisk, alone: true},
		)
	}
	return list, nil
}

func measure(ctx context.Context, s settings, r *record) error {
	all, err := makePictures(ctx, s)
	if err != nil {
		return err
	}
	for _, size := range s.sizes {
		list, err := feeds(ctx, all, size)
		if err != nil {
			return err
		}
		rates := map[string]float64{}
		for _, f := range list {
			rate, cold, err := throughput(ctx, s, f, size)
			if err != nil {
				return err
			}
			if f.cold != nil && !cold {
				continue // it would be the page cache's number again
			}
			rates[f.name] = rate
			r.loaders = append(r.loaders, loaderRow{size, f.name, rate})
		}
		for _, student := range s.students {
			if err := measureSteps(ctx, s, r, student, size, list, rates); err != nil {
				return err
			}
		}
		if err := measureFeatures(ctx, s, r, all[0].data, size); err != nil {
			return err
		}
	}
	return nil
}

// throughput is how many images a second the loader gives when nothing else runs.
func throughput(ctx context.Context, s settings, f feed, size int) (rate float64, cold bool, err error) {
	images, elapsed := 0, 0.0
	perPass := (f.source.Len() + s.batch - 1) / s.batch
	for pass := 0; elapsed < s.seconds; pass++ {
		if cold = f.cold != nil && f.cold(); f.cold != nil && !cold {
			return 0, false, nil
		}
		sampler, err := dataset.NewSampler(f.source.Len(), s.batch, uint64(pass))
		if err != nil {
			return 0, false, err
		}
		start := time.Now()
		l := dataset.NewLoader(ctx, f.source, sampler, dataset.LoaderOptions{
			Values: 3 * size * size, Views: 1, Augment: f.augment, AugmentationSeed: uint64(pass), Batches: perPass,
		})
		for {
			b, err := l.Next()
			if errors.Is(err, dataset.ErrEnd) {
				break
			}
			if err != nil {
				l.Close()
				return 0, false, err
			}
			images += len(b.Items)
			b.Release()
		}
		l.Close()
		elapsed += time.Since(start).Seconds()
	}
	return float64(images) / elapsed, cold, nil
}

// measureSteps times a student's steps alone, and fed in each way.
func measureSteps(ctx context.Context, s settings, r *record, student string, size int, list []feed, rates map[string]float64) error {
	o := rdlib.BenchOptions{Student: student, Method: "scratch", Size: size, Batch: s.batch, Steps: s.steps}
	alone, err := rdlib.BenchStep(o)
	if err != nil {
		return err
	}
	o.Steps = s.enough(stat.Median(alone.All))
	r.backend = fmt.Sprintf("%s %s, %d threads", alone.Backend, alone.BackendVersion, alone.Threads)
	for _, f := range list {
		if f.alone {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		o.Feed = &rdlib.BenchFeed{Train: f.source, Augment: f.augment}
		fed, err := rdlib.BenchStep(o)
		if err != nil {
			return err
		}
		r.add(student, size, f.name, rates[f.name], alone, fed)
	}
	return nil
}

// enough is how many steps of so many seconds are timed.
func (s settings) enough(seconds float64) int { return max(s.steps, int(s.seconds/seconds)) }

// measureFeatures times steps of reprogramming distillation, fed with images and the features of a teacher from its cache.
// The teacher is a ResNet-18 with random weights: what it costs to read features does not depend on their values.
func measureFeatures(ctx context.Context, s settings, r *record, d *dataset.Dataset, size int) error {
	net, err := model.New("resnet18", model.Config{Classes: 2})
	if err != nil {
		return err
	}
	graph, err := net.ONNX(net.Init(1), model.ONNXOptions{Sample: []int{3, size, size}, Outputs: []string{model.ONNXFeatureMap, model.ONNXPooled}})
	if err != nil {
		return err
	}
	path := filepath.Join(s.work, fmt.Sprintf("teacher%d.onnx", size))
	if err := os.WriteFile(path, graph, 0o644); err != nil {
		return err
	}
	teacher, err := foundation.Open(path, foundation.Options{Height: size, Width: size})
	if err != nil {
		return err
	}
	defer teacher.Close()
	store, err := dataset.NewStore(d, teacher.Preprocess(), 0)
	if err != nil {
		return err
	}
	images := store.Part(dataset.Train)
	cache, err := foundation.BuildCache(ctx, filepath.Join(s.work, fmt.Sprintf("teacher%d%s", size, foundation.CacheExtension)), teacher, images, foundation.BuildOptions{Manifest: d.Hash()})
	if err != nil {
		return err
	}
	defer cache.Close()
	for _, student := range s.students {
		o := rdlib.BenchOptions{Student: student, Method: "rd", Size: size, Batch: s.batch, Steps: s.steps}
		feed := &rdlib.BenchFeed{Train: images, Features: cache, Outputs: train.TeacherOutputs{Maps: []string{foundation.FeatureMap}, Pooled: foundation.Pooled}}
		still := *feed
		still.Train, still.Features = frozen{images, 3 * size * size}, nothing{cache}
		o.Feed = &still
		alone, err := rdlib.BenchStep(o)
		if err != nil {
			return err
		}
		o.Feed, o.Steps = feed, s.enough(stat.Median(alone.All))
		fed, err := rdlib.BenchStep(o)
		if err != nil {
			return err
		}
		r.add(student+", rd", size, "PNG, grey, kept in memory, two views; features from the cache", 0, alone, fed)
	}
	return nil
}

// frozen images and nothing's features cost nothing to read: what is left is the step.
type frozen struct {
	*dataset.Images
	values int
}

func (frozen) Tensor(int, bool, []float32) error { return nil }

type nothing struct{ *foundation.Cache }

func (nothing) Read(int, int, string, []float32) error { return nil }
