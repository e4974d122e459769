package ortengine

import (
	"math"

	"github.com/gomlx/compute"
	protos "github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// SelectAndScatterMax adds, for each window of x, the source's value to the first largest element: the gradient of max
// pooling. Windows may overlap.
//
// ONNX Runtime's MaxPool is slow when asked where the maxima are, and scattering is slow as well. So the windows' elements are
// compared with the maximum, tap after tap; the first equal one takes the source's value and leaves zero for those after it.
func (f *Function) SelectAndScatterMax(x, source compute.Value, window, strides []int, paddings [][2]int) (compute.Value, error) {
	nodes, ok := nodesOf(x, source)
	if !ok || dtypeOf(nodes[0]) != dtypes.Float32 || len(window) != 4 || window[0] != 1 || window[1] != 1 {
		return f.Function.SelectAndScatterMax(x, source, window, strides, paddings)
	}
	n, dy := nodes[0], nodes[1]
	d, pooledDims := dimsOf(n), dimsOf(dy)
	if len(strides) == 0 {
		strides = window
	}
	c := convolution{n: d[0], c: d[1], h: d[2], w: d[3], o: d[1], kh: window[2], kw: window[3], oh: pooledDims[2], ow: pooledDims[3],
		stride: [2]int(strides[2:]), dilation: [2]int{1, 1}, groups: 1}
	for i := range paddings {
		if i >= 2 {
			c.before[i-2], c.after[i-2] = paddings[i][0], paddings[i][1]
		}
	}
	pooled := f.op("MaxPool", pooledDims, []*node{n}, intsAttr("kernel_shape", c.kh, c.kw), intsAttr("strides", c.stride[:]...),
		intsAttr("pads", c.before[0], c.before[1], c.after[0], c.after[1]))
	largest, rest := f.batchLast(pooled), f.batchLast(dy)
	pixels, covered := c.pixels(), c.covered()
	input := f.withOutside(f.batchLast(n), -math.MaxFloat32)
	var taps []*node
	for tap := range c.taps() {
		value := f.pickFrom(input, covered[tap*pixels:(tap+1)*pixels], c.h*c.w)
		equal := f.AddCustomNode("Equal", []*node{value, largest}, shapes.Make(dtypes.Bool, dimsOf(value)...))
		chosen := f.AddCustomNode("Cast", []*node{equal}, shapes.Make(dtypes.Float32, dimsOf(value)...))
		fieldsOf(chosen).attributes = []*protos.AttributeProto{intAttr("to", int(protos.TensorProto_FLOAT))}
		share := f.mul(rest, chosen)
		rest = f.sub(rest, share)
		taps = append(taps, share)
	}
	return f.batchFirst(f.scatter(c, f.concat(1, taps...)), d), nil
}
