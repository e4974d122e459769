package foundation

import (
	"fmt"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// Tensor is a batch of features, [batch, channels, height, width] or [batch, channels].
type Tensor struct {
	Shape []int
	Data  []float32
}

// Features computes all features of n images, [n, channels, height, width] as prepared by Preprocess; a grey model's
// images have one channel, see Channels in Info. The result does not depend on the number of threads.
func (t *Teacher) Features(batch []float32, n int) (map[string]Tensor, error) {
	size := t.info.Channels * t.info.Height * t.info.Width
	if n < 1 || len(batch) != n*size {
		return nil, fmt.Errorf("teacher %s: %d images of %d×%d×%d need %d values, not %d", t.info.Name, n, t.info.Channels, t.info.Height, t.info.Width, n*size, len(batch))
	}
	features := map[string]Tensor{}
	for _, o := range t.info.Outputs {
		features[o.Name] = Tensor{Shape: append([]int{n}, o.Shape...), Data: make([]float32, n*o.Elements())}
	}
	chunks := make(chan int)
	failures := make(chan error, t.threads)
	var workers sync.WaitGroup
	for range min(t.threads, (n+t.info.Batch-1)/t.info.Batch) {
		workers.Go(func() {
			r := t.newRunner()
			defer r.close()
			var failed error
			for start := range chunks { // drained after a failure, so that nobody waits
				if failed == nil {
					failed = r.chunk(batch, start, min(n, start+t.info.Batch), features)
				}
			}
			if failed != nil {
				failures <- failed
			}
		})
	}
	for start := 0; start < n; start += t.info.Batch {
		chunks <- start
	}
	close(chunks)
	workers.Wait()
	select {
	case err := <-failures:
		return nil, err
	default:
		return features, nil
	}
}

// chunk computes images start…end−1 of a batch.
func (r *runner) chunk(batch []float32, start, end int, features map[string]Tensor) error {
	for k := start; k < end; k++ {
		r.setImage(k-start, batch[k*r.size:(k+1)*r.size])
	}
	if err := r.run(end - start); err != nil {
		return err
	}
	for k := start; k < end; k++ {
		for _, o := range r.teacher.info.Outputs {
			e := o.Elements()
			r.feature(k-start, o, features[o.Name].Data[k*e:(k+1)*e])
		}
	}
	return nil
}

// runner holds one goroutine's input and output buffers. Every run uses one thread inside ONNX Runtime, and threads
// compute different images: this is as fast as sharing each image's work, and makes results the same, bit for bit, for
// any number of threads.
type runner struct {
	teacher *Teacher
	size    int // values per image
	image   []float32
	in      *ort.Tensor[float32]
	out     []*ort.Tensor[float32]
	rows    int // images the tensors hold
}

func (t *Teacher) newRunner() *runner {
	size := t.info.Channels * t.info.Height * t.info.Width
	return &runner{teacher: t, size: size, image: make([]float32, t.info.Batch*size)}
}

// setImage places image k of the next run, [channels, height, width], in the graph's layout.
func (r *runner) setImage(k int, image []float32) {
	dst := r.image[k*r.size : (k+1)*r.size]
	if !r.teacher.input.nhwc {
		copy(dst, image)
		return
	}
	channels := r.teacher.info.Channels
	area := r.size / channels
	for c := range channels {
		for p := range area {
			dst[p*channels+c] = image[c*area+p]
		}
	}
}

// run computes the first n images. A graph of a fixed batch is filled up with zeros.
func (r *runner) run(n int) error {
	t := r.teacher
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.session == nil {
		return fmt.Errorf("teacher %s: %w", t.info.Name, ErrClosed)
	}
	rows := n
	if t.info.FixedBatch {
		rows = t.info.Batch
		clear(r.image[n*r.size:])
	}
	if err := r.allocate(rows); err != nil {
		return fmt.Errorf("teacher %s: %w", t.info.Name, err)
	}
	outputs := make([]ort.Value, len(r.out))
	for i, o := range r.out {
		outputs[i] = o
	}
	if err := t.session.Run([]ort.Value{r.in}, outputs); err != nil {
		return fmt.Errorf("run teacher %s on %d images: %s", t.info.File, n, reason(err))
	}
	return nil
}

// allocate makes tensors for a number of images, unless the last run's fit.
func (r *runner) allocate(rows int) (err error) {
	if r.rows == rows {
		return nil
	}
	r.close()
	if r.in, err = ort.NewTensor(r.teacher.inputShape(rows, r.teacher.info.Height, r.teacher.info.Width), r.image); err != nil {
		return err
	}
	for _, slot := range r.teacher.slots {
		shape := []int64{int64(rows)}
		for _, d := range slot.dims {
			shape = append(shape, int64(d))
		}
		tensor, err := ort.NewEmptyTensor[float32](shape)
		if err != nil {
			return err
		}
		r.out = append(r.out, tensor)
	}
	r.rows = rows
	return nil
}

// feature writes output o of image k of the last run.
func (r *runner) feature(k int, o Output, dst []float32) {
	e := elements(o.dims)
	o.kind.convert(o.dims, r.out[o.slot].GetData()[k*e:(k+1)*e], dst)
}

// close frees the tensors; the runner may be used again.
func (r *runner) close() {
	if r.in != nil {
		r.in.Destroy()
		r.in = nil
	}
	for _, o := range r.out {
		o.Destroy()
	}
	r.out = nil
	r.rows = 0
}
