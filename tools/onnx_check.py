"""Checks an ONNX file, read from standard input, with ONNX's own checker, shapes included, and prints the checker's version."""

import sys

import onnx

onnx.checker.check_model(onnx.load_model_from_string(sys.stdin.buffer.read()), full_check=True)
print("ONNX " + onnx.__version__)
