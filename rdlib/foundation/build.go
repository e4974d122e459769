package foundation

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/gomlx/compute/dtypes/float16"
)

// Images are what features are computed of, already prepared as the teacher's Preprocess says.
type Images interface {
	Len() int
	// Tensor writes image i as [3, height, width], mirrored left to right when flip is set. It is called from several
	// goroutines.
	Tensor(i int, flip bool, dst []float32) error
}

// BuildOptions of BuildCache.
type BuildOptions struct {
	Manifest string                // hash that names the images and their order
	Views    int                   // the first so many of ViewNames; 0: DefaultViews
	Outputs  []string              // nil: the feature map, where there is one, and the pooled feature
	Half     bool                  // store float16: half the size, 11 bits of precision
	Progress func(done, total int) // images × views; may be nil. Calls do not overlap
	Notify   func(message string)  // told of waiting, resuming and replacing; may be nil
}

// Origin says how BuildCache came by a cache.
type Origin struct {
	Reused   bool  // it was there already
	Resumed  int   // images × views taken over from an interrupted computation
	Computed int   // images × views computed now
	Replaced error // why the cache that was there could not be used (ErrMismatch or ErrCorrupt); nil when there was none
}

// CacheKey is the key of the cache that BuildCache would make.
func (t *Teacher) CacheKey(items int, o BuildOptions) (CacheKey, error) {
	meta, err := t.cacheMeta(items, o)
	return meta.Key, err
}

func (t *Teacher) cacheMeta(items int, o BuildOptions) (Meta, error) {
	if o.Views == 0 {
		o.Views = DefaultViews
	}
	if o.Views < 1 || o.Views > len(ViewNames) {
		return Meta{}, fmt.Errorf("feature cache: %d views asked for; 1 to %d are possible (%v)", o.Views, len(ViewNames), ViewNames)
	}
	if items < 1 {
		return Meta{}, errors.New("feature cache: there are no images")
	}
	m := Meta{Name: t.info.Name, File: filepath.Base(t.info.File), SHA256: t.info.SHA256, SideCar: t.info.SideCar, Block: max(1, t.info.Batch/o.Views)}
	m.Key = CacheKey{Teacher: t.info.Identity, Manifest: o.Manifest, Items: items, Preprocess: t.info.Preprocess, Views: o.Views, Half: o.Half}
	if len(o.Outputs) == 0 {
		for _, output := range t.info.Outputs {
			if output.Name == FeatureMap || output.Name == Pooled {
				o.Outputs = append(o.Outputs, output.Name)
			}
		}
	}
	for _, name := range o.Outputs {
		output, err := t.info.Output(name)
		if err != nil {
			return Meta{}, fmt.Errorf("feature cache: %w", err)
		}
		if slices.Contains(m.Key.Outputs, output.Name) {
			continue
		}
		m.Key.Outputs = append(m.Key.Outputs, output.Name)
		m.Outputs = append(m.Outputs, CachedOutput{output.Name, output.Graph, output.Shape, output.How})
	}
	for _, stage := range t.info.Stages {
		if slices.Contains(m.Key.Outputs, stage) {
			m.Stages = append(m.Stages, stage)
		}
	}
	return m, nil
}

// BuildCache makes sure that path holds the teacher's features of the images, and opens it.
//
// A sound cache of the same key is opened as it is; any other is replaced, when the new one is complete. Of two
// processes that build the same cache, one computes and the other waits and opens the result. What an interrupted
// computation had finished (cancelled, killed, disk full) is kept beside the cache as path.partial and taken over by
// the next call; the bytes that come out are the same. Errors: the context's cause, ErrNoSpace, an image's own error, or
// the teacher's; a feature that is not a finite number, or too large for half precision, is an error too.
func BuildCache(ctx context.Context, path string, teacher *Teacher, images Images, o BuildOptions) (*Cache, error) {
	return build(ctx, path, teacher, images, o, freeBytes, func(f *os.File) storage { return f })
}

// storage is the file being written.
type storage interface {
	ReadAt([]byte, int64) (int, error)
	WriteAt([]byte, int64) (int, error)
	Truncate(int64) error
	Sync() error
	Close() error
}

func build(ctx context.Context, path string, teacher *Teacher, images Images, o BuildOptions, free func(string) (uint64, error), wrap func(*os.File) storage) (*Cache, error) {
	b, cache, err := begin(ctx, path, teacher, images, o, wrap)
	if b == nil {
		return cache, err
	}
	defer b.release()
	if err := checkSpace(path, b.missing(), free); err != nil {
		return nil, b.failed(err)
	}
	if err := b.compute(ctx, images.Len()); err != nil {
		return nil, b.failed(err)
	}
	return b.complete()
}

// begin opens the cache that is there already, or else prepares to compute it. The builder must be released.
func begin(ctx context.Context, path string, teacher *Teacher, images Images, o BuildOptions, wrap func(*os.File) storage) (*builder, *Cache, error) {
	meta, err := teacher.cacheMeta(images.Len(), o)
	if err != nil {
		return nil, nil, err
	}
	plan, err := meta.plan()
	if err != nil {
		return nil, nil, fmt.Errorf("feature cache %s: %w", path, err)
	}
	if o.Notify == nil {
		o.Notify = func(string) {}
	}
	if cache, err := reuse(path, meta.Key); cache != nil {
		return nil, cache, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, nil, fmt.Errorf("feature cache %s: %w", path, err)
	}
	unlock, err := lock(ctx, path, o.Notify)
	if err != nil {
		return nil, nil, err
	}
	cache, replaced := reuse(path, meta.Key) // another process may have completed it meanwhile
	switch {
	case cache != nil:
		unlock()
		return nil, cache, nil
	case errors.Is(replaced, ErrMismatch), errors.Is(replaced, ErrCorrupt):
		o.Notify(replaced.Error() + ": computing it now")
	case replaced != nil:
		unlock()
		return nil, nil, replaced
	}
	b := &builder{
		teacher: teacher, images: images, meta: meta, layout: plan, options: o, path: path, partial: path + ".partial",
		unlock: unlock, replaced: replaced,
	}
	if err := b.open(wrap); err != nil {
		unlock()
		return nil, nil, err
	}
	return b, nil, nil
}

// reuse opens the cache that is there. No cache and no error: there is none.
func reuse(path string, key CacheKey) (*Cache, error) {
	cache, err := OpenCache(path, Expect(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	cache.origin = Origin{Reused: true}
	return cache, nil
}

// builder computes one cache file.
type builder struct {
	teacher *Teacher
	images  Images
	meta    Meta
	layout  layout
	options BuildOptions
	path    string
	partial string
	file    storage
	sums    []uint64 // of the blocks; 0: still to be computed
	resumed int      // images × views

	unlock   func()
	replaced error // why the cache that was there could not be used

	mu   sync.Mutex
	done int // images × views
}

// open continues the partial file of an interrupted computation where there is one for the same description, else
// begins a new one.
func (b *builder) open(wrap func(*os.File) storage) error {
	file, err := os.OpenFile(b.partial, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return fmt.Errorf("feature cache %s: %w", b.path, err)
	}
	b.file = wrap(file)
	b.sums = make([]uint64, b.layout.blocks)
	if b.takeOver() {
		for block, sum := range b.sums {
			if sum != 0 {
				b.resumed += b.blockItems(block) * b.meta.Key.Views
			}
		}
		b.done = b.resumed
		if b.resumed > 0 {
			b.options.Notify(fmt.Sprintf("%s: continuing at %d of %d", b.path, b.resumed, b.total()))
		}
		return nil
	}
	clear(b.sums)
	head := append(b.layout.header(partialMagic, 0), b.layout.meta...)
	for _, step := range []func() error{
		func() error { return b.file.Truncate(0) },
		func() error { return b.file.Truncate(b.layout.size) },
		func() error { _, err := b.file.WriteAt(head, 0); return err },
	} {
		if err := step(); err != nil {
			err = b.failed(b.writing(err))
			b.file.Close()
			return err
		}
	}
	return nil
}

// takeOver reads which blocks the partial file holds, and verifies them: a power cut may have kept a checksum and lost
// its data.
func (b *builder) takeOver() bool {
	head := make([]byte, b.layout.data)
	if _, err := b.file.ReadAt(head, 0); err != nil || !slices.Equal(head[headerSize:headerSize+len(b.layout.meta)], b.layout.meta) {
		return false
	}
	unfinished := b.layout.header(partialMagic, 0)
	switch {
	case slices.Equal(head[:headerSize], unfinished):
	case slices.Equal(head[:headerSize], b.layout.header(cacheMagic, xxhash.Sum64(head[headerSize:]))): // complete but for its name
		if _, err := b.file.WriteAt(unfinished, 0); err != nil {
			return false
		}
	default:
		return false
	}
	block := make([]byte, b.layout.blockBytes)
	for i := range b.sums {
		sum := binary.LittleEndian.Uint64(head[b.layout.checksums+8*int64(i):])
		if sum == 0 {
			continue
		}
		start, end := b.layout.block(i)
		if _, err := b.file.ReadAt(block[:end-start], start); err == nil && checksum(block[:end-start]) == sum {
			b.sums[i] = sum
		}
	}
	return true
}

func (b *builder) blockItems(block int) int {
	return min(b.meta.Block, b.meta.Key.Items-block*b.meta.Block)
}

func (b *builder) doneBlocks() (n int) {
	for _, sum := range b.sums {
		if sum != 0 {
			n++
		}
	}
	return n
}

// missing is how many bytes of data are still to be computed.
func (b *builder) missing() int64 {
	return b.layout.size - b.layout.data - int64(b.doneBlocks())*b.layout.blockBytes
}

// compute fills the missing blocks that end before that many images, each on one goroutine.
func (b *builder) compute(ctx context.Context, images int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	blocks := make(chan int)
	var workers sync.WaitGroup
	for range min(b.teacher.threads, b.layout.blocks) {
		workers.Go(func() {
			w := b.newWorker()
			defer w.runner.close()
			for block := range blocks {
				if ctx.Err() != nil {
					continue
				}
				if err := w.block(ctx, block); err != nil {
					cancel(err)
				}
			}
		})
	}
	b.progress(0)
	for block := range b.sums {
		if end := block*b.meta.Block + b.blockItems(block); b.sums[block] == 0 && end <= images && ctx.Err() == nil {
			blocks <- block
		}
	}
	close(blocks)
	workers.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func (b *builder) progress(more int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done += more
	if b.options.Progress != nil {
		b.options.Progress(b.done, b.total())
	}
}

// worker is one goroutine's buffers.
type worker struct {
	*builder
	runner  *runner
	outputs []Output
	image   []float32
	values  []float32
	bytes   []byte // one block
}

func (b *builder) newWorker() *worker {
	w := &worker{builder: b, runner: b.teacher.newRunner(), bytes: make([]byte, b.layout.blockBytes)}
	largest := 0
	for _, cached := range b.meta.Outputs {
		o, _ := b.teacher.info.Output(cached.Name) // cacheMeta has found it already
		w.outputs = append(w.outputs, o)
		largest = max(largest, o.Elements())
	}
	w.values = make([]float32, largest)
	w.image = make([]float32, b.meta.Key.Preprocess.Len())
	return w
}

// block computes and writes one block: first the data, then the checksum that makes it count.
func (w *worker) block(ctx context.Context, block int) error {
	views := w.meta.Key.Views
	first, count := block*w.meta.Block, w.blockItems(block)*views
	for start := 0; start < count; start += w.teacher.info.Batch {
		end := min(count, start+w.teacher.info.Batch)
		for k := start; k < end; k++ {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := w.images.Tensor(first+k/views, k%views == 1, w.image); err != nil {
				return fmt.Errorf("feature cache %s: image %d: %w", w.path, first+k/views, err)
			}
			w.runner.setImage(k-start, w.image[:w.runner.size]) // a grey model takes the first of three equal channels
		}
		if err := w.runner.run(end - start); err != nil {
			return err
		}
		for k := start; k < end; k++ {
			if err := w.encode(k-start, w.bytes[int64(k)*w.layout.recordBytes:]); err != nil {
				return fmt.Errorf("feature cache %s: image %d, %s: %w", w.path, first+k/views, ViewNames[k%views], err)
			}
		}
	}
	from, to := w.layout.block(block)
	sum := checksum(w.bytes[:to-from])
	if _, err := w.file.WriteAt(w.bytes[:to-from], from); err != nil {
		return w.writing(err)
	}
	var entry [8]byte
	binary.LittleEndian.PutUint64(entry[:], sum)
	if _, err := w.file.WriteAt(entry[:], w.layout.checksums+8*int64(block)); err != nil {
		return w.writing(err)
	}
	w.sums[block] = sum // no other worker has this block
	w.progress(count)
	return nil
}

// encode writes all outputs of image k of the last run.
func (w *worker) encode(k int, dst []byte) error {
	for _, o := range w.outputs {
		values := w.values[:o.Elements()]
		w.runner.feature(k, o, values)
		for i, v := range values {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("teacher %s computes %v in %s: check that the preprocessing is the model's", w.teacher.info.Name, v, o.Name)
			}
			if !w.meta.Key.Half {
				binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(v))
				continue
			}
			h := float16.FromFloat32(v)
			if math.IsInf(float64(h.Float32()), 0) {
				return fmt.Errorf("%v in %s is too large for half precision (65504): use single precision", v, o.Name)
			}
			binary.LittleEndian.PutUint16(dst[2*i:], h.Bits())
		}
		dst = dst[int64(len(values))*w.layout.valueBytes:]
	}
	return nil
}

// complete gives the file its header, makes it durable, puts it in place and opens it.
func (b *builder) complete() (*Cache, error) {
	preamble := b.layout.preamble(b.sums)
	head := append(b.layout.header(cacheMagic, xxhash.Sum64(preamble)), preamble...)
	for _, step := range []func() error{
		b.file.Sync,
		func() error { _, err := b.file.WriteAt(head, 0); return err },
		b.file.Sync,
		b.file.Close,
		func() error { return os.Rename(b.partial, b.path) },
	} {
		if err := step(); err != nil {
			return nil, b.failed(b.writing(err))
		}
	}
	if folder, err := os.Open(filepath.Dir(b.path)); err == nil { // the new name survives a power cut, where the system can
		folder.Sync()
		folder.Close()
	}
	cache, err := OpenCache(b.path, VerifyLater()) // every block was hashed as it was written
	if err != nil {
		return nil, err
	}
	cache.origin = Origin{Resumed: b.resumed, Computed: b.total() - b.resumed, Replaced: b.replaced}
	return cache, nil
}

// total is images × views.
func (b *builder) total() int { return b.meta.Key.Items * b.meta.Key.Views }

// release lets other processes at the cache.
func (b *builder) release() {
	b.file.Close()
	b.unlock()
}

// writing explains an error of the file.
func (b *builder) writing(err error) error {
	if diskFull(err) {
		return fmt.Errorf("%w: feature cache %s of %s: %w; make room, cache fewer outputs or views, or use half precision", ErrNoSpace, b.path, bytesText(b.layout.size), err)
	}
	return fmt.Errorf("write feature cache %s: %w", b.path, err)
}

// failed keeps what was computed for the next call, and says so; a partial file with nothing in it is removed.
func (b *builder) failed(err error) error {
	if b.doneBlocks() == 0 {
		os.Remove(b.partial)
		return err
	}
	return fmt.Errorf("%w (%d of %d are kept in %s and need not be computed again)", err, b.done, b.total(), b.partial)
}
