"""The PyTorch side of the step benchmark: seconds of one training step (forward pass, cross-entropy, backward pass,
AdamW update) on random images, printed as JSON.

    python3 tools/torch_step.py --student resnet18 --size 64 --batch 32 --steps 10 --threads 2
"""

import argparse
import json
import resource
import statistics
import sys
import time

import torch
import torchvision

# The project's names of the students, and torchvision's.
ARCHITECTURES = {
    "resnet18": torchvision.models.resnet18,
    "shufflenet": torchvision.models.shufflenet_v2_x1_0,
    "mobilenet": torchvision.models.mobilenet_v2,
}
CLASSES = 3
WARM_UP = 2  # steps before the clock counts: memory pools fill, kernels are chosen


def seconds_of_steps(student, size, batch, steps, seed=1):
    """Trains for some steps and returns the wall-clock seconds of each but the first few."""
    torch.manual_seed(seed)
    network = ARCHITECTURES[student](num_classes=CLASSES).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    objective = torch.nn.CrossEntropyLoss()
    images = torch.randn(batch, 3, size, size)
    labels = torch.randint(CLASSES, (batch,))
    durations = []
    for _ in range(WARM_UP + steps):
        begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = objective(network(images), labels)
        loss.backward()
        optimizer.step()
        durations.append(time.perf_counter() - begin)
    return durations[WARM_UP:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--student", choices=sorted(ARCHITECTURES), required=True)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    durations = seconds_of_steps(options.student, options.size, options.batch, options.steps)
    json.dump(
        {
            "student": options.student,
            "backend": "pytorch " + torch.__version__,
            "size": options.size,
            "batch": options.batch,
            "threads": options.threads,
            "seconds_per_step": statistics.median(durations),
            "all": durations,
            "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        },
        sys.stdout,
    )
    print()


if __name__ == "__main__":
    main()
