package dataset

import (
	"fmt"
	"math/rand/v2"
)

// Sampler orders the images of a split: each epoch is a permutation of all n, cut into full batches. The last batch of
// an epoch is completed by a seeded draw, without repetition, from the epoch's other images; with fewer images than a
// batch holds, the one batch repeats images. The order depends on the seed only, and state on (epoch, position) only.
type Sampler struct {
	n, batch int
	seed     uint64
	state    State
	order    []int // of the epoch of state, already completed to full batches; nil when not drawn yet
}

// State is where a sampler stands: it determines every later batch.
type State struct {
	Epoch    int `json:"epoch"`    // from 0
	Position int `json:"position"` // batches of the epoch already given
}

// NewSampler orders n images in batches of the given size.
func NewSampler(n, batch int, seed uint64) (*Sampler, error) {
	if n < 1 {
		return nil, fmt.Errorf("there are no images to train on")
	}
	if batch < 1 {
		return nil, fmt.Errorf("a batch of %d images is not possible: give at least 1", batch)
	}
	return &Sampler{n: n, batch: batch, seed: seed}, nil
}

// BatchesPerEpoch is n/batch, rounded up.
func (s *Sampler) BatchesPerEpoch() int { return (s.n + s.batch - 1) / s.batch }

// State is where the next batch comes from.
func (s *Sampler) State() State { return s.state }

// Restore continues from a saved state as if there had been no interruption.
func (s *Sampler) Restore(state State) error {
	if state.Epoch < 0 || state.Position < 0 || state.Position > s.BatchesPerEpoch() {
		return fmt.Errorf("sampler state %+v is outside an epoch of %d batches", state, s.BatchesPerEpoch())
	}
	if state.Position == s.BatchesPerEpoch() {
		state = State{Epoch: state.Epoch + 1}
	}
	if state.Epoch != s.state.Epoch {
		s.order = nil
	}
	s.state = state
	return nil
}

// Skip passes over batches without giving them.
func (s *Sampler) Skip(batches int) {
	if batches <= 0 {
		return
	}
	position := s.state.Position + batches
	if epochs := position / s.BatchesPerEpoch(); epochs > 0 {
		s.state.Epoch += epochs
		s.order = nil
	}
	s.state.Position = position % s.BatchesPerEpoch()
}

// Next returns the images of the next batch, always of full size, and the epoch they belong to. The slice is the
// caller's to keep.
func (s *Sampler) Next() (items []int, epoch int) {
	if s.order == nil {
		s.order = s.permutation(s.state.Epoch)
	}
	epoch = s.state.Epoch
	first := s.state.Position * s.batch
	items = append(items, s.order[first:first+s.batch]...)
	s.Skip(1)
	return items, epoch
}

// permutation draws the order of an epoch.
func (s *Sampler) permutation(epoch int) []int {
	rng := rand.New(rand.NewPCG(s.seed, uint64(epoch)))
	order := rng.Perm(s.n)
	missing := s.BatchesPerEpoch()*s.batch - s.n
	// Images of the last batch are not drawn again, as long as there are others.
	others := append([]int(nil), order[:s.n-s.n%s.batch]...)
	for missing > 0 {
		if len(others) == 0 {
			others = append(others, order[:s.n]...)
		}
		rng.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
		take := min(missing, len(others))
		order = append(order, others[:take]...)
		missing -= take
	}
	return order
}

// CopyView is View for one of several copies of an image in its batch; the first copy's is View's own.
func CopyView(seed uint64, epoch, item, copy, views int) int {
	return View(copySeed(seed, copy), epoch, item, views)
}

// View chooses which view of an image an epoch shows: 0 is the image as it is, 1 its mirror image. It depends on the
// arguments only, so it is the same whichever worker asks, and for images and cached features alike.
func View(seed uint64, epoch, item, views int) int {
	if views < 2 {
		return 0
	}
	return rand.New(rand.NewPCG(seed, uint64(epoch)<<32|uint64(uint32(item)))).IntN(views)
}

// EvaluationBatch is one batch of an evaluation in order.
type EvaluationBatch struct {
	Items []int
	Valid int // the first Valid are asked for; the rest fill the batch up
}

// EvaluationBatches lists images 0…n−1 in batches of one size; the last is filled up with its first image.
func EvaluationBatches(n, batch int) []EvaluationBatch {
	var all []EvaluationBatch
	for first := 0; first < n && batch > 0; first += batch {
		b := EvaluationBatch{Items: make([]int, batch), Valid: min(batch, n-first)}
		for k := range b.Items {
			b.Items[k] = first
			if k < b.Valid {
				b.Items[k] = first + k
			}
		}
		all = append(all, b)
	}
	return all
}
