package dataset

import (
	"context"
	"fmt"
	"sync/atomic"
)

// Store gives a data set's images at one input size. Each is decoded once and kept, 8 bits a channel, as long as there is
// room; the others are decoded whenever they are asked for. It is safe for concurrent use.
type Store struct {
	data       *Dataset
	preprocess Preprocess
	normalizer *normalizer
	room       atomic.Int64 // bytes left for images
	kept       []atomic.Pointer[Pixels]
}

// DefaultMemory is how many bytes of images a Store keeps when not told otherwise.
const DefaultMemory = 1 << 30

// NewStore prepares the images of d. memory bounds the bytes kept: 0 is DefaultMemory, below 0 keeps nothing.
func NewStore(d *Dataset, p Preprocess, memory int64) (*Store, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	s := &Store{data: d, preprocess: p, normalizer: p.normalizer(), kept: make([]atomic.Pointer[Pixels], len(d.Items))}
	if memory == 0 {
		memory = DefaultMemory
	}
	s.room.Store(memory)
	return s, nil
}

// Dataset is what the images are of.
func (s *Store) Dataset() *Dataset { return s.data }

// Preprocess is how the images are prepared.
func (s *Store) Preprocess() Preprocess { return s.preprocess }

// Load decodes the images that fit into memory now rather than at first use.
func (s *Store) Load(ctx context.Context, workers int, progress func(done, total int)) error {
	return forEach(ctx, len(s.kept), workers, progress, func(i int) error {
		if s.room.Load() <= 0 {
			return nil
		}
		_, err := s.pixels(i)
		return err
	})
}

// Tensor writes an item as [3, height, width], mirrored when flip is set. It panics when dst is not of
// Preprocess().Len() values. A file that was changed after Open is an error.
func (s *Store) Tensor(item int, flip bool, dst []float32) error {
	pixels, err := s.pixels(item)
	if err != nil {
		return err
	}
	s.normalizer.tensor(*pixels, flip, dst)
	return nil
}

func (s *Store) pixels(item int) (*Pixels, error) {
	if kept := s.kept[item].Load(); kept != nil {
		return kept, nil
	}
	img, sha, err := decodeHashed(s.data.Path(item), s.data.limits)
	if err != nil {
		return nil, err
	}
	if sha != s.data.Items[item].SHA256 {
		return nil, fmt.Errorf("%s was changed since the data set was opened: start again", s.data.Path(item))
	}
	pixels := s.preprocess.Pixels(img)
	bytes := int64(len(pixels.Pix))
	if s.room.Add(-bytes) < 0 || !s.kept[item].CompareAndSwap(nil, &pixels) {
		s.room.Add(bytes) // no room, or another goroutine kept it first
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
