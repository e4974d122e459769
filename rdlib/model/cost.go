package model

// Cost counts what one image costs at inference, in the plain units behind the paper's Table 6.
type Cost struct {
	Parameters         int64 // trainable parameters; running statistics do not count
	MACs               int64 // multiply-accumulates of convolutions, linear layers and matrix products
	BNElements         int64 // elements that pass through batch normalisations
	LNElements         int64 // elements that pass through layer normalisations
	AdaptivePoolInputs int64 // elements that adaptive average pools read
}

// F is the count the paper's FLOPs follow from: MACs + 2·BN elements + 5·LN elements + inputs of adaptive pools.
func (c Cost) F() int64 {
	return c.MACs + 2*c.BNElements + 5*c.LNElements + c.AdaptivePoolInputs
}

// PaperParams is the number the paper's Table 6 prints as Params(M): parameters/2²¹.
func (c Cost) PaperParams() float64 { return float64(c.Parameters) / (1 << 21) }

// PaperFLOPs is the number the paper's Table 6 prints as FLOPs(G): 4·F/2³⁰.
func (c Cost) PaperFLOPs() float64 { return 4 * float64(c.F()) / (1 << 30) }

// Cost counts what one sample of the given shape costs: channels, height, width or features. Layers that no output or tap
// needs cost their parameters only. The error names the first layer that cannot take its input.
func (n *Network) Cost(sample ...int) (Cost, error) {
	shapes, err := n.valueShapes(sample)
	if err != nil {
		return Cost{}, err
	}
	var c Cost
	runs := n.needed(n.handedOut()...)
	for _, p := range n.Parameters() {
		if p.Trainable {
			c.Parameters += int64(elements(p.Shape))
		}
	}
	for i, layer := range n.layers {
		if !runs[i] {
			continue
		}
		in, out := shapes[layer.Inputs[0]], shapes[layer.Outputs[0]]
		switch op := layer.Op.(type) {
		case Conv:
			c.MACs += int64(elements(out)) * int64(in[0]/op.Groups*op.Kernel*op.width())
		case ConvTranspose:
			c.MACs += op.macs(in)
		case Linear:
			c.MACs += int64(in[len(in)-1]) * int64(elements(out))
		case Cosine:
			c.MACs += int64(in[0]) * int64(op.Out)
		case Mix:
			c.MACs += int64(in[0]) * int64(elements(out))
		case Attention:
			c.MACs += op.macs(pick(shapes, layer.Inputs), out)
		case GridAttention:
			c.MACs += op.macs(out)
		case BatchNorm:
			c.BNElements += int64(elements(out))
		case LayerNorm, Standardise:
			c.LNElements += int64(elements(out))
		case GlobalAvgPool:
			if op.Adaptive {
				c.AdaptivePoolInputs += int64(elements(in))
			}
		}
	}
	return c, nil
}
