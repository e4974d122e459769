package ortengine

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
)

// DotGeneral adds a product. compute-onnx spells the product of two stacks of matrices as an Einsum, which changes layouts
// before it multiplies; here it is one node, whatever axis of each matrix is contracted.
func (f *Function) DotGeneral(lhs compute.Value, lhsContracting, lhsBatch []int, rhs compute.Value, rhsContracting, rhsBatch []int,
	config compute.DotGeneralConfig) (compute.Value, error) {
	nodes, ok := nodesOf(lhs, rhs)
	if ok && config == (compute.DotGeneralConfig{}) && stackOfMatrices(nodes[0], lhsContracting, lhsBatch) && stackOfMatrices(nodes[1], rhsContracting, rhsBatch) {
		return f.matmul(nodes[0], nodes[1], lhsContracting[0], rhsContracting[0]), nil
	}
	return f.Function.DotGeneral(lhs, lhsContracting, lhsBatch, rhs, rhsContracting, rhsBatch, config)
}

// stackOfMatrices tells whether all axes but the last two are batch axes in order, and one of the last two is contracted.
func stackOfMatrices(n *node, contracting, batch []int) bool {
	if dtypeOf(n) != dtypes.Float32 || len(contracting) != 1 || len(batch) == 0 || len(dimsOf(n)) != len(batch)+2 {
		return false
	}
	for i, axis := range batch {
		if axis != i {
			return false
		}
	}
	return true
}

// matmul multiplies stacks of matrices over the given axes, which are among the last two of each; the free axis of a
// precedes that of b.
func (f *Function) matmul(a, b *node, axisA, axisB int) *node {
	rank := len(dimsOf(a))
	dims := append([]int(nil), dimsOf(a)[:rank-2]...)
	dims = append(dims, dimsOf(a)[2*rank-3-axisA], dimsOf(b)[2*rank-3-axisB])
	transposeA, transposeB := 0, 0
	if axisA == rank-2 {
		transposeA = 1
	}
	if axisB == rank-1 {
		transposeB = 1
	}
	n := f.op("FusedMatMul", dims, []*node{a, b}, intAttr("transA", transposeA), intAttr("transB", transposeB))
	fieldsOf(n).domain = microsoftDomain
	return n
}
