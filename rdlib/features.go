package rdlib

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"rd/rdlib/dataset"
	"rd/rdlib/foundation"
	"rd/rdlib/train"
)

// teacher looks at a foundation model once and closes it again: its features are computed when a cell trains. When the
// file is gone but its features of these very images are cached, the cache speaks for it.
func (s *Session) teacher(ctx context.Context, key teacherKey, data dataKey) (foundation.Info, error) {
	if info, ok := s.infos[key]; ok {
		return info, nil
	}
	if !exists(key.path) {
		d, err := s.dataset(ctx, data)
		if err != nil {
			return foundation.Info{}, err
		}
		if info, ok := s.cachedTeacher(key, imagesHash(d)); ok {
			fmt.Fprintf(s.Log, "teacher %s: its file is not there; cached features stand in for it\n", info.Name)
			s.infos[key] = info
			return info, nil
		}
	}
	t, err := foundation.Open(key.path, foundation.Options{Height: key.size, Width: key.size, Threads: s.threads})
	if err != nil {
		return foundation.Info{}, asInput(err)
	}
	defer t.Close()
	info := t.Info()
	for _, note := range info.Notes {
		fmt.Fprintf(s.Log, "teacher %s: %s\n", info.Name, note)
	}
	s.infos[key] = info
	return info, nil
}

// cachedTeacher describes a teacher by a cache of its features of the images.
func (s *Session) cachedTeacher(key teacherKey, images string) (foundation.Info, bool) {
	caches, err := foundation.FindCaches(s.cache)
	if err != nil {
		return foundation.Info{}, false
	}
	for _, c := range caches {
		m := c.Meta
		if m.File != filepath.Base(key.path) || m.Key.Manifest != images || key.size != 0 && m.Key.Preprocess.Height != key.size {
			continue
		}
		info := foundation.Info{File: key.path, Name: m.Name, SHA256: m.SHA256, Identity: m.Key.Teacher, Preprocess: m.Key.Preprocess, SideCar: m.SideCar, Stages: m.Stages}
		for _, o := range m.Outputs {
			info.Outputs = append(info.Outputs, foundation.Output{Name: o.Name, Graph: o.Graph, Shape: o.Shape, How: o.How})
		}
		return info, true
	}
	return foundation.Info{}, false
}

// features opens the cache of the teacher's features of all images, or computes it. One cache serves every split.
func (j *Job) features(ctx context.Context) (train.Features, error) {
	s := j.session
	key := foundation.CacheKey{
		Teacher: j.teacher.Identity, Manifest: imagesHash(j.Dataset), Items: len(j.Dataset.Items),
		Preprocess: j.teacher.Preprocess, Views: j.options.Views, Outputs: cachedOutputs(j.teacher, j.method.Needs().Stages), Half: j.options.Half,
	}
	path := filepath.Join(s.cache, key.FileName(j.teacher.Name))
	cache := s.caches[path]
	if cache == nil {
		var err error
		if cache, err = foundation.OpenCache(path, foundation.Expect(key)); err != nil {
			if cache, err = j.computeFeatures(ctx, path, key); err != nil {
				return nil, err
			}
		}
		s.caches[path] = cache
	}
	return &trainFeatures{cache, j.Dataset.Indices(dataset.Train)}, nil
}

// computeFeatures runs the teacher over every image and view.
func (j *Job) computeFeatures(ctx context.Context, path string, key foundation.CacheKey) (*foundation.Cache, error) {
	s := j.session
	t, err := foundation.Open(j.options.Teacher, foundation.Options{Height: key.Preprocess.Height, Width: key.Preprocess.Width, Threads: s.threads})
	if err != nil {
		return nil, asInput(err)
	}
	defer t.Close()
	store, err := dataset.NewStore(j.Dataset, t.Preprocess(), -1)
	if err != nil {
		return nil, asInput(err)
	}
	o := foundation.BuildOptions{
		Manifest: key.Manifest, Views: key.Views, Outputs: key.Outputs, Half: key.Half,
		Progress: s.bar("teacher's features", "views"), Notify: func(m string) { fmt.Fprintln(s.Log, m) },
	}
	size, err := t.EstimateBytes(key.Items, o)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(s.Log, "features of %s: %d images × %d views, %s in %s\n", j.teacher.Name, key.Items, key.Views, foundation.BytesText(size), path)
	if err := os.MkdirAll(s.cache, 0o755); err != nil {
		return nil, fmt.Errorf("cache folder: %w; choose another with --cache", err)
	}
	cache, err := foundation.BuildCache(ctx, path, t, allImages{store}, o)
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("%w while computing features; run the same command again to continue", train.ErrInterrupted)
	}
	return cache, err
}

// cachedOutputs are the features kept: the feature map, where the teacher has one, the pooled feature, and, where they are
// asked for, the maps of all stages.
func cachedOutputs(info *foundation.Info, stages bool) []string {
	var names []string
	for _, o := range info.Outputs {
		if stages || o.Name == foundation.FeatureMap || o.Name == foundation.Pooled {
			names = append(names, o.Name)
		}
	}
	return names
}

// imagesHash names the images and their order, whatever their split.
func imagesHash(d *dataset.Dataset) string {
	sum := sha256.New()
	for _, item := range d.Items {
		fmt.Fprintf(sum, "%s %s\n", item.SHA256, item.Path)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// allImages are all of a data set's images in the order of its items.
type allImages struct{ store *dataset.Store }

func (m allImages) Len() int { return len(m.store.Dataset().Items) }
func (m allImages) Tensor(i int, flip bool, dst []float32) error {
	return m.store.Tensor(i, flip, dst)
}

// trainFeatures numbers a cache's rows as the training images are numbered.
type trainFeatures struct {
	*foundation.Cache
	items []int
}

func (f *trainFeatures) Read(i, view int, output string, dst []float32) error {
	return f.Cache.Read(f.items[i], view, output, dst)
}
