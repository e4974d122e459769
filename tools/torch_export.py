"""The PyTorch side of the export benchmark: a torchvision network with random weights as ONNX, with its number of
parameters printed as JSON.

    python3 tools/torch_export.py --student resnet18 --size 224 --classes 2 --out FILE.onnx
"""

import argparse
import inspect
import json
import sys

import torch

from torch_step import ARCHITECTURES


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--student", choices=sorted(ARCHITECTURES), required=True)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--classes", type=int, default=2)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    torch.manual_seed(1)
    network = ARCHITECTURES[options.student](num_classes=options.classes).eval()
    image = torch.randn(1, 3, options.size, options.size)
    axes = {"input": {0: "batch"}, "logits": {0: "batch"}}
    # The exporter that needs no other package, where there are two.
    exporter = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    torch.onnx.export(network, image, options.out, input_names=["input"], output_names=["logits"], dynamic_axes=axes, **exporter)
    json.dump({"exporter": "PyTorch " + torch.__version__, "parameters": sum(p.numel() for p in network.parameters())}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
