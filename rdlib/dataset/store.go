package dataset

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
)

// Store gives a data set's images at one input size. Each is decoded once and kept, 8 bits a channel, as long as there is
// room; the others are decoded whenever they are asked for. Images to augment are kept larger, so that a crop has pixels
// of its own: at Detail times the input size, or their own size where that is less. It is safe for concurrent use.
type Store struct {
	data       *Dataset
	preprocess Preprocess
	normalizer *normalizer
	memory     *memory
	plain      []*atomic.Pointer[Pixels] // of each item, in memory
	detailed   []*atomic.Pointer[Pixels]
}

// DefaultMemory is how many bytes of images a Store keeps when not told otherwise.
const DefaultMemory = 1 << 30

// Detail is how much larger than the input images are kept that are to be augmented: a crop of a quarter of the area still
// has a pixel for each of the input's.
const Detail = 2

// memory holds decoded images of one preprocessing, by the sha256 of their files.
type memory struct {
	room atomic.Int64 // bytes left for images

	lock     sync.Mutex
	plain    map[string]*atomic.Pointer[Pixels]
	detailed map[string]*atomic.Pointer[Pixels]
}

// NewStore prepares the images of d. At most so many bytes are kept: 0 is DefaultMemory, below 0 keeps nothing.
func NewStore(d *Dataset, p Preprocess, bytes int64) (*Store, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if bytes == 0 {
		bytes = DefaultMemory
	}
	m := &memory{plain: map[string]*atomic.Pointer[Pixels]{}, detailed: map[string]*atomic.Pointer[Pixels]{}}
	m.room.Store(bytes)
	s := &Store{preprocess: p, normalizer: p.normalizer(), memory: m}
	return s.Share(d), nil
}

// Share gives the images of another data set, such as another split of the same folder, prepared in the same way and
// kept in the same memory: a file that both have is decoded once.
func (s *Store) Share(d *Dataset) *Store {
	t := &Store{data: d, preprocess: s.preprocess, normalizer: s.normalizer, memory: s.memory}
	m := s.memory
	m.lock.Lock()
	defer m.lock.Unlock()
	place := func(places map[string]*atomic.Pointer[Pixels], sha string) *atomic.Pointer[Pixels] {
		if places[sha] == nil {
			places[sha] = new(atomic.Pointer[Pixels])
		}
		return places[sha]
	}
	for _, item := range d.Items {
		t.plain = append(t.plain, place(m.plain, item.SHA256))
		t.detailed = append(t.detailed, place(m.detailed, item.SHA256))
	}
	return t
}

// Dataset is what the images are of.
func (s *Store) Dataset() *Dataset { return s.data }

// Preprocess is how the images are prepared.
func (s *Store) Preprocess() Preprocess { return s.preprocess }

// Load decodes the images that fit into memory now rather than at first use; those of the parts that are to be augmented
// in their larger form.
func (s *Store) Load(ctx context.Context, workers int, progress func(done, total int), augmented ...Split) error {
	return forEach(ctx, len(s.plain), workers, progress, func(i int) error {
		if s.memory.room.Load() <= 0 {
			return nil
		}
		_, err := s.pixels(i, slices.Contains(augmented, s.data.Items[i].Split))
		return err
	})
}

// Tensor writes an item as [3, height, width], mirrored when flip is set. It panics when dst is not of
// Preprocess().Len() values. A file that was changed after Open is an error.
func (s *Store) Tensor(item int, flip bool, dst []float32) error {
	pixels, err := s.pixels(item, false)
	if err != nil {
		return err
	}
	s.normalizer.tensor(*pixels, flip, dst)
	return nil
}

// Augmented writes an item as [3, height, width], augmented by a draw from rng. It panics when dst is not of
// Preprocess().Len() values. a must be valid.
func (s *Store) Augmented(item int, a *Augmentation, rng *rand.Rand, dst []float32) error {
	pixels, err := s.pixels(item, true)
	if err != nil {
		return err
	}
	s.normalizer.augment(*pixels, s.preprocess.Height, s.preprocess.Width, a.draw(rng), rng, dst)
	return nil
}

func (s *Store) pixels(item int, detailed bool) (*Pixels, error) {
	place := s.plain[item]
	if detailed {
		place = s.detailed[item]
	}
	if kept := place.Load(); kept != nil {
		return kept, nil
	}
	img, err := s.data.Image(item)
	if err != nil {
		return nil, err
	}
	p := s.preprocess
	if detailed {
		p = p.detailed(img.Bounds().Size())
	}
	pixels := p.Pixels(img)
	bytes := int64(len(pixels.Pix))
	if s.memory.room.Add(-bytes) < 0 || !place.CompareAndSwap(nil, &pixels) {
		s.memory.room.Add(bytes) // no room, or another goroutine kept it first
	}
	return &pixels, nil
}

// Part gives the images of one part, numbered from 0.
func (s *Store) Part(part Split) *Images {
	return &Images{store: s, items: s.data.Indices(part)}
}

// Images is one part of a data set at one input size. It is safe for concurrent use.
type Images struct {
	store *Store
	items []int
}

// Len is the number of images.
func (m *Images) Len() int { return len(m.items) }

// Item is the index of image i among the data set's items.
func (m *Images) Item(i int) int { return m.items[i] }

// Label is the class of image i.
func (m *Images) Label(i int) int { return m.store.data.Items[m.items[i]].Label }

// Tensor writes image i as [3, height, width], mirrored when flip is set.
func (m *Images) Tensor(i int, flip bool, dst []float32) error {
	return m.store.Tensor(m.items[i], flip, dst)
}

// Augmented writes image i as [3, height, width], augmented by a draw from rng.
func (m *Images) Augmented(i int, a *Augmentation, rng *rand.Rand, dst []float32) error {
	return m.store.Augmented(m.items[i], a, rng, dst)
}
