// Package nn has the layers of students and teachers as differentiable graph functions: convolution, batch and layer
// normalisation, activations, pooling, attention, the linear layer and the channel moves of ShuffleNet, with the gradients written so that every
// backend of this project can train them.
//
// Images and feature maps are [batch, channels, height, width], convolution weights [out, in/groups, height, width],
// linear weights [out, in], as in torchvision. Like GoMLX's own graph functions, the functions here panic with an error when the
// shapes do not fit; the caller of the graph function catches it (support/exceptions.TryCatch, or NewExec's error).
package nn
