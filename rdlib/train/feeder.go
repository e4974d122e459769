package train

import (
	"context"
	"runtime"
	"sync"

	"rd/rdlib/dataset"
)

// ahead is how many batches are made ready before the step asks for them.
const ahead = 3

// batch is what one step is fed.
type batch struct {
	images   []float32   // [batch, channels, height, width]; nil when the student does not run
	labels   []int32     // [batch]
	features [][]float32 // one for each teacher output the method needs
}

// feeder makes batches on goroutines of its own, ahead of the step. What it makes depends on the sampler only, not on
// how many goroutines there are.
type feeder struct {
	ready chan fed
	stop  context.CancelFunc
	done  sync.WaitGroup
}

type fed struct {
	batch *batch
	err   error
}

func (l *loop) newFeeder(ctx context.Context, sampler *dataset.Sampler, student bool, steps int) *feeder {
	ctx, stop := context.WithCancel(ctx)
	f := &feeder{ready: make(chan fed, ahead), stop: stop}
	f.done.Go(func() {
		defer close(f.ready)
		for range steps {
			items, epoch := sampler.Next()
			b, err := l.assemble(items, epoch, student)
			select {
			case f.ready <- fed{b, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
	return f
}

// assemble reads the images and features of a batch; student and teacher see the same view of each image.
func (l *loop) assemble(items []int, epoch int, student bool) (*batch, error) {
	c, n := l.cell, len(items)
	size := c.Channels * c.Height * c.Width
	b := &batch{labels: make([]int32, n)}
	if student {
		b.images = make([]float32, n*size)
	}
	names := l.features()
	sizes := make([]int, len(names))
	for i, name := range names {
		sizes[i] = elements(c.Features.Shape(name))
		b.features = append(b.features, make([]float32, n*sizes[i]))
	}
	return b, parallel(n, func(k int) error {
		item := items[k]
		view := dataset.View(c.Config.Seeds.Augmentation, epoch, item, c.Views)
		b.labels[k] = int32(c.Train.Label(item))
		if student {
			if err := c.Train.Tensor(item, view == 1, b.images[k*size:(k+1)*size]); err != nil {
				return err
			}
		}
		for i, name := range names {
			if err := c.Features.Read(item, view, name, b.features[i][k*sizes[i]:(k+1)*sizes[i]]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Next waits for the next batch; the error is the context's when it ended first.
func (f *feeder) Next() (*batch, error) {
	r, ok := <-f.ready
	if !ok {
		return nil, context.Canceled
	}
	return r.batch, r.err
}

// Close stops the goroutines and waits for them.
func (f *feeder) Close() {
	f.stop()
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
