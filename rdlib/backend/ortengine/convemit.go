package ortengine

import (
	protos "github.com/gomlx/compute-onnx/support/protos"
)

// How convolutions and their gradients are spelled follows measurements of ONNX Runtime's processor kernels. Where an
// image has many pixels, Conv is near the machine's peak; where it has few, one matrix product over the whole batch is several times faster.
// A weight gradient is fastest as one matrix product. The matrices have the batch innermost, as [channels, pixels, batch]: rows
// of the batch are then copied whole, and getting there and back is a plain transposition.

// fewPixels is the output size per image up to which a product over the whole batch beats Conv; veryFewPixels the one up to
// which adding up the windows' gradients beats a product with the turned kernel.
const (
	fewPixels     = 64
	veryFewPixels = 16
)

func (c convolution) attributes() []*protos.AttributeProto {
	return []*protos.AttributeProto{
		intsAttr("kernel_shape", c.kh, c.kw),
		intsAttr("strides", c.stride[:]...),
		intsAttr("dilations", c.dilation[:]...),
		intsAttr("pads", c.before[0], c.before[1], c.after[0], c.after[1]),
		intAttr("group", c.groups),
	}
}

func (c convolution) outputDims() []int { return []int{c.n, c.o, c.oh, c.ow} }
func (c convolution) inputDims() []int  { return []int{c.n, c.c, c.h, c.w} }
func (c convolution) taps() int         { return c.kh * c.kw }
func (c convolution) pixels() int       { return c.oh * c.ow }
func (c convolution) strided() bool     { return c.stride != [2]int{1, 1} }

func (f *Function) convForward(c convolution, x, kernel *node) *node {
	if y := f.depthwise(c, x, kernel, false); y != nil {
		return y
	}
	if c.groups == 1 && c.pixels() <= fewPixels {
		y := f.gemm(f.reshape(kernel, c.o, c.c*c.taps()), f.columns(c, x), false, false)
		return f.batchFirst(y, c.outputDims())
	}
	return f.op("Conv", c.outputDims(), []*node{x, kernel}, c.attributes()...)
}

// convWeightGradient is dy · columns(x)ᵀ, [o, c·kh·kw].
func (f *Function) convWeightGradient(c convolution, x, dy *node) *node {
	if c.groups > 1 {
		if dw := f.depthwiseWeightGradient(c, x, dy); dw != nil {
			return dw
		}
		return f.groupedWeightGradient(c, x, dy)
	}
	dw := f.gemm(f.rows(dy), f.columns(c, x), false, true)
	return f.reshape(dw, c.o, c.c, c.kh, c.kw)
}

// groupedWeightGradient convolves, for every group, x with dy as a kernel as large as the image; channels take the place
// of the batch.
func (f *Function) groupedWeightGradient(c convolution, x, dy *node) *node {
	perGroup := c.c / c.groups
	// x [n, groups·in, h, w] → [in, groups·n, h, w], dy [n, groups·out, oh, ow] → [groups·out, n, oh, ow].
	images := f.transpose(f.reshape(x, c.n, c.groups, perGroup, c.h, c.w), 2, 1, 0, 3, 4)
	images = f.reshape(images, perGroup, c.groups*c.n, c.h, c.w)
	images, after := f.reached(c, images)
	swapped := convolution{kh: c.oh, kw: c.ow, stride: c.dilation, dilation: c.stride, before: c.before, after: after, groups: c.groups}
	dw := f.op("Conv", []int{perGroup, c.o, c.kh, c.kw}, []*node{images, f.transpose(dy, 1, 0, 2, 3)}, swapped.attributes()...)
	return f.transpose(dw, 1, 0, 2, 3)
}

// reached cuts rows and columns off that no window reaches, and returns the padding behind x that the windows do reach.
func (f *Function) reached(c convolution, x *node) (*node, [2]int) {
	after := [2]int{c.reach(0) - c.h - c.before[0], c.reach(1) - c.w - c.before[1]}
	x = f.window(x, []int{2, 3}, []int{0, 0}, []int{c.h + min(after[0], 0), c.w + min(after[1], 0)})
	return x, [2]int{max(after[0], 0), max(after[1], 0)}
}

func (f *Function) convInputGradient(c convolution, kernel, dy *node) *node {
	turned, isConvolution := c.turned()
	if c.groups > 1 {
		if dx := f.depthwiseInputGradient(c, turned, kernel, dy); dx != nil && isConvolution {
			return dx
		}
		return f.transposedConvolution(c, kernel, dy)
	}
	switch {
	case c.pixels() <= veryFewPixels || c.strided():
		columns := f.gemm(f.reshape(kernel, c.o, c.c*c.taps()), f.rows(dy), true, false)
		return f.batchFirst(f.scatter(c, columns), c.inputDims())
	case isConvolution:
		return f.convForward(turned, dy, f.turnedKernel(kernel))
	}
	return f.transposedConvolution(c, kernel, dy)
}

// turned is the convolution of dy, spread by the stride and as large as whole strides, that gives dx; false if it would need
// negative padding.
func (c convolution) turned() (convolution, bool) {
	t := convolution{n: c.n, c: c.o, h: c.oh * c.stride[0], w: c.ow * c.stride[1], o: c.c, kh: c.kh, kw: c.kw, oh: c.h, ow: c.w,
		stride: [2]int{1, 1}, dilation: c.dilation, groups: c.groups}
	for i, size := range []int{c.kh, c.kw} {
		span := (size - 1) * c.dilation[i]
		t.before[i] = span - c.before[i]
		t.after[i] = []int{t.oh, t.ow}[i] + span - []int{t.h, t.w}[i] - t.before[i]
	}
	return t, !negative(t.before, t.after)
}

// turnedKernel turns each image of the kernel by 180° and exchanges in- and output channels: [o, c, kh, kw] → [c, o, kh, kw].
func (f *Function) turnedKernel(kernel *node) *node {
	d := dimsOf(kernel)
	taps := d[2] * d[3]
	if taps > 1 {
		// A product with the reversing permutation is faster than a slice of negative step.
		reversal := make([]float32, taps*taps)
		for i := range taps {
			reversal[i*taps+taps-1-i] = 1
		}
		flat := f.reshape(kernel, d[0]*d[1], taps)
		kernel = f.op("MatMul", dimsOf(flat), []*node{flat, f.constant(reversal, taps, taps)})
	}
	return f.reshape(f.transpose(f.reshape(kernel, d[0], d[1], taps), 1, 0, 2), d[1], d[0], d[2], d[3])
}

// transposedConvolution leaves it to ConvTranspose, which cuts off the padding at both ends and, with output_padding, adds rows behind
// the last window's.
func (f *Function) transposedConvolution(c convolution, kernel, dy *node) *node {
	t := c
	var missing, extra [2]int
	for i := range 2 {
		t.after[i] = max(c.after[i], 0)
		missing[i] = t.after[i] - c.after[i]
		extra[i] = min(missing[i], max(c.stride[i], c.dilation[i])-1)
		missing[i] -= extra[i]
	}
	attributes := append(t.attributes(), intsAttr("output_padding", extra[:]...))
	dx := f.op("ConvTranspose", []int{c.n, c.c, c.h - missing[0], c.w - missing[1]}, []*node{dy, kernel}, attributes...)
	return f.pad(dx, []int{0, 0, 0, 0}, []int{0, 0, missing[0], missing[1]})
}
