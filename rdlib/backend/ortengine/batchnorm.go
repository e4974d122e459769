package ortengine

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// BatchNormForTraining normalises x per feature with the statistics of all its other axes:
// y = scale·(x−mean)/√(variance+epsilon) + offset. It returns y, the mean and the biased variance.
func (f *Function) BatchNormForTraining(operand, scale, offset compute.Value, epsilon float32, featureAxis int) (compute.Value, compute.Value, compute.Value, error) {
	nodes, err := batchNormNodes(featureAxis, operand, scale, offset)
	if err != nil {
		return nil, nil, nil, err
	}
	x, features := nodes[0], dimsOf(nodes[1])[0]
	// Running statistics that forget everything at once (momentum 0) are the batch's. ONNX Runtime writes the new ones over the old, so that
	// these must be nobody else's memory: two throw-away vectors.
	oldMean, oldVariance := f.op("Neg", []int{features}, nodes[1:2]), f.op("Abs", []int{features}, nodes[1:2])
	y := f.op("BatchNormalization", dimsOf(x), []*node{x, nodes[1], nodes[2], oldMean, oldVariance},
		floatAttr("epsilon", epsilon), floatAttr("momentum", 0), intAttr("training_mode", 1))
	mean := f.further(y, shapes.Make(dtypes.Float32, features))
	variance := f.further(y, shapes.Make(dtypes.Float32, features))
	return y, mean, variance, nil
}

// BatchNormForInference normalises x with the given statistics.
func (f *Function) BatchNormForInference(operand, scale, offset, mean, variance compute.Value, epsilon float32, featureAxis int) (compute.Value, error) {
	nodes, err := batchNormNodes(featureAxis, operand, scale, offset, mean, variance)
	if err != nil {
		return nil, err
	}
	return f.op("BatchNormalization", dimsOf(nodes[0]), nodes, floatAttr("epsilon", epsilon)), nil
}

// BatchNormGradient returns the gradients of BatchNormForTraining with respect to x, scale and offset, for dy, the one with respect
// to y. With x̂ = (x−mean)/√(variance+ε), m elements per feature and sums over them:
//
//	doffset = Σ dy,  dscale = Σ dy·x̂,  dx = scale/√(variance+ε) · (dy − doffset/m − x̂·dscale/m)
func (f *Function) BatchNormGradient(operand, scale, mean, variance, gradient compute.Value, epsilon float32, featureAxis int) (compute.Value, compute.Value, compute.Value, error) {
	nodes, err := batchNormNodes(featureAxis, operand, scale, mean, variance, gradient)
	if err != nil {
		return nil, nil, nil, err
	}
	x, scaleN, meanN, varianceN, dy := nodes[0], nodes[1], nodes[2], nodes[3], nodes[4]
	dims := dimsOf(x)
	features := dims[1]
	axes, perFeature, m := []int{0}, []int{1, features}, dims[0]
	for axis := 2; axis < len(dims); axis++ {
		axes, perFeature, m = append(axes, axis), append(perFeature, 1), m*dims[axis]
	}
	vector := []int{features}
	total := func(n *node) *node {
		return f.op("ReduceSum", vector, []*node{n, f.ints(axes...)}, intAttr("keepdims", 0))
	}
	ones, zeros := make([]float32, features), f.floats(make([]float32, features)...)
	for i := range ones {
		ones[i] = 1
	}
	// affine is a·n + b per feature, in one pass.
	affine := func(n, a, b *node) *node {
		return f.op("BatchNormalization", dims, []*node{n, a, b, zeros, f.floats(ones...)}, floatAttr("epsilon", 0))
	}
	normalized := f.op("BatchNormalization", dims, []*node{x, f.floats(ones...), zeros, meanN, varianceN}, floatAttr("epsilon", epsilon))
	dOffset := total(dy)
	dScale := total(f.mul(dy, normalized))
	deviation := f.op("Sqrt", vector, []*node{f.add(varianceN, f.constant([]float32{epsilon}))})
	a := f.op("Div", vector, []*node{scaleN, deviation})
	perElement := f.mul(a, f.constant([]float32{-1 / float32(m)}))
	correction := affine(normalized, f.mul(perElement, dScale), f.mul(perElement, dOffset))
	dx := f.add(f.mul(dy, f.reshape(a, perFeature...)), correction)
	return dx, dScale, dOffset, nil
}

func batchNormNodes(featureAxis int, values ...compute.Value) ([]*node, error) {
	nodes, ok := nodesOf(values...)
	if !ok || featureAxis != 1 || dtypeOf(nodes[0]) != dtypes.Float32 {
		return nil, fmt.Errorf("%w: batch normalisation on ONNX Runtime is for float32 with the features in axis 1 and fixed shapes", compute.ErrNotImplemented)
	}
	return nodes, nil
}
