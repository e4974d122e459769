package model

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Parameter is one tensor of a network's state: a weight that trains, or a running statistic that does not.
type Parameter struct {
	Name      string // torchvision's, such as "layer1.0.bn1.running_var"
	Shape     []int
	Trainable bool // false for running_mean and running_var
	Frozen    bool // it would train, and is kept as it is (see Freeze)

	init  Init
	fanIn int // of the weight a bias belongs to
}

// Tensor is a dense float32 tensor on the host, row-major.
type Tensor struct {
	Shape []int
	Data  []float32
}

// Zeros is a tensor of the parameter's shape.
func (p Parameter) Zeros() Tensor {
	return Tensor{Shape: slices.Clone(p.Shape), Data: make([]float32, elements(p.Shape))}
}

// Weights maps parameter names to their values.
type Weights map[string]Tensor

// Clone returns a deep copy.
func (w Weights) Clone() Weights {
	out := make(Weights, len(w))
	for name, t := range w {
		out[name] = Tensor{Shape: slices.Clone(t.Shape), Data: slices.Clone(t.Data)}
	}
	return out
}

// Parameters returns every parameter and running statistic in the order of torchvision's state_dict
// (num_batches_tracked, which no computation reads, is left out).
func (n *Network) Parameters() []Parameter {
	var all []Parameter
	seen := map[string]bool{}
	for _, layer := range n.layers {
		for _, p := range layer.Parameters {
			if !seen[p.Name] { // layers may share parameters
				seen[p.Name] = true
				all = append(all, p)
			}
		}
	}
	return all
}

// Freeze returns the network with every parameter frozen but those that train names: they run as before, and no optimizer
// changes them.
func (n *Network) Freeze(train func(name string) bool) *Network {
	out := *n
	out.layers = slices.Clone(n.layers)
	for i, layer := range out.layers {
		out.layers[i].Parameters = slices.Clone(layer.Parameters)
		for k, p := range layer.Parameters {
			out.layers[i].Parameters[k].Frozen = p.Trainable && !train(p.Name)
		}
	}
	return &out
}

// Trained counts the numbers that an optimizer changes.
func (n *Network) Trained() int {
	count := 0
	for _, p := range n.Parameters() {
		if p.Trainable && !p.Frozen {
			count += elements(p.Shape)
		}
	}
	return count
}

// Misfits returns one error for each tensor of w that is missing, unexpected or of another shape than the network's
// parameter of that name; none when w fits.
func (n *Network) Misfits(w Weights) []error {
	var problems []error
	expected := map[string]bool{}
	for _, p := range n.Parameters() {
		expected[p.Name] = true
		t, ok := w[p.Name]
		switch {
		case !ok:
			problems = append(problems, fmt.Errorf("missing: %s %v", p.Name, p.Shape))
		case !slices.Equal(t.Shape, p.Shape):
			problems = append(problems, fmt.Errorf("wrong shape: %s is %v, the network has %v", p.Name, t.Shape, p.Shape))
		case len(t.Data) != elements(p.Shape):
			problems = append(problems, fmt.Errorf("wrong length: %s %v has %d values", p.Name, p.Shape, len(t.Data)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w)) {
		if !expected[name] {
			problems = append(problems, fmt.Errorf("unexpected: %s %v", name, w[name].Shape))
		}
	}
	return problems
}

// CheckWeights returns an error that lists all Misfits of w; nil when there are none.
func (n *Network) CheckWeights(w Weights) error {
	problems := n.Misfits(w)
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("the weights do not fit %s (%d of %d tensors):\n%w", n.name, len(problems), len(n.Parameters()), errors.Join(problems...))
}

// LoadWeights reads a safetensors file and checks that it holds exactly this network's parameters; the error names the
// file and lists every tensor that is missing, unexpected or of another shape.
func (n *Network) LoadWeights(path string) (Weights, map[string]string, error) {
	w, meta, err := LoadSafetensors(path)
	if err != nil {
		return nil, nil, err
	}
	if err := n.CheckWeights(w); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return w, meta, nil
}
