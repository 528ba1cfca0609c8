"""The roofline: operations per byte against operations per second, both on logarithmic axes (Williams, Waterman, Patterson, CACM 2009)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from flowc.report.text import amount

__all__ = ["Roofline", "draw_roofline"]

Report = Mapping[str, Any]

WIDTH, HEIGHT = 640, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 16, 16, 44
_MOST_POINTS = 400


class Point(NamedTuple):
    """A layer or the whole network: where, and what a tooltip says."""

    x: float
    y: float
    name: str
    intensity: float
    gops: float
    whole: bool = False


class Tick(NamedTuple):
    """A line of the grid and its label."""

    at: float
    text: str


class Roofline(NamedTuple):
    """The drawing: the roof as a path, points, grid."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    roof: str
    xs: list[Tick]
    ys: list[Tick]
    points: list[Point]
    peak: float
    peak_y: float
    bandwidth: float | None
    attainable: float | None


class _Axes(NamedTuple):
    """Powers of ten that the axes span."""

    x0: int
    x1: int
    y0: int
    y1: int

    def x(self, value: float) -> float:
        part = (math.log10(value) - self.x0) / (self.x1 - self.x0)
        return round(_LEFT + part * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        part = (math.log10(value) - self.y0) / (self.y1 - self.y0)
        return round(HEIGHT - _BOTTOM - part * (HEIGHT - _TOP - _BOTTOM), 1)


def draw_roofline(report: Report) -> Roofline | None:
    """The drawing; None for a report without the figures, or a network that multiplies nothing."""
    found = report.get("roofline")
    if not found or not found["peak_gops"] or not found["reached_gops"] or not found["operations_per_byte"]:
        return None
    peak, bandwidth = float(found["peak_gops"]), (report.get("traffic") or {}).get("available_gbytes_per_s")
    whole = (str(report["model"]["name"]), float(found["operations_per_byte"]), float(found["reached_gops"]), True)
    places = [*_layers(report), whole]
    knee = peak / bandwidth if bandwidth else whole[1]
    inner = [i for _, i, _, _ in places] + [knee]
    heights = [g for _, _, g, _ in places] + [peak]
    axes = _Axes(
        math.floor(math.log10(min(inner)) - 0.1),
        math.ceil(math.log10(max(inner)) + 0.1),
        math.floor(math.log10(min(heights)) - 0.1),
        math.ceil(math.log10(max(heights)) + 0.1),
    )
    right, low = 10.0**axes.x1, 10.0**axes.y0
    roof = f"M{axes.x(knee)},{axes.y(peak)} H{axes.x(right)}"
    if bandwidth:
        start = max(10.0**axes.x0, low / bandwidth)
        roof = f"M{axes.x(start)},{axes.y(start * bandwidth)} L{axes.x(knee)},{axes.y(peak)} H{axes.x(right)}"
    else:
        roof = f"M{_LEFT},{axes.y(peak)} H{axes.x(right)}"
    return Roofline(
        WIDTH,
        HEIGHT,
        _LEFT,
        WIDTH - _RIGHT,
        _TOP,
        HEIGHT - _BOTTOM,
        roof,
        [Tick(axes.x(10.0**k), amount(10.0**k)) for k in range(axes.x0, axes.x1 + 1)],
        [Tick(axes.y(10.0**k), amount(10.0**k)) for k in range(axes.y0, axes.y1 + 1)],
        [Point(axes.x(i), axes.y(g), n, i, g, w) for n, i, g, w in places],
        peak,
        axes.y(peak),
        bandwidth,
        found["attainable_gops"],
    )


def _layers(report: Report) -> list[tuple[str, float, float, bool]]:
    """Name, operations per byte and gigaoperations per second of each layer that goes through external memory."""
    if report["execution"] != "loopback":
        return []
    batch, clock, found = report["batch"], report["clock_mhz"], []
    for layer in report["layers"][:_MOST_POINTS]:
        moved = layer["ddr_read_bytes"] + layer["ddr_write_bytes"]
        if layer["macs"] and moved and layer["cycles"]:
            gops = 2 * layer["macs"] / layer["cycles"] * clock / 1e3
            found.append((str(layer["name"]), 2 * layer["macs"] * batch / moved, gops, False))
    return found
