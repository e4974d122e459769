package dataset

import (
	"context"
	"errors"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// mixedFolder holds grey and colour images of several sizes.
func mixedFolder(t testing.TB, perClass int) string {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(3, 4))
	for _, class := range []string{"a", "b"} {
		for i := range perClass {
			img := picture(12+rng.IntN(30), 10+rng.IntN(30), i%3 == 0)
			for k := range img.Pix {
				img.Pix[k] ^= uint8(rng.IntN(64))
			}
			var any image.Image = img
			if i%2 == 0 {
				grey := image.NewGray(img.Rect)
				for y := range img.Rect.Dy() {
					for x := range img.Rect.Dx() {
						grey.Set(x, y, img.At(x, y))
					}
				}
				any = grey
			}
			writeFile(t, filepath.Join(dir, class, class+string(rune('A'+i))+".png"), encoded(t, func(w io.Writer) error { return png.Encode(w, any) }))
		}
	}
	return dir
}

func newStore(t testing.TB, d *Dataset, p Preprocess, memory int64) *Store {
	t.Helper()
	s, err := NewStore(d, p, memory)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Whether images are kept or decoded anew makes no difference, and nor does the way through a Store.
func TestStoreKeepsWithinMemory(t *testing.T) {
	d := open(t, mixedFolder(t, 10), Options{})
	p := DefaultPreprocess(14, 18)
	stores := []*Store{newStore(t, d, p, 0), newStore(t, d, p, -1), newStore(t, d, p, 14*18*5)}
	if err := stores[0].Load(context.Background(), 2, nil); err != nil {
		t.Fatal(err)
	}
	got, want := make([]float32, p.Len()), make([]float32, p.Len())
	for i := range d.Items {
		img, err := Decode(d.Path(i), DecodeLimits{})
		if err != nil {
			t.Fatal(err)
		}
		for _, flip := range []bool{false, true} {
			p.Tensor(img, flip, want)
			for k, s := range stores {
				if err := s.Tensor(i, flip, got); err != nil || !slices.Equal(got, want) {
					t.Fatalf("store %d, item %d, flip %v differs (%v)", k, i, flip, err)
				}
			}
		}
	}
	for k, most := range []int64{DefaultMemory, 0, 14 * 18 * 5} {
		bytes := int64(0)
		for _, place := range stores[k].plain {
			if kept := place.Load(); kept != nil {
				bytes += int64(len(kept.Pix))
			}
		}
		if bytes > most || k != 1 && bytes == 0 {
			t.Errorf("store %d keeps %d bytes of at most %d", k, bytes, most)
		}
	}
}

func TestStorePartsNumberTheirImages(t *testing.T) {
	d := open(t, mixedFolder(t, 12), Options{})
	s := newStore(t, d, DefaultPreprocess(8, 8), 0)
	total := 0
	for _, part := range []Split{Train, Val, Test} {
		images := s.Part(part)
		total += images.Len()
		for i := range images.Len() {
			item := d.Items[images.Item(i)]
			if item.Split != part || item.Label != images.Label(i) {
				t.Errorf("%s image %d is %+v", part, i, item)
			}
		}
	}
	if total != len(d.Items) {
		t.Errorf("%d images of %d", total, len(d.Items))
	}
}

func TestStoreRefuses(t *testing.T) {
	d := open(t, mixedFolder(t, 6), Options{})
	if _, err := NewStore(d, Preprocess{}, 0); err == nil {
		t.Error("an empty preprocessing was taken")
	}
	s := newStore(t, d, DefaultPreprocess(8, 8), 0)
	writeFile(t, d.Path(0), greyPNG(t, 4711))
	err := s.Tensor(0, false, make([]float32, 3*8*8))
	if err == nil || !strings.Contains(err.Error(), d.Path(0)) || !strings.Contains(err.Error(), "changed") {
		t.Errorf("a changed file: %v", err)
	}
}

// read collects batches and hands their buffers back.
func read(t *testing.T, images *Images, sampler *Sampler, o LoaderOptions) (all []Batch) {
	t.Helper()
	l := NewLoader(context.Background(), images, sampler, o)
	defer l.Close()
	for {
		b, err := l.Next()
		if errors.Is(err, ErrEnd) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		kept := *b
		kept.Images = slices.Clone(b.Images)
		all = append(all, kept)
		b.Release()
	}
}

func TestLoaderDoesNotDependOnWorkers(t *testing.T) {
	d := open(t, mixedFolder(t, 14), Options{})
	p := DefaultPreprocess(9, 7)
	images := newStore(t, d, p, 0).Part(Train)
	o := LoaderOptions{Values: p.Len(), Views: 2, AugmentationSeed: 3, Workers: 1, Ahead: 1, Batches: 17}
	want := read(t, images, newSampler(t, images.Len(), 4, 5), o)
	if len(want) != 17 {
		t.Fatalf("%d batches", len(want))
	}
	for _, workers := range []int{2, 5} {
		o.Workers, o.Ahead = workers, 4
		for i, b := range read(t, images, newSampler(t, images.Len(), 4, 5), o) {
			if !slices.Equal(b.Images, want[i].Images) || !slices.Equal(b.Labels, want[i].Labels) || !slices.Equal(b.Items, want[i].Items) || !slices.Equal(b.Views, want[i].Views) || b.Epoch != want[i].Epoch || b.Next != want[i].Next {
				t.Fatalf("%d workers: batch %d differs", workers, i)
			}
		}
	}
	// Each batch holds what its items and views say, and continuing from its state gives the next one.
	tensor := make([]float32, p.Len())
	for i, b := range want {
		for k, item := range b.Items {
			if err := images.Tensor(item, b.Views[k] == 1, tensor); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(tensor, b.Images[k*p.Len():(k+1)*p.Len()]) || int(b.Labels[k]) != images.Label(item) || b.Views[k] != View(3, b.Epoch, item, 2) {
				t.Fatalf("batch %d, image %d is not item %d", i, k, item)
			}
		}
		if i+1 < len(want) {
			sampler := newSampler(t, images.Len(), 4, 5)
			if err := sampler.Restore(b.Next); err != nil {
				t.Fatal(err)
			}
			if next, _ := sampler.Next(); !slices.Equal(next, want[i+1].Items) {
				t.Fatalf("batch %d's state does not lead to the next", i)
			}
		}
	}
}

// blocked is a source that waits until it is let go, or fails.
type blocked struct {
	release chan struct{}
	fail    error
	once    sync.Once
}

func (b *blocked) Len() int      { return 8 }
func (b *blocked) Label(int) int { return 0 }
func (b *blocked) Tensor(int, bool, []float32) error {
	<-b.release
	return b.fail
}

func TestLoaderStopsItsGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 10 {
		source := &blocked{release: make(chan struct{})}
		l := NewLoader(context.Background(), source, newSampler(t, 8, 2, 1), LoaderOptions{Values: 3, Workers: 3})
		time.AfterFunc(time.Millisecond, func() { close(source.release) })
		if _, err := l.Next(); err != nil {
			t.Fatal(err)
		}
		l.Close()
		l.Close()
		for range 10 { // what was ready may still come; then the end
			if _, err := l.Next(); err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("after Close: %v", err)
				}
				break
			}
		}
	}
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

func TestLoaderReportsErrorsAndCancellation(t *testing.T) {
	wrong := errors.New("x.png is damaged")
	source := &blocked{release: make(chan struct{}), fail: wrong}
	close(source.release)
	l := NewLoader(context.Background(), source, newSampler(t, 8, 2, 1), LoaderOptions{Values: 3})
	for range 2 {
		if _, err := l.Next(); !errors.Is(err, wrong) {
			t.Errorf("error %v", err)
		}
	}
	l.Close()

	source = &blocked{release: make(chan struct{})}
	close(source.release)
	ctx, cancel := context.WithCancel(context.Background())
	l = NewLoader(ctx, source, newSampler(t, 8, 2, 1), LoaderOptions{Values: 3})
	defer l.Close()
	cancel()
	for range 100 {
		if _, err := l.Next(); err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			return
		}
	}
	t.Error("no end after the context's")
}
