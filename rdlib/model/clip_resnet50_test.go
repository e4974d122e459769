package model

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// TestCLIPResNetSizes: the positions follow the image, the width scales the result, and heads that do not divide are refused.
func TestCLIPResNetSizes(t *testing.T) {
	net := build(t, "clip_resnet50", Config{Width: 0.25, Blocks: []int{1, 1, 1, 1}, Transformer: Transformer{Height: 96, Width: 64}})
	shapes, err := net.Shapes(3, 96, 64)
	if err != nil || !slices.Equal(shapes.FeatureMap, []int{512, 3, 2}) || !slices.Equal(shapes.Pooled, []int{192}) || shapes.Logits != nil || len(shapes.Stages) != 4 {
		t.Errorf("shapes %+v, %v", shapes, err)
	}
	position := net.Parameters()[slices.IndexFunc(net.Parameters(), func(p Parameter) bool { return p.Name == "attnpool.positional_embedding" })]
	if !slices.Equal(position.Shape, []int{1 + 3*2, 512}) {
		t.Errorf("positions %v", position.Shape)
	}
	if _, err := net.Shapes(3, 64, 96); err == nil {
		t.Error("an image of another size is taken")
	}
	for want, c := range map[string]Config{
		"7 heads":              {Classes: 2, Attention: AttentionPool{Heads: 7}},
		"-1 heads":             {Classes: 2, Attention: AttentionPool{Heads: -1}},
		"-5 features":          {Classes: 2, Attention: AttentionPool{Out: -5}},
		"use a larger input":   {Classes: 2, Transformer: Transformer{Height: 8}},
		"no pixels":            {Classes: 2, Transformer: Transformer{Height: -8}},
		"[3 0] layers":         {Classes: 2, Blocks: []int{3, 0}},
		"at least one class":   {Classes: -2},
		"is outside (0, 8]":    {Classes: 2, Width: 9},
		"input channel, not -": {Classes: 2, InChannels: -1},
	} {
		if _, err := New("clip_resnet50", c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", c, err, want)
		}
	}
}

// TestCLIPResNetStarts: its blocks start as their identities, its attention pool at the deviation 1/√channels.
func TestCLIPResNetStarts(t *testing.T) {
	net := build(t, "clip_resnet50", Config{Width: 0.5, Blocks: []int{1, 1, 1, 1}})
	w := net.Init(1)
	for name, tensor := range w {
		var values []float64
		for _, v := range tensor.Data {
			values = append(values, float64(v))
		}
		mean, std, _ := moments(values)
		switch {
		case strings.HasSuffix(name, "0.bn3.weight"):
			if mean != 0 || std != 0 {
				t.Errorf("%s has mean %g and deviation %g", name, mean, std)
			}
		case strings.HasPrefix(name, "attnpool.") && len(tensor.Shape) == 2:
			if want := 1 / math.Sqrt(1024); math.Abs(std/want-1) > 0.02 || math.Abs(mean) > want/50 {
				t.Errorf("%s has mean %g and deviation %g, want 0 and %g", name, mean, std, want)
			}
		}
	}
}
