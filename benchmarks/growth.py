"""How a build's time and memory grow: with the number of layers, of weights, and with the image.

Every point is one ``flowc build`` in a process of its own, by the operating system's account of it:

    python -m benchmarks.growth [--only layers|weights|image] [--json FILE] [--plot FILE]
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

from benchmarks.metered import metered
from benchmarks.models import Model

__all__ = ["SERIES", "exponents", "measure"]


@dataclass(frozen=True)
class Point:
    """One build: its size along the series, CPU seconds of user and system, and the peak of resident memory in bytes."""

    size: int
    cpu_s: float
    peak_bytes: int


@dataclass(frozen=True)
class Series:
    """Models of growing size, and the options of their builds."""

    unit: str
    sizes: tuple[int, ...]
    model: Callable[[int], onnx.ModelProto]
    options: tuple[str, ...]


def layers(count: int) -> onnx.ModelProto:
    """``count`` 3x3 convolutions of 8 channels on 8 x 8 pixels."""
    m = Model("layers", (3, 8, 8), weight_bits=4, bits=4)
    x, cin = m.image(), 3
    for _ in range(count - 1):
        x, cin = m.layer(x, cin, 8, pad=1), 8
    return m.done(m.conv(x, cin, 8, pad=1))


def weights(count: int) -> onnx.ModelProto:
    """Two dense layers with ``count`` 4-bit weights together."""
    width = round((count / 2) ** 0.5)
    m = Model("weights", (width,), weight_bits=4, bits=4)
    x = m.active(m.normed(m.dense(m.image(), width, width), width))
    return m.done(m.dense(x, width, width))


def image(side: int) -> onnx.ModelProto:
    """Four convolutions on 3 x ``side`` x ``side`` pixels, halved twice."""
    m = Model("image", (3, side, side), weight_bits=4, bits=4)
    x = m.layer(m.image(), 3, 16, stride=2, pad=1)
    x = m.layer(x, 16, 16, pad=1)
    x = m.layer(x, 16, 32, stride=2, pad=1)
    return m.done(m.conv(x, 32, 32, pad=1))


SERIES = {
    "layers": Series("convolutions", (10, 30, 100, 300, 1000), layers, ("--no-verify", "--target", "u250", "--fps", "1")),
    "weights": Series("weights", (10**4, 10**5, 10**6, 10**7, 10**8), weights,
                      ("--no-verify", "--target", "ultra96", "--execution", "loopback")),
    "image": Series("pixels a side", (80, 160, 320, 640), image, ("--target", "u250", "--fps", "1")),
}  # fmt: skip


def measure(series: Series, sizes: tuple[int, ...]) -> Iterator[Point]:
    """Builds the models one after the other. Raises RuntimeError where a build fails."""
    with tempfile.TemporaryDirectory() as scratch:
        for size in sizes:
            path = Path(scratch) / "net.onnx"
            onnx.save(series.model(size), path)
            command = [
                sys.executable,
                "-m",
                "flowc",
                "build",
                path,
                *series.options,
                "-o",
                Path(scratch) / "out",
                "--force",
            ]
            cost = metered(command)
            yield Point(size, cost.cpu_s, cost.peak_bytes)


def exponents(points: list[Point]) -> list[float]:
    """Of each step, p in CPU time ~ size**p, the first point's time, which is start-up, taken off; at most 1 is linear.

    NaN where a point takes no longer than start-up.
    """
    base = points[0].cpu_s
    return [_exponent(a, b, base) for a, b in itertools.pairwise(points[1:])]


def _exponent(a: Point, b: Point, base: float) -> float:
    if min(a.cpu_s, b.cpu_s) <= base:
        return math.nan
    return math.log((b.cpu_s - base) / (a.cpu_s - base)) / math.log(b.size / a.size)


def _plot(found: dict[str, list[Point]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    mpl.rcParams["svg.fonttype"] = "none"  # text stays text, which is small
    figure, axes = plt.subplots(2, len(found), figsize=(4 * len(found), 6), squeeze=False, layout="constrained")
    for column, (name, points) in zip(axes.T, found.items(), strict=True):
        sizes = [p.size for p in points]
        for axis, values, label in (
            (column[0], [p.cpu_s for p in points], "CPU seconds"),
            (column[1], [p.peak_bytes / 1e6 for p in points], "peak memory, MB"),
        ):
            axis.loglog(sizes, values, "o-", label="flowc build")
            axis.loglog(sizes, [values[-1] * s / sizes[-1] for s in sizes], ":", color="grey", label="linear")
            axis.set(xlabel=SERIES[name].unit, ylabel=label, ylim=(min(values) / 2, max(values) * 2))
            axis.legend()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=SERIES, action="append", help="one series (may be repeated)")
    parser.add_argument("--most", type=int, help="the largest size to build")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    found: dict[str, list[Point]] = {}
    for name in options.only or SERIES:
        series = SERIES[name]
        sizes = tuple(s for s in series.sizes if options.most is None or s <= options.most)
        print(f"{series.unit:>16} {'CPU s':>8} {'peak MB':>8}")
        found[name] = []
        for point in measure(series, sizes):
            found[name].append(point)
            print(f"{point.size:16,} {point.cpu_s:8.2f} {point.peak_bytes / 1e6:8.0f}", flush=True)
        if len(sizes) > 2:
            print(
                "  CPU ~ size ** "
                + ", ".join("-" if math.isnan(p) else f"{p:.2f}" for p in exponents(found[name]))
                + "\n",
                flush=True,
            )
    content: dict[str, Any] = {name: [asdict(p) for p in points] for name, points in found.items()}
    if options.json:
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        _plot(found, options.plot)


if __name__ == "__main__":
    main()
