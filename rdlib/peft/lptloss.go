package peft

import (
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/distill"
	"rd/rdlib/model"
	"rd/rdlib/option"
)

// LPTLoss are the options of LPT's asymmetric class-balanced loss.
type LPTLoss struct {
	Margin    float64    `json:"margin"`
	Scale     float64    `json:"loss-scale"`
	Noise     float64    `json:"noise"`
	Smoothing float64    `json:"smoothing"`
	Balanced  [2]float64 `json:"gamma-balanced"` // γ+ and γ−
	Instance  [2]float64 `json:"gamma-instance"`
	// InstanceWeight is the weight of the instance-balanced term at the start; it falls to 0.
	InstanceWeight float64 `json:"instance-weight"`
}

func defaultLPTLoss() LPTLoss {
	return LPTLoss{Margin: 0.1, Scale: 20, Noise: 0.5, Smoothing: 0.1, Balanced: [2]float64{0, 4}, Instance: [2]float64{0.5, 8}, InstanceWeight: 0.5}
}

func (l *LPTLoss) declare(set *option.Set) {
	set.Number(&l.Margin, "margin", 0, 2, "taken off the cosine of the right class", "DongSky/LPT")
	set.Number(&l.Scale, "loss-scale", 1e-3, 1e3, "by which cosines are multiplied", "DongSky/LPT")
	set.Number(&l.Noise, "noise", 0, 10, "of what is taken off the cosines of rare classes at random", "DongSky/LPT")
	set.Number(&l.Smoothing, "smoothing", 0, 1, "of the labels", "DongSky/LPT")
	set.Number(&l.InstanceWeight, "instance-weight", 0, math.Inf(1), "weight at the start of the instance-balanced term, which falls to 0", "DongSky/LPT")
}

// AsymmetricLoss is LPT's loss of cosines [batch, classes] with labels int32 [batch], for γ+ = gamma[0] and γ− = gamma[1]. With
// n_c training images of class c, m_c = max_k(log n_k) − log n_c and noise [batch, classes]:
//
//	z  = s·(cos − noise_mul·|clamp(noise, −1, 1)|·m_c/max(m) − margin·[c = y])
//	p  = softmax(z), w = (1 − p)^γ+ for the right class, p^γ− for the others
//	L  = −mean over the batch of Σ_c q_c·w_c·log p_c,  q = (1 − ε)·onehot(y) + ε/classes
//
// Where all classes have as many images, nothing is taken off at random (max(m) is 0). The weights are differentiated.
// (DongSky/LPT, cb_loss.py and loss.py.)
func (l LPTLoss) AsymmetricLoss(cosines, labels, noise *Node, counts []int, gamma [2]float64) *Node {
	g, dtype, classes := cosines.Graph(), cosines.DType(), cosines.Shape().Dim(-1)
	z := cosines
	if m := rarity(counts); m != nil {
		off := Mul(MinScalar(Abs(noise), 1), ConvertDType(Const(g, [][]float64{m}), dtype))
		z = Sub(z, MulScalar(off, l.Noise))
	}
	right := OneHot(labels, classes, dtype)
	z = MulScalar(Sub(z, MulScalar(right, l.Margin)), l.Scale)
	logP := LogSoftmax(z)
	p := Exp(logP)
	weight := Add(Mul(right, power(OneMinus(p), gamma[0])), Mul(OneMinus(right), power(p, gamma[1])))
	target := AddScalar(MulScalar(right, 1-l.Smoothing), l.Smoothing/float64(classes))
	return Neg(ReduceAllMean(ReduceSum(Mul(Mul(target, weight), logP), -1)))
}

// rarity is m_c/max(m); nil where all classes have as many images.
func rarity(counts []int) []float64 {
	most := 0.0
	for _, n := range counts {
		most = max(most, math.Log(float64(max(1, n))))
	}
	m, largest := make([]float64, len(counts)), 0.0
	for c, n := range counts {
		m[c] = most - math.Log(float64(max(1, n)))
		largest = max(largest, m[c])
	}
	if largest == 0 {
		return nil
	}
	for c := range m {
		m[c] /= largest
	}
	return m
}

// power is x^γ for x in [0, 1]; whole exponents are spelled as products, whose gradient is finite at 0.
func power(x *Node, gamma float64) *Node {
	if gamma == math.Trunc(gamma) && gamma >= 0 && gamma <= 16 {
		y := OnesLike(x)
		for range int(gamma) {
			y = Mul(y, x)
		}
		return y
	}
	return Exp(MulScalar(Log(MaxScalar(x, 1e-8)), gamma))
}

// lptObjective is what LPT minimises: the loss for balanced classes, the one for single images with a weight that falls, and
// less the similarity to the chosen keys.
type lptObjective struct {
	loss      LPTLoss
	counts    []int
	keyWeight float64
	top       int
}

func newLPTObjective(loss LPTLoss, counts []int, keyWeight float64, top int) distill.Method {
	return lptObjective{loss, counts, keyWeight, top}
}

func (lptObjective) Name() string                                               { return "lpt" }
func (o lptObjective) Options() any                                             { return o.loss }
func (lptObjective) Needs() distill.Needs                                       { return distill.Needs{EpochProgress: true} }
func (lptObjective) Modules(distill.Context) (map[string]*model.Network, error) { return nil, nil }
func (lptObjective) Variables(distill.Context) map[string]distill.Variable      { return nil }

// Draws are the noise of the two terms, N(0, 1/3²) before it is cut.
func (o lptObjective) Draws(c distill.Context) map[string]distill.Draw {
	normal := distill.Draw{Shape: []int{c.Batch, c.Classes}, Fill: func(random *rand.Rand, _ []int, values []float32) {
		for i := range values {
			values[i] = float32(random.NormFloat64() / 3)
		}
	}}
	return map[string]distill.Draw{"noise_balanced": normal, "noise_instance": normal}
}

func (o lptObjective) Phases() []distill.Phase {
	return []distill.Phase{{Name: "student", Student: true, Loss: func(s *distill.Step) distill.Losses {
		cosines := s.Student.Logits
		balanced := o.loss.AsymmetricLoss(cosines, s.Labels, s.Draw("noise_balanced"), o.counts, o.loss.Balanced)
		instance := o.loss.AsymmetricLoss(cosines, s.Labels, s.Draw("noise_instance"), o.counts, o.loss.Instance)
		total := Add(balanced, Mul(instance, MulScalar(OneMinus(s.Progress), o.loss.InstanceWeight)))
		parts := []distill.Part{{Name: "balanced", Value: balanced}, {Name: "instance", Value: instance}}
		if o.keyWeight > 0 {
			similarity := keySimilarity(s.Student)
			total = Sub(total, MulScalar(similarity, o.keyWeight))
			parts = append(parts, distill.Part{Name: "similarity", Value: similarity})
		}
		return distill.Losses{Total: total, Parts: parts}
	}}}
}

// keySimilarity is the sum of the cosines with the chosen keys, as a mean over the batch.
func keySimilarity(out model.Outputs) *Node {
	return ReduceAllMean(ReduceSum(Mul(out.Taps[similarityTap], out.Taps[chosenTap]), -1))
}
