package ortengine

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	protos "github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// The functions below add single ONNX nodes to a graph, their shapes worked out by the caller.

// op adds a node of one output.
func (f *Function) op(opType string, dims []int, inputs []*node, attributes ...*protos.AttributeProto) *node {
	n := f.AddCustomNode(opType, inputs, shapes.Make(dtypeOf(inputs[0]), dims...))
	fieldsOf(n).attributes = attributes
	return n
}

// further adds a second or later output to a node whose first output is n, and returns the reference to it.
func (f *Function) further(n *node, shape shapes.Shape) *node {
	fields := fieldsOf(n)
	if len(fields.outputNames) == 0 {
		fields.outputNames = []string{fields.name}
	}
	reference := f.AddCustomNode("", []*node{n}, shape)
	fieldsOf(reference).name = fmt.Sprintf("%s_%d", fields.name, len(fields.outputNames))
	fields.outputNames = append(fields.outputNames, fieldsOf(reference).name)
	return reference
}

func (f *Function) ints(values ...int) *node {
	flat := make([]int64, len(values))
	for i, v := range values {
		flat[i] = int64(v)
	}
	return f.constant(flat, len(values))
}

// floats is a vector of float32.
func (f *Function) floats(values ...float32) *node { return f.constant(values, len(values)) }

// constant wraps Constant for slices of ONNX's types, for which it cannot fail.
func (f *Function) constant(flat any, dims ...int) *node {
	value, err := f.Constant(flat, dims...)
	if err != nil {
		panic(fmt.Sprintf("ortengine: constant %T: %v", flat, err))
	}
	return value.(*node)
}

func (f *Function) reshape(x *node, dims ...int) *node {
	if slices.Equal(dimsOf(x), dims) {
		return x
	}
	if opOf(x) == "Reshape" {
		return f.reshape(inputsOf(x)[0], dims...)
	}
	return f.op("Reshape", dims, []*node{x, f.ints(dims...)}, intAttr("allowzero", 1))
}

func (f *Function) transpose(x *node, permutation ...int) *node {
	dims := make([]int, len(permutation))
	for i, axis := range permutation {
		dims[i] = dimsOf(x)[axis]
	}
	return f.op("Transpose", dims, []*node{x}, intsAttr("perm", permutation...))
}

// slice takes the elements start, start+stride, … below end of one axis.
func (f *Function) slice(x *node, axis, start, end, stride int) *node {
	if start == 0 && end == dimsOf(x)[axis] && stride == 1 {
		return x
	}
	dims := slices.Clone(dimsOf(x))
	dims[axis] = (end - start + stride - 1) / stride
	return f.op("Slice", dims, []*node{x, f.ints(start), f.ints(end), f.ints(axis), f.ints(stride)})
}

// window takes [start, start+size) of each of several axes at once.
func (f *Function) window(x *node, axes, starts, sizes []int) *node {
	dims := slices.Clone(dimsOf(x))
	ends := make([]int, len(axes))
	for i, axis := range axes {
		dims[axis] = sizes[i]
		ends[i] = starts[i] + sizes[i]
	}
	if slices.Equal(dims, dimsOf(x)) {
		return x
	}
	return f.op("Slice", dims, []*node{x, f.ints(starts...), f.ints(ends...), f.ints(axes...)})
}

// pad puts zeros before and after each axis, or, where negative, takes elements away.
func (f *Function) pad(x *node, before, after []int) *node {
	dims := slices.Clone(dimsOf(x))
	for i := range dims {
		dims[i] += before[i] + after[i]
	}
	if slices.Equal(dims, dimsOf(x)) && allZero(before) {
		return x
	}
	return f.op("Pad", dims, []*node{x, f.ints(slices.Concat(before, after)...)})
}

// spread puts factor−1 fill values between the elements of an axis. A nil fill is zero.
func (f *Function) spread(x *node, axis, factor int, fill *node) *node {
	size := dimsOf(x)[axis]
	if factor == 1 || size <= 1 {
		return x
	}
	rank := len(dimsOf(x))
	split := slices.Insert(slices.Clone(dimsOf(x)), axis+1, 1)
	after := make([]int, rank+1)
	after[axis+1] = factor - 1
	inputs := []*node{f.reshape(x, split...), f.ints(slices.Concat(make([]int, rank+1), after)...)}
	if fill != nil {
		inputs = append(inputs, fill)
	}
	split[axis+1] = factor
	padded := f.op("Pad", split, inputs)
	joined := slices.Clone(dimsOf(x))
	joined[axis] = size * factor
	return f.slice(f.reshape(padded, joined...), axis, 0, (size-1)*factor+1, 1)
}

func (f *Function) concat(axis int, inputs ...*node) *node {
	if len(inputs) == 1 {
		return inputs[0]
	}
	dims := slices.Clone(dimsOf(inputs[0]))
	for _, n := range inputs[1:] {
		dims[axis] += dimsOf(n)[axis]
	}
	return f.op("Concat", dims, inputs, intAttr("axis", axis))
}

// sum adds tensors of one shape.
func (f *Function) sum(inputs ...*node) *node {
	if len(inputs) == 1 {
		return inputs[0]
	}
	return f.op("Sum", dimsOf(inputs[0]), inputs)
}

// gemm multiplies the matrices a and b, or their transposes.
func (f *Function) gemm(a, b *node, transposeA, transposeB bool) *node {
	rows, columns := dimsOf(a)[0], dimsOf(b)[1]
	var attributes []*protos.AttributeProto
	if transposeA {
		rows = dimsOf(a)[1]
		attributes = append(attributes, intAttr("transA", 1))
	}
	if transposeB {
		columns = dimsOf(b)[0]
		attributes = append(attributes, intAttr("transB", 1))
	}
	return f.op("Gemm", []int{rows, columns}, []*node{a, b}, attributes...)
}

func (f *Function) add(a, b *node) *node { return f.op("Add", dimsOf(a), []*node{a, b}) }
func (f *Function) sub(a, b *node) *node { return f.op("Sub", dimsOf(a), []*node{a, b}) }

// mul multiplies a by b, which is of a's shape or broadcasts to it.
func (f *Function) mul(a, b *node) *node { return f.op("Mul", dimsOf(a), []*node{a, b}) }

func dtypeOf(n *node) dtypes.DType { return fieldsOf(n).shape.DType }

func allZero(values []int) bool {
	return !slices.ContainsFunc(values, func(v int) bool { return v != 0 })
}

// nodesOf returns the values as nodes, or false if one is not, or is of a shape or type that only compute-onnx handles.
func nodesOf(values ...compute.Value) ([]*node, bool) {
	nodes := make([]*node, len(values))
	for i, v := range values {
		n, ok := v.(*node)
		if !ok || fieldsOf(n).shape.IsDynamic() {
			return nil, false
		}
		nodes[i] = n
	}
	return nodes, true
}
