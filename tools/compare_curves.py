"""Compares the loss curves of two records of the same cell on different backends; exit status 1 when they part.

    python3 tools/compare_curves.py REFERENCE.json OTHER.json [--tolerance 0.05]
"""

import argparse
import json
import sys


def losses(path):
    """Mean loss of each epoch of a record."""
    with open(path, encoding="utf-8") as file:
        return [epoch["loss"] for epoch in json.load(file)["result"]["curves"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("reference")
    parser.add_argument("other")
    parser.add_argument("--tolerance", type=float, default=0.05, help="largest relative difference of an epoch's loss")
    options = parser.parse_args()
    reference, other = losses(options.reference), losses(options.other)
    if not reference or len(reference) != len(other):
        sys.exit(f"{len(reference)} epochs against {len(other)}: not the same cell")
    worst = 0.0
    for epoch, (a, b) in enumerate(zip(reference, other), start=1):
        difference = abs(a - b) / max(abs(a), 1e-12)
        worst = max(worst, difference)
        print(f"epoch {epoch}: {a:.6f} {b:.6f}  relative difference {difference:.2e}")
    if not worst <= options.tolerance:
        sys.exit(f"the curves part: {worst:.2e} is more than {options.tolerance:g}")
    print(f"the curves agree: largest relative difference {worst:.2e}")


if __name__ == "__main__":
    main()
