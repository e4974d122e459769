package distill

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// KL is the divergence of the student's softened prediction from the teacher's, mean over the batch:
//
//	KL(z_t, z_s) = T²/B · Σ_b Σ_c p_t (log p_t − log p_s),   p = softmax(z/T)
//
// T² keeps the gradient's size independent of the temperature T > 0 (Hinton, Vinyals & Dean 2015, "Distilling the
// knowledge in a neural network"). Both sides are differentiated; StopGradient a side to hold it constant.
//
// Shapes: both logits [batch, classes].
func KL(teacher, student *Node, temperature float64) *Node {
	if temperature != 1 {
		teacher, student = DivScalar(teacher, temperature), DivScalar(student, temperature)
	}
	logT, logS := LogSoftmax(teacher), LogSoftmax(student)
	batch := float64(teacher.Shape().Dimensions[0])
	return MulScalar(ReduceAllSum(Mul(Exp(logT), Sub(logT, logS))), temperature*temperature/batch)
}
