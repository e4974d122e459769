package train

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"rd/rdlib/backend"
	"rd/rdlib/distill"
	"rd/rdlib/model"
	"rd/rdlib/option"
)

// stagedFeatures are those of a teacher with two maps; onRead, if set, is called for every feature read.
type stagedFeatures struct{ onRead func() }

func (*stagedFeatures) Shape(output string) []int {
	return map[string][]int{"early": {5, 6, 6}, "final": {7, 3, 2}, "pooled": {6}}[output]
}

func (f *stagedFeatures) Read(i, v int, output string, dst []float32) error {
	if f.onRead != nil {
		f.onRead()
	}
	for k := range dst {
		dst[k] = float32(math.Sin(float64(i*i*7+v*3+len(output)) + 0.7*float64(k)))
	}
	return nil
}

// comparedCell is a cell of any method, with a student and a teacher of two stages.
func comparedCell(t *testing.T, engine compute.Backend, method string, options map[string]string) *Cell {
	t.Helper()
	b := model.NewBuilder("staged", channels, model.Any, model.Any)
	x := b.ReLU("relu1", b.BatchNorm("bn1", b.Conv("conv1", b.Input(), model.Conv{Out: 4, Kernel: 3, Padding: 1})))
	b.Stage("stage1", x)
	x = b.ReLU("relu2", b.BatchNorm("bn2", b.Conv("conv2", x, model.Conv{Out: 6, Kernel: 3, Padding: 1, Stride: 2})))
	b.Stage("stage2", x)
	b.FeatureMap(x)
	x = b.GlobalAvgPool("pool", x)
	b.Pooled(x)
	b.Logits(b.Linear("fc", x, classes))
	student, err := b.Network()
	if err != nil {
		t.Fatal(err)
	}
	cell := tinyCell(t, method, options)
	cell.Student, cell.Backend = student, engine
	cell.Features, cell.Outputs = &stagedFeatures{}, TeacherOutputs{Maps: []string{"early", "final"}, Pooled: "pooled"}
	cell.Config.Steps, cell.Config.Options = 6, options
	return cell
}

func onnxEngine(t *testing.T) compute.Backend {
	t.Helper()
	engine, err := backend.Open(backend.Options{Name: backend.ONNX, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Finalize)
	return engine
}

// eachTaught calls do for every method that has a teacher; with plain KD, too, where it has that choice and kd is set.
func eachTaught(t *testing.T, kd bool, do func(t *testing.T, method string, options map[string]string)) {
	for _, d := range distill.Describe() {
		if d.Name == "scratch" {
			continue
		}
		t.Run(d.Name, func(t *testing.T) { do(t, d.Name, nil) })
		if kd && d.Name != "kd" && slices.ContainsFunc(d.Options, func(o option.Option) bool { return o.Name == "teacher-logits" }) {
			t.Run(d.Name+" and KD", func(t *testing.T) { do(t, d.Name, map[string]string{"alpha": "1"}) })
		}
	}
}

// Everything that a method trains, its own modules and the student, has another value after training than before.
func TestEverythingTrainedMoves(t *testing.T) {
	engine := onnxEngine(t)
	eachTaught(t, true, func(t *testing.T, method string, options map[string]string) {
		cell := comparedCell(t, engine, method, options)
		fresh, err := newLoop(cell)
		if err != nil {
			t.Fatal(err)
		}
		defer fresh.close()
		var r Runner
		defer r.Close()
		trained, err := r.Run(context.Background(), cell)
		if err != nil {
			t.Fatal(err)
		}
		checked := 0
		for v := range fresh.store.IterVariables() {
			if !v.Trainable {
				continue
			}
			checked++
			if reflect.DeepEqual(v.MustValue().Value(), r.loop.store.GetVariable(v.Path()).MustValue().Value()) {
				t.Errorf("%s did not move", v.Path())
			}
		}
		if checked == 0 {
			t.Error("nothing is trained")
		}
		for _, e := range trained.Curves {
			if len(e.Parts) == 0 || math.IsNaN(e.Loss) {
				t.Errorf("epoch %+v", e)
			}
		}
	})
}

// A run that is stopped and continued gives what an undisturbed one gives, whatever the method keeps between steps or draws.
func TestEveryMethodResumes(t *testing.T) {
	engine := onnxEngine(t)
	eachTaught(t, false, func(t *testing.T, method string, options map[string]string) {
		var reads, stop atomic.Int64
		run := func(checkpoint string) (*Trained, error) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			cell := comparedCell(t, engine, method, options)
			cell.Checkpoint, cell.CheckpointEvery = checkpoint, time.Hour
			cell.Features.(*stagedFeatures).onRead = func() {
				if reads.Add(1) == stop.Load() {
					cancel()
				}
			}
			return Run(ctx, cell)
		}
		whole, err := run("")
		if err != nil {
			t.Fatal(err)
		}
		total := reads.Load()
		for _, at := range []int64{1, total / 3, 3 * total / 4} {
			checkpoint := filepath.Join(t.TempDir(), "c.safetensors")
			reads.Store(0)
			stop.Store(at)
			if _, err := run(checkpoint); !errors.Is(err, ErrInterrupted) {
				t.Fatalf("stopped after %d of %d reads: %v, want ErrInterrupted", at, total, err)
			}
			stop.Store(0)
			resumed, err := run(checkpoint)
			if err != nil {
				t.Fatal(err)
			}
			resumed.Resumed, resumed.Seconds, resumed.SecondsPerStep, resumed.WaitPerStep = whole.Resumed, whole.Seconds, whole.SecondsPerStep, whole.WaitPerStep
			if !reflect.DeepEqual(whole, resumed) {
				t.Errorf("stopped after %d of %d reads: the resumed run differs from the undisturbed one", at, total)
			}
		}
	})
}

// trainedBy runs a cell and returns the values of a method's own variables before and after.
func trainedBy(t *testing.T, cell *Cell) (before, after map[string][]float32) {
	t.Helper()
	values := func(l *loop) map[string][]float32 {
		all := map[string][]float32{}
		for v := range l.store.RootScope().At(variablesScope).IterVariables() {
			flat, err := tensors.CopyFlatData[float32](v.MustValue())
			if err != nil {
				t.Fatal(err)
			}
			all[v.Name()] = flat
		}
		return all
	}
	fresh, err := newLoop(cell)
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.close()
	before = values(fresh)
	var r Runner
	defer r.Close()
	if _, err := r.Run(context.Background(), cell); err != nil {
		t.Fatal(err)
	}
	return before, values(r.loop)
}

// The variances of VID are learnt, channel by channel.
func TestVIDVarianceIsTrained(t *testing.T) {
	before, after := trainedBy(t, comparedCell(t, onnxEngine(t), "vid", nil))
	if len(before) != 2 {
		t.Fatalf("there are %d vectors of variances for two stages", len(before))
	}
	for name := range before {
		for channel := range before[name] {
			if before[name][channel] == after[name][channel] {
				t.Errorf("%s of channel %d did not move", name, channel)
			}
		}
	}
}

// CRD's memories have a row for each training image and follow the embeddings; its Z are those of the first batch.
func TestCRDState(t *testing.T) {
	engine := onnxEngine(t)
	cell := comparedCell(t, engine, "crd", nil)
	images := cell.Train.Len()
	short := comparedCell(t, engine, "crd", nil)
	short.Config.Steps = 1
	_, first := trainedBy(t, short)
	before, after := trainedBy(t, cell)
	for _, side := range []string{"student", "teacher"} {
		z := "z_" + side
		if before[z][0] != 0 || !(first[z][0] > 0) || after[z][0] != first[z][0] {
			t.Errorf("%s is %g at the start, %g after one step and %g in the end", z, before[z][0], first[z][0], after[z][0])
		}
		memory := "memory_" + side
		if n := len(before[memory]); n != 128*images {
			t.Fatalf("%s has %d values for %d images", memory, n, images)
		}
		moved := 0
		for i := range images {
			row := slices.Clone(after[memory][128*i : 128*(i+1)])
			if !slices.Equal(row, before[memory][128*i:128*(i+1)]) {
				moved++
			}
			var square float64
			for _, v := range row {
				square += float64(v) * float64(v)
			}
			if math.Abs(square-1) > 1e-4 {
				t.Errorf("row %d of %s has the length %g", i, memory, math.Sqrt(square))
			}
		}
		if moved != images { // six steps of eight are two epochs of 21
			t.Errorf("%d of %d rows of %s moved", moved, images, memory)
		}
	}
}

// A Gram matrix needs batches of one size: the sampler fills the last of an epoch up, and no image is left out.
func TestNoBatchIsShort(t *testing.T) {
	cell := comparedCell(t, onnxEngine(t), "semckd", nil)
	cell.Config.Steps = 3 // one epoch of 21 images
	seen, reads := map[int]bool{}, 0
	cell.Features = countedFeatures{cell.Features, func(image int) { seen[image], reads = true, reads+1 }}
	if _, err := Run(context.Background(), cell); err != nil {
		t.Fatal(err)
	}
	if outputs := 2; reads != outputs*cell.Config.Steps*cell.Config.Batch || len(seen) != cell.Train.Len() {
		t.Errorf("%d features of %d images were read in %d steps of %d", reads, len(seen), cell.Config.Steps, cell.Config.Batch)
	}
}

// countedFeatures tells of each feature read, one after the other.
type countedFeatures struct {
	Features
	read func(image int)
}

var counting sync.Mutex

func (f countedFeatures) Read(i, v int, output string, dst []float32) error {
	counting.Lock()
	defer counting.Unlock()
	f.read(i)
	return f.Features.Read(i, v, output, dst)
}

// A runner that keeps the graphs of one cell draws for the next by the next one's labels and number of images.
func TestRunnerDrawsForItsCell(t *testing.T) {
	engine := onnxEngine(t)
	var r Runner
	defer r.Close()
	for shift, n := range []int{21, 21, 15} {
		cell := func() *Cell {
			c := comparedCell(t, engine, "crd", map[string]string{"negatives": "9"})
			train := newImages(n, uint64(n))
			for i := range train.labels {
				train.labels[i] = i / (shift + 1) % classes
			}
			c.Train = train
			return c
		}
		alone, err := Run(context.Background(), cell())
		if err != nil {
			t.Fatal(err)
		}
		together, err := r.Run(context.Background(), cell())
		if err != nil {
			t.Fatal(err)
		}
		together.Seconds, together.SecondsPerStep, together.WaitPerStep = alone.Seconds, alone.SecondsPerStep, alone.WaitPerStep
		if !reflect.DeepEqual(alone, together) {
			t.Errorf("%d images: with another cell's graphs the result differs", n)
		}
	}
}
