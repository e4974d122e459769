package distill

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/train/loss"
)

// CrossEntropy is the softmax cross-entropy, mean over the batch:
//
//	CE(y, z) = −1/B · Σ_b log softmax(z_b)[y_b]
//
// Shapes: labels int [batch], each in [0, classes); logits [batch, classes]. A label outside adds nothing to the sum.
func CrossEntropy(labels, logits *Node) *Node {
	return loss.SparseCategoricalCrossEntropyLogits([]*Node{InsertAxes(labels, -1)}, []*Node{logits})
}
