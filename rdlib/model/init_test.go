package model

import (
	"math"
	"reflect"
	"testing"
)

func TestInitDependsOnSeedAndNameOnly(t *testing.T) {
	two, five := build(t, "mobilenet", Config{Classes: 2}), build(t, "mobilenet", Config{Classes: 5})
	a, b := two.Init(7), two.Init(7)
	if !reflect.DeepEqual(a, b) {
		t.Error("one seed gave two initialisations")
	}
	if err := two.CheckWeights(a); err != nil {
		t.Error(err)
	}
	const name = "features.3.conv.0.0.weight"
	if reflect.DeepEqual(a[name], two.Init(8)[name]) {
		t.Error("two seeds gave one initialisation")
	}
	if !reflect.DeepEqual(a[name], five.Init(7)[name]) {
		t.Error("the number of classes changed the initialisation of a convolution")
	}
}

// TestInitRules checks the distributions of torchvision's constructors.
func TestInitRules(t *testing.T) {
	type rule struct {
		student, tensor string
		bound, std      float64 // of U(±bound) or N(0, std²)
	}
	for _, r := range []rule{
		{"resnet18", "conv1.weight", 0, math.Sqrt(2.0 / (64 * 49))},
		{"resnet18", "layer1.0.conv1.weight", 0, math.Sqrt(2.0 / (64 * 9))},
		{"resnet18", "fc.weight", 1 / math.Sqrt(512), 0},
		{"resnet18", "fc.bias", 1 / math.Sqrt(512), 0},
		{"shufflenet", "conv1.0.weight", 1 / math.Sqrt(27), 0},
		{"shufflenet", "stage4.1.branch2.3.weight", 1.0 / 3, 0},
		{"mobilenet", "features.18.0.weight", 0, math.Sqrt(2.0 / 1280)},
		{"mobilenet", "features.17.conv.1.0.weight", 0, math.Sqrt(2.0 / (960 * 9))},
		{"mobilenet", "classifier.1.weight", 0, 0.01},
	} {
		values := build(t, r.student, Config{Classes: 100}).Init(3)[r.tensor].Data
		var mean, square, largest float64
		for _, v := range values {
			mean += float64(v) / float64(len(values))
			square += float64(v) * float64(v) / float64(len(values))
			largest = max(largest, math.Abs(float64(v)))
		}
		std := r.std
		if r.bound > 0 {
			std = r.bound / math.Sqrt(3)
			if largest > r.bound || largest < 0.9*r.bound {
				t.Errorf("%s %s reaches %g, want up to %g", r.student, r.tensor, largest, r.bound)
			}
		}
		slack := 4 / math.Sqrt(float64(len(values)))
		if math.Abs(mean) > slack*std || math.Abs(math.Sqrt(square)/std-1) > slack {
			t.Errorf("%s %s has mean %g and deviation %g, want 0 and %g", r.student, r.tensor, mean, math.Sqrt(square), std)
		}
	}
	w := build(t, "mobilenet", Config{Classes: 4}).Init(1)
	for name, want := range map[string]float32{"classifier.1.bias": 0, "features.0.1.weight": 1, "features.0.1.bias": 0, "features.0.1.running_mean": 0, "features.0.1.running_var": 1} {
		for _, v := range w[name].Data {
			if v != want {
				t.Fatalf("%s starts at %g, want %g", name, v, want)
			}
		}
	}
}
