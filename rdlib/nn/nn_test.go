package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

func goBackend(t *testing.T) compute.Backend {
	t.Helper()
	backend, err := gobackend.New("ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(backend.Finalize)
	return backend
}

// layerCase is one layer: how it is called and on what.
type layerCase struct {
	name  string
	args  [][]int // shapes of the arguments
	layer func(args []*graph.Node) *graph.Node
}

func conv(n, in, h, w, out, kh, kw int, o Conv2DOptions) layerCase {
	groups := max(o.Groups, 1)
	return layerCase{
		name:  fmt.Sprintf("conv %d×%d×%d×%d to %d, kernel %d×%d, %+v", n, in, h, w, out, kh, kw, o),
		args:  [][]int{{n, in, h, w}, {out, in / groups, kh, kw}},
		layer: func(a []*graph.Node) *graph.Node { return Conv2D(a[0], a[1], o) },
	}
}

func layerCases() []layerCase {
	square := func(s, p int) Conv2DOptions { return Conv2DOptions{Stride: [2]int{s, s}, Padding: [2]int{p, p}} }
	depthwise := func(s, groups int) Conv2DOptions {
		return Conv2DOptions{Stride: [2]int{s, s}, Padding: [2]int{1, 1}, Groups: groups}
	}
	cases := []layerCase{
		conv(2, 3, 8, 8, 4, 3, 3, square(1, 1)),
		conv(2, 3, 9, 7, 4, 3, 3, square(2, 1)),
		conv(2, 3, 8, 10, 4, 3, 3, square(2, 1)),
		conv(2, 3, 14, 12, 4, 7, 7, square(2, 3)),
		conv(2, 4, 2, 2, 6, 3, 3, square(1, 1)),
		conv(2, 4, 4, 4, 6, 3, 3, square(2, 1)),
		conv(3, 4, 1, 1, 6, 3, 3, square(1, 1)),
		conv(2, 5, 6, 6, 7, 1, 1, square(1, 0)),
		conv(2, 5, 2, 2, 7, 1, 1, square(1, 0)),
		conv(2, 5, 6, 6, 7, 1, 1, square(2, 0)),
		conv(2, 5, 7, 5, 7, 1, 1, square(2, 0)),
		conv(2, 4, 7, 9, 6, 3, 5, Conv2DOptions{Stride: [2]int{2, 1}, Padding: [2]int{0, 2}}),
		conv(2, 4, 9, 9, 6, 3, 3, Conv2DOptions{Padding: [2]int{2, 2}, Dilation: [2]int{2, 2}}),
		conv(2, 4, 6, 6, 6, 3, 3, Conv2DOptions{Padding: [2]int{1, 1}, Groups: 2}),
		conv(2, 6, 7, 6, 4, 3, 3, Conv2DOptions{Stride: [2]int{2, 2}, Padding: [2]int{1, 1}, Groups: 2}),
		conv(2, 6, 6, 6, 6, 3, 3, depthwise(1, 6)),
		conv(2, 6, 7, 8, 6, 3, 3, depthwise(2, 6)),
		conv(2, 6, 8, 8, 6, 3, 3, depthwise(2, 6)),
		conv(2, 6, 2, 2, 6, 3, 3, depthwise(1, 6)),
		conv(2, 6, 2, 2, 6, 3, 3, depthwise(2, 6)),
		conv(2, 3, 6, 6, 6, 3, 3, depthwise(1, 3)),
	}
	one := func(name string, shape []int, layer func(x *graph.Node) *graph.Node) {
		cases = append(cases, layerCase{name: name, args: [][]int{shape}, layer: func(a []*graph.Node) *graph.Node { return layer(a[0]) }})
	}
	one("relu", []int{2, 3, 4, 5}, ReLU)
	one("relu6", []int{2, 3, 4, 5}, func(x *graph.Node) *graph.Node { return ReLU6(graph.MulScalar(x, 6.0)) })
	one("max pool 3 2 1", []int{2, 3, 9, 8}, func(x *graph.Node) *graph.Node { return MaxPool2D(x, 3, 2, 1) })
	one("max pool 2 2 0", []int{2, 3, 8, 6}, func(x *graph.Node) *graph.Node { return MaxPool2D(x, 2, 2, 0) })
	one("avg pool 3 2 1", []int{2, 3, 9, 8}, func(x *graph.Node) *graph.Node { return AvgPool2D(x, 3, 2, 1) })
	one("avg pool 2 2 0", []int{2, 3, 8, 6}, func(x *graph.Node) *graph.Node { return AvgPool2D(x, 2, 2, 0) })
	one("global average pool", []int{2, 3, 4, 5}, GlobalAvgPool)
	one("gelu", []int{2, 3, 5}, func(x *graph.Node) *graph.Node { return GELU(graph.MulScalar(x, 4)) })
	one("softmax", []int{2, 3, 5}, func(x *graph.Node) *graph.Node { return Softmax(graph.MulScalar(x, 3)) })
	one("adaptive average pool to a divisor", []int{2, 3, 8, 6}, func(x *graph.Node) *graph.Node { return AdaptiveAvgPool2D(x, 4, 2) })
	one("adaptive average pool", []int{2, 3, 7, 5}, func(x *graph.Node) *graph.Node { return AdaptiveAvgPool2D(x, 3, 4) })
	one("adaptive average pool of one axis", []int{2, 3, 5, 4}, func(x *graph.Node) *graph.Node { return AdaptiveAvgPool2D(x, 5, 3) })
	one("channel shuffle", []int{2, 6, 4, 5}, func(x *graph.Node) *graph.Node { return ChannelShuffle(x, 2) })
	one("split and join", []int{2, 6, 4, 5}, func(x *graph.Node) *graph.Node {
		a, b := SplitChannels(x, 2)
		return graph.Concatenate([]*graph.Node{graph.Square(b), a}, 1)
	})
	cases = append(cases,
		layerCase{"transposed conv 4×4 stride 2", [][]int{{2, 3, 4, 5}, {3, 6, 4, 4}}, func(a []*graph.Node) *graph.Node { return ConvTranspose2D(a[0], a[1], 2, 1) }},
		layerCase{"transposed conv 3×2 stride 1", [][]int{{2, 3, 4, 5}, {3, 2, 3, 2}}, func(a []*graph.Node) *graph.Node { return ConvTranspose2D(a[0], a[1], 1, 0) }},
		layerCase{"transposed conv 2×2 stride 3", [][]int{{2, 3, 2, 3}, {3, 2, 2, 2}}, func(a []*graph.Node) *graph.Node { return ConvTranspose2D(a[0], a[1], 3, 0) }},
		layerCase{"linear", [][]int{{4, 5}, {3, 5}, {3}}, func(a []*graph.Node) *graph.Node { return Linear(a[0], a[1], a[2]) }},
		layerCase{"linear without bias", [][]int{{4, 5}, {3, 5}}, func(a []*graph.Node) *graph.Node { return Linear(a[0], a[1], nil) }},
		layerCase{"linear on tokens", [][]int{{4, 2, 5}, {3, 5}, {3}}, func(a []*graph.Node) *graph.Node { return Linear(a[0], a[1], a[2]) }},
		layerCase{"layer norm", [][]int{{4, 3, 5}, {5}, {5}}, func(a []*graph.Node) *graph.Node { return LayerNorm(a[0], a[1], a[2], 1e-6) }},
		layerCase{"layer norm of features", [][]int{{4, 6}, {6}, {6}}, func(a []*graph.Node) *graph.Node { return LayerNorm(a[0], a[1], a[2], 1e-5) }},
		layerCase{"self-attention", [][]int{{2, 5, 6}}, func(a []*graph.Node) *graph.Node { return Attention(a[0], a[0], a[0], 3) }},
		layerCase{"self-attention of joined queries, keys and values", [][]int{{2, 5, 12}}, func(a []*graph.Node) *graph.Node { return SelfAttention(a[0], 2) }},
		layerCase{"attention of other queries", [][]int{{2, 3, 8}, {2, 5, 8}, {2, 5, 8}}, func(a []*graph.Node) *graph.Node { return Attention(a[0], a[1], a[2], 2) }},
		layerCase{"batch norm in training", [][]int{{4, 3, 5, 2}, {3}, {3}}, func(a []*graph.Node) *graph.Node {
			y, _, _ := BatchNormTrain(a[0], a[1], a[2], 1e-5)
			return y
		}},
		layerCase{"batch norm of features", [][]int{{6, 3}, {3}, {3}}, func(a []*graph.Node) *graph.Node {
			y, _, _ := BatchNormTrain(a[0], a[1], a[2], 1e-5)
			return y
		}},
		layerCase{"batch norm in evaluation", [][]int{{4, 3, 5, 2}, {3}, {3}, {3}, {3}}, func(a []*graph.Node) *graph.Node {
			return BatchNormInfer(a[0], a[1], a[2], a[3], graph.AddScalar(graph.Square(a[4]), 0.5), 1e-5)
		}},
	)
	return cases
}

// arguments draws values in (−1, 1) for every argument, away from 0 and from each other so that kinks are not hit.
func (c layerCase) arguments(dtype dtypes.DType) []any {
	random := rand.New(rand.NewPCG(1, 2))
	var args []any
	for _, shape := range c.args {
		size := 1
		for _, d := range shape {
			size *= d
		}
		order := random.Perm(size)
		if dtype == dtypes.Float64 {
			flat := make([]float64, size)
			for i := range flat {
				flat[i] = (2*float64(order[i]) + 1 - float64(size) + 0.3) / float64(size)
			}
			args = append(args, tensors.FromFlatDataAndDimensions(flat, shape...))
		} else {
			flat := make([]float32, size)
			for i := range flat {
				flat[i] = float32((2*float64(order[i]) + 1 - float64(size) + 0.3) / float64(size))
			}
			args = append(args, tensors.FromFlatDataAndDimensions(flat, shape...))
		}
	}
	return args
}

// loss is a scalar that gives every output element a different weight.
func (c layerCase) loss(args []*graph.Node) *graph.Node {
	y := c.layer(args)
	weights := graph.Sin(graph.IotaFull(y.Graph(), y.Shape()))
	return graph.ReduceAllSum(graph.Mul(y, weights))
}

// gradients runs the layer and its gradients: output first, then one gradient per argument.
func (c layerCase) gradients(t *testing.T, backend compute.Backend, args []any) []*tensors.Tensor {
	t.Helper()
	exec, err := graph.NewExec(backend, func(args []*graph.Node) []*graph.Node {
		return append([]*graph.Node{c.layer(args)}, graph.Gradient(c.loss(args), args...)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	out, err := exec.Exec(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestGradientsMatchFiniteDifferences(t *testing.T) {
	backend := goBackend(t)
	for _, c := range layerCases() {
		t.Run(c.name, func(t *testing.T) {
			args := c.arguments(dtypes.Float64)
			got := c.gradients(t, backend, args)
			exec, err := graph.NewExec(backend, c.loss)
			if err != nil {
				t.Fatal(err)
			}
			defer exec.Finalize()
			value := func() float64 {
				out, err := exec.Exec1(args...)
				if err != nil {
					t.Fatal(err)
				}
				return tensors.ToScalar[float64](out)
			}
			const h = 1e-5
			for i, arg := range args {
				gradient := tensors.MustCopyFlatData[float64](got[i+1])
				probes := rand.New(rand.NewPCG(3, uint64(i)))
				for range min(6, len(gradient)) {
					k := probes.IntN(len(gradient))
					tensor := arg.(*tensors.Tensor)
					flat := tensors.MustCopyFlatData[float64](tensor)
					at := func(x float64) float64 {
						moved := append([]float64(nil), flat...)
						moved[k] = x
						args[i] = tensors.FromFlatDataAndDimensions(moved, tensor.Shape().Dimensions...)
						defer func() { args[i] = tensor }()
						return value()
					}
					want := (at(flat[k]+h) - at(flat[k]-h)) / (2 * h)
					if math.Abs(want-gradient[k]) > 1e-6*max(1, math.Abs(want)) {
						t.Errorf("argument %d element %d: gradient %g, finite difference %g", i, k, gradient[k], want)
					}
				}
			}
		})
	}
}

// Windows overlap where their number does not divide that of the pixels.
func TestAdaptiveAvgPool(t *testing.T) {
	exec, err := graph.NewExec(goBackend(t), func(x *graph.Node) *graph.Node { return AdaptiveAvgPool2D(x, 2, 3) })
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	out, err := exec.Exec1([][][][]float64{{{{0, 1, 2, 3, 4}, {10, 11, 12, 13, 14}, {20, 21, 22, 23, 24}}}})
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{5.5, 7, 8.5, 15.5, 17, 18.5} // rows 0–1 and 1–2, columns 0–1, 1–3 and 3–4
	for i, got := range tensors.MustCopyFlatData[float64](out) {
		if math.Abs(got-want[i]) > 1e-12 {
			t.Errorf("window %d has the mean %g, want %g", i, got, want[i])
		}
	}
}
