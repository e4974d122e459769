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
	release  func()      // hands the memory back
}

// feeder gives the batches of a phase, made ahead of the step: images from a loader, features from the cache.
type feeder struct {
	loop    *loop
	sampler *dataset.Sampler
	loader  *dataset.Loader // nil when the student does not run
	spare   []sync.Pool     // buffers of features, by their place

	ctx   context.Context
	stop  context.CancelFunc
	ready chan fed
	done  sync.WaitGroup
}

// fed is a batch, or why there is none.
type fed struct {
	batch *batch
	err   error
}

func (l *loop) newFeeder(ctx context.Context, sampler *dataset.Sampler, student bool, steps int) *feeder {
	f := &feeder{loop: l, sampler: sampler, spare: make([]sync.Pool, len(l.features())), ready: make(chan fed, 1)}
	f.ctx, f.stop = context.WithCancel(ctx)
	if student {
		c := l.cell
		f.loader = dataset.NewLoader(f.ctx, c.Train, sampler, dataset.LoaderOptions{
			Values: c.Channels * c.Height * c.Width, Views: c.Views, Augment: c.Augment, Copies: c.Copies,
			AugmentationSeed: c.Config.Seeds.Augmentation, Batches: steps,
		})
	}
	f.done.Go(func() {
		defer close(f.ready)
		for range steps {
			b, err := f.assemble()
			select {
			case f.ready <- fed{b, err}:
			case <-f.ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
	return f
}

// Next waits for the next batch.
func (f *feeder) Next() (*batch, error) {
	next, ok := <-f.ready
	if !ok {
		return nil, f.ctx.Err()
	}
	return next.batch, next.err
}

// assemble makes a batch; student and teacher see the same view of each image.
func (f *feeder) assemble() (*batch, error) {
	c := f.loop.cell
	if f.loader != nil {
		loaded, err := f.loader.Next()
		if err != nil {
			return nil, err
		}
		b := &batch{images: loaded.Images, labels: loaded.Labels, items: loaded.Items, release: loaded.Release}
		return b, f.readFeatures(b, loaded.Views)
	}
	items, epoch := f.sampler.Next()
	items = dataset.Repeat(items, c.Copies)
	b := &batch{labels: make([]int32, len(items)), items: items, release: func() {}}
	views := make([]int, len(items))
	for k, item := range items {
		b.labels[k] = int32(c.Train.Label(item))
		views[k] = dataset.CopyView(c.Config.Seeds.Augmentation, epoch, item, k%max(1, c.Copies), c.Views)
	}
	return b, f.readFeatures(b, views)
}

// readFeatures adds the teacher's features of the batch's images under the views.
func (f *feeder) readFeatures(b *batch, views []int) error {
	source := f.loop.cell.Features
	for i, name := range f.loop.features() {
		size := elements(source.Shape(name))
		flat, ok := f.spare[i].Get().([]float32)
		if !ok || len(flat) != len(b.items)*size {
			flat = make([]float32, len(b.items)*size)
		}
		if err := parallel(len(b.items), func(k int) error {
			return source.Read(b.items[k], views[k], name, flat[k*size:(k+1)*size])
		}); err != nil {
			return err
		}
		b.features = append(b.features, flat)
	}
	images := b.release
	b.release = func() {
		images()
		for i, flat := range b.features {
			f.spare[i].Put(flat)
		}
	}
	return nil
}

// Close stops what is under way and waits for it.
func (f *feeder) Close() {
	f.stop()
	if f.loader != nil {
		f.loader.Close()
	}
	f.done.Wait()
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
