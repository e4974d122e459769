package model

import "fmt"

// ConvTranspose is a transposed convolution with a square kernel, its weight [in, out, kernel, kernel]: a map of height h
// becomes one of height (h − 1)·Stride − 2·Padding + Kernel. Weights start as PyTorch's.
type ConvTranspose struct {
	Out, Kernel, Stride, Padding int
	Bias                         bool
}

// ConvTranspose appends a transposed convolution.
func (b *Builder) ConvTranspose(name string, x Value, c ConvTranspose) Value {
	return b.add(name, c, 1, x)[0]
}

func (c ConvTranspose) shapes(in [][]int) ([][]int, error) {
	if _, err := channelsOfMap(in[0]); err != nil {
		return nil, err
	}
	if c.Out < 1 || c.Kernel < 1 || c.Stride < 1 || c.Padding < 0 || c.Padding >= c.Kernel {
		return nil, fmt.Errorf("transposed convolution %+v: sizes must be positive, and the padding smaller than the kernel", c)
	}
	out := []int{c.Out, Any, Any}
	for axis := 1; axis <= 2; axis++ {
		if in[0][axis] == Any {
			continue
		}
		if out[axis] = (in[0][axis]-1)*c.Stride - 2*c.Padding + c.Kernel; out[axis] < 1 {
			return nil, fmt.Errorf("transposed convolution %+v leaves nothing of a map of %v", c, in[0])
		}
	}
	return [][]int{out}, nil
}

func (c ConvTranspose) parameters(in [][]int) []Parameter {
	weight := []int{in[0][0], c.Out, c.Kernel, c.Kernel}
	own := []Parameter{{Name: "weight", Shape: weight, Trainable: true, init: InitUniform}}
	if c.Bias {
		own = append(own, Parameter{Name: "bias", Shape: []int{c.Out}, Trainable: true, init: initUniformBias, fanIn: elements(weight[1:])})
	}
	return own
}

// macs counts each input pixel's part in every output pixel it reaches, borders included.
func (c ConvTranspose) macs(in []int) int64 {
	return int64(elements(in)) * int64(c.Out*c.Kernel*c.Kernel)
}

func (e *onnxEmitter) convTranspose(layer Layer, in, out []string) {
	op := layer.Op.(ConvTranspose)
	for _, p := range layer.Parameters {
		in = append(in, e.floats(p.Name, p.Shape, e.weights[p.Name].Data))
	}
	e.node("ConvTranspose", layer.Name, in, out, windowAttributes(op.Kernel, op.Kernel, op.Stride, op.Padding)...)
}
