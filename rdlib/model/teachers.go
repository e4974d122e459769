package model

import "slices"

// teachers are the architectures of foundation models.
var teachers = []architecture{
	{"densenet121", nil, DenseNet121},
	{"resnet50", nil, ResNet50},
	{"clip_resnet50", nil, CLIPResNet50},
	{"vit", []alias{{"vit_tiny_patch16_224", 0.25}, {"vit_small_patch16_224", 0.5}, {"vit_base_patch16_224", 1}}, ViT},
	{"vit_sam", []alias{{"lvm_med_vit_b", 1}}, SAMViT},
}

// Teachers returns the names of the architectures of foundation models that New knows.
func Teachers() []string { return names(teachers) }

// Names returns every name New knows: the students', then the teachers'.
func Names() []string { return names(slices.Concat(architectures, teachers)) }
