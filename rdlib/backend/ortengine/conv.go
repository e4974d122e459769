package ortengine

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapeinference"
)

// convolution is a two-dimensional convolution, or one of its gradients, in the terms of the convolution itself:
// x [n, c, h, w], kernel [o, c/groups, kh, kw], y [n, o, oh, ow].
type convolution struct {
	n, c, h, w       int
	o, kh, kw        int
	oh, ow           int
	stride, dilation [2]int
	before, after    [2]int // padding
	groups           int
}

// ConvGeneral adds a convolution. Image convolutions in float32 and their gradients, as package nn writes them, are
// recognised by their axes and spelled as ONNX Runtime runs them fastest; all others go to compute-onnx, with input dilation, batch groups
// and negative padding spelled out in operations it has.
func (f *Function) ConvGeneral(input, kernel compute.Value, axes compute.ConvolveAxesConfig, strides []int, paddings [][2]int,
	inputDilations, kernelDilations []int, groups, batchGroups int) (compute.Value, error) {
	call := convCall{axes: axes, strides: strides, paddings: paddings, inputDilations: inputDilations, kernelDilations: kernelDilations,
		groups: max(groups, 1), batchGroups: max(batchGroups, 1)}
	nodes, ok := nodesOf(input, kernel)
	if !ok {
		return f.Function.ConvGeneral(input, kernel, axes, strides, paddings, inputDilations, kernelDilations, groups, batchGroups)
	}
	shape, err := shapeinference.ConvGeneral(fieldsOf(nodes[0]).shape, fieldsOf(nodes[1]).shape, axes, strides, paddings, inputDilations, kernelDilations, call.groups, call.batchGroups)
	if err != nil {
		return nil, err
	}
	call.x, call.kernel, call.output = nodes[0], nodes[1], shape.Dimensions
	if dtypeOf(call.x) == dtypes.Float32 && len(call.output) == 4 {
		if y := f.imageConvolution(call); y != nil {
			return y, nil
		}
	}
	return f.spelledOutConvolution(call)
}

// convCall holds the arguments of ConvGeneral and the dimensions of its output.
type convCall struct {
	x, kernel                                *node
	axes                                     compute.ConvolveAxesConfig
	strides, inputDilations, kernelDilations []int
	paddings                                 [][2]int
	groups, batchGroups                      int
	output                                   []int
}

// imageConvolution returns nil where the call is not one of the three forms of package nn.
func (f *Function) imageConvolution(call convCall) *node {
	if c, ok := call.asForward(); ok {
		return f.convForward(c, call.x, call.kernel)
	}
	if c, kernel, ok := call.asInputGradient(); ok {
		return f.convInputGradient(c, kernel, call.x)
	}
	if c, ok := call.asWeightGradient(); ok {
		return f.convWeightGradient(c, call.x, call.kernel)
	}
	return nil
}

var channelsFirst = []int{0, 1, 2, 3}

func axesOrder(batch, channels int, spatial []int) []int {
	return append([]int{batch, channels}, spatial...)
}

func (call convCall) inputOrder() []int {
	return axesOrder(call.axes.InputBatch, call.axes.InputChannels, call.axes.InputSpatial)
}
func (call convCall) kernelOrder() []int {
	return axesOrder(call.axes.KernelOutputChannels, call.axes.KernelInputChannels, call.axes.KernelSpatial)
}
func (call convCall) outputOrder() []int {
	return axesOrder(call.axes.OutputBatch, call.axes.OutputChannels, call.axes.OutputSpatial)
}

func pairOf(values []int) [2]int {
	if len(values) == 0 {
		return [2]int{1, 1}
	}
	return [2]int(values)
}

func (call convCall) pads() (before, after [2]int) {
	for i, p := range call.paddings {
		before[i], after[i] = p[0], p[1]
	}
	return before, after
}

func negative(pairs ...[2]int) bool {
	return slices.ContainsFunc(pairs, func(p [2]int) bool { return p[0] < 0 || p[1] < 0 })
}

func (call convCall) asForward() (c convolution, ok bool) {
	if !slices.Equal(call.inputOrder(), channelsFirst) || !slices.Equal(call.kernelOrder(), channelsFirst) || !slices.Equal(call.outputOrder(), channelsFirst) ||
		pairOf(call.inputDilations) != [2]int{1, 1} || call.batchGroups > 1 {
		return c, false
	}
	x, kernel, y := dimsOf(call.x), dimsOf(call.kernel), call.output
	c = convolution{n: x[0], c: x[1], h: x[2], w: x[3], o: y[1], kh: kernel[2], kw: kernel[3], oh: y[2], ow: y[3],
		stride: pairOf(call.strides), dilation: pairOf(call.kernelDilations), groups: call.groups}
	c.before, c.after = call.pads()
	return c, !negative(c.before, c.after)
}

// asInputGradient recognises dy convolved with the reversed kernel, and returns the kernel as it was.
func (call convCall) asInputGradient() (c convolution, kernel *node, ok bool) {
	swapped, depthwise := []int{1, 0, 2, 3}, call.groups > 1
	order := call.kernelOrder()
	if !slices.Equal(call.inputOrder(), channelsFirst) || !slices.Equal(call.outputOrder(), channelsFirst) || call.batchGroups > 1 || pairOf(call.strides) != [2]int{1, 1} ||
		(!depthwise && !slices.Equal(order, swapped)) || (depthwise && !slices.Equal(order, channelsFirst)) {
		return c, nil, false
	}
	kernel = reversedImage(call.kernel)
	if kernel == nil {
		return c, nil, false
	}
	k := dimsOf(kernel)
	if depthwise && (k[1] != 1 || k[0] != call.groups) {
		return c, nil, false
	}
	dy, dx := dimsOf(call.x), call.output
	c = convolution{n: dx[0], c: dx[1], h: dx[2], w: dx[3], o: k[0], kh: k[2], kw: k[3], oh: dy[2], ow: dy[3],
		stride: pairOf(call.inputDilations), dilation: pairOf(call.kernelDilations), groups: call.groups}
	before, _ := call.pads()
	for i, size := range []int{c.kh, c.kw} {
		c.before[i] = (size-1)*c.dilation[i] - before[i]
		c.after[i] = c.reach(i) - []int{c.h, c.w}[i] - c.before[i]
	}
	return c, kernel, !negative(c.before)
}

// reach is how many rows (i = 0) or columns (1) of the padded input the windows span.
func (c convolution) reach(i int) int {
	out, size := []int{c.oh, c.ow}[i], []int{c.kh, c.kw}[i]
	return (out-1)*c.stride[i] + (size-1)*c.dilation[i] + 1
}

// reversedImage returns what n reverses along its last two axes, nil if it does not.
func reversedImage(n *node) *node {
	if opOf(n) != "Slice" || len(inputsOf(n)) != 5 {
		return nil
	}
	axes, _ := fieldsOf(inputsOf(n)[3]).flatValue.([]int64)
	steps, _ := fieldsOf(inputsOf(n)[4]).flatValue.([]int64)
	if !slices.Equal(axes, []int64{2, 3}) || !slices.Equal(steps, []int64{-1, -1}) {
		return nil
	}
	return inputsOf(n)[0]
}

func (call convCall) asWeightGradient() (c convolution, ok bool) {
	swapped := []int{1, 0, 2, 3}
	if !slices.Equal(call.inputOrder(), swapped) || !slices.Equal(call.kernelOrder(), swapped) || !slices.Equal(call.outputOrder(), swapped) ||
		pairOf(call.inputDilations) != [2]int{1, 1} || call.groups > 1 {
		return c, false
	}
	x, dy, dw := dimsOf(call.x), dimsOf(call.kernel), call.output
	c = convolution{n: x[0], c: x[1], h: x[2], w: x[3], o: dy[1], kh: dw[2], kw: dw[3], oh: dy[2], ow: dy[3],
		stride: pairOf(call.kernelDilations), dilation: pairOf(call.strides), groups: call.batchGroups}
	c.before, c.after = call.pads()
	return c, !negative(c.before)
}

// spelledOutConvolution reduces the call to one compute-onnx can do.
func (f *Function) spelledOutConvolution(call convCall) (compute.Value, error) {
	x, spatial := call.x, len(call.axes.InputSpatial)
	order := call.inputOrder()
	plain := make([]int, len(order))
	for i := range plain {
		plain[i] = i
	}
	if call.batchGroups == 1 && slices.Max(append(slices.Clone(call.inputDilations), 1)) == 1 && !slices.ContainsFunc(call.paddings, func(p [2]int) bool { return p[0] < 0 || p[1] < 0 }) {
		return f.Function.ConvGeneral(x, call.kernel, call.axes, call.strides, call.paddings, nil, call.kernelDilations, call.groups, 1)
	}
	if !slices.Equal(order, plain) {
		x = f.transpose(x, order...)
	}
	groups := call.groups
	if g := call.batchGroups; g > 1 {
		// Batch entries of different groups become channels of different groups.
		d := dimsOf(x)
		split := append([]int{g, d[0] / g}, d[1:]...)
		permutation := append([]int{1, 0}, plain[2:]...)
		permutation = append(permutation, len(plain))
		joined := append([]int{d[0] / g, g * d[1]}, d[2:]...)
		x, groups = f.reshape(f.transpose(f.reshape(x, split...), permutation...), joined...), g
	}
	for i, factor := range call.inputDilations {
		x = f.spread(x, 2+i, factor, nil)
	}
	paddings := make([][2]int, spatial)
	copy(paddings, call.paddings)
	for i := range paddings {
		start, end := max(-paddings[i][0], 0), dimsOf(x)[2+i]-max(-paddings[i][1], 0)
		x = f.slice(x, 2+i, start, end, 1)
		paddings[i] = [2]int{max(paddings[i][0], 0), max(paddings[i][1], 0)}
	}
	axes := call.axes
	axes.InputBatch, axes.InputChannels, axes.InputSpatial = 0, 1, plain[2:]
	return f.Function.ConvGeneral(x, call.kernel, axes, call.strides, paddings, nil, call.kernelDilations, groups, 1)
}
