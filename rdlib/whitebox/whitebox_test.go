package whitebox

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"rd/rdlib/backend"
	"rd/rdlib/foundation"
	"rd/rdlib/model"
)

// exported writes a small network as a teacher.
func exported(t *testing.T, architecture string, c model.Config) string {
	t.Helper()
	network, err := model.New(architecture, c)
	if err != nil {
		t.Fatal(err)
	}
	data, err := network.ONNX(network.Init(3), model.ONNXOptions{Sample: []int{3, size, size}, Outputs: []string{model.ONNXFeatureMap, model.ONNXPooled}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), architecture+".onnx")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const size = 64

// An ONNX teacher that is opened gives the features that it gives as a black box, and gradients reach its weights.
func TestTheSameAsTheBlackBox(t *testing.T) {
	small := model.Transformer{Height: size, Width: size, Patch: 8, Dim: 16, Depth: 2, Heads: 2}
	for architecture, c := range map[string]model.Config{
		"shufflenet": {Classes: 2, Width: 0.5}, "resnet18": {Classes: 2, Width: 0.25}, "densenet121": {Classes: 2, Width: 0.25, Blocks: []int{1, 1, 1, 1}},
		"vit": {Classes: 2, Transformer: small},
	} {
		t.Run(architecture, func(t *testing.T) {
			path := exported(t, architecture, c)
			images := make([]float32, 2*3*size*size)
			for i := range images {
				images[i] = float32(math.Sin(float64(i) / 7))
			}
			teacher, err := foundation.Open(path, foundation.Options{Height: size, Width: size})
			if err != nil {
				t.Fatal(err)
			}
			defer teacher.Close()
			black, err := teacher.Features(images, 2)
			if err != nil {
				t.Fatal(err)
			}

			open, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(open.Outputs(), []string{model.ONNXFeatureMap, model.ONNXPooled}) {
				t.Errorf("outputs %v", open.Outputs())
			}
			engine, err := backend.Open(backend.Options{Name: backend.Go})
			if err != nil {
				t.Fatal(err)
			}
			defer engine.Finalize()
			store := gomodel.NewStore()
			defer store.Finalize()
			if err := open.Declare(store.RootScope()); err != nil {
				t.Fatal(err)
			}
			gradients := 0
			exec, err := gomodel.NewExec(engine, store, func(scope *gomodel.Scope, x *graph.Node) []*graph.Node {
				out := open.Forward(scope, x)
				loss := graph.ReduceAllSum(graph.Square(out[model.ONNXPooled]))
				var weights []*graph.Node
				for v := range scope.IterVariables() {
					if v.InUseByGraph(x.Graph()) && v.Shape().DType.IsFloat() && v.Shape().Rank() > 1 {
						weights = append(weights, v.NodeValue(x.Graph()))
					}
				}
				total := graph.ScalarZero(x.Graph(), x.DType())
				for _, gradient := range graph.Gradient(loss, weights...) {
					total = graph.Add(total, graph.ReduceAllSum(graph.Abs(gradient)))
				}
				gradients = len(weights)
				return []*graph.Node{out[model.ONNXFeatureMap], out[model.ONNXPooled], total}
			})
			if err != nil {
				t.Fatal(err)
			}
			defer exec.Finalize()
			results, err := exec.Call(tensors.FromFlatDataAndDimensions(images, 2, 3, size, size))
			if err != nil {
				t.Fatal(err)
			}
			for i, name := range []string{foundation.FeatureMap, foundation.Pooled} {
				white, err := tensors.CopyFlatData[float32](results[i])
				if err != nil {
					t.Fatal(err)
				}
				if len(white) != len(black[name].Data) {
					t.Fatalf("%s: %d values, as a black box %d", name, len(white), len(black[name].Data))
				}
				for k, v := range white {
					if math.Abs(float64(v-black[name].Data[k])) > 1e-4 {
						t.Fatalf("%s: value %d is %g, as a black box %g", name, k, v, black[name].Data[k])
					}
				}
			}
			if total := tensors.ToScalar[float32](results[2]); gradients == 0 || !(total > 0) || math.IsInf(float64(total), 0) {
				t.Errorf("gradients of %d weights sum up to %g", gradients, total)
			}
		})
	}
}

func TestWhatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{"empty.onnx": "", "text.onnx": "no ONNX at all", "cut.onnx": "\x08\x08\x12\x07pytorch"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(filepath.Join(dir, "missing.onnx")); err == nil {
		t.Error("a missing file is opened")
	}
	open, err := Open(exported(t, "shufflenet", model.Config{Classes: 2, Width: 0.5}))
	if err != nil {
		t.Fatal(err)
	}
	engine, err := backend.Open(backend.Options{Name: backend.Go})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Finalize()
	g := graph.NewGraph(engine, "wrong output")
	thrown := exceptions.TryCatch[error](func() {
		open.Forward(gomodel.NewStore().RootScope(), graph.Const(g, []float32{1}), "nothing")
	})
	if thrown == nil || !strings.Contains(thrown.Error(), `no output "nothing"`) {
		t.Errorf("%v", thrown)
	}
}
