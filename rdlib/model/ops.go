package model

import (
	"errors"
	"fmt"
	"slices"
)

// Op is what a layer does. The kinds are the types of this file and, for transformers, of the files op_*.go; the emitters
// switch over them.
type Op interface {
	// shapes returns the output shapes for inputs of the given shapes, all without the batch axis.
	shapes(in [][]int) ([][]int, error)
	// parameters returns the layer's own parameters, named without the layer's name.
	parameters(in [][]int) []Parameter
}

// Conv is a two-dimensional convolution. Zero values of Stride and Groups mean 1.
type Conv struct {
	Out, Kernel, Stride, Padding, Groups int

	Bias  bool
	Init  Init // how the weight starts; "" means the Builder's ConvInit
	Width int  // of the kernel; 0: Kernel, its height
}

// BatchNorm normalises each channel (axis 1) of a map [batch, channels, height, width] or of a vector [batch, features].
type BatchNorm struct {
	Eps      float64 // added to the variance
	Momentum float64 // weight of the batch in the running statistics: running ← (1−momentum)·running + momentum·batch
	Init     Init    // how the weight starts; "" means at 1
}

// ReLU is max(x, 0).
type ReLU struct{}

// ReLU6 is min(max(x, 0), 6).
type ReLU6 struct{}

// MaxPool is the maximum over a square window; the padding never wins.
type MaxPool struct{ Window, Stride, Padding int }

// AvgPool is the mean over a square window; the padding's zeros count.
type AvgPool struct{ Window, Stride, Padding int }

// GlobalAvgPool is the mean over height and width: [batch, C, H, W] → [batch, C]. Adaptive says that torchvision writes it
// as an adaptive pool, whose inputs the paper's FLOPs count includes; ShuffleNetV2 writes a plain mean, which it does not.
type GlobalAvgPool struct{ Adaptive bool }

// Linear is y = x Wᵀ + b on vectors, or on each token of [tokens, features].
type Linear struct {
	Out  int
	Init Init // how weight and bias start; "" means the Builder's LinearInit
	// NoBias leaves b out.
	NoBias bool
}

// Add is the sum of two values of one shape.
type Add struct{}

// Concat joins values along the channels of maps, the features of vectors or the row of tokens.
type Concat struct{}

// Split cuts the axis that Concat joins into the first First and the rest.
type Split struct{ First int }

// ChannelShuffle deals the channels of Groups equal groups out in turn: channel g·(C/G)+i becomes channel i·G+g.
type ChannelShuffle struct{ Groups int }

// Flatten joins all axes but the batch into one.
type Flatten struct{}

// Dropout zeroes elements with probability Rate in training and scales the others by 1/(1−Rate); otherwise it does nothing.
type Dropout struct{ Rate float64 }

func (c Conv) shapes(in [][]int) ([][]int, error) {
	channels, err := channelsOfMap(in[0])
	if err != nil {
		return nil, err
	}
	if c.Out < 1 || c.Kernel < 1 || c.Width < 0 || c.Stride < 1 || c.Padding < 0 || c.Groups < 1 {
		return nil, fmt.Errorf("convolution %+v: sizes must be positive", c)
	}
	if channels%c.Groups != 0 || c.Out%c.Groups != 0 {
		return nil, fmt.Errorf("convolution from %d to %d channels cannot be cut into %d groups", channels, c.Out, c.Groups)
	}
	return slide(in[0], c.Out, [2]int{c.Kernel, c.width()}, c.Stride, c.Padding)
}

// width is the kernel's.
func (c Conv) width() int {
	if c.Width == 0 {
		return c.Kernel
	}
	return c.Width
}

func (c Conv) parameters(in [][]int) []Parameter {
	weight := []int{c.Out, in[0][0] / c.Groups, c.Kernel, c.width()}
	own := []Parameter{{Name: "weight", Shape: weight, Trainable: true, init: c.Init}}
	if c.Bias {
		own = append(own, Parameter{Name: "bias", Shape: []int{c.Out}, Trainable: true, init: biasOf(c.Init), fanIn: elements(weight[1:])})
	}
	return own
}

func (b BatchNorm) shapes(in [][]int) ([][]int, error) {
	if len(in[0]) != 1 && len(in[0]) != 3 {
		return nil, fmt.Errorf("batch normalisation takes maps or vectors, not %v", in[0])
	}
	if !(b.Eps > 0) || !(b.Momentum >= 0 && b.Momentum <= 1) {
		return nil, fmt.Errorf("batch normalisation with eps %g and momentum %g: eps must be positive, momentum in [0, 1]", b.Eps, b.Momentum)
	}
	return in, nil
}

func (b BatchNorm) parameters(in [][]int) []Parameter {
	shape, weight := in[0][:1], b.Init
	if weight == "" {
		weight = initOnes
	}
	return []Parameter{
		{Name: "weight", Shape: shape, Trainable: true, init: weight},
		{Name: "bias", Shape: shape, Trainable: true, init: InitZeros},
		{Name: "running_mean", Shape: shape, init: InitZeros},
		{Name: "running_var", Shape: shape, init: initOnes},
	}
}

func (ReLU) shapes(in [][]int) ([][]int, error)  { return in, nil }
func (ReLU) parameters([][]int) []Parameter      { return nil }
func (ReLU6) shapes(in [][]int) ([][]int, error) { return in, nil }
func (ReLU6) parameters([][]int) []Parameter     { return nil }

func (p MaxPool) shapes(in [][]int) ([][]int, error) {
	return poolShapes(in[0], p.Window, p.Stride, p.Padding)
}
func (MaxPool) parameters([][]int) []Parameter { return nil }

func (p AvgPool) shapes(in [][]int) ([][]int, error) {
	return poolShapes(in[0], p.Window, p.Stride, p.Padding)
}
func (AvgPool) parameters([][]int) []Parameter { return nil }

func (GlobalAvgPool) shapes(in [][]int) ([][]int, error) {
	channels, err := channelsOfMap(in[0])
	return [][]int{{channels}}, err
}
func (GlobalAvgPool) parameters([][]int) []Parameter { return nil }

func (l Linear) shapes(in [][]int) ([][]int, error) {
	if _, err := featuresOf(in[0]); err != nil {
		return nil, fmt.Errorf("a linear layer %w: pool or flatten first", err)
	}
	if l.Out < 1 {
		return nil, fmt.Errorf("a linear layer needs at least one output, not %d", l.Out)
	}
	out := slices.Clone(in[0])
	out[len(out)-1] = l.Out
	return [][]int{out}, nil
}

func (l Linear) parameters(in [][]int) []Parameter {
	features := in[0][len(in[0])-1]
	own := []Parameter{{Name: "weight", Shape: []int{l.Out, features}, Trainable: true, init: l.Init}}
	if !l.NoBias {
		own = append(own, Parameter{Name: "bias", Shape: []int{l.Out}, Trainable: true, init: biasOf(l.Init), fanIn: features})
	}
	return own
}

func (Add) shapes(in [][]int) ([][]int, error) {
	if !sameShape(in[0], in[1]) {
		return nil, fmt.Errorf("cannot add values of shapes %v and %v", in[0], in[1])
	}
	return in[:1], nil
}
func (Add) parameters([][]int) []Parameter { return nil }

func (Concat) shapes(in [][]int) ([][]int, error) {
	if len(in) == 0 {
		return nil, errors.New("nothing to concatenate")
	}
	out := append([]int(nil), in[0]...)
	for _, other := range in[1:] {
		if len(other) != len(out) || !sameShape(other[1:], out[1:]) {
			return nil, fmt.Errorf("cannot join values of shapes %v along the channels", in)
		}
		out[0] += other[0]
	}
	return [][]int{out}, nil
}
func (Concat) parameters([][]int) []Parameter { return nil }

func (s Split) shapes(in [][]int) ([][]int, error) {
	if s.First < 1 || s.First >= in[0][0] {
		return nil, fmt.Errorf("cannot split %d channels after the first %d", in[0][0], s.First)
	}
	first, rest := append([]int(nil), in[0]...), append([]int(nil), in[0]...)
	first[0], rest[0] = s.First, in[0][0]-s.First
	return [][]int{first, rest}, nil
}
func (Split) parameters([][]int) []Parameter { return nil }

func (s ChannelShuffle) shapes(in [][]int) ([][]int, error) {
	channels, err := channelsOfMap(in[0])
	if err != nil {
		return nil, err
	}
	if s.Groups < 1 || channels%s.Groups != 0 {
		return nil, fmt.Errorf("%d channels cannot be cut into %d groups", channels, s.Groups)
	}
	return in, nil
}
func (ChannelShuffle) parameters([][]int) []Parameter { return nil }

func (Flatten) shapes(in [][]int) ([][]int, error) {
	for _, d := range in[0] {
		if d == Any {
			return nil, fmt.Errorf("cannot flatten %v: its size is not fixed", in[0])
		}
	}
	return [][]int{{elements(in[0])}}, nil
}
func (Flatten) parameters([][]int) []Parameter { return nil }

func (d Dropout) shapes(in [][]int) ([][]int, error) {
	if !(d.Rate >= 0 && d.Rate < 1) {
		return nil, fmt.Errorf("dropout rate %g is outside [0, 1)", d.Rate)
	}
	return in, nil
}
func (Dropout) parameters([][]int) []Parameter { return nil }

func channelsOfMap(shape []int) (int, error) {
	if len(shape) != 3 {
		return 0, fmt.Errorf("takes maps [channels, height, width], not %v", shape)
	}
	return shape[0], nil
}

func poolShapes(in []int, window, stride, padding int) ([][]int, error) {
	channels, err := channelsOfMap(in)
	if err != nil {
		return nil, err
	}
	if window < 1 || stride < 1 || padding < 0 || 2*padding > window {
		return nil, fmt.Errorf("pool with window %d, stride %d, padding %d: the sizes must be positive and the padding at most half the window", window, stride, padding)
	}
	return slide(in, channels, [2]int{window, window}, stride, padding)
}

// slide returns the shape a window leaves: ⌊(size + 2·padding − window)/stride⌋ + 1 along height and width.
func slide(in []int, channels int, window [2]int, stride, padding int) ([][]int, error) {
	out := []int{channels, Any, Any}
	for axis := 1; axis <= 2; axis++ {
		if in[axis] == Any {
			continue
		}
		room := in[axis] + 2*padding - window[axis-1]
		if room < 0 {
			return nil, fmt.Errorf("a window of %d does not fit a map of %v with padding %d: use a larger input", window[axis-1], in, padding)
		}
		out[axis] = room/stride + 1
	}
	return [][]int{out}, nil
}

// sameShape reports whether the shapes agree wherever both are known.
func sameShape(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && a[i] != Any && b[i] != Any {
			return false
		}
	}
	return true
}

// elements returns how many elements a tensor of the given shape has.
func elements(shape []int) int {
	count := 1
	for _, d := range shape {
		count *= d
	}
	return count
}
