package train

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend"

	"rd/rdlib/dataset"
	"rd/rdlib/distill"
	"rd/rdlib/model"
	"rd/rdlib/record"
)

// images are noise, brighter in the channel of their class; onTensor, if set, is called for every image read.
type images struct {
	labels   []int
	pixels   [][]float32
	onTensor func()
}

// tinyBackend is GoMLX's plain Go backend: slow, and always there.
var tinyBackend = func() compute.Backend {
	b, err := compute.NewWithConfig("go:ops_sequential")
	if err != nil {
		panic(err)
	}
	return b
}()

const side, channels, classes = 8, 3, 3

func newImages(n int, seed uint64) *images {
	random := rand.New(rand.NewPCG(seed, 9))
	m := &images{}
	for i := range n {
		label := i % classes
		pixels := make([]float32, channels*side*side)
		for k := range pixels {
			pixels[k] = float32(random.NormFloat64())
			if k/(side*side) == label {
				pixels[k] += 1
			}
		}
		m.labels, m.pixels = append(m.labels, label), append(m.pixels, pixels)
	}
	return m
}

func (m *images) Len() int        { return len(m.labels) }
func (m *images) Label(i int) int { return m.labels[i] }
func (m *images) Tensor(i int, flip bool, dst []float32) error {
	if m.onTensor != nil {
		m.onTensor()
	}
	for k, v := range m.pixels[i] {
		if flip {
			k = k - k%side + side - 1 - k%side
		}
		dst[k] = v
	}
	return nil
}

// features are a fixed function of image and view.
type features struct{}

func (features) Shape(string) []int { return []int{6} }
func (features) Read(i, v int, _ string, dst []float32) error {
	for k := range dst {
		dst[k] = float32(math.Sin(float64(i*7 + v*3 + k)))
	}
	return nil
}

func tinyStudent(t *testing.T) *model.Network {
	t.Helper()
	b := model.NewBuilder("tiny", channels, model.Any, model.Any)
	x := b.ReLU("relu", b.Conv("conv", b.Input(), model.Conv{Out: 6, Kernel: 3, Padding: 1, Stride: 2}))
	b.FeatureMap(x)
	x = b.GlobalAvgPool("pool", x)
	b.Pooled(x)
	b.Logits(b.Linear("fc", x, classes))
	net, err := b.Network()
	if err != nil {
		t.Fatal(err)
	}
	return net
}

func tinyCell(t *testing.T, method string, options map[string]string) *Cell {
	t.Helper()
	m, err := distill.New(method, options)
	if err != nil {
		t.Fatal(err)
	}
	optimizer := DefaultOptimizer()
	return &Cell{
		Config:  record.Config{Method: method, Steps: 13, Batch: 8, Optimizer: optimizer, Seeds: record.Seeds{Split: 1, Init: 2, Order: 3, Augmentation: 4}},
		Student: tinyStudent(t), Method: m, Backend: tinyBackend, Height: side, Width: side, Channels: channels, Classes: classes, Views: 2,
		Train: newImages(21, 1), Validation: newImages(9, 2), Test: newImages(30, 3),
		Features: features{}, Outputs: TeacherOutputs{Pooled: "pooled"}, Name: method,
	}
}

func TestTrainLearns(t *testing.T) {
	cell := tinyCell(t, "scratch", nil)
	cell.Config.Steps = 60
	trained, err := Run(context.Background(), cell)
	if err != nil {
		t.Fatal(err)
	}
	if trained.Last.TestAccuracy < 0.8 {
		t.Errorf("test accuracy %.2f after training, want at least 0.8", trained.Last.TestAccuracy)
	}
	first, last := trained.Curves[0], trained.Curves[len(trained.Curves)-1]
	if !(last.Loss < first.Loss) {
		t.Errorf("the loss went from %g to %g", first.Loss, last.Loss)
	}
	if trained.Last.Step != 60 || trained.Last.Epoch != 20 || trained.Last.TestTotal != 30 {
		t.Errorf("last outcome %+v", trained.Last)
	}
}

func TestResumeEqualsNoInterruption(t *testing.T) {
	for _, method := range []string{"scratch"} {
		whole, err := Run(context.Background(), tinyCell(t, method, nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, stopAfter := range []int64{1, 40, 75, 100} {
			cell := tinyCell(t, method, nil)
			cell.Checkpoint = filepath.Join(t.TempDir(), "c.safetensors")
			cell.CheckpointEvery = time.Nanosecond
			ctx, cancel := context.WithCancel(context.Background())
			var read atomic.Int64
			cell.Train.(*images).onTensor = func() {
				if read.Add(1) == stopAfter {
					cancel()
				}
			}
			_, err := Run(ctx, cell)
			cancel()
			if !errors.Is(err, ErrInterrupted) {
				t.Fatalf("stopped after %d images: %v, want ErrInterrupted", stopAfter, err)
			}
			again := tinyCell(t, method, nil)
			again.Checkpoint = cell.Checkpoint
			resumed, err := Run(context.Background(), again)
			if err != nil {
				t.Fatal(err)
			}
			if resumed.Resumed != 1 {
				t.Errorf("resumed %d times, want 1", resumed.Resumed)
			}
			resumed.Resumed, resumed.Seconds, resumed.SecondsPerStep, resumed.WaitPerStep = whole.Resumed, whole.Seconds, whole.SecondsPerStep, whole.WaitPerStep
			if !reflect.DeepEqual(whole, resumed) {
				t.Errorf("stopped after %d images: the resumed run differs from the undisturbed one", stopAfter)
			}
		}
	}
}

func TestNotFinite(t *testing.T) {
	cell := tinyCell(t, "scratch", nil)
	cell.Config.Optimizer.LearningRate = 1e38
	cell.Config.Steps = 50
	cell.Checkpoint = filepath.Join(t.TempDir(), "c.safetensors")
	cell.CheckpointEvery = time.Nanosecond
	_, err := Run(context.Background(), cell)
	if !errors.Is(err, ErrNotFinite) {
		t.Fatalf("got %v, want ErrNotFinite", err)
	}
	if !strings.Contains(err.Error(), "step ") || !strings.Contains(err.Error(), cell.Checkpoint) {
		t.Errorf("%q names neither step nor checkpoint", err)
	}
}

func TestCheckpointOfAnotherCell(t *testing.T) {
	cell := tinyCell(t, "scratch", nil)
	cell.Checkpoint = filepath.Join(t.TempDir(), "c.safetensors")
	cell.CheckpointEvery = time.Nanosecond
	if _, err := Run(context.Background(), cell); err != nil {
		t.Fatal(err)
	}
	other := tinyCell(t, "scratch", nil)
	other.Config.Seeds.Init++
	other.Checkpoint = cell.Checkpoint
	if _, err := Run(context.Background(), other); !errors.Is(err, ErrOtherCell) {
		t.Errorf("got %v, want ErrOtherCell", err)
	}
}

func TestDamagedCheckpointIsSetAside(t *testing.T) {
	whole, err := Run(context.Background(), tinyCell(t, "scratch", nil))
	if err != nil {
		t.Fatal(err)
	}
	cell := tinyCell(t, "scratch", nil)
	cell.Checkpoint = filepath.Join(t.TempDir(), "c.safetensors")
	if err := os.WriteFile(cell.Checkpoint, []byte("cut short"), 0o644); err != nil {
		t.Fatal(err)
	}
	trained, err := Run(context.Background(), cell)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(trained.Last, whole.Last) {
		t.Errorf("after a damaged checkpoint %+v, undisturbed %+v", trained.Last, whole.Last)
	}
	if _, err := os.Stat(cell.Checkpoint + ".damaged"); err != nil {
		t.Errorf("the damaged file was not kept: %v", err)
	}
}

func TestLearningRate(t *testing.T) {
	o := DefaultOptimizer()
	if got := learningRate(o, 0, 100); got != o.LearningRate {
		t.Errorf("cosine starts at %g, want %g", got, o.LearningRate)
	}
	if got := learningRate(o, 50, 100); math.Abs(got-o.LearningRate/2) > 1e-15 {
		t.Errorf("cosine half way is %g, want %g", got, o.LearningRate/2)
	}
	o.Schedule = "constant"
	if got := learningRate(o, 99, 100); got != o.LearningRate {
		t.Errorf("constant ends at %g", got)
	}
	o.Schedule = "linear"
	if err := CheckOptimizer(o); err == nil {
		t.Error("an unknown schedule is accepted")
	}
}

func TestRunnerEqualsRun(t *testing.T) {
	var runner Runner
	defer runner.Close()
	for seed := range uint64(3) {
		cell := func() *Cell {
			c := tinyCell(t, "scratch", nil)
			c.Config.Seeds = record.Seeds{Init: seed, Order: seed, Augmentation: seed}
			return c
		}
		alone, err := Run(context.Background(), cell())
		if err != nil {
			t.Fatal(err)
		}
		kept := runner.loop
		together, err := runner.Run(context.Background(), cell())
		if err != nil {
			t.Fatal(err)
		}
		together.Seconds, together.SecondsPerStep, together.WaitPerStep = alone.Seconds, alone.SecondsPerStep, alone.WaitPerStep
		if !reflect.DeepEqual(alone, together) {
			t.Errorf("seed %d: with another cell's graphs the result differs", seed)
		}
		if seed > 0 && runner.loop != kept {
			t.Errorf("seed %d: the graphs were not kept", seed)
		}
	}
}

// lit are images whose augmentation adds one number of the draw to every pixel.
type lit struct{ *images }

func (m lit) Augmented(i int, _ *dataset.Augmentation, rng *rand.Rand, dst []float32) error {
	light := float32(rng.Float64())
	for k, v := range m.pixels[i] {
		dst[k] = v + light
	}
	return nil
}

func augmentedCell(t *testing.T, copies int) *Cell {
	t.Helper()
	cell := tinyCell(t, "scratch", nil)
	cell.Train, cell.Views, cell.Copies = lit{newImages(21, 1)}, 1, copies
	cell.Augment = &dataset.Augmentation{Brightness: 0.5}
	cell.Config.Augment, cell.Config.Copies = cell.Augment, copies
	return cell
}

func TestAugmentationAndCopies(t *testing.T) {
	plain, err := Run(context.Background(), tinyCell(t, "scratch", nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, copies := range []int{0, 2} {
		first, err := Run(context.Background(), augmentedCell(t, copies))
		if err != nil {
			t.Fatal(err)
		}
		if reflect.DeepEqual(first.LastWeights, plain.LastWeights) {
			t.Errorf("%d copies: augmentation changes nothing", copies)
		}
		// The loss of the first epoch is that of untrained weights, however many rows a batch has.
		if got, want := first.Curves[0].Loss, plain.Curves[0].Loss; math.Abs(got-want) > 0.5*want {
			t.Errorf("%d copies: the first epoch's loss is %g, without augmentation %g", copies, got, want)
		}
		cell := augmentedCell(t, copies)
		cell.Checkpoint, cell.CheckpointEvery = filepath.Join(t.TempDir(), "c.safetensors"), time.Nanosecond
		ctx, cancel := context.WithCancel(context.Background())
		var read atomic.Int64
		cell.Validation.(*images).onTensor = func() {
			if read.Add(1) == 8 {
				cancel()
			}
		}
		if _, err := Run(ctx, cell); !errors.Is(err, ErrInterrupted) {
			t.Fatal(err)
		}
		cancel()
		again := augmentedCell(t, copies)
		again.Checkpoint = cell.Checkpoint
		resumed, err := Run(context.Background(), again)
		if err != nil {
			t.Fatal(err)
		}
		if resumed.Resumed != 1 || !reflect.DeepEqual(first.LastWeights, resumed.LastWeights) || !reflect.DeepEqual(first.Curves, resumed.Curves) {
			t.Errorf("%d copies: the resumed run differs from the undisturbed one", copies)
		}
	}
}

func TestAugmentationIsRefused(t *testing.T) {
	for says, change := range map[string]func(*Cell){
		"cached": func(c *Cell) { c.Method, _ = distill.New("direct", map[string]string{"phi-input": "pooled"}) },
		"views":  func(c *Cell) { c.Views = 2 },
		"images": func(c *Cell) { c.Train = newImages(21, 1) },
		"noise":  func(c *Cell) { c.Augment.Noise = 7 },
		"copies": func(c *Cell) { c.Copies = -1 },
	} {
		cell := augmentedCell(t, 0)
		change(cell)
		if _, err := Run(context.Background(), cell); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// A slow source makes steps wait, and the time is noted; one that is fast enough does not.
func TestWaitingIsMeasured(t *testing.T) {
	for _, pause := range []time.Duration{0, 5 * time.Millisecond} {
		cell := tinyCell(t, "scratch", nil)
		cell.Train.(*images).onTensor = func() { time.Sleep(pause) }
		trained, err := Run(context.Background(), cell)
		if err != nil {
			t.Fatal(err)
		}
		waits, seconds, err := BenchFed(context.Background(), cell, 6)
		if err != nil || len(waits) != 6 || len(seconds) != 6 {
			t.Fatalf("%v, %v, %v", waits, seconds, err)
		}
		slices.Sort(waits)
		if pause == 0 && waits[3] > 0.005 || pause > 0 && (waits[3] < 0.005 || trained.WaitPerStep < 0.005) {
			t.Errorf("reading takes %v: the steps waited %v seconds, in training %.4f", pause, waits, trained.WaitPerStep)
		}
	}
}
