package distill

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// Floors of CKA's divisions. gramFloor bounds the norm of a centred Gram matrix of features of unit Frobenius norm from
// below: it lies above what rounding leaves of a constant feature in float32 (about 1e-14), and changes the loss by less
// than 1e-6 as long as that norm is above 1e-5. featureFloor is for features that are zero.
const (
	gramFloor    = 1e-8
	featureFloor = 1e-15
)

// CKA is the negative linear centred kernel alignment of two features of one batch (the paper's Eq. 2; Kornblith et
// al. 2019, "Similarity of neural network representations revisited", with the biased estimator of HSIC):
//
//	K = f_t f_tᵀ,  L = f_s f_sᵀ,  H = I − 11ᵀ/n
//	CKA(f_t, f_s) = −HSIC(K, L) / √(HSIC(K, K)·HSIC(L, L)),   HSIC(K, L) = ⟨HKH, HLH⟩/(n−1)²
//
// It lies in [−1, 0], −1 when one feature is a rotated, scaled and shifted copy of the other; the widths may differ. Where
// a feature is constant over the batch, so that the quotient is 0/0, the loss is 0 and the gradient stays finite:
// features are divided by their Frobenius norm, which changes neither the quotient nor its gradient and keeps float32 from
// overflowing, and √HSIC(K, K) is √(⟨HKH, HKH⟩ + 1e-16) after that. Both sides are differentiated.
//
// Shapes: teacher [n, D_t], student [n, D_s].
func CKA(teacher, student *Node) *Node {
	k, l := centredGram(teacher), centredGram(student)
	return Neg(Div(ReduceAllSum(Mul(k, l)), Mul(gramNorm(k), gramNorm(l))))
}

// centredGram is HKH for K = f fᵀ, [n, D] → [n, n]: the Gram matrix of the features less their mean, at unit norm.
func centredGram(f *Node) *Node {
	norm := Sqrt(AddScalar(ReduceAllSum(Square(f)), featureFloor*featureFloor))
	f = Mul(f, StopGradient(Inverse(norm)))
	centred := Sub(f, ReduceAndKeep(f, ReduceMean, 0))
	return Dot(centred, Transpose(centred, 0, 1)).Product()
}

// gramNorm is the Frobenius norm, kept above gramFloor.
func gramNorm(gram *Node) *Node {
	return Sqrt(AddScalar(ReduceAllSum(Square(gram)), gramFloor*gramFloor))
}
