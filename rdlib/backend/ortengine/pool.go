package ortengine

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// SelectAndScatterMax adds, for each window of x, the source's value to the first largest element: the gradient of max pooling.
// Windows may overlap.
func (f *Function) SelectAndScatterMax(x, source compute.Value, window, strides []int, paddings [][2]int) (compute.Value, error) {
	nodes, ok := nodesOf(x, source)
	if !ok || dtypeOf(nodes[0]) != dtypes.Float32 || len(window) != 4 || window[0] != 1 || window[1] != 1 {
		return f.Function.SelectAndScatterMax(x, source, window, strides, paddings)
	}
	n, dy := nodes[0], nodes[1]
	pads := make([][2]int, 4)
	copy(pads, paddings)
	if len(strides) == 0 {
		strides = window
	}
	d := dimsOf(n)
	pooled := f.op("MaxPool", dimsOf(dy), []*node{n}, intsAttr("kernel_shape", window[2:]...), intsAttr("strides", strides[2:]...),
		intsAttr("pads", pads[2][0], pads[3][0], pads[2][1], pads[3][1]))
	// The second output is the position in the whole tensor.
	position := f.further(pooled, shapes.Make(dtypes.Int64, dimsOf(dy)...))
	size := d[0] * d[1] * d[2] * d[3]
	zeros := f.op("Expand", []int{size}, []*node{f.floats(0), f.ints(size)})
	dx := f.op("ScatterElements", []int{size}, []*node{zeros, f.flat(position), f.flat(dy)}, intAttr("axis", 0), stringAttr("reduction", "add"))
	return f.reshape(dx, slices.Clone(d)...), nil
}

func (f *Function) flat(n *node) *node { return f.reshape(n, fieldsOf(n).shape.Size()) }
