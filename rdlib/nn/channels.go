package nn

import (
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// ChannelShuffle interleaves the channels of x [batch, channels, height, width]: with g groups of n channels, channel j of group i
// moves from i·n + j to j·g + i (Zhang et al., ShuffleNet, 2018).
func ChannelShuffle(x *graph.Node, groups int) *graph.Node {
	d := x.Shape().Dimensions
	if groups < 1 || d[1]%groups != 0 {
		exceptions.Panicf("nn.ChannelShuffle: %d channels cannot be split into %d groups", d[1], groups)
	}
	split := graph.Reshape(x, d[0], groups, d[1]/groups, d[2], d[3])
	return graph.Reshape(graph.TransposeAllAxes(split, 0, 2, 1, 3, 4), d...)
}

// SplitChannels returns the first n channels of x [batch, channels, height, width], and the others.
func SplitChannels(x *graph.Node, n int) (a, b *graph.Node) {
	if n < 1 || n >= x.Shape().Dim(1) {
		exceptions.Panicf("nn.SplitChannels: cannot split %d of %d channels off", n, x.Shape().Dim(1))
	}
	return graph.Slice(x, graph.AxisRange(), graph.AxisRange(0, n)), graph.Slice(x, graph.AxisRange(), graph.AxisRange(n, x.Shape().Dim(1)))
}
