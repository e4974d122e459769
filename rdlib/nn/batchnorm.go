package nn

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// BatchNormTrain normalises x [batch, channels, …] with its own statistics, per channel over all other axes, and
// scales and shifts the result by gamma and beta [channels]:
//
//	y = gamma · (x − mean) / √(variance + eps) + beta
//
// It also returns the batch's mean and biased variance [channels]; no gradient flows through these two.
func BatchNormTrain(x, gamma, beta *graph.Node, eps float64) (y, mean, variance *graph.Node) {
	if x.DType() == dtypes.Float32 && supports(x, compute.OpTypeBatchNormForTraining) && supports(x, compute.OpTypeBatchNormGradient) {
		y, mean, variance = graph.InternalBatchNormForTraining(x, gamma, beta, float32(eps), 1)
		return y, graph.StopGradient(mean), graph.StopGradient(variance)
	}
	mean = graph.ReduceAndKeep(x, graph.ReduceMean, allButChannels(x)...)
	centred := graph.Sub(x, mean)
	variance = graph.ReduceAndKeep(graph.Square(centred), graph.ReduceMean, allButChannels(x)...)
	scale := graph.Div(perChannel(gamma, x), graph.Sqrt(graph.AddScalar(variance, eps)))
	y = graph.Add(graph.Mul(centred, scale), perChannel(beta, x))
	channels := gamma.Shape().Dim(0)
	return y, graph.StopGradient(graph.Reshape(mean, channels)), graph.StopGradient(graph.Reshape(variance, channels))
}

// BatchNormInfer normalises x [batch, channels, …] with the given mean and variance [channels], as BatchNormTrain does with
// the batch's own.
func BatchNormInfer(x, gamma, beta, mean, variance *graph.Node, eps float64) *graph.Node {
	scale := graph.Div(gamma, graph.Sqrt(graph.AddScalar(variance, eps)))
	shift := graph.Sub(beta, graph.Mul(mean, scale))
	return graph.Add(graph.Mul(x, perChannel(scale, x)), perChannel(shift, x))
}

// perChannel reshapes v [channels] to [1, channels, 1, …], x's rank.
func perChannel(v, x *graph.Node) *graph.Node {
	dims := make([]int, x.Rank())
	for i := range dims {
		dims[i] = 1
	}
	dims[1] = v.Shape().Dim(0)
	return graph.Reshape(v, dims...)
}

func allButChannels(x *graph.Node) []int {
	axes := []int{0}
	for axis := 2; axis < x.Rank(); axis++ {
		axes = append(axes, axis)
	}
	return axes
}

// supports tells whether the backend x will run on has the operation.
func supports(x *graph.Node, op compute.OpType) bool {
	return x.Graph().Backend().Capabilities().Operations[op]
}
