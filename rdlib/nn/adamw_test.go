package nn

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// TestAdamWMatchesPyTorch follows torch.optim.AdamW 1.13 over four steps in float64, each weight as a parameter of its own, and all
// of them repeated to a parameter large enough to be updated alone.
func TestAdamWMatchesPyTorch(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "adamw_pytorch.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		WeightDecay  float64     `json:"weight_decay"`
		Epsilon      float64     `json:"epsilon"`
		Beta1        float64     `json:"beta1"`
		Beta2        float64     `json:"beta2"`
		LearningRate float64     `json:"learning_rate"`
		Start        []float64   `json:"start"`
		Gradients    [][]float64 `json:"gradients"`
		Weights      [][]float64 `json:"weights"`
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	backend := goBackend(t)
	for _, c := range cases {
		small := len(c.Start)
		repeats := smallParameter/small + 1
		// repeated is every value as a parameter of shape [1, 1], then all of them again and again as one parameter.
		repeated := func(values []float64) []*tensors.Tensor {
			var params []*tensors.Tensor
			var long []float64
			for _, v := range values {
				params = append(params, tensors.FromFlatDataAndDimensions([]float64{v}, 1, 1))
			}
			for range repeats {
				long = append(long, values...)
			}
			return append(params, tensors.FromFlatDataAndDimensions(long, repeats, small))
		}
		options := AdamW{Beta1: c.Beta1, Beta2: c.Beta2, Epsilon: c.Epsilon, WeightDecay: c.WeightDecay}
		exec, err := graph.NewExec(backend, func(in []*graph.Node) []*graph.Node {
			n := (len(in) - 2) / 4
			w, m, v := AdamWUpdate(in[:n], in[n:2*n], in[2*n:3*n], in[3*n:4*n], in[4*n], in[4*n+1], options)
			return append(append(w, m...), v...)
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		zeros := make([]float64, small)
		state := append(append(repeated(c.Start), repeated(zeros)...), repeated(zeros)...)
		n := small + 1
		for step, gradient := range c.Gradients {
			args := append(append([]*tensors.Tensor(nil), state[:n]...), repeated(gradient)...)
			args = append(args, state[n:]...)
			var in []any
			for _, a := range args {
				in = append(in, a)
			}
			in = append(in, c.LearningRate, float64(step+1))
			if state, err = exec.Exec(in...); err != nil {
				t.Fatal(err)
			}
			long := tensors.MustCopyFlatData[float64](state[small])
			for i, want := range c.Weights[step] {
				for _, got := range []float64{tensors.MustCopyFlatData[float64](state[i])[0], long[i], long[len(long)-small+i]} {
					if math.Abs(got-want) > 1e-12 {
						t.Errorf("weight decay %g, step %d, weight %d: %.15g, PyTorch has %.15g", c.WeightDecay, step+1, i, got, want)
					}
				}
			}
		}
	}
}
