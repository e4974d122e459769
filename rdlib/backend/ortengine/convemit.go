package ortengine

import (
	protos "github.com/gomlx/compute-onnx/support/protos"
)

// How convolutions and their gradients are spelled follows measurements of ONNX Runtime's processor kernels (BENCHMARKS in
// doc/engine.md): Conv and ConvTranspose are near the peak where an image has many pixels, one matrix product over the whole batch where it has few;
// a weight gradient is fastest as one matrix product, unless the convolution is depthwise.

// fewPixels is the output size per image up to which a product over the whole batch beats Conv.
const fewPixels = 4

func (c convolution) attributes() []*protos.AttributeProto {
	return []*protos.AttributeProto{
		intsAttr("kernel_shape", c.kh, c.kw),
		intsAttr("strides", c.stride[:]...),
		intsAttr("dilations", c.dilation[:]...),
		intsAttr("pads", c.before[0], c.before[1], c.after[0], c.after[1]),
		intAttr("group", c.groups),
	}
}

func (f *Function) convForward(c convolution, x, kernel *node) *node {
	if c.groups == 1 && c.pixels() <= fewPixels {
		y := f.gemm(f.reshape(kernel, c.o, c.c*c.kh*c.kw), f.columns(c, x), false, false)
		return f.batchFirst(f.reshape(y, c.o, c.n, c.oh, c.ow))
	}
	return f.op("Conv", []int{c.n, c.o, c.oh, c.ow}, []*node{x, kernel}, c.attributes()...)
}

// convWeightGradient is dy · columns(x)ᵀ, [o, c·kh·kw].
func (f *Function) convWeightGradient(c convolution, x, dy *node) *node {
	if c.groups > 1 {
		return f.groupedWeightGradient(c, x, dy)
	}
	dw := f.gemm(f.channelRows(dy), f.columns(c, x), false, true)
	return f.reshape(dw, c.o, c.c, c.kh, c.kw)
}

// groupedWeightGradient convolves, for every group, x with dy as a kernel as large as the image; channels take the place of the batch.
func (f *Function) groupedWeightGradient(c convolution, x, dy *node) *node {
	perGroup := c.c / c.groups
	// x [n, groups·in, h, w] → [in, groups·n, h, w], dy [n, groups·out, oh, ow] → [groups·out, n, oh, ow].
	rows := f.transpose(f.reshape(x, c.n, c.groups, perGroup, c.h, c.w), 2, 1, 0, 3, 4)
	rows = f.reshape(rows, perGroup, c.groups*c.n, c.h, c.w)
	reach := [2]int{(c.oh-1)*c.stride[0] + (c.kh-1)*c.dilation[0] + 1, (c.ow-1)*c.stride[1] + (c.kw-1)*c.dilation[1] + 1}
	after := [2]int{reach[0] - c.h - c.before[0], reach[1] - c.w - c.before[1]}
	rows = f.window(rows, []int{2, 3}, []int{0, 0}, []int{c.h + min(after[0], 0), c.w + min(after[1], 0)})
	swapped := convolution{kh: c.oh, kw: c.ow, stride: c.dilation, dilation: c.stride, before: c.before,
		after: [2]int{max(after[0], 0), max(after[1], 0)}, groups: c.groups}
	dw := f.op("Conv", []int{perGroup, c.o, c.kh, c.kw}, []*node{rows, f.channelsFirst(dy)}, swapped.attributes()...)
	return f.channelsFirst(dw)
}

func (f *Function) convInputGradient(c convolution, kernel, dy *node) *node {
	if c.groups == 1 && c.pixels() <= fewPixels {
		columns := f.gemm(f.reshape(kernel, c.o, c.c*c.kh*c.kw), f.channelRows(dy), true, false)
		return f.batchFirst(f.gather(c, columns))
	}
	if c.groups > 1 && c.stride == [2]int{1, 1} {
		flipped := f.op("Slice", dimsOf(kernel), []*node{kernel, f.ints(-1, -1), f.ints(-c.kh-1, -c.kw-1), f.ints(2, 3), f.ints(-1, -1)})
		turned := c
		turned.before = [2]int{(c.kh-1)*c.dilation[0] - c.before[0], (c.kw-1)*c.dilation[1] - c.before[1]}
		turned.after = [2]int{c.h - c.oh + c.before[0], c.w - c.ow + c.before[1]}
		return f.op("Conv", []int{c.n, c.c, c.h, c.w}, []*node{dy, flipped}, turned.attributes()...)
	}
	// ConvTranspose cuts off the padding at both ends and, with output_padding, adds rows behind the last window's.
	transposed, beyond := c, [2]int{}
	for i := range 2 {
		transposed.after[i] = max(c.after[i], 0)
		beyond[i] = transposed.after[i] - c.after[i]
	}
	extra := beyond
	for i := range 2 {
		extra[i] = min(beyond[i], max(c.stride[i], c.dilation[i])-1)
	}
	attributes := append(transposed.attributes(), intsAttr("output_padding", extra[:]...))
	dx := f.op("ConvTranspose", []int{c.n, c.c, c.h - beyond[0] + extra[0], c.w - beyond[1] + extra[1]}, []*node{dy, kernel}, attributes...)
	return f.pad(dx, []int{0, 0, 0, 0}, []int{0, 0, beyond[0] - extra[0], beyond[1] - extra[1]})
}

// channelsFirst exchanges the first two axes of [n, c, h, w].
func (f *Function) channelsFirst(x *node) *node {
	if opOf(x) == "Transpose" && isExchange(x) {
		return inputsOf(x)[0]
	}
	if known := f.exchanged[x]; known != nil {
		return known
	}
	y := f.transpose(x, 1, 0, 2, 3)
	f.exchanged[x] = y
	return y
}

// batchFirst exchanges the first two axes back.
func (f *Function) batchFirst(x *node) *node { return f.channelsFirst(x) }

func isExchange(n *node) bool {
	perm := attr(n, "perm")
	return perm != nil && len(perm.Ints) == 4 && perm.Ints[0] == 1 && perm.Ints[1] == 0 && perm.Ints[2] == 2 && perm.Ints[3] == 3
}

// channelRows lays x [n, c, h, w] out as a matrix [c, n·h·w].
func (f *Function) channelRows(x *node) *node {
	d := dimsOf(x)
	return f.reshape(f.channelsFirst(x), d[1], d[0]*d[2]*d[3])
}

// columnsKey tells which columns of x are meant.
type columnsKey struct {
	x *node
	c convolution
}

// columns lays out, for every output pixel, the input values its window covers: [c·kh·kw, n·oh·ow].
func (f *Function) columns(c convolution, x *node) *node {
	c.o = 0
	for i := range 2 {
		c.after[i] = 0
	}
	key := columnsKey{x, c}
	if known := f.columnsOf[key]; known != nil {
		return known
	}
	f.columnsOf[key] = f.newColumns(c, x)
	return f.columnsOf[key]
}

func (f *Function) newColumns(c convolution, x *node) *node {
	rows := f.channelsFirst(x)
	if c.kh == 1 && c.kw == 1 && c.before == [2]int{} {
		for i := range 2 {
			end := ([]int{c.oh, c.ow}[i]-1)*c.stride[i] + 1
			rows = f.slice(rows, 2+i, 0, end, c.stride[i])
		}
		return f.reshape(rows, c.c, c.n*c.oh*c.ow)
	}
	// Pad to what the windows reach, and to whole strides, so that every phase of the stride is a plane of its own.
	var planes [2]int
	var after [2]int
	for i, size := range [2]int{c.h, c.w} {
		reach := ([]int{c.oh, c.ow}[i]-1)*c.stride[i] + ([]int{c.kh, c.kw}[i]-1)*c.dilation[i] + 1
		planes[i] = (reach + c.stride[i] - 1) / c.stride[i]
		after[i] = planes[i]*c.stride[i] - size - c.before[i]
	}
	rows = f.pad(rows, []int{0, 0, c.before[0], c.before[1]}, []int{0, 0, after[0], after[1]})
	phases := c.stride[0] * c.stride[1]
	if phases > 1 {
		rows = f.reshape(rows, c.c, c.n, planes[0], c.stride[0], planes[1], c.stride[1])
		rows = f.transpose(rows, 0, 3, 5, 1, 2, 4)
	}
	rows = f.reshape(rows, c.c, phases, c.n, planes[0], planes[1])
	var taps []*node
	for i := range c.kh {
		for j := range c.kw {
			di, dj := i*c.dilation[0], j*c.dilation[1]
			phase := di%c.stride[0]*c.stride[1] + dj%c.stride[1]
			taps = append(taps, f.window(rows, []int{1, 3, 4}, []int{phase, di / c.stride[0], dj / c.stride[1]}, []int{1, c.oh, c.ow}))
		}
	}
	return f.reshape(f.concat(1, taps...), c.c*c.kh*c.kw, c.n*c.oh*c.ow)
}

// gather is the transpose of columns: it adds up, for every input pixel, the values of all windows that cover it: [c·kh·kw, n·oh·ow] → [c, n, h, w].
func (f *Function) gather(c convolution, columns *node) *node {
	taps := f.reshape(columns, c.c, c.kh*c.kw, c.n, c.oh, c.ow)
	rows, cols := (c.h+c.stride[0]-1)/c.stride[0], (c.w+c.stride[1]-1)/c.stride[1]
	var planes []*node
	for a := range c.stride[0] {
		for b := range c.stride[1] {
			var terms []*node
			for i := range c.kh {
				for j := range c.kw {
					u, v := a+c.before[0]-i*c.dilation[0], b+c.before[1]-j*c.dilation[1]
					if u%c.stride[0] != 0 || v%c.stride[1] != 0 {
						continue
					}
					// Row r of the plane takes row r+u/stride of the tap.
					u, v = u/c.stride[0], v/c.stride[1]
					if u >= c.oh || v >= c.ow || -u >= rows || -v >= cols {
						continue
					}
					tap := f.slice(taps, 1, i*c.kw+j, i*c.kw+j+1, 1)
					terms = append(terms, f.pad(tap, []int{0, 0, 0, -u, -v}, []int{0, 0, 0, rows - c.oh + u, cols - c.ow + v}))
				}
			}
			if len(terms) == 0 {
				zero := f.reshape(f.floats(0), 1, 1, 1, 1, 1)
				dims := []int{c.c, 1, c.n, rows, cols}
				terms = append(terms, f.op("Expand", dims, []*node{zero, f.ints(dims...)}))
			}
			planes = append(planes, f.sum(terms...))
		}
	}
	x := f.concat(1, planes...)
	if len(planes) > 1 {
		x = f.transpose(f.reshape(x, c.c, c.stride[0], c.stride[1], c.n, rows, cols), 0, 3, 4, 1, 5, 2)
	}
	x = f.reshape(x, c.c, c.n, rows*c.stride[0], cols*c.stride[1])
	return f.window(x, []int{2, 3}, []int{0, 0}, []int{c.h, c.w})
}
