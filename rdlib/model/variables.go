package model

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"
)

// Declare puts the weights under scope as float32 variables named as torchvision names them; running statistics are not
// trainable. Variables that exist already are given the new values. The error lists weights that do not fit.
func (n *Network) Declare(scope *gomodel.Scope, w Weights) error {
	if err := n.CheckWeights(w); err != nil {
		return err
	}
	for _, p := range n.Parameters() {
		value := tensors.FromFlatDataAndDimensions(slices.Clone(w[p.Name].Data), p.Shape...)
		if err := p.declare(scope, value); err != nil {
			return fmt.Errorf("declare %s under %s: %w", p.Name, scope.Scope(), err)
		}
	}
	return nil
}

// declare creates or overwrites the parameter's variable.
func (p Parameter) declare(scope *gomodel.Scope, value *tensors.Tensor) error {
	if v := scope.GetVariable(p.Name); v != nil {
		v.SetTrainable(p.Trainable && !p.Frozen)
		return v.SetValue(value)
	}
	v, err := scope.CreateVariable(p.Name, value)
	if err != nil {
		return err
	}
	v.SetTrainable(p.Trainable && !p.Frozen)
	return nil
}

// ReadWeights copies the network's variables under scope back to the host; float64 variables are rounded.
func (n *Network) ReadWeights(scope *gomodel.Scope) (Weights, error) {
	w := Weights{}
	for _, p := range n.Parameters() {
		v := scope.GetVariable(p.Name)
		if v == nil {
			return nil, fmt.Errorf("no variable %s under %s: declare the network's weights there first", p.Name, scope.Scope())
		}
		value, err := v.Value()
		if err != nil {
			return nil, fmt.Errorf("read variable %s: %w", v.Path(), err)
		}
		data, err := float32s(value)
		if err != nil {
			return nil, fmt.Errorf("read variable %s: %w", v.Path(), err)
		}
		w[p.Name] = Tensor{Shape: slices.Clone(value.Shape().Dimensions), Data: data}
	}
	if err := n.CheckWeights(w); err != nil {
		return nil, err
	}
	return w, nil
}

func float32s(value *tensors.Tensor) ([]float32, error) {
	if value.DType() != dtypes.Float64 {
		return tensors.CopyFlatData[float32](value)
	}
	exact, err := tensors.CopyFlatData[float64](value)
	if err != nil {
		return nil, err
	}
	data := make([]float32, len(exact))
	for i, v := range exact {
		data[i] = float32(v)
	}
	return data, nil
}
