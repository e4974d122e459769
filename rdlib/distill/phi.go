package distill

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/model"
	"rd/rdlib/option"
)

// phiModule is the name of the reprogramming module φ among a method's modules.
const phiModule = "phi"

// phiInputs are the teacher's outputs φ can read.
var phiInputs = []string{"feature-map", "pooled"}

// PhiOptions describe the reprogramming module φ, which the paper calls "standard residual blocks" and leaves open.
type PhiOptions struct {
	Input string `json:"phi-input"` // "feature-map" (the teacher's last) or "pooled"
	Depth int    `json:"phi-depth"` // residual blocks
	Width int    `json:"phi-width"` // channels inside a block; 0: a quarter of the student's feature width, at least 8
}

func defaultPhi() PhiOptions { return PhiOptions{Input: "feature-map", Depth: 2} }

func (o *PhiOptions) declare(s *option.Set) {
	s.Choice(&o.Input, "phi-input", phiInputs, "what φ reads: the teacher's last feature map, or its pooled feature", "left open; a map keeps the most")
	s.Integer(&o.Depth, "phi-depth", 0, 32, "residual blocks of φ", "left open; the paper says standard residual blocks")
	s.Integer(&o.Width, "phi-width", 0, 8192, "channels inside a block of φ; 0: a quarter of the student's feature width", "ResNet's bottleneck, He et al. 2016")
}

// suit returns the options a teacher asks for when the default cannot be used with it.
func (PhiOptions) suit(c Context) map[string]string {
	if len(c.TeacherMaps) == 0 && c.TeacherPooled > 0 {
		return map[string]string{"phi-input": "pooled"}
	}
	return nil
}

func (o PhiOptions) needs() Needs {
	return Needs{Maps: o.Input == "feature-map", Pooled: o.Input == "pooled"}
}

// modules describes φ, which takes the teacher's output to a vector of the student's feature width D:
//
//	1×1 convolution to D, batch norm, ReLU          where the teacher's width is not D
//	phi-depth × bottleneck block D → W → W → D      1×1, 3×3, 1×1, each with batch norm; ReLU after the sum
//	global average pool
//
// A pooled feature is a map of one pixel; there, and on any such map, the 3×3 convolution is a 1×1. Weights start as
// ResNet's do. Like the students' own features, φ's are averages of ReLU outputs.
func (o PhiOptions) modules(c Context) (map[string]*model.Network, error) {
	if c.StudentDim < 1 {
		return nil, fmt.Errorf("reprogramming: the student has no pooled feature for φ to end at")
	}
	input := []int{c.TeacherPooled, 1, 1}
	switch {
	case o.Input == "pooled" && c.TeacherPooled < 1:
		return nil, fmt.Errorf("reprogramming: the teacher gives no pooled feature: set phi-input=feature-map")
	case o.Input == "feature-map" && len(c.TeacherMaps) == 0:
		return nil, fmt.Errorf("reprogramming: the teacher gives no feature map: set phi-input=pooled")
	case o.Input == "feature-map":
		input = c.TeacherMaps[len(c.TeacherMaps)-1]
	}
	if len(input) != 3 {
		return nil, fmt.Errorf("reprogramming: the teacher's feature map has the shape %v, not [channels, height, width]", input)
	}
	width := o.Width
	if width == 0 {
		width = max(8, c.StudentDim/4)
	}
	kernel := 3
	if input[1] == 1 && input[2] == 1 {
		kernel = 1
	}

	b := model.NewBuilder(phiModule, input...)
	b.ConvInit(model.InitKaimingFanOut)
	x := b.Input()
	if b.Channels(x) != c.StudentDim {
		x = b.Conv("stem.conv", x, model.Conv{Out: c.StudentDim, Kernel: 1})
		x = b.BatchNorm("stem.bn", x)
		x = b.ReLU("stem.relu", x)
	}
	for i := range o.Depth {
		x = bottleneck(b.Scope(fmt.Sprintf("blocks.%d", i)), x, width, kernel)
	}
	b.FeatureMap(x)
	b.Pooled(b.GlobalAvgPool("avgpool", x))
	phi, err := b.Network()
	if err != nil {
		return nil, err
	}
	return map[string]*model.Network{phiModule: phi}, nil
}

// bottleneck is ResNet's residual block of three convolutions, at constant width outside (He et al. 2016, figure 5).
func bottleneck(b *model.Builder, x model.Value, width, kernel int) model.Value {
	y := b.Conv("conv1", x, model.Conv{Out: width, Kernel: 1})
	y = b.BatchNorm("bn1", y)
	y = b.ReLU("relu1", y)
	y = b.Conv("conv2", y, model.Conv{Out: width, Kernel: kernel, Padding: kernel / 2})
	y = b.BatchNorm("bn2", y)
	y = b.ReLU("relu2", y)
	y = b.Conv("conv3", y, model.Conv{Out: b.Channels(x), Kernel: 1})
	y = b.BatchNorm("bn3", y)
	y = b.Add("add", y, x)
	return b.ReLU("relu3", y)
}

// reprogram is f_t = φ(F_t(x)): [batch, D].
func (o PhiOptions) reprogram(s *Step) *graph.Node {
	if o.Input == "pooled" {
		pooled := s.Teacher.Pooled
		return s.Forward(phiModule, graph.InsertAxes(pooled, -1, -1)).Pooled
	}
	return s.Forward(phiModule, s.Teacher.Maps[len(s.Teacher.Maps)-1]).Pooled
}

// reprogramPhase trains φ and g on the teacher's features alone: CE(y, g(φ(F_t(x)))). The student does not run.
func (o PhiOptions) reprogramPhase() Phase {
	return Phase{Name: "reprogram", Loss: func(s *Step) Losses {
		logits := s.Classify(o.reprogram(s))
		ce := CrossEntropy(s.Labels, logits)
		return Losses{Total: ce, Parts: []Part{{"ce_t", ce}}, Logits: logits}
	}}
}
