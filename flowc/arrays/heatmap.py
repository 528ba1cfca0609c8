"""Heat maps of a sweep as SVG, written directly: rectangles, texts and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from xml.sax.saxutils import escape

from flowc.arrays.counts import Sizes
from flowc.arrays.layers import Network
from flowc.arrays.points import METRICS, ArrayPoint
from flowc.arrays.setup import Setup
from flowc.errors import UsageError, shown

__all__ = ["heat_map"]

_CELL_WIDTH, _CELL_HEIGHT, _GAP = 62, 24, 26
_LETTER = 6.6
_DARKEST = 4.0
"""Times the best at which the colors end."""
_LOW, _HIGH = (0xFF, 0xF7, 0xD6), (0x7A, 0x0C, 0x2E)


@dataclass(frozen=True)
class _Panel:
    """A matrix of values: how many times the best of its network, and what a cell says when it is pointed at."""

    title: str
    row_title: str
    column_title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float]]
    hints: Sequence[Sequence[str]]


class Drawable(Protocol):
    """What a heat map needs of a sweep (`flowc.arrays.sweep.ArraySweep`)."""

    @property
    def networks(self) -> Sequence[Network]:
        """In the order asked for."""

    @property
    def setup(self) -> Setup:
        """What holds for all arrays."""

    @property
    def dataflows(self) -> Sequence[str]:
        """The dataflows."""

    @property
    def heights(self) -> Sizes:
        """Heights of the arrays."""

    @property
    def widths(self) -> Sizes:
        """Widths of the arrays."""

    @property
    def points(self) -> Mapping[str, Sequence[ArrayPoint]]:
        """Network -> its points."""


def heat_map(sweep: Drawable, metric: str = "energy") -> str:
    """The sweep as an SVG document.

    Arrays of one number of elements make a panel per dataflow, a row per network and a column per shape; a grid makes a panel
    per network and dataflow, heights downward and widths to the right. A cell holds the metric relative to the best of its
    network and dataflow.

    Args:
        sweep: what was found.
        metric: one of `flowc.arrays.points.METRICS`, or "utilization".

    Raises:
        UsageError: there is no such metric.
    """
    if metric not in (*METRICS, "utilization"):
        raise UsageError(
            f"there is no metric '{shown(metric)}' to draw", remedy=f"Known are {', '.join(METRICS)}, utilization"
        )
    panels = list(_panels(sweep, metric))
    body: list[str] = []
    y = 46.0
    widest = 0.0
    for panel in panels:
        drawn, width, height = _draw(panel, y)
        body += drawn
        widest = max(widest, width)
        y += height + _GAP
    idle = "idle cells toggle" if sweep.setup.toggles else "idle cells are gated"
    name = {"inter_pe": "movement between elements", "intra_pe": "movement within elements"}.get(metric, metric)
    heading = f"{name} relative to the best of each network and dataflow; {idle}, batch {sweep.setup.batch}"
    width = max(widest, len(heading) * _LETTER) + 24
    frame = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{y:.0f}" '
        f'viewBox="0 0 {width:.0f} {y:.0f}" font-family="sans-serif" font-size="11">'
    )
    start = [frame, '<rect width="100%" height="100%" fill="#fff"/>', _text(12, 22, heading, 'font-size="13"')]
    return "\n".join([*start, *body, "</svg>"]) + "\n"


def _panels(sweep: Drawable, metric: str) -> Iterator[_Panel]:
    heights = list(dict.fromkeys(int(h) for h in sweep.heights))
    widths = list(dict.fromkeys(int(w) for w in sweep.widths))
    best = {
        (name, dataflow): _best([p for p in points if p.dataflow == dataflow], metric)
        for name, points in sweep.points.items()
        for dataflow in sweep.dataflows
    }
    if len(heights) * len(widths) == len(sweep.heights):
        for network in sweep.networks:
            for dataflow in sweep.dataflows:
                points = {(p.height, p.width): p for p in sweep.points[network.name] if p.dataflow == dataflow}
                grid = [[points[h, w] for w in widths] for h in heights]
                yield _panel(
                    f"{network.name}, {dataflow}", "height", "width", [str(h) for h in heights],
                    [str(w) for w in widths], grid, [[best[network.name, dataflow]] * len(widths)] * len(heights), metric,
                )  # fmt: skip
        return
    columns = [f"{int(h)}x{int(w)}" for h, w in zip(sweep.heights, sweep.widths, strict=True)]
    for dataflow in sweep.dataflows:
        grid = [[p for p in sweep.points[n.name] if p.dataflow == dataflow] for n in sweep.networks]
        bests = [[best[n.name, dataflow]] * len(columns) for n in sweep.networks]
        names = [n.name for n in sweep.networks]
        yield _panel(dataflow, "network", "height x width", names, columns, grid, bests, metric)


def _best(points: Sequence[ArrayPoint], metric: str) -> float:
    values = [float(getattr(p, metric)) for p in points]
    return max(values) if metric == "utilization" else min(values)


def _panel(
    title: str,
    row_title: str,
    column_title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    grid: Sequence[Sequence[ArrayPoint]],
    bests: Sequence[Sequence[float]],
    metric: str,
) -> _Panel:
    values = [[_relative(p, b, metric) for p, b in zip(*line, strict=True)] for line in zip(grid, bests, strict=True)]
    hints = [
        [f"{p.height} x {p.width}: {p.cycles:,} cycles, {p.utilization:.1%} used, energy {p.energy:.4g}" for p in line]
        for line in grid
    ]
    return _Panel(title, row_title, column_title, rows, columns, values, hints)


def _relative(point: ArrayPoint, best: float, metric: str) -> float:
    value = float(getattr(point, metric))
    if metric == "utilization":
        value, best = best, value
    if not best:
        return 1.0 if not value else math.inf
    return value / best


def _draw(panel: _Panel, top: float) -> tuple[list[str], float, float]:
    """The elements of a panel, its width and its height."""
    left = 24 + _LETTER * max(len(panel.row_title), *(len(row) for row in panel.rows))
    cell = max(_CELL_WIDTH, _LETTER * max(len(column) for column in panel.columns) + 8)
    lines = [_text(12, top + 12, panel.title, 'font-size="12" font-weight="bold"')]
    lines.append(_text(12, top + 32, panel.row_title, 'fill="#666"'))
    lines.append(_text(left + cell * len(panel.columns) + 8, top + 32, panel.column_title, 'fill="#666"'))
    for j, column in enumerate(panel.columns):
        lines.append(_text(left + cell * (j + 0.5), top + 32, column, 'text-anchor="middle"'))
    for i, row in enumerate(panel.rows):
        y = top + 38 + _CELL_HEIGHT * i
        lines.append(_text(12, y + 16, row))
        for j, value in enumerate(panel.values[i]):
            fill, ink = _colors(value)
            x = left + cell * j
            box = f'<rect x="{x:.0f}" y="{y:.0f}" width="{cell - 1:.0f}" height="{_CELL_HEIGHT - 1}" fill="{fill}">'
            lines.append(f"{box}<title>{escape(panel.hints[i][j])}</title></rect>")
            lines.append(_text(x + cell / 2, y + 16, _figure(value), f'text-anchor="middle" fill="{ink}"'))
    width = left + cell * len(panel.columns) + 8 + _LETTER * len(panel.column_title)
    return lines, width, 38 + _CELL_HEIGHT * len(panel.rows)


def _figure(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:.2f}" if value < 100 else f"{value:.3g}"


def _colors(value: float) -> tuple[str, str]:
    """Of a cell and of its text: a logarithmic scale from the best to `_DARKEST` times the best."""
    share = min(math.log(value) / math.log(_DARKEST), 1.0) if value > 1 else 0.0
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(_LOW, _HIGH, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}", "#fff" if share > 0.5 else "#222"


def _text(x: float, y: float, text: str, attributes: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" {attributes}>{escape(text)}</text>'.replace(" >", ">")
