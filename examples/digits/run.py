"""Builds both digits networks with flowc and counts right answers on the whole test set, four times over.

torch's accuracy was measured when the networks were trained (`accuracy.json`); onnxruntime runs the network with its
quantizers written out in standard operators; then come flowc's emulator, and the generated C++ compiled with g++.
The exit status is 1 if the last three do not name the same digit for every image. Needs no torch.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import flowc
from flowc.errors import FlowcError
from flowc.importer import load_model
from flowc.model.reference import Reference

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build"
NETWORKS = ("cnn_w4a4", "cnn_w1a1")
COLUMNS = ("torch", "onnxruntime", "emulator", "C++")

Array = npt.NDArray[Any]


def answers(network: str, target: str, x: Array) -> dict[str, Array]:
    """The digit each of flowc's three executions names for each image, (N,) each."""
    model = HERE / f"digits_{network}.onnx"
    design = flowc.build(model, target=target, output=BUILD / f"digits_{network}-{target}", force=True)
    logits = {
        "onnxruntime": Reference(load_model(model)).run({"x": x})["y"],
        "emulator": design.run(x),
        "C++": design.csim(x),
    }
    return {name: y.argmax(axis=1) for name, y in logits.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default="ultra96", help="board to build for (default: ultra96)")
    target = parser.parse_args().target

    with np.load(HERE / "digits_test.npz") as stored:
        x, labels = stored["x"], stored["labels"]
    trained = json.loads((HERE / "accuracy.json").read_text(encoding="utf-8"))["torch"]

    print(f"{'accuracy':10}" + "".join(f"{name:>13}" for name in COLUMNS) + f"   on {len(labels)} images")
    equal = True
    for network in NETWORKS:
        named = answers(network, target, x)
        shares = [trained[network], *((digits == labels).mean() for digits in named.values())]
        same = all(np.array_equal(digits, named["onnxruntime"]) for digits in named.values())
        equal &= same
        row = f"{network:10}" + "".join(f"{share:13.2%}" for share in shares)
        print(row + ("" if same else "   onnxruntime, emulator and C++ disagree"), flush=True)
    return 0 if equal else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FlowcError as error:
        print(f"run.py: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
