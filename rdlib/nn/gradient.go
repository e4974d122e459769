package nn

import (
	"runtime"
	"sync"
	"weak"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// gradientRule returns the gradient of the loss with respect to each input of node, given dy, the one with respect to
// its output. It must not capture nodes: it is kept for as long as node lives.
type gradientRule func(node, dy *graph.Node) []*graph.Node

// gradientRules holds the rules of this package, by node. GoMLX has one rule per node type and a free choice only for
// one-input identities; layers need one per node, because what was computed decides how it is best differentiated.
var gradientRules sync.Map // weak.Pointer[graph.Node] → gradientRule

// ruledTypes are the node types withGradient may be used on.
var ruledTypes = []graph.NodeType{
	graph.NodeTypeConvGeneral, graph.NodeTypeMax, graph.NodeTypeClamp, graph.NodeTypeReduceWindow,
	graph.NodeTypeMul, graph.NodeTypeFusedSoftmax, graph.NodeTypeFusedLayerNorm,
}

func init() {
	for _, nodeType := range ruledTypes {
		fallback := graph.VJPRegistration[nodeType]
		graph.VJPRegistration[nodeType] = func(node *graph.Node, dys []*graph.Node, shape shapes.Shape) []*graph.Node {
			if rule, found := gradientRules.Load(weak.Make(node)); found {
				return rule.(gradientRule)(node, dys[0])
			}
			if fallback == nil {
				panic("no gradient is defined for a node of type " + nodeType.String())
			}
			return fallback(node, dys, shape)
		}
	}
}

// withGradient returns node, which from now on is differentiated by rule.
func withGradient(node *graph.Node, rule gradientRule) *graph.Node {
	key := weak.Make(node)
	gradientRules.Store(key, rule)
	runtime.AddCleanup(node, func(key weak.Pointer[graph.Node]) { gradientRules.Delete(key) }, key)
	return node
}
