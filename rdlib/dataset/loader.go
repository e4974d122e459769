package dataset

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
)

// Source is a sequence of labelled images, such as Images.
type Source interface {
	Len() int
	Label(i int) int
	Tensor(i int, flip bool, dst []float32) error
}

// Augmentable is a source that can show its images augmented by a draw from rng, as Images can.
type Augmentable interface {
	Source
	Augmented(i int, a *Augmentation, rng *rand.Rand, dst []float32) error
}

// LoaderOptions of NewLoader.
type LoaderOptions struct {
	Values           int           // values of one image: Preprocess.Len()
	Views            int           // 1: images as they are; 2: and mirrored. Without meaning when they are augmented
	Augment          *Augmentation // not nil: images are augmented, and the source must be Augmentable
	Copies           int           // how often each image stands in its batch, in succession, each with a draw of its own; 0 is 1
	AugmentationSeed uint64        // of views and augmentation
	Workers          int           // goroutines that fill batches; 0: one per processor
	Ahead            int           // batches made before they are asked for; 0 is 3
	Batches          int           // how many batches to give; 0: no end
}

// Loader fills batches on goroutines of its own, ahead of the training step. The batches and their order depend on the
// sampler and the augmentation seed, never on the number of workers. Close must be called.
type Loader struct {
	ctx    context.Context
	stop   context.CancelFunc
	queue  chan *Batch // in order, perhaps not filled yet
	group  sync.WaitGroup
	spare  sync.Pool // buffers of images
	failed error     // what Next returned, for ever after
}

// Batch is what one training step is fed. Its rows are the sampler's batch, each image as often as there are copies: with
// two, rows 2i and 2i+1 show the same image.
type Batch struct {
	Images []float32 // [rows, 3, height, width]
	Labels []int32   // [rows]
	Items  []int     // of the source
	Views  []int     // 0 as it is, 1 mirrored; 0 when augmented
	Epoch  int
	Next   State // of the sampler after this batch: what a checkpoint keeps

	ready  chan struct{} // closed when filled
	err    error
	loader *Loader
}

// ErrEnd is returned by Next after the last batch.
var ErrEnd = errors.New("no more batches")

// NewLoader starts filling batches from where the sampler stands. The sampler must not be used elsewhere meanwhile.
func NewLoader(ctx context.Context, source Source, sampler *Sampler, o LoaderOptions) *Loader {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Ahead <= 0 {
		o.Ahead = 3
	}
	ctx, stop := context.WithCancel(ctx)
	l := &Loader{ctx: ctx, stop: stop, queue: make(chan *Batch, o.Ahead)}
	work := make(chan *Batch)
	for range o.Workers {
		l.group.Go(func() {
			for b := range work {
				b.fill(ctx, source, o)
				close(b.ready)
			}
		})
	}
	l.group.Go(func() {
		defer close(work)
		defer close(l.queue)
		for i := 0; o.Batches == 0 || i < o.Batches; i++ {
			b := &Batch{ready: make(chan struct{}), loader: l}
			b.Items, b.Epoch = sampler.Next()
			b.Items = Repeat(b.Items, o.Copies)
			b.Next = sampler.State()
			select {
			case l.queue <- b:
			case <-ctx.Done():
				return
			}
			select {
			case work <- b:
			case <-ctx.Done():
				b.err = ctx.Err()
				close(b.ready)
				return
			}
		}
	})
	return l
}

// Repeat lists each item as often as there are copies (0 is 1), in succession.
func Repeat(items []int, copies int) []int {
	if copies < 2 {
		return items
	}
	rows := make([]int, 0, copies*len(items))
	for _, item := range items {
		for range copies {
			rows = append(rows, item)
		}
	}
	return rows
}

// fill reads the images of a batch.
func (b *Batch) fill(ctx context.Context, source Source, o LoaderOptions) {
	n := len(b.Items)
	b.Labels, b.Views = make([]int32, n), make([]int, n)
	if spare, ok := b.loader.spare.Get().([]float32); ok && len(spare) == n*o.Values {
		b.Images = spare
	} else {
		b.Images = make([]float32, n*o.Values)
	}
	for k, item := range b.Items {
		if b.err = ctx.Err(); b.err != nil {
			return
		}
		b.Labels[k] = int32(source.Label(item))
		if b.err = b.image(source, k, b.Images[k*o.Values:(k+1)*o.Values], o); b.err != nil {
			return
		}
	}
}

// image reads row k.
func (b *Batch) image(source Source, k int, dst []float32, o LoaderOptions) error {
	item, copy := b.Items[k], k%max(1, o.Copies)
	if o.Augment == nil {
		b.Views[k] = CopyView(o.AugmentationSeed, b.Epoch, item, copy, o.Views)
		return source.Tensor(item, b.Views[k] == 1, dst)
	}
	augmentable, ok := source.(Augmentable)
	if !ok {
		return fmt.Errorf("the images of %T cannot be augmented", source)
	}
	return augmentable.Augmented(item, o.Augment, drawRandom(o.AugmentationSeed, b.Epoch, item, copy), dst)
}

// Next waits for the next batch. After the last it returns ErrEnd, when the context ended or after Close the context's
// error, and when an image cannot be read an error that names it.
func (l *Loader) Next() (*Batch, error) {
	if l.failed != nil {
		return nil, l.failed
	}
	b, ok := <-l.queue
	if !ok {
		if l.failed = l.ctx.Err(); l.failed == nil {
			l.failed = ErrEnd
		}
		return nil, l.failed
	}
	<-b.ready
	if b.err != nil {
		l.failed = b.err
		return nil, b.err
	}
	return b, nil
}

// Release hands the batch's image buffer back to be filled again; the batch must not be used afterwards. It may be left
// out.
func (b *Batch) Release() {
	b.loader.spare.Put(b.Images)
	b.Images = nil
}

// Close stops all goroutines and waits for them. It may be called more than once.
func (l *Loader) Close() {
	l.stop()
	l.group.Wait()
}
