package nn

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// GELU returns x·Φ(x), Φ the distribution function of the standard normal distribution, Φ(x) = (1 + erf(x/√2))/2
// (Hendrycks and Gimpel, Gaussian Error Linear Units, 2016): exact, without the approximation by tanh.
func GELU(x *graph.Node) *graph.Node {
	y := graph.Mul(x, gaussianCDF(x))
	return withGradient(y, func(y, dy *graph.Node) []*graph.Node {
		x, cdf := y.Inputs()[0], y.Inputs()[1]
		density := graph.MulScalar(graph.Exp(graph.MulScalar(graph.Square(x), -0.5)), 1/math.Sqrt(2*math.Pi))
		return []*graph.Node{graph.Mul(dy, graph.Add(cdf, graph.Mul(x, density))), nil}
	})
}

func gaussianCDF(x *graph.Node) *graph.Node {
	return graph.MulScalar(graph.AddScalar(graph.Erf(graph.MulScalar(x, 1/math.Sqrt2)), 1), 0.5)
}
