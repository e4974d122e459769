package train

import (
	"context"
	"runtime"
	"sync"

	"rd/rdlib/dataset"
)

// batch is what one step is fed.
type batch struct {
	images   []float32   // [batch, channels, height, width]; nil when the student does not run
	labels   []int32     // [batch]
	items    []int       // the training images' numbers
	features [][]float32 // one for each teacher output the method needs
	release  func()      // hands the images' memory back
}

// feeder gives the batches of a phase: images from a loader that decodes ahead of the step, features from the cache.
type feeder struct {
	loop    *loop
	sampler *dataset.Sampler
	loader  *dataset.Loader // nil when the student does not run
}

func (l *loop) newFeeder(ctx context.Context, sampler *dataset.Sampler, student bool, steps int) *feeder {
	f := &feeder{loop: l, sampler: sampler}
	if student {
		c := l.cell
		f.loader = dataset.NewLoader(ctx, c.Train, sampler, dataset.LoaderOptions{
			Values: c.Channels * c.Height * c.Width, Views: c.Views, Augment: c.Augment, Copies: c.Copies,
			AugmentationSeed: c.Config.Seeds.Augmentation, Batches: steps,
		})
	}
	return f
}

// Next gives the next batch; student and teacher see the same view of each image.
func (f *feeder) Next() (*batch, error) {
	c := f.loop.cell
	if f.loader != nil {
		loaded, err := f.loader.Next()
		if err != nil {
			return nil, err
		}
		b := &batch{images: loaded.Images, labels: loaded.Labels, items: loaded.Items, release: loaded.Release}
		return b, f.loop.readFeatures(b, loaded.Views)
	}
	items, epoch := f.sampler.Next()
	items = dataset.Repeat(items, c.Copies)
	b := &batch{labels: make([]int32, len(items)), items: items, release: func() {}}
	views := make([]int, len(items))
	for k, item := range items {
		b.labels[k] = int32(c.Train.Label(item))
		views[k] = dataset.CopyView(c.Config.Seeds.Augmentation, epoch, item, k%max(1, c.Copies), c.Views)
	}
	return b, f.loop.readFeatures(b, views)
}

// readFeatures adds the teacher's features of the batch's images under the views.
func (l *loop) readFeatures(b *batch, views []int) error {
	for _, name := range l.features() {
		size := elements(l.cell.Features.Shape(name))
		flat := make([]float32, len(b.items)*size)
		if err := parallel(len(b.items), func(k int) error {
			return l.cell.Features.Read(b.items[k], views[k], name, flat[k*size:(k+1)*size])
		}); err != nil {
			return err
		}
		b.features = append(b.features, flat)
	}
	return nil
}

// Close stops the loader.
func (f *feeder) Close() {
	if f.loader != nil {
		f.loader.Close()
	}
}

// parallel calls do(0) … do(n−1) on as many goroutines as there are processors and returns the first error by index.
func parallel(n int, do func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	workers := min(n, runtime.GOMAXPROCS(0))
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				errs[i] = do(i)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
