package nn

import "github.com/gomlx/gomlx/core/graph"

// Standardise shifts and scales each vector of x […, features] to the mean 0 and the standard deviation scale: a layer
// normalisation whose gamma is scale and whose beta is 0, for good.
//
//	y = scale · (x − mean) / √(variance + eps)
func Standardise(x *graph.Node, scale, eps float64) *graph.Node {
	centred, deviation := centre(x, eps)
	return graph.MulScalar(graph.Div(centred, deviation), scale)
}
