"""The staircases of activations, for report.json: where their steps are, and which of them the model leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from flowc.model.dtypes import distinct
from flowc.units import Unit
from flowc.units.activation import Activation, Table
from flowc.units.base import Array
from flowc.units.graph import Dataflow

__all__ = ["staircases"]

_MOST_STEPS = 6_000
"""Steps of all staircases together: a report of a large network stays a page."""
_LONGEST = 512
"""Steps of one staircase; finer ones are left out."""
_GRID = 4096
_MOST_WINDOWS = 64

Windows = Mapping[str, tuple[Array, Array]]


def staircases(graph: Dataflow, windows: Windows) -> list[dict[str, Any]]:
    """One channel of every activation, the one with the most open integers: docs/report-json.md, ``activations``.

    Args:
        graph: units of any folding.
        windows: tensor -> (low, high), where the model leaves results open, as of `flowc.streamline.compile.Compiled`.
    """
    found: list[dict[str, Any]] = []
    left = _MOST_STEPS
    for unit in graph:
        activation = getattr(unit, "activation", None)
        if not isinstance(activation, Activation):
            continue
        stairs = _of(unit, activation, _open(graph, unit, windows))
        if stairs is not None and len(stairs["at"]) <= left:
            left -= len(stairs["at"])
            found.append(stairs)
    return found


def _open(graph: Dataflow, unit: Unit, windows: Windows) -> tuple[Array, Array]:
    """Ends of the windows of a unit's activation, (sets, K)."""
    tensors = [s.tensor for s in graph.out_of(unit.name) if s.tensor in windows]
    none = np.empty((1, 0), np.int64)
    return windows[tensors[0]] if tensors and tensors[0] is not None else (none, none)


def _of(unit: Unit, activation: Activation, windows: tuple[Array, Array]) -> dict[str, Any] | None:
    low, high = windows
    sets, channels = len(low), unit.outputs[0].c
    inside = np.maximum(high - low, 0).sum(axis=1) if low.size else np.zeros(sets, np.int64)
    worst = int(inside.argmax())
    channel = worst % channels
    ends = _domain(activation, channel)
    if ends is None:
        return None
    lo, hi = ends
    at, levels = _steps(activation.select(np.array([channel])), lo, hi)
    if len(at) > _LONGEST:
        return None
    spans = [[int(a), int(b)] for a, b in zip(low[worst], high[worst], strict=True) if a < b]
    return {
        "layer": unit.name,
        "form": activation.kind,
        "channel": channel,
        "channels": channels,
        "lo": lo,
        "hi": hi,
        "at": at.tolist(),
        "levels": levels.tolist(),
        "windows": spans[:_MOST_WINDOWS],
        "open_values": int(inside[worst]),
    }


def _domain(activation: Activation, channel: int) -> tuple[int, int] | None:
    """Least and greatest argument of a channel; None where the design does not say (designs of earlier versions)."""
    if activation.domain is not None:
        lo, hi = activation.domain[channel if len(activation.domain) > 1 else 0]
        return int(lo), int(hi)
    if isinstance(activation, Table):
        return activation.lo, activation.lo + int(activation.values.shape[1]) - 1
    return None


def _steps(activation: Activation, lo: int, hi: int) -> tuple[Array, Array]:
    """Arguments at which the result changes, and the results: one more. Between points of a grid it rises or falls, not both."""
    points = distinct(np.linspace(lo, hi, min(_GRID, hi - lo + 1)).round().astype(np.int64))
    points = np.clip(points, lo, hi)

    def results(at: Array) -> Array:
        return activation.apply(at[:, None])[:, 0].astype(np.int64)

    values = results(points)
    while True:
        changed = np.flatnonzero((values[1:] != values[:-1]) & (points[1:] - points[:-1] > 1))
        if not changed.size or changed.size > _GRID:
            break
        middles = (points[changed] + points[changed + 1]) // 2
        points = np.insert(points, changed + 1, middles)
        values = np.insert(values, changed + 1, results(middles))
    steps = np.flatnonzero(values[1:] != values[:-1]) + 1
    return points[steps], np.concatenate([values[:1], values[steps]])
