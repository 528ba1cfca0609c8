"""What the examples have in common: a build, the same answers four ways, and a picture of the layers."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

import flowc

__all__ = ["Array", "Score", "arguments", "draw_layers", "load_test", "right", "show"]

Array = NDArray[Any]
Score = Callable[[Array, Array], float]
"""Share of right answers: outputs of the model, labels."""

BUILD = Path(__file__).resolve().parents[1] / "build"


def right(scores: Array, labels: Array) -> float:
    """Of a classifier: its greatest score is the label's."""
    return float((scores.reshape(len(scores), -1).argmax(1) == labels).mean())


def arguments(about: str | None, target: str = "ultra96") -> argparse.Namespace:
    """The options of every example: ``--target``, ``--output`` and ``--no-csim``."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default=target, help=f"board (default: {target})")
    parser.add_argument("--output", type=Path, default=BUILD, help="where the design and the picture are written")
    parser.add_argument("--no-csim", action="store_true", help="do not compile the generated C++ (needs g++)")
    return parser.parse_args()


def load_test(folder: Path) -> tuple[Array, Array]:
    """``test.npz``: x, labels."""
    with np.load(folder / "test.npz") as stored:
        return stored["x"], stored["labels"]


def show(
    model: Path,
    x: Array,
    labels: Array,
    options: argparse.Namespace,
    *,
    score: Score = right,
    csim: int = 64,
    **build: Any,
) -> flowc.Design:
    """Builds the model and prints its figures and its score under onnxruntime, in the emulator and as compiled C++.

    Args:
        csim: samples that the C++ runs.

    Raises:
        SystemExit: the three do not agree.
    """
    folder = options.output / model.parent.name
    design = flowc.build(str(model), target=options.target, output=str(folder), force=True, **build)
    report = design.report
    print(f"{report['fps']:,.0f} frames/s, {report['latency_ms']:.3f} ms, bottleneck {report['bottleneck']} (modelled)")
    print(", ".join(f"{key} {value:,}" for key, value in report["resources"].items() if value))
    found = report["verification"]
    print(f"{found['values']:,} integers compared with onnxruntime: {found['mismatches']} differ")
    answers = {"emulator": design.run(x)}
    if _plain(model):
        answers["onnxruntime"] = _by_onnxruntime(model, x)
    for name, given in answers.items():
        print(f"{name:12} {score(given, labels):7.2%} of {len(x)} samples right")
    if not options.no_csim:
        few = design.csim(x[:csim])
        print(f"{'C++':12} {score(few, labels[:csim]):7.2%} of {len(few)} samples right")
        if not np.array_equal(few, answers["emulator"][:csim]):
            raise SystemExit("the generated C++ and the emulator differ")
    draw_layers(report, folder / "layers.svg")
    print(f"report: {folder / 'report.html'}, picture: {folder / 'layers.svg'}")
    return design


def _by_onnxruntime(model: Path, x: Array) -> Array:
    """The model as it is written: fused, its products of bytes saturate on processors without VNNI."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model, options)
    found: Array = session.run(None, {session.get_inputs()[0].name: x})[0]
    return found


def _plain(model: Path) -> bool:
    """Whether onnxruntime itself can run the file: it has no operator of QONNX."""
    return all(node.domain in ("", "ai.onnx", "ai.onnx.ml") for node in onnx.load(model).graph.node)


def draw_layers(report: dict[str, Any], path: Path) -> None:
    """Cycles of each layer against the interval, and its look-up tables."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "flowc"
    from matplotlib import pyplot

    layers = [
        layer
        for layer in report["layers"]
        if layer["unit"] in ("mvtu", "vvtu", "pool", "join", "global_sum", "activate")
    ]
    names = [layer["name"] for layer in layers]
    height = 1.2 + 0.3 * len(layers)
    figure, (cycles, luts) = pyplot.subplots(1, 2, figsize=(10, height), sharey=True, layout="constrained")
    cycles.barh(names, [layer["cycles"] for layer in layers], color="#3f6fd8")
    cycles.axvline(report["interval_cycles"], color="#d8683f", label="interval")
    cycles.set(xlabel="cycles per frame")
    cycles.legend()
    luts.barh(names, [layer["lut"] or 0 for layer in layers], color="#7a8fb8")
    luts.set(xlabel="look-up tables (modelled)")
    cycles.invert_yaxis()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
