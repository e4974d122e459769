// Package peft adapts a frozen vision transformer to a task by a few parameters of its own: parameter-efficient
// fine-tuning, one method a file. An adapted transformer is described as any network of package model, so it is trained by
// the same loop, exported to ONNX and counted; the backbone's parameters keep their names and their bits.
//
// All methods were made for a transformer with a class token. Without one they read the mean over the patches' tokens.
//
// Of SAM's encoder, whose attention stays within windows and has relative positions, adapters and low ranks change what they
// change of a ViT. Prompts and queries are our reading, after what KMnP/vpt does in Swin's windows: they stand in every window
// beside its tokens, have no position, and leave a block's attention as the mean over its windows; see
// model.AdaptSAMViT.
package peft

import (
	"fmt"
	"math"
	"strings"

	"rd/rdlib/distill"
	"rd/rdlib/model"
	"rd/rdlib/option"
	"rd/rdlib/spelling"
)

// Method is one way to adapt a vision transformer. Methods are made by New and do not change afterwards.
type Method interface {
	Name() string
	// Options are all options with their values, for the record.
	Options() any
	// Stages are trained one after the other, each from the weights of the one before.
	Stages() []Stage
}

// Stage is one training of an adapted transformer.
type Stage struct {
	Name string
	// Adapt makes the adaptation of a transformer; it is called for each network that is described, as adaptations keep
	// what they have built.
	Adapt func(t model.Transformer) model.Adaptation
	// Trains tells of a parameter's name whether it is one that this stage trains; the head's need not be named.
	Trains func(name string) bool
	// Objective is what is minimised, given how many training images each class has.
	Objective func(counts []int) distill.Method
}

// Adapts tells whether the methods adapt an architecture of package model: vit and vit_sam are vision transformers.
func Adapts(architecture string) bool { return architecture == "vit" || architecture == "vit_sam" }

// Network describes the stage's network for a configuration of model.ViT or model.SAMViT, whichever architecture names:
// everything frozen but what the stage trains, and the head.
func (s Stage) Network(architecture string, c model.Config) (*model.Network, error) {
	if !Adapts(architecture) {
		return nil, fmt.Errorf("%s is no vision transformer: there are vit and vit_sam", architecture)
	}
	resolve, adapt := model.ViTTransformer, model.AdaptViT
	if architecture == "vit_sam" {
		resolve, adapt = model.SAMTransformer, model.AdaptSAMViT
	}
	t, err := resolve(c)
	if err != nil {
		return nil, err
	}
	n, err := adapt(c, s.Adapt(t))
	if err != nil {
		return nil, err
	}
	return n.Freeze(func(name string) bool { return s.Trains(name) || strings.HasPrefix(name, "head.") }), nil
}

// recipe is a method before its options are set.
type recipe struct {
	name, title, source string
	// begin returns the options to fill in and what makes the method of them afterwards.
	begin func() (*option.Set, func() (Method, error))
}

// recipes lists the methods in the order of the paper's Table 4.
var recipes = []recipe{adaptFormerRecipe, meloRecipe, vptRecipe, vqtRecipe, lptRecipe}

// Names returns the names of all methods.
func Names() []string {
	names := make([]string, len(recipes))
	for i, r := range recipes {
		names[i] = r.name
	}
	return names
}

// New returns the named method with the given options; those not given have their defaults. An unknown method or option
// gives an error that suggests the nearest name, and values that do not go together one that says what would.
func New(name string, options map[string]string) (Method, error) {
	for _, r := range recipes {
		if r.name != strings.ToLower(name) {
			continue
		}
		set, build := r.begin()
		if err := set.Apply(options); err != nil {
			return nil, fmt.Errorf("method %s: %w", r.name, err)
		}
		method, err := build()
		if err != nil {
			return nil, fmt.Errorf("method %s: %w", r.name, err)
		}
		return method, nil
	}
	return nil, fmt.Errorf("unknown method %q: did you mean %q? (methods: %s)", name, spelling.Nearest(name, Names()), strings.Join(Names(), ", "))
}

// Describe returns every method with its options, their defaults and where these come from.
func Describe() distill.Descriptions {
	all := make(distill.Descriptions, len(recipes))
	for i, r := range recipes {
		set, _ := r.begin()
		all[i] = distill.Description{Name: r.name, Title: r.title, Source: r.source, Options: set.Options()}
	}
	return all
}

// adapted is a method of one stage on the labels.
type adapted struct {
	name    string
	options any
	adapt   func(model.Transformer) model.Adaptation
	own     []string // parts of the names of its parameters
}

func (a adapted) Name() string { return a.name }
func (a adapted) Options() any { return a.options }
func (a adapted) Stages() []Stage {
	return []Stage{{Name: a.name, Adapt: a.adapt, Trains: contains(a.own...), Objective: func([]int) distill.Method { return distill.Scratch() }}}
}

// contains tells whether a name has one of the parts.
func contains(parts ...string) func(string) bool {
	return func(name string) bool {
		for _, part := range parts {
			if strings.Contains(name, part) {
				return true
			}
		}
		return false
	}
}

// promptInit is VPT's: U(±√(6/(3·p² + d))), p the side of a patch and d the width of a token.
func promptInit(t model.Transformer) model.Init {
	return model.InitBounded(math.Sqrt(6 / float64(3*t.Patch*t.Patch+t.Dim)))
}

// first is how many tokens stand before the patches.
func first(t model.Transformer) int {
	if t.Pool == model.PoolToken {
		return 1
	}
	return 0
}

// after puts tokens behind the class token, or in front of the patches where there is none.
func after(b *model.Builder, t model.Transformer, x, tokens model.Value) model.Value {
	if first(t) == 0 {
		return b.Concat("with_prompts", tokens, x)
	}
	class, patches := b.Split("class_token", x, 1)
	return b.Concat("with_prompts", class, tokens, patches)
}

// without undoes after, for n tokens.
func without(b *model.Builder, t model.Transformer, x model.Value, n int) model.Value {
	if first(t) == 0 {
		_, patches := b.Split("without_prompts", x, n)
		return patches
	}
	class, rest := b.Split("before_prompts", x, 1)
	_, patches := b.Split("behind_prompts", rest, n)
	return b.Concat("without_prompts", class, patches)
}

// drop appends dropout of tokens.
func drop(b *model.Builder, name string, x model.Value, rate float64) model.Value {
	if rate == 0 {
		return x
	}
	return b.Dropout(name, x, rate)
}
