package nn

import (
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors/images"
	"github.com/gomlx/gomlx/support/exceptions"
)

// MaxPool2D takes the largest value of each window×window square of x [batch, channels, height, width], the squares
// stride apart, with padding rows and columns around x that never win.
func MaxPool2D(x *graph.Node, window, stride, padding int) *graph.Node {
	return pool2D(graph.MaxPool(x), window, stride, padding)
}

// AvgPool2D takes the mean of each window×window square of x [batch, channels, height, width], the squares stride apart; the
// padding's zeros count as values (torch.nn.AvgPool2d's default). The padding must be smaller than the window.
func AvgPool2D(x *graph.Node, window, stride, padding int) *graph.Node {
	if padding >= window {
		exceptions.Panicf("nn.AvgPool2D: padding %d is not smaller than the window %d", padding, window)
	}
	sum := withGradient(pool2D(graph.SumPool(x), window, stride, padding), func(y, dy *graph.Node) []*graph.Node {
		return []*graph.Node{sumPoolGradient(y.Inputs()[0], dy, window, stride, padding)}
	})
	return graph.DivScalar(sum, float64(window*window))
}

// sumPoolGradient gives every element of x the sum of dy over the windows it was in: a sum over a window of dy, spread out by the stride.
func sumPoolGradient(x, dy *graph.Node, window, stride, padding int) *graph.Node {
	spreads := make([]graph.PadAxis, 4)
	for axis := 2; axis < 4; axis++ {
		spread := (dy.Shape().Dim(axis)-1)*stride + 1
		before := window - 1 - padding
		spreads[axis] = graph.PadAxis{Start: before, End: x.Shape().Dim(axis) + window - 1 - spread - before, Interior: stride - 1}
	}
	dy = graph.Pad(dy, graph.ScalarZero(dy.Graph(), dy.DType()), spreads...)
	return pool2D(graph.SumPool(dy), window, 1, 0)
}

func pool2D(pool *graph.PoolBuilder, window, stride, padding int) *graph.Node {
	return pool.ChannelsAxis(images.ChannelsFirst).Window(window).Strides(stride).
		PaddingPerDim([][2]int{{padding, padding}, {padding, padding}}).Done()
}

// GlobalAvgPool takes the mean over height and width: [batch, channels, height, width] → [batch, channels].
func GlobalAvgPool(x *graph.Node) *graph.Node { return graph.ReduceMean(x, 2, 3) }

// AdaptiveAvgPool2D takes means over a grid of height×width windows that cover x [batch, channels, H, W] as evenly as whole
// pixels allow, in the sense of torch.nn.AdaptiveAvgPool2d: window i of n along an axis of N pixels holds those from
// ⌊i·N/n⌋ to before ⌈(i+1)·N/n⌉; where n does not divide N, windows overlap.
func AdaptiveAvgPool2D(x *graph.Node, height, width int) *graph.Node {
	if rows := x.Shape().Dim(2); rows != height {
		x = graph.Einsum("bchw,ih->bciw", x, averages(x, rows, height))
	}
	if columns := x.Shape().Dim(3); columns != width {
		x = graph.Einsum("bchw,jw->bchj", x, averages(x, columns, width))
	}
	return x
}

// averages is the matrix [windows, pixels] of the means along one axis, in the graph and type of like.
func averages(like *graph.Node, pixels, windows int) *graph.Node {
	if windows < 1 {
		exceptions.Panicf("nn.AdaptiveAvgPool2D: %d windows asked for", windows)
	}
	m := make([][]float64, windows)
	for i := range m {
		m[i] = make([]float64, pixels)
		first, end := i*pixels/windows, ((i+1)*pixels+windows-1)/windows
		for p := first; p < end; p++ {
			m[i][p] = 1 / float64(end-first)
		}
	}
	return graph.ConvertDType(graph.Const(like.Graph(), m), like.DType())
}
