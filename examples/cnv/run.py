"""Brevitas' CNV, binary, built at three rates beside what FINN estimates for it, verified, and compared with Brevitas itself.

Needs flowc[csim,plot] and g++. With flowc[brevitas] the network is Brevitas' own, else one of the same layers and bits.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import flowc
from benchmarks.models import write_model
from examples.showing import Array, arguments, draw_layers

IMAGES = 8
CSIM_IMAGES = 2


@dataclass(frozen=True)
class Estimate:
    """What FINN's estimate reports say (main branch of April 2026), CNV-W1A1, Ultra96, 100 MHz; nothing is synthesized."""

    wanted: int  # frames/s, its target_fps
    fps: int
    lut: int
    bram18: int
    latency_ms: float


FINN = (
    Estimate(1_000, 1_017, 14_526, 121, 9.4),
    Estimate(3_000, 3_028, 25_785, 140, 4.3),
    Estimate(10_000, 7_972, 59_873, 249, 1.6),
)
BUILT = FINN[1].wanted


def network(folder: Path) -> tuple[Path, Callable[[Array], Array] | None]:
    """The model's file, and Brevitas' own answers if it is installed."""
    if any(importlib.util.find_spec(name) is None for name in ("torch", "brevitas", "brevitas_examples")):
        print("Brevitas is not installed: a network of the same layers and bits")
        return write_model("cnv-1w1a", folder), None
    import torch

    from examples.cnv.export import export

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "cnv_1w1a.onnx"
    net = export("cnv_1w1a", path)

    def answers(x: Array) -> Array:
        with torch.no_grad():
            return np.asarray(net(torch.from_numpy(x)))

    return path, answers


def compare(reports: list[dict[str, Any]]) -> None:
    """A line for each rate and tool."""
    print(f"{'wanted':>8}  {'tool':6}{'frames/s':>10}{'LUT':>9}{'BRAM18':>8}{'DSP':>5}{'latency':>10}")
    for finn, report in zip(FINN, reports, strict=True):
        used = report["resources"]
        rows = (
            ("FINN", finn.fps, finn.lut, finn.bram18, 0, finn.latency_ms),
            ("flowc", report["fps"], used["lut"], used["bram18"], used["dsp"], report["latency_ms"]),
        )
        for tool, fps, lut, bram, dsp, latency in rows:
            print(f"{finn.wanted:>8,}  {tool:6}{fps:>10,.0f}{lut:>9,}{bram:>8,}{dsp:>5,}{latency:>7.2f} ms")


def draw(reports: list[dict[str, Any]], path: Path) -> None:
    """Look-up tables and block RAM against the rate, of both tools."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "flowc"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for axis, name, label in zip(axes, ("lut", "bram18"), ("look-up tables", "block RAMs of 18 kb"), strict=True):
        theirs, ours = [getattr(e, name) for e in FINN], [r["resources"][name] for r in reports]
        axis.plot([e.fps for e in FINN], theirs, "s-", color="#d8683f", label="FINN's estimate")
        axis.plot([r["fps"] for r in reports], ours, "o-", color="#3f6fd8", label="flowc's model")
        axis.set(xlabel="frames per second", ylabel=label, xscale="log", ylim=0)
        axis.legend()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    options = arguments(__doc__)
    folder = options.output / "cnv"
    model, brevitas = network(options.output / "models" / "cnv")
    design = flowc.build(model, target=options.target, fps=BUILT, output=folder, force=True)
    found = design.report["verification"]
    print(f"{found['values']:,} integers compared with onnxruntime: {found['mismatches']} differ")
    x = (np.random.default_rng(0).integers(0, 256, (IMAGES, 3, 32, 32)) / 255).astype(np.float32)
    emulated = design.run(x)
    if brevitas is not None:
        expected = brevitas(x)
        if not np.allclose(emulated, expected, rtol=1e-5, atol=1e-5):  # rounding; a step of the outputs is 0.1
            raise SystemExit("Brevitas and the emulator differ")
        print(f"Brevitas gives the same {expected.size} outputs for {IMAGES} images")
    if not options.no_csim:
        if not np.array_equal(design.csim(x[:CSIM_IMAGES]), emulated[:CSIM_IMAGES]):
            raise SystemExit("the generated C++ and the emulator differ")
        print(f"the generated C++ gives the same for {CSIM_IMAGES} of them")
    reports = [
        design.report if e.wanted == BUILT else flowc.estimate(model, target=options.target, fps=e.wanted) for e in FINN
    ]
    compare(reports)
    draw_layers(design.report, folder / "layers.svg")
    draw(reports, folder / "rates.svg")
    print(f"report: {folder / 'report.html'}, pictures: {folder / 'layers.svg'}, {folder / 'rates.svg'}")


if __name__ == "__main__":
    main()
