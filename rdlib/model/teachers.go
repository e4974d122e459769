package model

// teachers are the architectures of foundation models.
var teachers = []architecture{
	{"vit", []alias{{"vit_tiny_patch16_224", 0.25}, {"vit_small_patch16_224", 0.5}, {"vit_base_patch16_224", 1}}, ViT},
}
