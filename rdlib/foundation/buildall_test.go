package foundation

import (
	"context"
	"errors"
	"image"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"rd/rdlib/dataset"
)

// pictures are images of noise, of several sizes; onDecode, if set, is called for each that is decoded.
type pictures struct {
	n        int
	onDecode func(i int) error
}

func (p pictures) Len() int { return p.n }

func (p pictures) Image(i int) (image.Image, error) {
	if p.onDecode != nil {
		if err := p.onDecode(i); err != nil {
			return nil, err
		}
	}
	img := image.NewGray(image.Rect(0, 0, 10+i%7, 9+i%5))
	for k, v := range noise(uint64(i), len(img.Pix)) {
		img.Pix[k] = uint8(128 + 40*v)
	}
	return img, nil
}

// alone are the pictures for one teacher.
type alone struct {
	pictures
	input dataset.Preprocess
}

func (a alone) Tensor(i int, flip bool, dst []float32) error {
	img, err := a.Image(i)
	a.input.Tensor(img, flip, dst)
	return err
}

// severalTeachers differ in weights, size, batch and outputs; their caches go to a folder.
func severalTeachers(t *testing.T, folder string) []CacheTask {
	t.Helper()
	var tasks []CacheTask
	for i, c := range []struct {
		model         tiny
		height, width int
		outputs       []string
		half          bool
		views         int
	}{
		{tiny{seed: 3}, 8, 12, []string{"stage1", FeatureMap, Pooled}, false, 2},
		{tiny{seed: 4, batch: 5}, 16, 8, nil, true, 1},
		{tiny{seed: 5, batch: 1}, 8, 12, []string{Pooled}, false, 2},
	} {
		teacher := open(t, c.model.write(t, t.TempDir()), Options{Height: c.height, Width: c.width, Threads: 2})
		tasks = append(tasks, CacheTask{
			filepath.Join(folder, string(rune('c'-i))+CacheExtension), teacher,
			BuildOptions{Manifest: "m", Outputs: c.outputs, Half: c.half, Views: c.views},
		})
	}
	return tasks
}

func TestSeveralTeachersDecodeEachImageOnce(t *testing.T) {
	const n = 2*decodedTogether + 13
	apart := severalTeachers(t, t.TempDir())
	for _, task := range apart {
		mustBuild(t, task.Path, task.Teacher, alone{pictures{n: n}, task.Teacher.Preprocess()}, task.Options)
	}
	var decoded [n]atomic.Int64
	counting := pictures{n, func(i int) error { decoded[i].Add(1); return nil }}
	tasks := severalTeachers(t, t.TempDir())
	var last [2]int
	caches, err := BuildCaches(context.Background(), counting, tasks, func(done, total int) {
		if done < last[0] {
			t.Errorf("progress went from %d to %d", last[0], done)
		}
		last = [2]int{done, total}
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, task := range tasks {
		defer caches[i].Close()
		if caches[i].Path() != task.Path || contents(t, task.Path) != contents(t, apart[i].Path) {
			t.Errorf("cache %d is not the one that its teacher makes alone", i)
		}
		if origin := caches[i].Origin(); origin.Computed != n*caches[i].Views() {
			t.Errorf("cache %d: %+v", i, origin)
		}
	}
	for i := range decoded {
		if got := decoded[i].Load(); got != 1 {
			t.Fatalf("image %d was decoded %d times", i, got)
		}
	}
	if last != [2]int{5 * n, 5 * n} {
		t.Errorf("the last progress is %v", last)
	}
	onlyCaches(t, filepath.Dir(tasks[0].Path), 3)

	// What is there is used, what is missing is computed.
	if err := os.Remove(tasks[1].Path); err != nil {
		t.Fatal(err)
	}
	again, err := BuildCaches(context.Background(), pictures{n: n}, tasks, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, cache := range again {
		defer cache.Close()
		if cache.Origin().Reused != (i != 1) || contents(t, tasks[i].Path) != contents(t, apart[i].Path) {
			t.Errorf("cache %d: %+v", i, cache.Origin())
		}
	}
}

func onlyCaches(t *testing.T, folder string, n int) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != n {
		t.Errorf("%d files in %s, want %d caches: %v", len(entries), folder, n, entries)
	}
}

func TestSeveralTeachersInterrupted(t *testing.T) {
	const n = decodedTogether + 40
	whole := severalTeachers(t, t.TempDir())
	for _, task := range whole {
		mustBuild(t, task.Path, task.Teacher, alone{pictures{n: n}, task.Teacher.Preprocess()}, task.Options)
	}
	for _, stop := range []int64{1, 100, n - 3} {
		tasks := severalTeachers(t, t.TempDir())
		ctx, cancel := context.WithCancel(context.Background())
		var count atomic.Int64
		caches, err := BuildCaches(ctx, pictures{n, func(int) error {
			if count.Add(1) == stop {
				cancel()
			}
			return nil
		}}, tasks, nil)
		cancel()
		if !errors.Is(err, context.Canceled) || caches != nil || (stop > 50) != strings.Contains(err.Error(), "kept") {
			t.Fatalf("stopped at %d: %v, %v", stop, caches, err)
		}
		if caches, err = BuildCaches(context.Background(), pictures{n: n}, tasks, nil); err != nil {
			t.Fatal(err)
		}
		resumed := 0
		for i, cache := range caches {
			defer cache.Close()
			resumed += cache.Origin().Resumed
			if contents(t, tasks[i].Path) != contents(t, whole[i].Path) {
				t.Errorf("stopped at %d, cache %d differs", stop, i)
			}
		}
		if stop > 50 && resumed == 0 {
			t.Errorf("stopped at %d, nothing was resumed", stop)
		}
	}
}

func TestSeveralTeachersThatCannotBe(t *testing.T) {
	folder := t.TempDir()
	tasks := severalTeachers(t, folder)
	if _, err := BuildCaches(context.Background(), pictures{n: 9}, append(tasks, tasks[0]), nil); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("%v", err)
	}
	little := func(string) (uint64, error) { return 10500, nil } // enough for each alone
	if _, err := buildAll(context.Background(), pictures{n: 9}, tasks, nil, little); !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), folder) {
		t.Errorf("%v", err)
	}
	broken := errors.New("image 7 is broken")
	if _, err := BuildCaches(context.Background(), pictures{9, func(i int) error {
		if i == 7 {
			return broken
		}
		return nil
	}}, tasks, nil); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	for _, task := range tasks {
		if _, err := os.Stat(task.Path); err == nil {
			t.Errorf("%s was made", task.Path)
		}
	}
}
