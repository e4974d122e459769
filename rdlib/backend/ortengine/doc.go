// Package ortengine runs GoMLX graphs on ONNX Runtime, training included.
//
// It is a thin layer over github.com/gomlx/compute-onnx, which turns GoMLX operations into ONNX nodes, and over
// github.com/yalue/onnxruntime_go, which runs the resulting model. The layer
//
//   - adds the operations that training convolutional networks needs and compute-onnx lacks (input dilation, batch
//     groups and negative padding of convolutions, batch normalisation in training and its gradient, negative Pad, Clamp),
//   - spells the expensive ones the way ONNX Runtime's processor kernels run them fastest,
//   - compiles into a session of its own, so that the number of threads is fixed, a profile can be had, and the memory of
//     inputs and outputs is recycled instead of allocated in every step.
package ortengine
