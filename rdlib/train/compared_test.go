package train

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomlx/compute"

	"rd/rdlib/backend"
	"rd/rdlib/distill"
	"rd/rdlib/model"
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

// eachTaught calls do for every method that has a teacher, with plain KD and without where it has that choice.
func eachTaught(t *testing.T, do func(t *testing.T, method string, options map[string]string)) {
	for _, d := range distill.Describe() {
		if d.Name == "scratch" {
			continue
		}
		t.Run(d.Name, func(t *testing.T) { do(t, d.Name, nil) })
		if d.Name != "kd" && slices.ContainsFunc(d.Options, func(o distill.Option) bool { return o.Name == "teacher-logits" }) {
			t.Run(d.Name+" and KD", func(t *testing.T) { do(t, d.Name, map[string]string{"alpha": "1"}) })
		}
	}
}

// Everything that a method trains, its own modules and the student, has another value after training than before.
func TestEverythingTrainedMoves(t *testing.T) {
	engine := onnxEngine(t)
	eachTaught(t, func(t *testing.T, method string, options map[string]string) {
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
	eachTaught(t, func(t *testing.T, method string, options map[string]string) {
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
			resumed.Resumed, resumed.Seconds, resumed.SecondsPerStep = whole.Resumed, whole.Seconds, whole.SecondsPerStep
			if !reflect.DeepEqual(whole, resumed) {
				t.Errorf("stopped after %d of %d reads: the resumed run differs from the undisturbed one", at, total)
			}
		}
	})
}
