package nn

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"rd/rdlib/golden"
)

// windowed is PromptedGridAttention of one image and one head, written out: rows of queries, keys and values, 3·d each.
func windowed(prompts, tokens [][]float64, rows, columns func(q, k, i int) float64, d int, grid, window Grid, silent bool) [][]float64 {
	out := make([][]float64, len(prompts)+len(tokens))
	windows := float64(grid[0] / window[0] * (grid[1] / window[1]))
	for top := 0; top < grid[0]; top += window[0] {
		for left := 0; left < grid[1]; left += window[1] {
			type member struct {
				values []float64
				y, x   int // in the window; -1: a prompt
				place  int // in out
				share  float64
			}
			var members []member
			for p, values := range prompts {
				members = append(members, member{values, -1, -1, p, 1 / windows})
			}
			for y := range window[0] {
				for x := range window[1] {
					at := (top+y)*grid[1] + left + x
					members = append(members, member{tokens[at], y, x, len(prompts) + at, 1})
				}
			}
			keys := members
			if silent {
				keys = members[len(prompts):]
			}
			for _, q := range members {
				sum, mixed := 0.0, make([]float64, d)
				for _, k := range keys {
					logit := 0.0
					for i := range d {
						logit += q.values[i] * k.values[d+i] / math.Sqrt(float64(d))
						if q.y >= 0 && k.y >= 0 {
							logit += q.values[i] * (rows(q.y, k.y, i) + columns(q.x, k.x, i))
						}
					}
					sum += math.Exp(logit)
					for i := range d {
						mixed[i] += math.Exp(logit) * k.values[2*d+i]
					}
				}
				if out[q.place] == nil {
					out[q.place] = make([]float64, d)
				}
				for i := range d {
					out[q.place][i] += q.share * mixed[i] / sum
				}
			}
		}
	}
	return out
}

func TestPromptedGridAttention(t *testing.T) {
	const d, n = 4, 2
	grid, window := Grid{4, 3}, Grid{2, 3}
	wave := func(count int, phase float64) [][]float64 {
		values := make([][]float64, count)
		for i := range values {
			values[i] = make([]float64, 3*d)
			for j := range values[i] {
				values[i][j] = math.Sin(phase + float64(i*i+7*j))
			}
		}
		return values
	}
	position := func(phase float64) func(q, k, i int) float64 {
		return func(q, k, i int) float64 { return math.Cos(phase + float64(3*q+5*k+i)) }
	}
	table := func(at func(q, k, i int) float64, n int) *tensors.Tensor {
		values := make([][][]float64, n)
		for q := range values {
			values[q] = make([][]float64, n)
			for k := range values[q] {
				for i := range d {
					values[q][k] = append(values[q][k], at(q, k, i))
				}
			}
		}
		return tensors.FromValue(values)
	}
	prompts, tokens, rows, columns := wave(n, 1), wave(grid[0]*grid[1], 2), position(3), position(4)
	for _, silent := range []bool{false, true} {
		exec, err := graph.NewExec(golden.GoBackend(t), func(prompts, tokens, rows, columns *graph.Node) *graph.Node {
			return PromptedGridAttention(prompts, tokens, rows, columns, 1, grid, window, silent)
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := exec.Call(tensors.FromValue([][][]float64{prompts}), tensors.FromValue([][][]float64{tokens}), table(rows, window[0]), table(columns, window[1]))
		if err != nil {
			t.Fatal(err)
		}
		want := golden.Array{Shape: []int{1, n + len(tokens), d}}
		for _, row := range windowed(prompts, tokens, rows, columns, d, grid, window, silent) {
			want.Data = append(want.Data, row...)
		}
		golden.Near(t, "silent prompts "+map[bool]string{true: "yes", false: "no"}[silent], golden.ArrayOf(t, got[0]), want, 1e-12)
		exec.Finalize()
	}
}
