"""One network in both execution styles: as many frames as fit, one image at a time, a rate that both reach; a table and a plot.

Every design is verified against onnxruntime when it is built, and two of them run the digits test set: the emulated hardware and the
generated C++, compiled with g++, must name the same digits. Exit status 1 if they do not. Needs flowc[csim,plot] and g++.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import flowc
from flowc.errors import FlowcError
from flowc.exploration.points import Point

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "loopback_and_dataflow"
DIGITS = HERE.parent / "digits"
NETWORK, OTHER = DIGITS / "digits_cnn_w4a4.onnx", DIGITS / "digits_cnn_w1a1.onnx"
RATE = 20_000
RANGE = (1_000, 600_000)
POINTS = 8
IMAGES = 36


@dataclass(frozen=True)
class Case:
    """A design: what it is called, and what is asked of `flowc.build`."""

    title: str
    options: dict[str, Any]


CASES = (
    Case("dataflow, most fps", {"execution": "dataflow"}),
    Case(f"dataflow, {RATE:,} fps", {"execution": "dataflow", "fps": RATE}),
    Case("loopback, most fps", {"execution": "loopback"}),
    Case(f"loopback, {RATE:,} fps", {"execution": "loopback", "fps": RATE}),
    Case("loopback, one image", {"execution": "loopback", "batch": 1}),
)
COLUMNS = ("fps", "ms", "images at once", "LUT", "BRAM18", "DSP", "bytes per image", "uJ (estimate)")


def folder_of(case: Case, output: Path) -> Path:
    """Where a design is written."""
    return output / case.title.replace(", ", "-").replace(" ", "-").replace(",", "")


def row(report: dict[str, Any]) -> list[str]:
    """The figures of a report, as the table shows them."""
    used = report["resources"]
    return [
        f"{report['fps']:,.0f}",
        f"{report['latency_ms']:.3f}",
        f"{report.get('batch', 1)}",
        *(f"{used[key]:,}" for key in ("lut", "bram18", "dsp")),
        f"{report['traffic']['bytes_per_image']:,.0f}",
        f"{report['energy']['per_image_uj']:.2f}",
    ]


def same_digits(designs: dict[str, flowc.Design]) -> bool:
    """Whether designs, and their C++, name the same digits; prints how many are right."""
    with np.load(DIGITS / "digits_test.npz") as stored:
        x, labels = stored["x"][:IMAGES], stored["labels"][:IMAGES]
    named = {}
    for title, design in designs.items():
        named[title] = design.run(x).argmax(axis=1)
        named[f"{title}, C++"] = design.csim(x).argmax(axis=1)
    first, *others = named.values()
    for title, digits in named.items():
        print(f"{title:30} {(digits == labels).mean():.2%} of {IMAGES} images right")
    return all(np.array_equal(first, digits) for digits in others)


def draw(fronts: dict[str, Sequence[Point]], target: str, path: Path) -> None:
    """Look-up tables and latency against frames per second."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "flowc"
    from matplotlib import pyplot

    figure, (area, time) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for (style, points), mark in zip(fronts.items(), "os", strict=True):
        fps = [p.fps for p in points]
        area.plot(fps, [(p.lut or 0) / 1000 for p in points], marker=mark, label=style)
        time.plot(fps, [p.latency_ms for p in points], marker=mark, label=style)
    area.set(
        xscale="log",
        xlabel="frames per second",
        ylabel="look-up tables, thousands",
        title=f"Area on {target} (modelled)",
    )
    time.set(
        xscale="log",
        yscale="log",
        xlabel="frames per second",
        ylabel="ms",
        title="From the first input to the last output",
    )
    for axes in (area, time):
        axes.grid(visible=True, which="both", alpha=0.3)
        axes.legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default="ultra96", help="board (default: ultra96)")
    parser.add_argument("--output", type=Path, default=BUILD, help="folder of the designs and of the picture")
    options = parser.parse_args()
    designs, wide = {}, max(len(case.title) for case in CASES)
    print(" " * wide + "".join(f"{name:>16}" for name in COLUMNS))
    for case in CASES:
        design = flowc.build(
            NETWORK, target=options.target, output=folder_of(case, options.output), force=True, **case.options
        )
        print(f"{case.title:{wide}}" + "".join(f"{cell:>16}" for cell in row(design.report)), flush=True)
        designs[case.title] = design
    engine = folder_of(CASES[2], options.output) / "engine.json"
    other = flowc.build(OTHER, target=options.target, engine=engine, output=options.output / "other", force=True)
    print(f"{OTHER.stem} on the same engine: {other.report['fps']:,.0f} fps")
    equal = same_digits({title: designs[title] for title in (CASES[1].title, CASES[3].title)})
    fronts = {
        style: flowc.explore(
            NETWORK, [options.target], fps_range=RANGE, count=POINTS, execution=style, workers=None
        ).front
        for style in ("dataflow", "loopback")
    }
    draw(fronts, options.target, options.output / "both.svg")
    print(f"picture: {options.output / 'both.svg'}")
    return 0 if equal else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FlowcError as error:
        print(f"run.py: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
