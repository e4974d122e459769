package model

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"rd/rdlib/spelling"
)

// Config are the choices an architecture leaves to its user. The input's height and width are among them for
// transformers and CLIP's ResNet only, in Transformer: every other architecture takes any size.
type Config struct {
	Classes    int     // outputs of the classifier, at least 1
	Width      float64 // width multiplier, in (0, 8]; 0 means 1
	InChannels int     // channels of the image; 0 means 3
	// Dropout is the rate of the dropout in front of MobileNetV2's classifier; the other students have none. The default
	// 0 turns it off, so that a step is a function of weights and batch alone; torchvision's own value is 0.2. A
	// positive rate draws from the GoMLX store's random state, which the caller seeds (model.Store.SetRNGStateFromSeed)
	// and which a checkpoint of the store's variables holds.
	Dropout     float64
	Blocks      []int         `json:",omitempty"` // layers of each stage, of DenseNet and the ResNets; nil: the architecture's
	Transformer Transformer   // vision transformers' own; the other architectures have none of them, but CLIP's ResNet Height and Width
	Attention   AttentionPool `json:",omitzero"` // of CLIP's ResNet
	Windows     Windows       `json:",omitzero"` // of SAM's image encoder
}

// maxWidth bounds the width multiplier: beyond it a slip of the keyboard would ask for gigabytes.
const maxWidth = 8

// check fills in the defaults; blocks are the architecture's own, none where it leaves no choice of them.
func (c Config) check(name string, blocks ...int) (Config, error) {
	if c.Width == 0 {
		c.Width = 1
	}
	if c.InChannels == 0 {
		c.InChannels = 3
	}
	switch {
	case c.Classes < 1:
		return c, fmt.Errorf("%s: needs at least one class, not %d", name, c.Classes)
	case !(c.Width > 0 && c.Width <= maxWidth):
		return c, fmt.Errorf("%s: width %g is outside (0, %d]", name, c.Width, maxWidth)
	case c.InChannels < 1:
		return c, fmt.Errorf("%s: needs at least one input channel, not %d", name, c.InChannels)
	case !(c.Dropout >= 0 && c.Dropout < 1):
		return c, fmt.Errorf("%s: dropout rate %g is outside [0, 1)", name, c.Dropout)
	case len(c.Blocks) == 0:
		c.Blocks = blocks
	case len(blocks) == 0:
		return c, fmt.Errorf("%s: %v layers of its stages: it leaves no choice of them", name, c.Blocks)
	case len(c.Blocks) > maxStages || slices.Min(c.Blocks) < 1 || slices.Max(c.Blocks) > maxLayers:
		return c, fmt.Errorf("%s: %v layers of its stages: 1 to %d stages of 1 to %d layers are possible", name, c.Blocks, maxStages, maxLayers)
	}
	return c, nil
}

// maxStages and maxLayers bound the depth: each stage halves the map.
const (
	maxStages = 6
	maxLayers = 256
)

// scale multiplies a number of channels by the width, rounded to the nearest and at least 1.
func (c Config) scale(channels int) int {
	return max(1, int(math.Round(float64(channels)*c.Width)))
}

type architecture struct {
	name    string
	aliases []alias
	build   func(Config) (*Network, error)
}

// alias is another name in use, torchvision's among them.
type alias struct {
	name  string
	width float64 // the width the name stands for
}

var architectures = []architecture{
	{"resnet18", nil, ResNet18},
	{"shufflenet", []alias{
		{"shufflenetv2", 1}, {"shufflenet_v2", 1},
		{"shufflenet_v2_x0_5", 0.5}, {"shufflenet_v2_x1_0", 1}, {"shufflenet_v2_x1_5", 1.5}, {"shufflenet_v2_x2_0", 2},
	}, ShuffleNetV2},
	{"mobilenet", []alias{{"mobilenet_v2", 1}, {"mobilenetv2", 1}}, MobileNetV2},
}

// Students returns the students' names, in the paper's order.
func Students() []string { return names(architectures) }

func names(list []architecture) []string {
	names := make([]string, len(list))
	for i, a := range list {
		names[i] = a.name
	}
	return names
}

// UnknownError says that no architecture has the name that was asked for.
type UnknownError struct {
	Name    string
	Nearest string   // the known name that is spelt most alike
	Known   []string // Names
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("unknown architecture %q: did you mean %q? (known: %s)", e.Name, e.Nearest, strings.Join(e.Known, ", "))
}

// New returns the architecture of the given name: one of Names, or torchvision's name for it, in any letter case. A name
// such as shufflenet_v2_x0_5 stands for a width too, which Config.Width overrides. An unknown name gives an *UnknownError
// that suggests the nearest.
func New(name string, c Config) (*Network, error) {
	wanted := strings.ToLower(name)
	var spellings []string
	for _, a := range slices.Concat(architectures, teachers) {
		for _, known := range append([]alias{{a.name, 1}}, a.aliases...) {
			if known.name == wanted {
				if c.Width == 0 {
					c.Width = known.width
				}
				return a.build(c)
			}
			spellings = append(spellings, known.name)
		}
	}
	return nil, &UnknownError{Name: name, Nearest: spelling.Nearest(name, spellings), Known: Names()}
}
