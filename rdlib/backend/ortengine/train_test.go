package ortengine

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"rd/rdlib/nn"
)

// miniature is a network of every kind of layer the students have, and its training step: plain gradient descent.
type miniature struct {
	shapes [][]int
}

func newMiniature() miniature {
	return miniature{[][]int{{16, 3, 3, 3}, {16}, {16}, {16, 1, 3, 3}, {16}, {16}, {24, 16, 1, 1}, {24}, {24}, {24, 24, 3, 3}, {4, 24}, {4}}}
}

// values draws the images, the labels and the parameters.
func (m miniature) values() []any {
	random := rand.New(rand.NewPCG(7, 8))
	draw := func(scale float32, dims ...int) *tensors.Tensor {
		size := 1
		for _, d := range dims {
			size *= d
		}
		flat := make([]float32, size)
		for i := range flat {
			flat[i] = float32(random.NormFloat64()) * scale
		}
		return tensors.FromFlatDataAndDimensions(flat, dims...)
	}
	values := []any{draw(1, 8, 3, 32, 32), draw(1, 8, 4)}
	for _, dims := range m.shapes {
		values = append(values, draw(0.1, dims...))
	}
	return values
}

// step returns the loss and the parameters after one step.
func (m miniature) step(in []*graph.Node) []*graph.Node {
	x, target, p := in[0], in[1], in[2:]
	same := func(stride, groups int) nn.Conv2DOptions {
		return nn.Conv2DOptions{Stride: [2]int{stride, stride}, Padding: [2]int{1, 1}, Groups: groups}
	}
	norm := func(x, gamma, beta *graph.Node) *graph.Node {
		y, _, _ := nn.BatchNormTrain(x, graph.OnePlus(gamma), beta, 1e-5)
		return y
	}
	x = nn.MaxPool2D(nn.ReLU(norm(nn.Conv2D(x, p[0], same(2, 1)), p[1], p[2])), 3, 2, 1)
	x = nn.ReLU6(norm(nn.Conv2D(x, p[3], same(1, 16)), p[4], p[5]))
	x = nn.ReLU(norm(nn.Conv2D(x, p[6], nn.Conv2DOptions{}), p[7], p[8]))
	x = nn.ChannelShuffle(nn.Conv2D(x, p[9], same(2, 1)), 2)
	y := nn.Linear(nn.GlobalAvgPool(x), p[10], p[11])
	loss := graph.ReduceAllMean(graph.Square(graph.Sub(y, target)))
	outputs := []*graph.Node{loss}
	for i, g := range graph.Gradient(loss, p...) {
		outputs = append(outputs, graph.Sub(p[i], graph.MulScalar(g, 0.05)))
	}
	return outputs
}

// train takes steps, each on the parameters of the last, and returns the losses and the last parameters' bits.
func (m miniature) train(t testing.TB, backend compute.Backend, steps int, after func(step int)) ([]float32, []byte) {
	exec, err := graph.NewExec(backend, m.step)
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	values := m.values()
	var losses []float32
	for step := range steps {
		for i := range values[2:] {
			if values[2+i], err = graph.DonateTensorBuffer(values[2+i].(*tensors.Tensor), backend, 0); err != nil {
				t.Fatal(err)
			}
		}
		out, err := exec.Exec(values...)
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, tensors.ToScalar[float32](out[0]))
		out[0].MustFinalizeAll()
		for i, p := range out[1:] {
			values[2+i] = p
		}
		if after != nil {
			after(step)
		}
	}
	var bits []byte
	for _, p := range values[2:] {
		bits = append(bits, dtypes.UnsafeByteSliceFromAny(tensors.MustCopyFlatData[float32](p.(*tensors.Tensor)))...)
	}
	return losses, bits
}

func TestTrainingLearnsAndRepeatsBitForBit(t *testing.T) {
	backend := newBackend(t)
	losses, first := newMiniature().train(t, backend, 20, nil)
	if !(losses[19] < 0.7*losses[0]) {
		t.Errorf("the loss went from %g to %g", losses[0], losses[19])
	}
	_, second := newMiniature().train(t, backend, 20, nil)
	if !bytes.Equal(first, second) {
		t.Error("two equal trainings gave different parameters")
	}
	other, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Finalize()
	if _, third := newMiniature().train(t, other, 20, nil); !bytes.Equal(first, third) {
		t.Error("a second backend gave different parameters")
	}
}

func TestTrainingFollowsGo(t *testing.T) {
	reference, err := gobackend.New("ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	defer reference.Finalize()
	want, _ := newMiniature().train(t, reference, 5, nil)
	got, _ := newMiniature().train(t, newBackend(t), 5, nil)
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 1e-4*math.Abs(float64(want[i])) {
			t.Errorf("loss of step %d is %g, on Go %g", i, got[i], want[i])
		}
	}
}

func TestMemoryDoesNotGrowWithSteps(t *testing.T) {
	backend := newBackend(t)
	var early, late float64
	newMiniature().train(t, backend, 220, func(step int) {
		if step == 19 || step == 219 {
			runtime.GC()
			early, late = late, residentMiB(t)
		}
	})
	if late > early+8 {
		t.Errorf("resident memory grew from %.1f to %.1f MiB in 200 steps", early, late)
	}
}

// residentMiB is the memory of this process that is in use.
func residentMiB(t *testing.T) float64 {
	t.Helper()
	return procStatus(t, "VmRSS:") / 1024
}

// procStatus reads a number of /proc/self/status.
func procStatus(t *testing.T, field string) float64 {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			value, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	t.Skipf("/proc/self/status has no %s", field)
	return 0
}

func TestThreadsAreAsAsked(t *testing.T) {
	newBackend(t)
	// A session of n threads starts n−1: the caller's is the other.
	for _, threads := range []int{1, 3, 6} {
		backend, err := New(Options{Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		if got := backend.Threads(); got != threads {
			t.Errorf("Threads() = %d, want %d", got, threads)
		}
		blockSize() // a session of its own, once
		newMiniature().train(t, backend, 1, nil)
		exec, err := graph.NewExec(backend, func(x *graph.Node) *graph.Node { return graph.AddScalar(x, 1) })
		if err != nil {
			t.Fatal(err)
		}
		before := procStatus(t, "Threads:")
		if _, err := exec.Exec(tensors.FromValue([]float32{1, 2})); err != nil {
			t.Fatal(err)
		}
		started := procStatus(t, "Threads:") - before
		exec.Finalize()
		// Go itself may start a thread or two meanwhile.
		if started < float64(threads-1) || started > float64(threads+1) {
			t.Errorf("a session of %d threads started %g", threads, started)
		}
		backend.Finalize()
	}
}

func TestConcurrentRuns(t *testing.T) {
	backend := newBackend(t)
	_, want := newMiniature().train(t, backend, 3, nil)
	shared, err := graph.NewExec(backend, func(x *graph.Node) *graph.Node { return graph.Mul(x, x) })
	if err != nil {
		t.Fatal(err)
	}
	defer shared.Finalize()
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			if _, got := newMiniature().train(t, backend, 3, nil); !bytes.Equal(got, want) {
				t.Error("trainings side by side disturbed each other")
			}
		})
		wait.Go(func() {
			for i := range 50 {
				out, err := shared.Exec1(float32(i))
				if err != nil {
					t.Error(err)
					return
				}
				if got := tensors.ToScalar[float32](out); got != float32(i*i) {
					t.Errorf("%d² = %g", i, got)
				}
				out.MustFinalizeAll()
			}
		})
	}
	wait.Wait()
}

func TestBuffers(t *testing.T) {
	backend := newBackend(t)
	shape := shapes.Make(dtypes.Float32, 2, 3)
	buffer, err := backend.BufferFromFlatData(0, []float32{1, 2, 3, 4, 5, 6}, shape)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, 6)
	if err := buffer.ToFlatData(got); err != nil || got[5] != 6 {
		t.Errorf("read back %v, %v", got, err)
	}
	duplicate, err := buffer.CopyToDevice(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := buffer.Finalize(); err != nil {
		t.Fatal(err)
	}
	if err := duplicate.ToFlatData(got); err != nil || got[0] != 1 {
		t.Errorf("the copy went with the original: %v, %v", got, err)
	}
	for name, err := range map[string]error{
		"reading a finalised buffer": buffer.ToFlatData(got),
		"reading into another type":  duplicate.ToFlatData(make([]int32, 6)),
		"reading into a short slice": duplicate.ToFlatData(make([]float32, 5)),
		"a short source":             second(backend.BufferFromFlatData(0, []float32{1}, shape)),
		"a source of another type":   second(backend.BufferFromFlatData(0, []float64{1, 2, 3, 4, 5, 6}, shape)),
		"an unknown device":          second(backend.BufferFromFlatData(1, []float32{1, 2, 3, 4, 5, 6}, shape)),
		"an unknown type":            second(backend.BufferFromFlatData(0, []complex64{1}, shapes.Make(dtypes.Complex64, 1))),
	} {
		if err == nil {
			t.Errorf("%s is no error", name)
		}
	}
	if _, err := buffer.Data(); err == nil {
		t.Error("a finalised buffer has data")
	}
}

func second[T any](_ T, err error) error { return err }

func TestBadInputsOfAnExecutableAreErrors(t *testing.T) {
	backend := newBackend(t)
	builder := backend.Builder("sum")
	main := builder.Main()
	a, err := main.Parameter("a", shapes.Make(dtypes.Float32, 2), nil)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := main.Add(a, a)
	if err != nil {
		t.Fatal(err)
	}
	if err := main.Return([]compute.Value{sum}, nil); err != nil {
		t.Fatal(err)
	}
	executable, err := builder.Compile()
	if err != nil {
		t.Fatal(err)
	}
	good, err := backend.BufferFromFlatData(0, []float32{1, 2}, shapes.Make(dtypes.Float32, 2))
	if err != nil {
		t.Fatal(err)
	}
	long, err := backend.BufferFromFlatData(0, []float32{1, 2, 3}, shapes.Make(dtypes.Float32, 3))
	if err != nil {
		t.Fatal(err)
	}
	for name, inputs := range map[string][]compute.Buffer{"none": nil, "too many": {good, good}, "another shape": {long}, "nil": {nil}} {
		if _, err := executable.Execute(inputs, nil, 0); err == nil {
			t.Errorf("inputs %s: no error", name)
		}
	}
	out, err := executable.Execute([]compute.Buffer{good}, []bool{true}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := out[0].Data(); err != nil || data.([]float32)[1] != 4 {
		t.Errorf("sum %v, %v", data, err)
	}
	if _, err := executable.Execute([]compute.Buffer{good}, nil, 0); err == nil || !strings.Contains(err.Error(), "donated") {
		t.Errorf("a donated input: %v", err)
	}
	executable.Finalize()
	executable.Finalize()
	if _, err := executable.Execute([]compute.Buffer{good}, nil, 0); err == nil {
		t.Error("a finalised executable runs")
	}
	backend.Finalize()
	if _, err := backend.Builder("late").Compile(); err == nil {
		t.Error("a finalised backend compiles")
	}
}

func TestProfile(t *testing.T) {
	newBackend(t)
	prefix := filepath.Join(t.TempDir(), "steps[1]")
	if _, err := ReadProfiles(prefix); err == nil {
		t.Error("a profile that was not written is no error")
	}
	backend, err := New(Options{Profile: prefix})
	if err != nil {
		t.Fatal(err)
	}
	newMiniature().train(t, backend, 3, nil)
	backend.Finalize()
	profiles, err := ReadProfiles(prefix)
	if err != nil {
		t.Fatal(err)
	}
	p := profiles[0]
	if len(profiles) != 1 || p.Runs != 3 || p.Run <= 0 || len(p.Ops) < 10 {
		t.Fatalf("%d profiles, the first %+v", len(profiles), p)
	}
	shares, calls := 0.0, map[string]int{}
	for _, op := range p.Ops {
		shares += op.Share
		calls[op.Op] = op.Calls
	}
	if shares < 0.999 || shares > 1.001 || calls["BatchNormalization"] < 3 || calls["Gemm"] < 3 {
		t.Errorf("shares add up to %g, calls %v", shares, calls)
	}
	var table strings.Builder
	if err := p.Write(&table); err != nil || !strings.Contains(table.String(), "whole run, mean of 3") {
		t.Errorf("%v:\n%s", err, table.String())
	}
	if err := os.WriteFile(prefix+"_x.json", []byte("[{"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadProfiles(prefix); err == nil {
		t.Error("a truncated profile is no error")
	}
}

func TestNodeFieldsAreAsPinned(t *testing.T) {
	if err := checkNodeFields(); err != nil {
		t.Error(err)
	}
}

// BenchmarkStep times the miniature's training step.
func BenchmarkStep(b *testing.B) {
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprint(threads, " threads"), func(b *testing.B) {
			backend, err := New(Options{Threads: threads})
			if err != nil {
				b.Skip(err)
			}
			defer backend.Finalize()
			b.ResetTimer()
			newMiniature().train(b, backend, b.N, nil)
		})
	}
}
