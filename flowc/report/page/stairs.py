"""Staircases of activations: results over accumulator values, with the windows that the model leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from markupsafe import Markup

from flowc.report.text import number

__all__ = ["Staircase", "draw_stairs"]

WIDTH, HEIGHT = 640, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 12, 40
_LEAST_BAND = 2.0
_SAID = 8


class Band(NamedTuple):
    """An open window: left edge, width, and its integers in words."""

    x: float
    width: float
    text: str


class Staircase(NamedTuple):
    """One activation drawn, with the same in words for those who can't see it."""

    layer: str
    form: str
    channel: int
    channels: int
    steps: int
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    path: Markup
    bands: list[Band]
    lo: int
    hi: int
    lowest: int
    highest: int
    open_values: int
    text: str


def draw_stairs(report: Mapping[str, Any]) -> list[Staircase]:
    """A drawing for each entry of ``activations``; none for reports of earlier versions."""
    return [_draw(entry) for entry in report.get("activations") or []]


def _draw(entry: Mapping[str, Any]) -> Staircase:
    lo, hi, at, levels = int(entry["lo"]), int(entry["hi"]), entry["at"], entry["levels"]
    lowest, highest = min(levels), max(levels)
    across, up = max(1, hi - lo), max(1, highest - lowest)

    def x(value: float) -> float:
        return round(_LEFT + (min(max(value, lo), hi) - lo) / across * (WIDTH - _LEFT - _RIGHT), 1)

    def y(level: float) -> float:
        return round(HEIGHT - _BOTTOM - (level - lowest) / up * (HEIGHT - _TOP - _BOTTOM), 1)

    path = f"M{x(lo)},{y(levels[0])}"
    for place, level in zip(at, levels[1:], strict=True):
        path += f"H{x(place)}V{y(level)}"
    path += f"H{x(hi)}"
    spans = [(int(a), int(b)) for a, b in entry["windows"] if b > lo and a <= hi]
    bands = [
        Band(x(a) - _LEAST_BAND / 2, round(max(_LEAST_BAND, x(b) - x(a)), 1), f"open: {_integers(a, b)}")
        for a, b in spans
    ]
    steps = ", ".join(number(int(p)) for p in at[:_SAID]) + (", ..." if len(at) > _SAID else "")
    text = f"results {lowest} to {highest} over sums {number(lo)} to {number(hi)}; steps at {steps or 'none'}"
    if spans:
        text += (
            "; open at "
            + ", ".join(_integers(a, b) for a, b in spans[:_SAID])
            + (", ..." if len(spans) > _SAID else "")
        )
    return Staircase(
        str(entry["layer"]),
        str(entry["form"]),
        entry["channel"],
        entry["channels"],
        len(at),
        WIDTH,
        HEIGHT,
        _LEFT,
        WIDTH - _RIGHT,
        _TOP,
        HEIGHT - _BOTTOM,
        Markup(path),  # noqa: S704 - numbers; as text it would be cut at the length of a name
        bands,
        lo,
        hi,
        lowest,
        highest,
        entry["open_values"],
        text,
    )


def _integers(low: int, high: int) -> str:
    return number(low) if high - low == 1 else f"{number(low)} to {number(high - 1)}"
