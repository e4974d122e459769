// Package deploy writes trained students as ONNX files that stand alone (preprocessing, class names and provenance travel
// in the file), opens and runs them through ONNX Runtime, and verifies that a file answers as its training did.
package deploy
