package train

import (
	"math/rand/v2"
	"time"
)

// Bench times training steps of the cell's last phase on one batch of random images and features, and returns the
// seconds of each step; compilation and two more steps are run first and left out. The cell's Train, Validation and
// Test images are not read.
func Bench(cell *Cell, steps int) ([]float64, error) {
	l, err := newLoop(cell)
	if err != nil {
		return nil, err
	}
	defer l.close()
	phase := l.phases[len(l.phases)-1]
	exec, err := l.stepExec(phase)
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(1, 2))
	n := cell.Config.Batch
	b := &batch{labels: make([]int32, n), images: noise(random, n*cell.Channels*cell.Height*cell.Width), release: func() {}}
	for i := range b.labels {
		b.labels[i] = int32(random.IntN(cell.Classes))
		b.items = append(b.items, i%cell.Train.Len())
	}
	for _, name := range l.features() {
		b.features = append(b.features, noise(random, n*elements(cell.Features.Shape(name))))
	}
	const warmUp = 3
	var seconds []float64
	for i := range warmUp + steps {
		start := time.Now()
		if _, err := l.step(exec, phase, b, warmUp+steps); err != nil {
			return nil, err
		}
		if i >= warmUp {
			seconds = append(seconds, time.Since(start).Seconds())
		}
		l.state.Step++
	}
	return seconds, nil
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
