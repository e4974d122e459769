package nn

import (
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Conv2DOptions configure Conv2D; pairs are (height, width). Zero values mean stride 1, no padding, dilation 1, one group.
type Conv2DOptions struct {
	Stride   [2]int
	Padding  [2]int // rows and columns of zeros on each side
	Dilation [2]int
	Groups   int
}

// imageAxes are the axes of x [batch, channels, height, width], w [out, in/groups, height, width] and the output.
var imageAxes = graph.ConvolveAxesConfig{
	InputBatch: 0, InputChannels: 1, InputSpatial: []int{2, 3},
	KernelOutputChannels: 0, KernelInputChannels: 1, KernelSpatial: []int{2, 3},
	OutputBatch: 0, OutputChannels: 1, OutputSpatial: []int{2, 3},
}

// Conv2D convolves x [batch, in, height, width] with w [out, in/groups, kh, kw], in the sense of torch.nn.Conv2d:
// cross-correlation, zero padding, output height ⌊(height + 2·padding − dilation·(kh−1) − 1)/stride⌋ + 1.
// Its gradients are convolutions again, also where it is strided or grouped.
func Conv2D(x, w *graph.Node, o Conv2DOptions) *graph.Node {
	if x.Rank() != 4 || w.Rank() != 4 {
		exceptions.Panicf("nn.Conv2D: x must be [batch, channels, height, width] and w [out, in/groups, kh, kw], got %s and %s", x.Shape(), w.Shape())
	}
	for _, pair := range []*[2]int{&o.Stride, &o.Dilation} {
		for i := range pair {
			pair[i] = max(pair[i], 1)
		}
	}
	o.Groups = max(o.Groups, 1)
	if x.Shape().Dim(1) != w.Shape().Dim(1)*o.Groups || w.Shape().Dim(0)%o.Groups != 0 {
		exceptions.Panicf("nn.Conv2D: x %s, w %s and %d groups do not fit together", x.Shape(), w.Shape(), o.Groups)
	}
	padding := [][2]int{{o.Padding[0], o.Padding[0]}, {o.Padding[1], o.Padding[1]}}
	y := graph.ConvGeneral(x, w, imageAxes, o.Stride[:], padding, nil, unlessOnes(o.Dilation), o.Groups, 1)
	return withGradient(y, func(y, dy *graph.Node) []*graph.Node {
		x, w := y.Inputs()[0], y.Inputs()[1]
		return []*graph.Node{convInputGradient(x, w, dy, o), convWeightGradient(x, w, dy, o)}
	})
}

// convInputGradient convolves dy, spread out by the stride, with the weights turned by 180° and their in- and output
// channels exchanged within each group.
func convInputGradient(x, w, dy *graph.Node, o Conv2DOptions) *graph.Node {
	axes := imageAxes
	if o.Groups == 1 {
		axes.KernelInputChannels, axes.KernelOutputChannels = axes.KernelOutputChannels, axes.KernelInputChannels
	} else if w.Shape().Dim(1) > 1 || w.Shape().Dim(0) != o.Groups {
		w = exchangeGroupChannels(w, o.Groups)
	}
	padding := make([][2]int, 2)
	for i := range padding {
		kernel := (w.Shape().Dim(2+i)-1)*o.Dilation[i] + 1
		spread := (dy.Shape().Dim(2+i)-1)*o.Stride[i] + 1
		before := kernel - 1 - o.Padding[i]
		padding[i] = [2]int{before, x.Shape().Dim(2+i) + kernel - 1 - spread - before}
	}
	return graph.ConvGeneral(dy, graph.Reverse(w, 2, 3), axes, nil, padding, unlessOnes(o.Stride), unlessOnes(o.Dilation), o.Groups, 1)
}

// exchangeGroupChannels turns w [groups·out, in, kh, kw] into [groups·in, out, kh, kw], group by group.
func exchangeGroupChannels(w *graph.Node, groups int) *graph.Node {
	out, in, kh, kw := w.Shape().Dim(0)/groups, w.Shape().Dim(1), w.Shape().Dim(2), w.Shape().Dim(3)
	w = graph.TransposeAllAxes(graph.Reshape(w, groups, out, in, kh, kw), 0, 2, 1, 3, 4)
	return graph.Reshape(w, groups*in, out, kh, kw)
}

// convWeightGradient convolves x with dy as the kernel: channels take the place of the batch and the batch that of the channels,
// the stride that of the dilation. Padding behind x may be negative: rows the strided convolution never reached.
func convWeightGradient(x, w, dy *graph.Node, o Conv2DOptions) *graph.Node {
	axes := graph.ConvolveAxesConfig{
		InputBatch: 1, InputChannels: 0, InputSpatial: []int{2, 3},
		KernelOutputChannels: 1, KernelInputChannels: 0, KernelSpatial: []int{2, 3},
		OutputBatch: 1, OutputChannels: 0, OutputSpatial: []int{2, 3},
	}
	padding := make([][2]int, 2)
	for i := range padding {
		kernel := (w.Shape().Dim(2+i)-1)*o.Dilation[i] + 1
		spread := (dy.Shape().Dim(2+i)-1)*o.Stride[i] + 1
		padding[i] = [2]int{o.Padding[i], spread + kernel - 1 - x.Shape().Dim(2+i) - o.Padding[i]}
	}
	return graph.ConvGeneral(x, dy, axes, o.Dilation[:], padding, nil, unlessOnes(o.Stride), 1, o.Groups)
}

// unlessOnes returns nil, GoMLX's way to say "not dilated", for (1, 1).
func unlessOnes(pair [2]int) []int {
	if pair == [2]int{1, 1} {
		return nil
	}
	return pair[:]
}

// ConvTranspose2D is the transpose of Conv2D as a map of x, in the sense of torch.nn.ConvTranspose2d: x [batch, in, height,
// width] with w [in, out, kh, kw] gives [batch, out, …] of height (height − 1)·stride − 2·padding + kh. It is what
// Conv2D's gradient does, so its own gradients are Conv2D's forward pass and weight gradient.
func ConvTranspose2D(x, w *graph.Node, stride, padding int) *graph.Node {
	if x.Rank() != 4 || w.Rank() != 4 || x.Shape().Dim(1) != w.Shape().Dim(0) {
		exceptions.Panicf("nn.ConvTranspose2D: x must be [batch, in, height, width] and w [in, out, kh, kw], got %s and %s", x.Shape(), w.Shape())
	}
	axes := imageAxes
	axes.KernelInputChannels, axes.KernelOutputChannels = axes.KernelOutputChannels, axes.KernelInputChannels
	padded := make([][2]int, 2)
	for i := range padded {
		edge := w.Shape().Dim(2+i) - 1 - padding
		padded[i] = [2]int{edge, edge}
	}
	spread := [2]int{stride, stride}
	turned := graph.Reverse(w, 2, 3)
	y := graph.ConvGeneral(x, turned, axes, nil, padded, unlessOnes(spread), nil, 1, 1)
	o := Conv2DOptions{Stride: spread, Padding: [2]int{padding, padding}, Dilation: [2]int{1, 1}, Groups: 1}
	return withGradient(y, func(y, dy *graph.Node) []*graph.Node {
		x, turned := y.Inputs()[0], y.Inputs()[1]
		w := graph.Reverse(turned, 2, 3)
		return []*graph.Node{Conv2D(dy, w, o), graph.Reverse(convWeightGradient(dy, w, x, o), 2, 3)}
	})
}
