package peft

import (
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/golden"
)

// Where all classes have as many images, or none at all, the loss and its gradient are numbers.
func TestLPTLossOfEqualCounts(t *testing.T) {
	o := defaultLPTLoss()
	cosines := [][]float64{{0.9, -0.2, 0.1}, {1, 1, 1}, {-1, 0, 1}}
	noise := [][]float64{{0.1, -2, 3}, {0, 0, 0}, {1, 1, -1}}
	labels := []int32{0, 1, 2}
	for _, counts := range [][]int{{7, 7, 7}, {0, 0, 0}, {1, 0, 1000}} {
		for _, gamma := range [][2]float64{o.Balanced, o.Instance} {
			for _, engine := range golden.Engines(t) {
				exec, err := graph.NewExec(engine.Backend, func(x, noise *graph.Node) []*graph.Node {
					x, noise = graph.ConvertDType(x, engine.DType), graph.ConvertDType(noise, engine.DType)
					loss := o.AsymmetricLoss(x, graph.Const(x.Graph(), labels), noise, counts, gamma)
					return append([]*graph.Node{loss}, graph.Gradient(loss, x)...)
				})
				if err != nil {
					t.Fatal(err)
				}
				results, err := exec.Call(float32s(cosines), float32s(noise))
				if err != nil {
					t.Fatal(err)
				}
				for i, result := range results {
					for _, v := range golden.ArrayOf(t, result).Data {
						if math.IsNaN(v) || math.IsInf(v, 0) {
							t.Errorf("counts %v, γ %v, %s: result %d holds %g", counts, gamma, engine.Name, i, v)
						}
					}
				}
				exec.Finalize()
			}
		}
	}
	if m := rarity([]int{5, 5}); m != nil {
		t.Errorf("equal counts have rarities %v", m)
	}
	if m := rarity([]int{100, 1}); m[0] != 0 || m[1] != 1 {
		t.Errorf("%v", m)
	}
}

func float32s(rows [][]float64) [][]float32 {
	out := make([][]float32, len(rows))
	for i, row := range rows {
		for _, v := range row {
			out[i] = append(out[i], float32(v))
		}
	}
	return out
}

func TestUnknown(t *testing.T) {
	if _, err := New("adaptfrmer", nil); err == nil || !strings.Contains(err.Error(), `did you mean "adaptformer"`) {
		t.Error(err)
	}
	if _, err := New("vpt", map[string]string{"depth": "flat"}); err == nil || !strings.Contains(err.Error(), "deep|shallow") {
		t.Error(err)
	}
	for _, d := range Describe() {
		if d.Title == "" || d.Source == "" || len(d.Options) == 0 {
			t.Errorf("%+v", d)
		}
		for _, o := range d.Options {
			if _, err := New(d.Name, map[string]string{o.Name: o.Default}); err != nil {
				t.Errorf("%s: its own default: %v", d.Name, err)
			}
		}
	}
}
