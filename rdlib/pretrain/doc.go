// Package pretrain holds the objectives that foundation models are pre-trained with: labels of several data sets, two
// views of one image (self-supervised), both, and image–caption pairs. They are distill.Methods, so that the one training
// loop, its checkpoints and its records serve them too; the network in pre-training stands where the student stands
// elsewhere.
//
// Notation: y labels; f = F(x) the network's pooled feature, [batch, D]; z its logits, [batch, classes].
package pretrain

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// far is added to logits that must not count: after a softmax nothing is left of them.
const far = -1e9

// unit divides each row by its length, [batch, D]; a row of zeros stays zero.
func unit(x *Node) *Node {
	return Div(x, Sqrt(AddScalar(ReduceAndKeep(Square(x), ReduceSum, -1), 1e-12)))
}

// hits counts the rows whose largest logit is the target's; ties go to the first. A scalar of the logits' type.
func hits(targets, logits *Node) *Node {
	right := Equal(ArgMax(StopGradient(logits), -1, dtypes.Int32), targets)
	return ReduceAllSum(ConvertDType(right, logits.DType()))
}
