package rdlib

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gomlx/compute"

	"rd/rdlib/backend"
	"rd/rdlib/dataset"
	"rd/rdlib/foundation"
	"rd/rdlib/progress"
	"rd/rdlib/train"
)

// SessionOptions say what a session runs on.
type SessionOptions struct {
	Backend string   // "" takes GOMLX_BACKEND, else the best at hand
	Threads int      // 0: one per processor
	Cache   string   // folder of feature caches; "" takes the user's cache folder
	Log     *os.File // progress and messages; nil is os.Stderr
	// Confirm is asked before more than LargeCache bytes of features are computed; nil says no.
	Confirm func(ctx context.Context, question string) bool
}

// Session holds what several cells share: the backend, the data sets, the images at one size and the teachers' cached
// features, each opened once. It is not safe for concurrent use.
type Session struct {
	Backend compute.Backend
	Log     *os.File

	threads    int
	cache      string
	largeCache int64
	confirm    func(ctx context.Context, question string) bool
	told       map[string]bool
	runner     train.Runner
	data       map[dataKey]*dataset.Dataset
	stores     map[storeKey]*dataset.Store
	infos      map[teacherKey]foundation.Info
	caches     map[string]*foundation.Cache
	warned     map[string]bool // teachers and data sets a user was warned of
}

type dataKey struct {
	dir, layout string
	seed        uint64
	strict      bool
	dropLeaks   bool
	trainShare  float64 // of the training images; 0: all
}

type storeKey struct {
	data       dataKey
	preprocess dataset.Preprocess
}

type teacherKey struct {
	path string
	size int
}

// OpenSession opens the backend.
func OpenSession(o SessionOptions) (*Session, error) {
	if o.Log == nil {
		o.Log = os.Stderr
	}
	cache, err := CacheFolder(o.Cache)
	if err != nil {
		return nil, err
	}
	if o.Threads < 0 {
		return nil, usagef("threads %d: give 1 or more, or 0 for one per processor", o.Threads)
	}
	b, err := openBackend(backend.Options{Name: o.Backend, Threads: o.Threads})
	if err != nil {
		return nil, err
	}
	return &Session{
		Backend: b, Log: o.Log, threads: o.Threads, cache: cache, largeCache: LargeCache, confirm: o.Confirm, told: map[string]bool{},
		data: map[dataKey]*dataset.Dataset{}, stores: map[storeKey]*dataset.Store{},
		infos: map[teacherKey]foundation.Info{}, caches: map[string]*foundation.Cache{}, warned: map[string]bool{},
	}, nil
}

// CacheFolder is the folder of feature caches: the one given, or else the user's.
func CacheFolder(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", usagef("no cache folder: %v; give --cache", err)
	}
	return filepath.Join(base, "rd", "features"), nil
}

// once writes a message to the log unless it was written before.
func (s *Session) once(message string) {
	if !s.told[message] {
		s.told[message] = true
		fmt.Fprintln(s.Log, message)
	}
}

// openBackend opens a backend; one that was named and cannot be had is wrong usage.
func openBackend(o backend.Options) (compute.Backend, error) {
	b, err := backend.Open(o)
	if err != nil && (o.Name != "" || os.Getenv(backend.Env) != "") {
		return nil, &UsageError{err}
	}
	return b, err
}

// Close closes the caches and the backend.
func (s *Session) Close() error {
	s.runner.Close()
	var errs []error
	for _, c := range s.caches {
		errs = append(errs, c.Close())
	}
	s.Backend.Finalize()
	return errors.Join(errs...)
}

// dataset opens a data set once.
func (s *Session) dataset(ctx context.Context, key dataKey) (*dataset.Dataset, error) {
	if d := s.data[key]; d != nil {
		return d, nil
	}
	if key.trainShare != 0 {
		return s.reduced(ctx, key)
	}
	d, err := dataset.Open(ctx, key.dir, dataset.Options{Layout: key.layout, Strict: key.strict, DropLeaks: key.dropLeaks, SplitSeed: key.seed, Progress: s.bar("checking images", "images")})
	if err != nil {
		return nil, asInput(err)
	}
	fmt.Fprintln(s.Log, d.Summary())
	for _, skipped := range d.Skipped {
		fmt.Fprintf(s.Log, "left out: %s\n", skipped)
	}
	for _, note := range d.Notes {
		fmt.Fprintf(s.Log, "note: %s\n", note)
	}
	s.data[key] = d
	return d, nil
}

// reduced is a data set with a share of its training images; the whole is opened once for all shares.
func (s *Session) reduced(ctx context.Context, key dataKey) (*dataset.Dataset, error) {
	whole := key
	whole.trainShare = 0
	d, err := s.dataset(ctx, whole)
	if err != nil {
		return nil, err
	}
	if d, err = d.Reduced(key.trainShare); err != nil {
		return nil, &UsageError{err}
	}
	fmt.Fprintln(s.Log, d.Summary())
	s.data[key] = d
	return d, nil
}

// store decodes a data set's images at one size, once; all splits of a folder share them. When the training images are to
// be augmented, they are decoded in their larger form.
func (s *Session) store(ctx context.Context, key storeKey, augmented bool) (*dataset.Store, error) {
	if store := s.stores[key]; store != nil {
		return store, nil
	}
	var store *dataset.Store
	for other, kept := range s.stores {
		if other.data.dir == key.data.dir && other.preprocess == key.preprocess {
			store = kept.Share(s.data[key.data])
			break
		}
	}
	if store == nil {
		var err error
		if store, err = dataset.NewStore(s.data[key.data], key.preprocess, 0); err != nil {
			return nil, &UsageError{err}
		}
	}
	var larger []dataset.Split
	if augmented {
		larger = append(larger, dataset.Train)
	}
	if err := store.Load(ctx, 0, s.bar("decoding", "images"), larger...); err != nil {
		return nil, asInput(err)
	}
	s.stores[key] = store
	return store, nil
}

// bar returns a callback that shows progress.
func (s *Session) bar(what, unit string) func(done, total int) {
	return progress.Callback(s.Log, what, unit)
}

// exists reports whether a file is there.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
