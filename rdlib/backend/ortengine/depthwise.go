package ortengine

import (
	"sync"

	protos "github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	ort "github.com/yalue/onnxruntime_go"
	"google.golang.org/protobuf/proto"

	"rd/rdlib/backend/ortlib"
)

// Depthwise convolutions are run in ONNX Runtime's blocked layout, [n, c/block, h, w, block], whose kernels handle a block of channels
// at once and are up to thirty times as fast as the plain Conv. ONNX Runtime itself uses that layout only
// where the weights are constants.
const blockedDomain = "com.microsoft.nchwc"

// blockSize asks ONNX Runtime for the number of channels in a block, which depends on the processor; 0 if there is no such layout.
var blockSize = sync.OnceValue(func() int {
	const channels = 64
	shape := shapes.Make(dtypes.Float32, 1, channels, 1, 2)
	model, err := proto.Marshal(&protos.ModelProto{
		IrVersion:   irVersion,
		OpsetImport: []*protos.OperatorSetIdProto{{Version: opsetVersion}, {Domain: blockedDomain, Version: 1}},
		Graph: &protos.GraphProto{
			Name:   "block",
			Node:   []*protos.NodeProto{{OpType: "ReorderInput", Domain: blockedDomain, Input: []string{"x"}, Output: []string{"y"}}},
			Input:  []*protos.ValueInfoProto{valueInfo("x", shape)},
			Output: []*protos.ValueInfoProto{valueInfo("y", shape)},
		},
	})
	if err != nil {
		return 0
	}
	options, err := ortlib.SessionOptions(1)
	if err != nil {
		return 0
	}
	defer options.Destroy()
	session, err := ort.NewDynamicAdvancedSessionWithONNXData(model, []string{"x"}, []string{"y"}, options)
	if err != nil {
		return 0
	}
	defer session.Destroy()
	x, errX := newBlock(shape)
	y, errY := newBlock(shape)
	if errX != nil || errY != nil {
		return 0
	}
	defer x.free()
	defer y.free()
	xTensor, errX := x.as(shape.Dimensions)
	yTensor, errY := y.as(shape.Dimensions)
	if errX != nil || errY != nil {
		return 0
	}
	in, out := x.flat.([]float32), y.flat.([]float32)
	for i := range in {
		in[i] = float32(i % 2) // which of the two pixels
	}
	if session.Run([]ort.Value{xTensor}, []ort.Value{yTensor}) != nil {
		return 0
	}
	size := 0
	for size < channels && out[size] == 0 {
		size++
	}
	if size < 2 || channels%size != 0 || out[size] != 1 {
		return 0
	}
	return size
})

// blocked lays x [n, c, h, w] out in blocks of channels; the shape stays what it is.
func (f *Function) blocked(x *node) *node {
	return f.blockedOp("ReorderInput", dimsOf(x), []*node{x})
}

func (f *Function) unblocked(x *node) *node {
	return f.blockedOp("ReorderOutput", dimsOf(x), []*node{x}, intAttr("channels", dimsOf(x)[1]))
}

func (f *Function) blockedOp(opType string, dims []int, inputs []*node, attributes ...*protos.AttributeProto) *node {
	n := f.op(opType, dims, inputs, attributes...)
	fieldsOf(n).domain = blockedDomain
	return n
}

func (c convolution) isDepthwise() bool { return c.groups > 1 && c.c == c.groups && c.o == c.groups }

// depthwise returns nil where the convolution is not depthwise or there is no layout in whole blocks. turn asks for the kernel turned by 180°.
func (f *Function) depthwise(c convolution, x, kernel *node, turn bool) *node {
	block := blockSize()
	if !c.isDepthwise() || block == 0 {
		return nil
	}
	images := c
	switch {
	case c.c%block == 0:
	case c.n*c.c%block == 0:
		// Every channel of every image is a channel of its own.
		images.n, images.c, images.o, images.groups = 1, c.n*c.c, c.n*c.c, c.n*c.c
	default:
		return nil
	}
	weights := f.blockedWeights(kernel, images.c, block, turn)
	y := f.blockedOp("Conv", images.outputDims(), []*node{f.blocked(f.reshape(x, images.inputDims()...)), weights}, images.attributes()...)
	return f.reshape(f.unblocked(y), c.outputDims()...)
}

// blockedWeights lays the kernel [c, 1, kh, kw], repeated for as many channels as wanted, out as [channels/block, kh, kw, block].
// The layout repeats itself after a whole number of blocks and of kernels; so much is picked, and then repeated.
func (f *Function) blockedWeights(kernel *node, channels, block int, turn bool) *node {
	d := dimsOf(kernel)
	taps := d[2] * d[3]
	period := d[0]
	for period%block != 0 {
		period += d[0]
	}
	indices := make([]int64, 0, period*taps)
	for first := 0; first < period; first += block {
		for tap := range taps {
			if turn {
				tap = taps - 1 - tap
			}
			for channel := first; channel < first+block; channel++ {
				indices = append(indices, int64(channel%d[0]*taps+tap))
			}
		}
	}
	weights := f.op("Gather", []int{1, period * taps}, []*node{f.reshape(kernel, d[0]*taps), f.constant(indices, 1, period*taps)}, intAttr("axis", 0))
	if repeats := channels / period; repeats > 1 {
		weights = f.op("Expand", []int{repeats, period * taps}, []*node{weights, f.ints(repeats, period*taps)})
	}
	return f.reshape(weights, channels, 1, d[2], d[3])
}

// depthwiseInputGradient convolves dy, spread by the stride, with the turned kernel; nil as depthwise.
func (f *Function) depthwiseInputGradient(c, turned convolution, kernel, dy *node) *node {
	if !c.isDepthwise() {
		return nil
	}
	return f.depthwise(turned, f.spreadImage(dy, c.stride), kernel, true)
}

// spreadImage puts stride−1 zeros behind every row and column of x [n, c, h, w]: each value is repeated over a
// square, of which all but the first is set to zero.
func (f *Function) spreadImage(x *node, stride [2]int) *node {
	if stride == [2]int{1, 1} {
		return x
	}
	d := dimsOf(x)
	h, w := d[2]*stride[0], d[3]*stride[1]
	first := make([]float32, h*w)
	for row := 0; row < h; row += stride[0] {
		for column := 0; column < w; column += stride[1] {
			first[row*w+column] = 1
		}
	}
	scales := f.floats(1, 1, float32(stride[0]), float32(stride[1]))
	repeated := f.op("Resize", []int{d[0], d[1], h, w}, []*node{x, nil, scales}, stringAttr("mode", "nearest"),
		stringAttr("coordinate_transformation_mode", "asymmetric"), stringAttr("nearest_mode", "floor"))
	return f.mul(repeated, f.constant(first, 1, 1, h, w))
}

// depthwiseWeightGradient convolves every channel of every image of x with its dy as the kernel, and adds up over the batch;
// nil where there are no whole blocks.
func (f *Function) depthwiseWeightGradient(c convolution, x, dy *node) *node {
	block := blockSize()
	channels := c.n * c.c
	if !c.isDepthwise() || block == 0 || channels%block != 0 {
		return nil
	}
	images, after := f.reached(c, x)
	images = f.blocked(f.reshape(images, 1, channels, dimsOf(images)[2], dimsOf(images)[3]))
	kernels := f.reshape(f.blocked(f.reshape(dy, 1, channels, c.oh, c.ow)), channels, 1, c.oh, c.ow)
	swapped := convolution{kh: c.oh, kw: c.ow, stride: c.dilation, dilation: c.stride, before: c.before, after: after, groups: channels}
	each := f.unblocked(f.blockedOp("Conv", []int{1, channels, c.kh, c.kw}, []*node{images, kernels}, swapped.attributes()...))
	total := f.op("ReduceSum", []int{c.c * c.taps()}, []*node{f.reshape(each, c.n, c.c*c.taps()), f.ints(0)}, intAttr("keepdims", 0))
	return f.reshape(total, c.o, 1, c.kh, c.kw)
}
