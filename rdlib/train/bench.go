package train

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"rd/rdlib/dataset"
	"rd/rdlib/distill"
)

// Bench times training steps of the cell's last phase on one batch of random images and features, and returns the
// seconds of each step and how many numbers the optimizer changes; compilation and two more steps are run first and left out. The cell's Train, Validation and
// Test images are not read.
func Bench(cell *Cell, steps int) (seconds []float64, trained int, err error) {
	l, err := newLoop(cell)
	if err != nil {
		return nil, 0, err
	}
	defer l.close()
	b := l.noiseBatch()
	trained = l.student.Trained()
	for name, module := range l.modules {
		if !slices.Contains(l.lastPhase().Frozen, name) {
			trained += module.Trained()
		}
	}
	_, seconds, err = l.timeSteps(steps, func() (*batch, error) { return b, nil })
	return seconds, trained, err
}

// BenchFed is Bench with the cell's own training images and features, as Run feeds them: it returns the seconds that each
// step waited for its batch, and those it took after that. Compilation is over before the first batch is asked for, so
// that nothing is ahead that would not be ahead in a long run.
func BenchFed(ctx context.Context, cell *Cell, steps int) (waits, seconds []float64, err error) {
	if err := cell.checkAugment(); err != nil {
		return nil, nil, err
	}
	l, err := newLoop(cell)
	if err != nil {
		return nil, nil, err
	}
	defer l.close()
	b := l.noiseBatch()
	if _, _, err := l.timeSteps(0, func() (*batch, error) { return b, nil }); err != nil {
		return nil, nil, err
	}
	sampler, err := dataset.NewSampler(cell.Train.Len(), cell.Config.Batch, cell.Config.Seeds.Order)
	if err != nil {
		return nil, nil, err
	}
	feeder := l.newFeeder(ctx, sampler, l.lastPhase().Student, warmUp+steps)
	defer feeder.Close()
	return l.timeSteps(steps, feeder.Next)
}

// warmUp is how many steps are left out.
const warmUp = 3

func (l *loop) lastPhase() distill.Phase { return l.phases[len(l.phases)-1] }

func (l *loop) timeSteps(steps int, next func() (*batch, error)) (waits, seconds []float64, err error) {
	phase := l.lastPhase()
	exec, err := l.stepExec(phase)
	if err != nil {
		return nil, nil, err
	}
	for i := range warmUp + steps {
		asked := time.Now()
		b, err := next()
		if err != nil {
			return nil, nil, err
		}
		start := time.Now()
		if _, err := l.step(exec, phase, b, 2*warmUp+steps); err != nil {
			return nil, nil, err
		}
		took := time.Since(start)
		b.release()
		if i >= warmUp {
			waits, seconds = append(waits, start.Sub(asked).Seconds()), append(seconds, took.Seconds())
		}
		l.state.Step++
	}
	return waits, seconds, nil
}

// noiseBatch is a batch of random images and features.
func (l *loop) noiseBatch() *batch {
	cell := l.cell
	random := rand.New(rand.NewPCG(1, 2))
	n := cell.Config.Batch * max(1, cell.Copies)
	b := &batch{labels: make([]int32, n), images: noise(random, n*cell.Channels*cell.Height*cell.Width), release: func() {}}
	for i := range b.labels {
		b.labels[i] = int32(random.IntN(cell.Classes))
		b.items = append(b.items, i%cell.Train.Len())
	}
	for _, name := range l.features() {
		b.features = append(b.features, noise(random, n*elements(cell.Features.Shape(name))))
	}
	return b
}

func noise(random *rand.Rand, n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(random.NormFloat64())
	}
	return values
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
