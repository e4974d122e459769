package rdlib

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"rd/rdlib/backend"
	"rd/rdlib/backend/ortengine"
	"rd/rdlib/dataset"
	"rd/rdlib/distill"
	"rd/rdlib/model"
	"rd/rdlib/peft"
	"rd/rdlib/record"
	"rd/rdlib/train"
)

// BenchOptions say which training step to time.
type BenchOptions struct {
	Student, Method    string  // a student and a method, or a teacher's architecture and one of Adaptations
	Width              float64 // multiplier; 0 is 1
	Size, Batch, Steps int
	Threads            int
	Backend            string
	Profile            string // prefix of the backend's profile files; "" for none
	Feed               *BenchFeed
}

// BenchFeed gives the steps images, and features where the method needs them, as training does. Without it every step
// has the same batch of random numbers.
type BenchFeed struct {
	Train    dataset.Source // at the size of BenchOptions
	Augment  *dataset.Augmentation
	Features train.Features
	Outputs  train.TeacherOutputs
}

// BenchResult is what BenchStep measured.
type BenchResult struct {
	Student        string    `json:"student"`
	Method         string    `json:"method"`
	Backend        string    `json:"backend"`
	BackendVersion string    `json:"backend_version"`
	Width          float64   `json:"width"`
	Trained        int       `json:"trained,omitempty"` // numbers that the optimizer changes, those of the method's modules among them
	Size           int       `json:"size"`
	Batch          int       `json:"batch"`
	Threads        int       `json:"threads"`
	SecondsPerStep float64   `json:"seconds_per_step"` // median
	All            []float64 `json:"all"`
	Waits          []float64 `json:"waits,omitempty"` // seconds each step waited for its batch, not part of All; nil without a feed
	PeakRSSMiB     float64   `json:"peak_rss_mib"`
	// Profile says where the time of the step went; nil unless asked for.
	Profile *ortengine.Profile `json:"profile,omitempty"`
}

// benchTeacher stands for a DenseNet-121, a common teacher: the shapes of its outputs.
type benchTeacher map[string][]int

func newBenchTeacher(size int) (benchTeacher, train.TeacherOutputs) {
	t, names := benchTeacher{"pooled": {1024}}, train.TeacherOutputs{Pooled: "pooled"}
	for i, channels := range []int{256, 512, 1024, 1024} {
		name, side := fmt.Sprintf("stage%d", i+1), max(1, size>>(i+2))
		names.Maps = append(names.Maps, name)
		t[name] = []int{channels, side, side}
	}
	return t, names
}

func (t benchTeacher) Shape(output string) []int            { return t[output] }
func (benchTeacher) Read(int, int, string, []float32) error { return nil }

// benchImages says only how many there are: the benchmark makes its own.
type benchImages int

const benchClasses = 4

func (n benchImages) Len() int                        { return int(n) }
func (benchImages) Label(i int) int                   { return i % benchClasses }
func (benchImages) Tensor(int, bool, []float32) error { return nil }

// BenchStep times whole training steps (forward, backward, AdamW) on random images; compilation is left out.
func BenchStep(o BenchOptions) (*BenchResult, error) {
	if o.Size < 8 || o.Batch < 2 || o.Steps < 1 || o.Threads < 0 {
		return nil, usagef("size %d, batch %d, steps %d, threads %d: at least 8, 2, 1 and 0 are needed", o.Size, o.Batch, o.Steps, o.Threads)
	}
	student, method, err := o.network()
	if err != nil {
		return nil, err
	}
	if o.Profile != "" {
		if err := os.MkdirAll(filepath.Dir(o.Profile), 0o755); err != nil {
			return nil, fmt.Errorf("folder of the profile: %w", err)
		}
	}
	b, err := openBackend(backend.Options{Name: o.Backend, Threads: o.Threads, Profile: o.Profile})
	if err != nil {
		return nil, err
	}
	defer b.Finalize()
	cell := &train.Cell{
		Config: record.Config{
			Batch: o.Batch, Steps: o.Steps, Optimizer: train.DefaultOptimizer(),
			Seeds: record.SameSeeds(1),
		},
		Student: student, Method: method, Backend: b,
		Height: o.Size, Width: o.Size, Channels: 3, Classes: benchClasses, Views: 2,
		Train: benchImages(o.Batch), Validation: benchImages(0), Test: benchImages(1),
	}
	if method.Needs().Teacher() {
		cell.Features, cell.Outputs = newBenchTeacher(o.Size)
	}
	waits, all, trained, err := o.time(cell)
	if err != nil {
		return nil, fmt.Errorf("benchmark of %s: %w", o.Student, err)
	}
	var profile *ortengine.Profile
	if o.Profile != "" {
		profiles, err := ortengine.ReadProfiles(o.Profile)
		if err != nil {
			return nil, err
		}
		profile = &profiles[0]
	}
	sorted := slices.Sorted(slices.Values(all))
	return &BenchResult{
		Student: o.Student, Method: o.Method, Backend: backend.NameOf(b), BackendVersion: backend.VersionOf(b),
		Width: cmp.Or(o.Width, 1), Trained: trained, Size: o.Size, Batch: o.Batch, Threads: backend.ThreadsOf(b),
		SecondsPerStep: sorted[len(sorted)/2], All: all, Waits: waits, PeakRSSMiB: peakRSSMiB(), Profile: profile,
	}, nil
}

// network describes what is trained and by which method. An adaptation of several stages is timed in its last.
func (o BenchOptions) network() (*model.Network, distill.Method, error) {
	c := model.Config{Classes: benchClasses, Width: o.Width}
	plain, err := newNetwork(o.Student, c, o.Size)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case o.Method == FineTune:
		return plain, distill.Scratch(), nil
	case slices.Contains(peft.Names(), o.Method):
		if !peft.Adapts(plain.Name()) {
			return nil, nil, usagef("%s adapts a vision transformer, not %s: give vit or vit_sam", o.Method, o.Student)
		}
		method, err := peft.New(o.Method, nil)
		if err != nil {
			return nil, nil, &UsageError{err}
		}
		stages := method.Stages()
		last := stages[len(stages)-1]
		c.Transformer.Height, c.Transformer.Width = o.Size, o.Size
		network, err := last.Network(plain.Name(), c)
		if err != nil {
			return nil, nil, &UsageError{err}
		}
		counts := make([]int, benchClasses)
		for i := range counts {
			counts[i] = 100 * (i + 1)
		}
		return network, last.Objective(counts), nil
	}
	method, err := distill.New(o.Method, nil)
	if err != nil {
		return nil, nil, &UsageError{err}
	}
	return plain, method, nil
}

// time times the cell's steps and counts what they train.
func (o BenchOptions) time(cell *train.Cell) (waits, all []float64, trained int, err error) {
	if o.Feed == nil {
		all, trained, err = train.Bench(cell, o.Steps)
		return nil, all, trained, err
	}
	cell.Train, cell.Augment = o.Feed.Train, o.Feed.Augment
	if cell.Augment != nil {
		cell.Views = 1
	}
	if cell.Features != nil {
		cell.Features, cell.Outputs = o.Feed.Features, o.Feed.Outputs
	}
	waits, all, err = train.BenchFed(context.Background(), cell, o.Steps)
	return waits, all, 0, err
}

// peakRSSMiB is the most memory this process has held.
func peakRSSMiB() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	unit := 1024.0 // kilobytes
	if runtime.GOOS == "darwin" {
		unit = 1
	}
	return float64(usage.Maxrss) * unit / (1 << 20)
}
