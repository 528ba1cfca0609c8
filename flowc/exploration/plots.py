"""Pictures of sweeps: a file by matplotlib, text by plotille. Both are optional (``pip install 'flowc[plot]'``)."""

from __future__ import annotations

import importlib
import importlib.util
import io
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

from flowc.errors import UsageError, shown
from flowc.exploration.points import Point
from flowc.targets import Target

__all__ = ["KINDS", "chart", "check_installed", "installed", "picture", "tightest"]

KINDS = ("svg", "png", "pdf")
"""Kinds of picture files."""

_PANELS = (("lut", "LUT"), ("bram18", "BRAM18"), ("dsp", "DSP"), ("uram", "URAM"))
_COLORS = ("cyan", "yellow", "magenta", "green", "red", "blue")
_MARKS = "oxabcdefgh"


class Drawable(Protocol):
    """What a picture needs of a sweep (`flowc.exploration.sweep.Sweep`)."""

    @property
    def model(self) -> str:
        """Name of the model."""

    @property
    def targets(self) -> Sequence[Target]:
        """The boards."""

    @property
    def front(self) -> Sequence[Point]:
        """The points that no other of the same board beats, ascending rates per board."""


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    return package in sys.modules or importlib.util.find_spec(package) is not None


def check_installed(package: str) -> None:
    """Raises UsageError where a package that plots need is missing."""
    if not installed(package):
        raise UsageError(f"a plot needs the package '{package}'", remedy="Install it with: pip install 'flowc[plot]'")


def tightest(point: Point, available: Mapping[str, int]) -> tuple[float, str]:
    """The largest share of a resource that a point with figures uses, and which resource that is."""
    used = {name: getattr(point, name) or 0 for name, _ in _PANELS}
    return max((used[name] / available[name] if available[name] else 0.0, name) for name in used)


def picture(sweep: Drawable, kind: str) -> bytes:
    """A panel per resource: what each rate costs, a line per board, and dashed what the board has.

    Raises:
        UsageError: matplotlib is missing, or ``kind`` is none of `KINDS`.
    """
    if kind not in KINDS:
        raise UsageError(f"a plot can't be '{shown(kind)}'; allowed are {', '.join(KINDS)}", remedy="Give one of these")
    check_installed("matplotlib")
    matplotlib, figures = importlib.import_module("matplotlib"), importlib.import_module("matplotlib.figure")
    front = sweep.front
    panels = [(key, name) for key, name in _PANELS if key != "uram" or any(p.uram for p in front)]
    rows = math.ceil((len(panels) + 1) / 2)
    with matplotlib.rc_context({"svg.hashsalt": "flowc", "svg.fonttype": "none"}):
        figure = figures.Figure(figsize=(10, 3.6 * rows), layout="constrained")
        axes = list(figure.subplots(rows, 2, squeeze=False).flat)
        for axis, (key, name) in zip(axes, [*panels, ("latency_ms", "latency in ms")], strict=False):
            highest = 1
            for i, target in enumerate(sweep.targets):
                points = [p for p in front if p.target == target.name]
                values = [getattr(p, key) for p in points]
                axis.plot([p.fps for p in points], values, marker="o", markersize=4, color=f"C{i}", label=target.name)
                highest = max([highest, *(v for v in values if v is not None)])
            for i, target in enumerate(sweep.targets):
                limit = target.available.get(key, 0)
                if 0 < limit <= 4 * highest:
                    axis.axhline(limit, color=f"C{i}", linestyle="--", linewidth=1)
            axis.set(xscale="log", xlabel="frames per second", ylabel=name)
            axis.set(yscale="log") if key == "latency_ms" else axis.set(ylim=(0, None))
            axis.grid(visible=True, which="both", alpha=0.25)
        for axis in axes[len(panels) + 1 :]:
            axis.set_axis_off()
        axes[0].legend()
        title = f"{shown(sweep.model, 60)}: modelled resources; dashed: what the board has"
        figure.suptitle(title, parse_math=False)
        out = io.BytesIO()
        figure.savefig(out, format=kind, metadata={"Date": None} if kind == "svg" else None)
    return out.getvalue()


def chart(sweep: Drawable, width: int, height: int, *, color: bool = False) -> str:
    """Text: the share of each board's tightest resource against frames per second (a logarithmic scale).

    Args:
        sweep: what was found.
        width, height: in characters, axes included.
        color: whether to color the lines by escape sequences, where stdout is a terminal.

    Raises:
        UsageError: plotille is missing.
    """
    check_installed("plotille")
    figure = importlib.import_module("plotille").Figure()
    figure.width, figure.height = max(20, width - 22), max(5, height - 7 - len(sweep.targets))
    figure.with_colors = color
    figure.x_label, figure.y_label = "fps", "full"
    figure.x_ticks_fkt = lambda low, high: f"{10**low:,.0f}" if low < 3 else f"{10**low / 1000:,.3g}k"
    figure.y_ticks_fkt = lambda low, high: f"{low:.0%}"
    front = sweep.front
    for i, target in enumerate(sweep.targets):
        points = [p for p in front if p.target == target.name]
        if points:
            figure.plot(
                [math.log10(p.fps or 1.0) for p in points],
                [tightest(p, target.available)[0] for p in points],
                label=target.name,
                lc=_COLORS[i % len(_COLORS)] if color else None,
                marker=_MARKS[i % len(_MARKS)],
            )
    rates = [math.log10(p.fps or 1.0) for p in front]
    figure.set_x_limits(min(rates) - 0.02, max(rates) + 0.02)
    figure.set_y_limits(0, max(1.0, *(tightest(p, _available(sweep, p))[0] for p in front)))
    text: str = figure.show(legend=True)
    return "\n".join(line.rstrip(" \u2800") for line in text.splitlines())


def _available(sweep: Drawable, point: Point) -> Mapping[str, int]:
    return next(target.available for target in sweep.targets if target.name == point.target)
