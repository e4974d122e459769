package foundation

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rd/rdlib/dataset"
)

// A split of a data set, at the teacher's Preprocess, is what features are computed of.
var _ Images = (*dataset.Images)(nil)

// fakeImages are noise of a seed; image i is the same whatever the order of calls.
type fakeImages struct {
	n, height, width int
	fail             func(i int) error // may be nil
	count            *atomic.Int64     // of calls; may be nil
}

func (f fakeImages) Len() int { return f.n }

func (f fakeImages) Tensor(i int, flip bool, dst []float32) error {
	if f.count != nil {
		f.count.Add(1)
	}
	if f.fail != nil {
		if err := f.fail(i); err != nil {
			return err
		}
	}
	image := noise(uint64(i), 3*f.height*f.width)
	if flip {
		for row := 0; row < len(image); row += f.width {
			slices.Reverse(image[row : row+f.width])
		}
	}
	copy(dst, image)
	return nil
}

const cachedImages = 21 // not a multiple of a block

func images() fakeImages { return fakeImages{n: cachedImages, height: 8, width: 12} }

func tinyTeacher(t testing.TB, m tiny, threads int) *Teacher {
	t.Helper()
	return open(t, m.write(t, t.TempDir()), Options{Height: 8, Width: 12, Threads: threads})
}

func everything() BuildOptions {
	return BuildOptions{Manifest: "m", Outputs: []string{"stage1", FeatureMap, Pooled}}
}

func mustBuild(t testing.TB, path string, teacher *Teacher, images Images, o BuildOptions) *Cache {
	t.Helper()
	cache, err := BuildCache(context.Background(), path, teacher, images, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cache.Close() })
	return cache
}

func contents(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(path) {
			t.Errorf("%s is left behind", e.Name())
		}
	}
}

func TestCacheHoldsWhatTheTeacherComputes(t *testing.T) {
	for _, half := range []bool{false, true} {
		for name, m := range map[string]tiny{"free batch": {}, "batch of one": {batch: 1}, "batch of four": {batch: 4}, "NHWC": {nhwc: true}, "grey": {channels: 1}} {
			t.Run(fmt.Sprintf("%s half=%v", name, half), func(t *testing.T) {
				teacher := tinyTeacher(t, m, 2)
				o := everything()
				o.Half = half
				path := filepath.Join(t.TempDir(), "new", "c.features")
				var calls [][2]int
				o.Progress = func(done, total int) { calls = append(calls, [2]int{done, total}) }
				cache := mustBuild(t, path, teacher, images(), o)
				onlyFile(t, path)
				image := make([]float32, 3*8*12)
				for i := range cachedImages {
					for view := range 2 {
						if err := images().Tensor(i, view == 1, image); err != nil {
							t.Fatal(err)
						}
						features, err := teacher.Features(image[:teacher.Info().Channels*8*12], 1)
						if err != nil {
							t.Fatal(err)
						}
						for _, output := range []string{"stage1", FeatureMap, Pooled} {
							want := features[output].Data
							got := make([]float32, len(want))
							if err := cache.Read(i, view, output, got); err != nil {
								t.Fatal(err)
							}
							for k := range want {
								tolerance := 1e-6 * max(1, math.Abs(float64(want[k])))
								if half {
									tolerance = max(math.Abs(float64(want[k]))/2048, 1e-7)
								}
								if math.Abs(float64(got[k]-want[k])) > tolerance {
									t.Fatalf("image %d view %d %s[%d] = %v, want %v", i, view, output, k, got[k], want[k])
								}
							}
						}
					}
				}
				if calls[0] != [2]int{0, 2 * cachedImages} || calls[len(calls)-1] != [2]int{2 * cachedImages, 2 * cachedImages} {
					t.Errorf("progress %v", calls)
				}
				if origin := cache.Origin(); origin.Reused || origin.Computed != 2*cachedImages || origin.Replaced != nil {
					t.Errorf("%+v", origin)
				}
				estimate, err := teacher.EstimateBytes(cachedImages, o)
				if info, statErr := os.Stat(path); err != nil || statErr != nil || info.Size() != estimate || cache.Bytes() != estimate {
					t.Errorf("estimated %d, %v; %+v", estimate, err, info)
				}
			})
		}
	}
}

func TestCacheBytesDoNotDependOnThreadsOrInterruptions(t *testing.T) {
	model := tiny{}
	folder := t.TempDir()
	one := filepath.Join(folder, "one.features")
	mustBuild(t, one, tinyTeacher(t, model, 1), images(), everything())
	want := contents(t, one)

	three := filepath.Join(folder, "three.features")
	mustBuild(t, three, tinyTeacher(t, model, 3), images(), everything())
	if contents(t, three) != want {
		t.Error("three threads computed other bytes than one")
	}

	for _, threads := range []int{1, 2} {
		teacher := tinyTeacher(t, model, threads)
		for stop := 1; stop <= 40; stop += 13 {
			path := filepath.Join(t.TempDir(), "c.features")
			ctx, cancel := context.WithCancel(context.Background())
			var count atomic.Int64
			interrupted := images()
			interrupted.fail = func(int) error {
				if count.Add(1) == int64(stop) {
					cancel()
				}
				return nil
			}
			if cache, err := BuildCache(ctx, path, teacher, interrupted, everything()); !errors.Is(err, context.Canceled) {
				t.Fatalf("interrupted at %d: %v, %v", stop, cache, err)
			}
			if _, err := OpenCache(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("half a cache opened: %v", err)
			}
			// With one thread it is known which blocks are complete by then.
			if _, err := OpenCache(path + ".partial"); err == nil || threads == 1 && errors.Is(err, os.ErrNotExist) != (stop == 1) {
				t.Errorf("stopped at %d, the partial file: %v", stop, err)
			}
			var again atomic.Int64
			resumed := images()
			resumed.count = &again
			cache := mustBuild(t, path, teacher, resumed, everything())
			origin := cache.Origin()
			if origin.Resumed+origin.Computed != 2*cachedImages || int(again.Load()) != origin.Computed || threads == 1 && stop > 20 && origin.Resumed == 0 {
				t.Errorf("stopped at %d: %+v, %d images computed", stop, origin, again.Load())
			}
			if contents(t, path) != want {
				t.Errorf("%d threads, interrupted at %d: the bytes differ", threads, stop)
			}
			onlyFile(t, path)
		}
	}
}

// interruptedBuild leaves a partial file of several blocks beside path.
func interruptedBuild(t *testing.T, path string, teacher *Teacher) {
	t.Helper()
	broken := images()
	broken.fail = func(i int) error {
		if i == 14 {
			return errors.New("image 14 is broken")
		}
		return nil
	}
	if _, err := BuildCache(context.Background(), path, teacher, broken, everything()); err == nil || !strings.Contains(err.Error(), "image 14 is broken") || !strings.Contains(err.Error(), "kept") {
		t.Fatalf("%v", err)
	}
}

func TestDamagedPartialFileIsNotTrusted(t *testing.T) {
	teacher := tinyTeacher(t, tiny{}, 1)
	whole := filepath.Join(t.TempDir(), "c.features")
	mustBuild(t, whole, teacher, images(), everything())
	want := contents(t, whole)
	for name, damage := range map[string]func([]byte) []byte{
		"nothing":          func(b []byte) []byte { return b },
		"a value":          func(b []byte) []byte { b[dataAlignment+10] ^= 1; return b },
		"a checksum":       func(b []byte) []byte { b[dataAlignment-9] ^= 1; return b },
		"its header":       func(b []byte) []byte { b[20] ^= 1; return b },
		"its description":  func(b []byte) []byte { b[100] ^= 1; return b },
		"cut short":        func(b []byte) []byte { return b[:len(b)/2] },
		"cut to nothing":   func([]byte) []byte { return nil },
		"something else's": func([]byte) []byte { return []byte(strings.Repeat("something else ", 1000)) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "c.features")
			interruptedBuild(t, path, teacher)
			writeFile(t, path+".partial", damage([]byte(contents(t, path+".partial"))))
			cache := mustBuild(t, path, teacher, images(), everything())
			if name == "nothing" && cache.Origin().Resumed == 0 {
				t.Errorf("nothing was resumed")
			}
			if contents(t, path) != want {
				t.Error("the bytes differ")
			}
		})
	}
	t.Run("complete but for its name", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "c.features")
		writeFile(t, path+".partial", []byte(want))
		cache := mustBuild(t, path, teacher, images(), everything())
		if cache.Origin().Computed != 0 || contents(t, path) != want {
			t.Errorf("%+v", cache.Origin())
		}
	})
	t.Run("of another key", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "c.features")
		interruptedBuild(t, path, teacher)
		o := everything()
		o.Manifest = "other"
		if cache := mustBuild(t, path, teacher, images(), o); cache.Origin().Resumed != 0 {
			t.Errorf("%+v", cache.Origin())
		}
	})
}

func TestCacheIsReusedOrReplaced(t *testing.T) {
	teacher := tinyTeacher(t, tiny{}, 2)
	path := filepath.Join(t.TempDir(), "c.features")
	mustBuild(t, path, teacher, images(), everything())
	before := contents(t, path)

	unread := images()
	unread.fail = func(int) error { return errors.New("must not be read") }
	fewer := everything()
	fewer.Outputs = []string{Pooled}
	for _, o := range []BuildOptions{everything(), fewer} {
		if cache := mustBuild(t, path, teacher, unread, o); !cache.Origin().Reused {
			t.Errorf("%+v", cache.Origin())
		}
	}

	var told []string
	o := everything()
	o.Notify = func(message string) { told = append(told, message) }
	writeFile(t, path, []byte(before[:len(before)-8]))
	cache := mustBuild(t, path, teacher, images(), o)
	if !errors.Is(cache.Origin().Replaced, ErrCorrupt) || len(told) != 1 || !strings.Contains(told[0], "cut short") {
		t.Errorf("%+v; told %q", cache.Origin(), told)
	}
	if contents(t, path) != before {
		t.Error("the bytes differ")
	}

	old, err := OpenCache(path)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	o.Half = true
	if cache = mustBuild(t, path, teacher, images(), o); !errors.Is(cache.Origin().Replaced, ErrMismatch) {
		t.Errorf("%+v", cache.Origin())
	}
	if err := old.Verify(); err != nil { // whoever has the old one open keeps it
		t.Error(err)
	}
}

func TestFailedReplacementLeavesTheOldCache(t *testing.T) {
	teacher := tinyTeacher(t, tiny{}, 2)
	path := filepath.Join(t.TempDir(), "c.features")
	mustBuild(t, path, teacher, images(), everything())
	before := contents(t, path)
	broken := images()
	broken.fail = func(int) error { return errors.New("unreadable") }
	o := everything()
	o.Manifest = "another"
	if _, err := BuildCache(context.Background(), path, teacher, broken, o); err == nil || !strings.Contains(err.Error(), "unreadable") {
		t.Fatalf("%v", err)
	}
	if contents(t, path) != before {
		t.Error("the old cache was changed")
	}
	onlyFile(t, path)
}

func TestConcurrentBuildsComputeOnce(t *testing.T) {
	model := tiny{}.write(t, t.TempDir())
	path := filepath.Join(t.TempDir(), "c.features")
	var count, reused atomic.Int64
	var builds sync.WaitGroup
	for range 5 {
		teacher := open(t, model, Options{Height: 8, Width: 12, Threads: 1})
		builds.Go(func() {
			counted := images()
			counted.count = &count
			cache, err := BuildCache(context.Background(), path, teacher, counted, everything())
			if err != nil {
				t.Error(err)
				return
			}
			defer cache.Close()
			if cache.Origin().Reused {
				reused.Add(1)
			}
		})
	}
	builds.Wait()
	if count.Load() != 2*cachedImages || reused.Load() != 4 {
		t.Errorf("%d images computed, %d builds reused the cache", count.Load(), reused.Load())
	}
	onlyFile(t, path)
}

func TestWaitingForAnotherBuildCanBeCancelled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.features")
	unlock, err := lock(context.Background(), path, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	o := everything()
	told := ""
	o.Notify = func(message string) { told = message }
	if _, err := BuildCache(ctx, path, tinyTeacher(t, tiny{}, 1), images(), o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if !strings.Contains(told, "waiting") {
		t.Errorf("told %q", told)
	}
}

// fullDisk lets so many writes through and then has no room left.
type fullDisk struct {
	storage
	left *atomic.Int64
}

func (d fullDisk) WriteAt(p []byte, off int64) (int, error) {
	if d.left.Add(-1) < 0 {
		return 0, &os.PathError{Op: "write", Path: "c", Err: syscall.ENOSPC}
	}
	return d.storage.WriteAt(p, off)
}

func TestFullDisk(t *testing.T) {
	teacher := tinyTeacher(t, tiny{}, 1)
	ctx := context.Background()
	direct := func(f *os.File) storage { return f }
	path := filepath.Join(t.TempDir(), "c.features")

	little := func(string) (uint64, error) { return 1000, nil }
	if _, err := build(ctx, path, teacher, images(), everything(), little, direct); !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "1000 B is free") {
		t.Errorf("%v", err)
	}
	onlyFile(t, path)

	unknown := func(string) (uint64, error) { return 0, errors.New("the system does not tell") }
	for _, writes := range []int64{0, 1, 8} {
		var left atomic.Int64
		left.Store(writes)
		_, err := build(ctx, path, teacher, images(), everything(), unknown, func(f *os.File) storage { return fullDisk{f, &left} })
		if !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), path) {
			t.Errorf("after %d writes: %v", writes, err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("after %d writes there is a cache", writes)
		}
		if writes < 8 {
			onlyFile(t, path)
		}
	}
	if cache := mustBuild(t, path, teacher, images(), everything()); cache.Origin().Resumed == 0 { // with room again
		t.Errorf("%+v", cache.Origin())
	}
	onlyFile(t, path)
}

func TestFeaturesThatCannotBeStored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.features")
	large := tinyTeacher(t, tiny{scale: 1e6}, 1)
	o := everything()
	mustBuild(t, path, large, images(), o)
	o.Half = true
	if _, err := BuildCache(context.Background(), path+"2", large, images(), o); err == nil || !strings.Contains(err.Error(), "half precision") {
		t.Errorf("%v", err)
	}
	infinite := tinyTeacher(t, tiny{scale: 3e38}, 1)
	if _, err := BuildCache(context.Background(), path+"3", infinite, images(), everything()); err == nil || !strings.Contains(err.Error(), "image 0, identity") {
		t.Errorf("%v", err)
	}
}

func TestBuildOptionsWithoutMeaning(t *testing.T) {
	teacher := tinyTeacher(t, tiny{}, 1)
	path := filepath.Join(t.TempDir(), "c.features")
	for name, o := range map[string]BuildOptions{"views": {Views: 3}, "negative views": {Views: -1}, "output": {Outputs: []string{"layer4"}}} {
		if _, err := BuildCache(context.Background(), path, teacher, images(), o); err == nil {
			t.Errorf("%s: built", name)
		}
		if _, err := teacher.EstimateBytes(10, o); err == nil {
			t.Errorf("%s: estimated", name)
		}
	}
	if _, err := BuildCache(context.Background(), path, teacher, fakeImages{}, BuildOptions{}); err == nil {
		t.Error("a cache of no images was built")
	}
	if _, err := BuildCache(context.Background(), filepath.Join(teacher.Info().File, "c"), teacher, images(), BuildOptions{}); err == nil {
		t.Error("a cache was built inside a file")
	}
	teacher.Close()
	if _, err := BuildCache(context.Background(), path, teacher, images(), BuildOptions{}); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestDefaultOutputs(t *testing.T) {
	teacher := tinyTeacher(t, tiny{}, 1)
	cache := mustBuild(t, filepath.Join(t.TempDir(), "c"), teacher, images(), BuildOptions{Outputs: nil})
	if !slices.Equal(cache.Key().Outputs, []string{FeatureMap, Pooled}) || cache.Views() != DefaultViews || !slices.Equal(cache.Meta().Stages, []string{FeatureMap}) {
		t.Errorf("%+v", cache.Meta())
	}
	vector := tinyTeacher(t, tiny{outputs: []string{"pooled"}}, 1)
	if key, err := vector.CacheKey(3, BuildOptions{}); err != nil || !slices.Equal(key.Outputs, []string{Pooled}) {
		t.Errorf("%+v, %v", key, err)
	}
}
