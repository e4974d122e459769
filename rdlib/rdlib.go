// Package rdlib distils a frozen foundation model into a small student by Reprogramming Distillation, and by the methods
// it is compared with. Distill is the whole way from a folder of images and an ONNX teacher to a verified ONNX student;
// the packages below do the parts.
package rdlib
