package model

import "fmt"

// Amend returns the network with layers added: neck makes of the last map before the pool the one that is pooled instead,
// and head of the logits those that are returned; nil adds nothing. The stages and taps stay where they were, and so do
// the names of the network's own parameters. The error says what of the additions does not fit.
func (n *Network) Amend(name string, neck, head func(b *Builder, x Value) Value) (*Network, error) {
	if n.featureMap == none || n.logits == none {
		return nil, fmt.Errorf("network %s has no feature map or no logits to add layers to", n.name)
	}
	b := NewBuilder(name, n.input...)
	copied := make([]Value, n.values) // of the values so far
	read := make([]Value, n.values)   // what later layers read in their stead
	place := func(old, made Value) {
		copied[old], read[old] = made, made
		switch {
		case old == n.featureMap && neck != nil:
			read[old] = neck(b, made)
		case old == n.logits && head != nil:
			read[old] = head(b, made)
		}
	}
	place(inputValue, b.Input())
	for _, layer := range n.layers {
		for i, made := range b.add(layer.Name, layer.Op, len(layer.Outputs), pick(read, layer.Inputs)...) {
			place(layer.Outputs[i], made)
		}
	}
	for _, s := range n.stages {
		b.net.stages = append(b.net.stages, copied[s])
	}
	for _, t := range n.taps {
		b.net.taps = append(b.net.taps, tap{t.name, copied[t.value]})
	}
	b.FeatureMap(read[n.featureMap])
	b.Logits(read[n.logits])
	if n.pooled != none {
		b.Pooled(read[n.pooled])
	}
	return b.Network()
}
