package rdlib

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

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

// CheckTeacher says why a teacher's file, with images of a size, 0 for the teacher's own, cannot be used; nil where it can.
func (s *Session) CheckTeacher(ctx context.Context, path string, size int) error {
	_, err := s.teacher(ctx, teacherKey{path, size}, dataKey{})
	return err
}

// cachedTeacher describes a teacher by the cache of its features of the images that holds most.
func (s *Session) cachedTeacher(key teacherKey, images string) (info foundation.Info, ok bool) {
	most := 0
	for _, c := range s.otherCaches("") {
		m := c.Meta
		if m.File != filepath.Base(key.path) || m.Key.Manifest != images || key.size != 0 && m.Key.Preprocess.Height != key.size || len(m.Outputs) <= most {
			continue
		}
		most = len(m.Outputs)
		info = foundation.Info{File: key.path, Name: m.Name, SHA256: m.SHA256, Identity: m.Key.Teacher, Preprocess: m.Key.Preprocess, SideCar: m.SideCar, Stages: m.Stages}
		for _, o := range m.Outputs {
			info.Outputs = append(info.Outputs, foundation.Output{Name: o.Name, Graph: o.Graph, Shape: o.Shape, How: o.How})
		}
	}
	return info, most > 0
}

// otherCaches lists the caches in the session's folder but the one at a path; it says once which cannot be read.
func (s *Session) otherCaches(path string) []foundation.FoundCache {
	all, err := foundation.FindCaches(s.cache)
	if err != nil {
		s.once(err.Error())
	}
	return slices.DeleteFunc(all, func(c foundation.FoundCache) bool {
		if c.Damaged != nil && c.Path != path {
			s.once(c.Damaged.Error())
		}
		return c.Damaged != nil || c.Path == path
	})
}

// featureRequest asks for a teacher's features of a data set's images.
type featureRequest struct {
	teacher *foundation.Info
	key     foundation.CacheKey
}

func (r featureRequest) path(folder string) string {
	return filepath.Join(folder, r.key.FileName(r.teacher.Name))
}

// request asks for the features of all images of d; one cache serves every split.
func request(d *dataset.Dataset, teacher *foundation.Info, o Options, stages bool) featureRequest {
	return featureRequest{teacher, foundation.CacheKey{
		Teacher: teacher.Identity, Manifest: imagesHash(d), Items: len(d.Items),
		Preprocess: teacher.Preprocess, Views: o.Views, Outputs: cachedOutputs(teacher, stages), Half: o.Half,
	}}
}

// features opens the cache of the teacher's features of all images, or computes it.
func (j *Job) features(ctx context.Context) (train.Features, error) {
	caches, err := j.session.features(ctx, j.Dataset, request(j.Dataset, j.teacher, j.options, j.method.Needs().Stages))
	if err != nil {
		return nil, err
	}
	return &trainFeatures{caches[0], j.Dataset.Indices(dataset.Train)}, nil
}

// Features computes the features of several teachers, of all images of o.Data, where they are not cached yet: each image
// is decoded once for all teachers, and a teacher under two names is one. With stages the caches hold every map the teachers give; they serve every method then.
// Of o, Data, TeacherSize, Views, Half, Strict and the seed of the split count. The caches are closed with the session.
func (s *Session) Features(ctx context.Context, o Options, teachers []string, stages bool) ([]*foundation.Cache, error) {
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	if len(teachers) == 0 {
		return nil, usagef("no teacher is given")
	}
	d, err := s.dataset(ctx, o.dataKey())
	if err != nil {
		return nil, err
	}
	var requests []featureRequest
	for _, file := range teachers {
		info, err := s.teacher(ctx, teacherKey{file, o.TeacherSize}, o.dataKey())
		if err != nil {
			return nil, err
		}
		r := request(d, &info, o, stages)
		if !slices.ContainsFunc(requests, func(other featureRequest) bool { return other.key.Serves(r.key) }) { // the file under two names
			requests = append(requests, r)
		}
	}
	return s.features(ctx, d, requests...)
}

// features opens the caches asked for, and computes those that are not there.
func (s *Session) features(ctx context.Context, d *dataset.Dataset, requests ...featureRequest) ([]*foundation.Cache, error) {
	caches := make([]*foundation.Cache, len(requests))
	var missing []int
	var unusable []error
	for i, r := range requests {
		var err error
		if caches[i], err = s.openCache(r); caches[i] == nil {
			missing, unusable = append(missing, i), append(unusable, err)
		}
	}
	if len(missing) == 0 {
		return caches, nil
	}
	var wanted []featureRequest
	for _, i := range missing {
		wanted = append(wanted, requests[i])
	}
	computed, err := s.computeFeatures(ctx, d, wanted)
	if err != nil {
		return nil, errors.Join(append([]error{err}, unusable...)...)
	}
	for k, i := range missing {
		caches[i] = computed[k]
		s.caches[computed[k].Path()] = computed[k]
	}
	return caches, nil
}

// openCache opens a cache that holds what is asked for, perhaps among more, and says of every other that seemed to why
// it is not used. Without one it returns nil, and what is wrong with the cache that has the very name, if there is one.
func (s *Session) openCache(r featureRequest) (*foundation.Cache, error) {
	for _, c := range s.caches {
		if c.Key().Serves(r.key) {
			return c, nil
		}
	}
	own := r.path(s.cache)
	cache, unusable := foundation.OpenCache(own, foundation.Expect(r.key))
	if errors.Is(unusable, fs.ErrNotExist) {
		unusable = nil
	}
	others := s.otherCaches(own)
	slices.SortStableFunc(others, func(a, b foundation.FoundCache) int { return cmp.Compare(a.Bytes, b.Bytes) })
	for _, c := range others {
		if cache != nil {
			break
		}
		m := c.Meta
		switch {
		case m.Key.Serves(r.key):
			var err error
			if cache, err = foundation.OpenCache(c.Path, foundation.Expect(r.key)); err != nil {
				s.once(err.Error())
			}
		case m.File == filepath.Base(r.teacher.File) && m.Key.Manifest == r.key.Manifest && m.Key.Teacher != r.key.Teacher:
			s.once(fmt.Sprintf("%s holds features of another %s (sha256 %.12s…) than %s (%.12s…): it is not used", c.Path, m.File, m.Key.Teacher, r.teacher.File, r.key.Teacher))
		}
	}
	if cache == nil {
		return nil, unusable
	}
	if unusable != nil {
		s.once(fmt.Sprintf("%v: %s is used instead", unusable, cache.Path()))
	}
	s.caches[cache.Path()] = cache
	return cache, nil
}

// LargeCache is how many bytes of features are computed without asking.
const LargeCache = 10_000_000_000

// computeFeatures runs the teachers over every image and view.
func (s *Session) computeFeatures(ctx context.Context, d *dataset.Dataset, requests []featureRequest) ([]*foundation.Cache, error) {
	var tasks []foundation.CacheTask
	total := int64(0)
	for _, r := range requests {
		size := r.key.Preprocess
		t, err := foundation.Open(r.teacher.File, foundation.Options{Height: size.Height, Width: size.Width, Threads: s.threads})
		if err != nil {
			return nil, asInput(err)
		}
		defer t.Close()
		o := foundation.BuildOptions{
			Manifest: r.key.Manifest, Views: r.key.Views, Outputs: r.key.Outputs, Half: r.key.Half,
			Notify: func(m string) { fmt.Fprintln(s.Log, m) },
		}
		bytes, err := t.EstimateBytes(r.key.Items, o)
		if err != nil {
			return nil, err
		}
		total += bytes
		fmt.Fprintf(s.Log, "features of %s: %d images × %d views, %s, %s in %s\n", r.teacher.Name, r.key.Items, r.key.Views, strings.Join(r.key.Outputs, ", "), foundation.BytesText(bytes), r.path(s.cache))
		tasks = append(tasks, foundation.CacheTask{Path: r.path(s.cache), Teacher: t, Options: o})
	}
	if total > s.largeCache {
		question := fmt.Sprintf("the teacher's features take %s in %s", foundation.BytesText(total), s.cache)
		if s.confirm == nil || !s.confirm(ctx, question+": compute them?") {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, usagef("%s: give --yes to compute them, or choose fewer stages or --views, --half, a smaller --teacher-size or another --cache", question)
		}
	}
	if err := os.MkdirAll(s.cache, 0o755); err != nil {
		return nil, fmt.Errorf("cache folder: %w; choose another with --cache", err)
	}
	caches, err := foundation.BuildCaches(ctx, decoder{d}, tasks, s.bar("teacher's features", "views"))
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("%w while computing features; run the same command again to continue", train.ErrInterrupted)
	}
	return caches, err
}

// hasSeen is whether a teacher's side-car says that it was pre-trained on the data set of this name, or on one that this
// is a part of: isic2018-part is of isic2018.
func hasSeen(info *foundation.Info, data string) bool {
	if info == nil || info.SideCar == nil || info.SideCar.Pretraining == nil {
		return false
	}
	data = strings.ToLower(data)
	return slices.ContainsFunc(info.SideCar.Pretraining.Seen, func(seen string) bool {
		seen = strings.ToLower(seen)
		return seen == data || strings.HasPrefix(data, seen+"-") || strings.HasPrefix(seen, data+"-")
	})
}

// cachedOutputs are the features kept: feature map, pooled feature and logits, where the teacher has them, and, where they are
// asked for, the maps of all stages.
func cachedOutputs(info *foundation.Info, stages bool) []string {
	var names []string
	for _, o := range info.Outputs {
		if stages || slices.Contains([]string{foundation.FeatureMap, foundation.Pooled, foundation.Logits}, o.Name) {
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

// decoder gives all of a data set's images in the order of its items.
type decoder struct{ *dataset.Dataset }

func (d decoder) Len() int { return len(d.Items) }

// trainFeatures numbers a cache's rows as the training images are numbered.
type trainFeatures struct {
	*foundation.Cache
	items []int
}

func (f *trainFeatures) Read(i, view int, output string, dst []float32) error {
	return f.Cache.Read(f.items[i], view, output, dst)
}
