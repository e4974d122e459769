// Package foundation treats pre-trained models as black boxes: any ONNX image model is opened through ONNX Runtime, its
// features are computed once per image and view, and kept in a checksummed, memory-mapped cache that training reads.
//
// A teacher is FILE.onnx, and beside it, where there is one, the side-car FILE.onnx.json that says how images are
// prepared, which outputs are which, where the model comes from and what it may be used for. Without a side-car,
// defaults are derived from the graph, and every default taken is named in Info.Notes.
//
// Three kinds of features are known, all float32 and all without the batch axis here:
//
//   - stage maps, each [channels, height, width], under the names the graph gives them;
//   - "feature_map", the last map before pooling, [channels, height, width];
//   - "pooled", one vector per image, [channels].
//
// Whatever the layout inside the graph, maps come out as channels, height, width.
package foundation
