package foundation

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"rd/rdlib/dataset"
)

// Decoder gives images as their files hold them, before any preprocessing. It is called from several goroutines.
type Decoder interface {
	Len() int
	Image(i int) (image.Image, error)
}

// CacheTask is one of the caches BuildCaches makes. Its options' Progress is not called.
type CacheTask struct {
	Path    string
	Teacher *Teacher
	Options BuildOptions
}

// decodedTogether is how many images are decoded for all teachers before the next ones are.
const decodedTogether = 256

// BuildCaches is BuildCache for several teachers at once, of any input sizes: each image is decoded once for all of them.
// The caches are those BuildCache makes. progress, which may be nil, counts images × views of all caches together. After
// an error the caches that were there before are untouched, and what was computed is kept for the next call.
func BuildCaches(ctx context.Context, images Decoder, tasks []CacheTask, progress func(done, total int)) ([]*Cache, error) {
	return buildAll(ctx, images, tasks, progress, freeBytes)
}

func buildAll(ctx context.Context, images Decoder, tasks []CacheTask, progress func(done, total int), free func(string) (uint64, error)) (_ []*Cache, err error) {
	caches := make([]*Cache, len(tasks))
	builders := make([]*builder, len(tasks))
	defer func() {
		for i, b := range builders {
			if b != nil {
				b.release()
			}
			if err != nil && caches[i] != nil {
				caches[i].Close()
			}
		}
	}()
	w := newWindow(images, tasks)
	// One order for all processes: two of them that want the same caches do not wait for each other.
	previous := ""
	for _, i := range byPath(tasks) {
		task := tasks[i]
		if task.Path == previous {
			return nil, abandon(builders, fmt.Errorf("feature cache %s is asked for twice", task.Path))
		}
		previous = task.Path
		task.Options.Progress = nil
		own := preprocessed{w, task.Teacher.info.Preprocess}
		if builders[i], caches[i], err = begin(ctx, task.Path, task.Teacher, own, task.Options, func(f *os.File) storage { return f }); err != nil {
			return nil, abandon(builders, err)
		}
	}
	needed := map[string]int64{}
	for _, b := range builders {
		if b != nil {
			needed[filepath.Dir(b.path)] += b.missing()
		}
	}
	for folder, bytes := range needed {
		if err := checkSpace(filepath.Join(folder, "*"+CacheExtension), bytes, free); err != nil {
			return nil, abandon(builders, err)
		}
	}
	countTogether(builders, caches, progress)
	for first := 0; first < images.Len(); first += decodedTogether {
		end := min(first+decodedTogether, images.Len())
		for _, b := range builders {
			if b == nil {
				continue
			}
			if err := b.compute(ctx, end); err != nil {
				return nil, abandon(builders, err)
			}
		}
		w.forget(end - w.behind)
	}
	for i, b := range builders {
		if b != nil {
			if caches[i], err = b.complete(); err != nil {
				return nil, err
			}
		}
	}
	return caches, nil
}

// byPath is the order of the tasks' paths.
func byPath(tasks []CacheTask) []int {
	order := make([]int, len(tasks))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(tasks[a].Path, tasks[b].Path) })
	return order
}

// abandon keeps what the builders have computed, and says so.
func abandon(builders []*builder, err error) error {
	kept := 0
	for _, b := range builders {
		if b != nil {
			b.failed(err)
			kept += b.done
		}
	}
	if kept == 0 {
		return err
	}
	return fmt.Errorf("%w (%d features that are computed are kept and need not be computed again)", err, kept)
}

// countTogether adds up the progress of all caches; the builders work one after the other.
func countTogether(builders []*builder, caches []*Cache, progress func(done, total int)) {
	if progress == nil {
		return
	}
	done, total := 0, 0
	for i, b := range builders {
		if b != nil {
			done, total = done+b.done, total+b.total()
		} else {
			n := caches[i].Len() * caches[i].Views()
			done, total = done+n, total+n
		}
	}
	for _, b := range builders {
		if b == nil {
			continue
		}
		before := b.done
		b.options.Progress = func(now, _ int) {
			done += now - before
			before = now
			progress(done, total)
		}
	}
}

// window keeps what one decoding of an image gave every teacher, until it is forgotten.
type window struct {
	images Decoder
	inputs []dataset.Preprocess // that differ
	behind int                  // images that a block may lie behind
	kept   []*decoded
	first  int // not forgotten yet
}

// decoded is one image, at every teacher's input size.
type decoded struct {
	once   sync.Once
	pixels map[dataset.Preprocess]dataset.Pixels
	err    error
}

func newWindow(images Decoder, tasks []CacheTask) *window {
	w := &window{images: images, kept: make([]*decoded, images.Len())}
	for i := range w.kept {
		w.kept[i] = new(decoded)
	}
	for _, task := range tasks {
		if p := task.Teacher.info.Preprocess; !slices.Contains(w.inputs, p) {
			w.inputs = append(w.inputs, p)
		}
		w.behind = max(w.behind, task.Teacher.info.Batch)
	}
	return w
}

func (w *window) pixels(i int, p dataset.Preprocess) (dataset.Pixels, error) {
	d := w.kept[i]
	d.once.Do(func() {
		var img image.Image
		if img, d.err = w.images.Image(i); d.err != nil {
			return
		}
		d.pixels = map[dataset.Preprocess]dataset.Pixels{}
		for _, input := range w.inputs {
			d.pixels[input] = input.Pixels(img)
		}
	})
	return d.pixels[p], d.err
}

// forget frees the images before that one.
func (w *window) forget(before int) {
	for ; w.first < before; w.first++ {
		w.kept[w.first] = new(decoded)
	}
}

// preprocessed are a window's images for one teacher.
type preprocessed struct {
	*window
	input dataset.Preprocess
}

func (p preprocessed) Len() int { return p.images.Len() }

func (p preprocessed) Tensor(i int, flip bool, dst []float32) error {
	pixels, err := p.pixels(i, p.input)
	if err == nil {
		p.input.Normalize(pixels, flip, dst)
	}
	return err
}
