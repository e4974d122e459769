package model

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// Init names the distribution a weight starts from.
type Init string

const (
	// InitUniform is what PyTorch's layers do by themselves: weight and bias from U(±1/√fan_in)
	// (kaiming_uniform_ with a = √5).
	InitUniform Init = "uniform"
	// InitKaimingFanOut is torchvision's choice for ResNet and MobileNetV2: N(0, 2/fan_out) with
	// fan_out = out·kernel² (He et al. 2015, eq. 14), bias 0.
	InitKaimingFanOut Init = "kaiming fan_out"
	// InitKaimingFanIn is torchvision's choice for DenseNet: N(0, 2/fan_in), bias 0.
	InitKaimingFanIn Init = "kaiming fan_in"
	// InitUniformNoBias is torchvision's choice for DenseNet's classifier: InitUniform with the bias at 0.
	InitUniformNoBias Init = "uniform, bias 0"
	// InitNormal001 is torchvision's choice for MobileNetV2's classifier: N(0, 0.01²), bias 0.
	InitNormal001 Init = "normal 0.01"
	// InitNormal002 is timm's choice for the linear layers and the position embedding of vision transformers: N(0, 0.02²),
	// bias 0. timm cuts it at ±2, a hundred deviations away.
	InitNormal002 Init = "normal 0.02"
	// InitNormal1e6 is timm's choice for the class token: N(0, 10⁻¹²), nearly nothing.
	InitNormal1e6 Init = "normal 1e-6"
	// InitNormalFanIn is CLIP's choice for the attention pool: N(0, 1/fan_in), the bias as InitUniform's.
	InitNormalFanIn Init = "normal fan_in"

	// InitZeros is 0, weight and bias.
	InitZeros Init = "zeros"

	initOnes        Init = "ones"
	initUniformBias Init = "uniform bias"
)

// biasOf returns how the bias of a weight that starts with the given Init starts.
func biasOf(weight Init) Init {
	if weight == InitUniform || weight == InitNormalFanIn {
		return initUniformBias
	}
	return InitZeros
}

// Init returns fresh weights by torchvision's rules. Each tensor is drawn from its own stream, keyed by the seed and the
// tensor's name, so the values depend neither on the backend nor on the other tensors.
func (n *Network) Init(seed uint64) Weights {
	w := Weights{}
	for _, p := range n.Parameters() {
		w[p.Name] = Tensor{Shape: append([]int{}, p.Shape...), Data: p.draw(seed)}
	}
	return w
}

func (p Parameter) draw(seed uint64) []float32 {
	h := fnv.New64a()
	h.Write([]byte(p.Name))
	rng := rand.New(rand.NewPCG(seed, h.Sum64()))
	next := func() float64 { return 0 }
	switch p.init {
	case initOnes:
		next = func() float64 { return 1 }
	case InitUniform, InitUniformNoBias:
		next = uniform(rng, elements(p.Shape[1:]))
	case initUniformBias:
		next = uniform(rng, p.fanIn)
	case InitKaimingFanOut:
		std := math.Sqrt(2 / float64(p.Shape[0]*elements(p.Shape[2:])))
		next = func() float64 { return std * rng.NormFloat64() }
	case InitKaimingFanIn:
		std := math.Sqrt(2 / float64(elements(p.Shape[1:])))
		next = func() float64 { return std * rng.NormFloat64() }
	case InitNormalFanIn:
		std := math.Sqrt(1 / float64(elements(p.Shape[1:])))
		next = func() float64 { return std * rng.NormFloat64() }
	case InitNormal001:
		next = func() float64 { return 0.01 * rng.NormFloat64() }
	case InitNormal002:
		next = func() float64 { return 0.02 * rng.NormFloat64() }
	case InitNormal1e6:
		next = func() float64 { return 1e-6 * rng.NormFloat64() }
	default:
		if bound, ok := p.init.bound(); ok {
			next = func() float64 { return bound * (2*rng.Float64() - 1) }
		}
	}
	data := make([]float32, elements(p.Shape))
	for i := range data {
		data[i] = float32(next())
	}
	return data
}

// InitBounded draws from U(±bound).
func InitBounded(bound float64) Init { return Init(fmt.Sprintf("uniform ±%g", bound)) }

// bound is InitBounded's.
func (i Init) bound() (bound float64, ok bool) {
	n, err := fmt.Sscanf(string(i), "uniform ±%g", &bound)
	return bound, n == 1 && err == nil
}

// uniform draws from U(±1/√fanIn).
func uniform(rng *rand.Rand, fanIn int) func() float64 {
	bound := 1 / math.Sqrt(float64(fanIn))
	return func() float64 { return bound * (2*rng.Float64() - 1) }
}
