"""Fits of all activations of a graph: independent of the engine, so found once."""

from __future__ import annotations

import numpy as np

from flowc.loopback.words import Fit, fit
from flowc.units import Activate, GlobalSum, Join, Mvtu, Pool, Unit, Vvtu
from flowc.units.base import Array
from flowc.units.graph import Dataflow

__all__ = ["argument_range", "fit_all"]


def fit_all(graph: Dataflow) -> dict[str, Fit | None]:
    """Unit -> its activation as the engine applies it, or None where it has no such form."""
    found: dict[str, Fit | None] = {}
    for unit in graph:
        if isinstance(unit, Mvtu | Vvtu | Pool | GlobalSum | Activate | Join):
            found[unit.name] = fit(unit.activation, *argument_range(unit))
    return found


def argument_range(unit: Unit) -> tuple[Array, Array]:
    """Least and greatest argument of a unit's activation per channel, int64 (channels,), from the types of its inputs."""
    if isinstance(unit, Mvtu | Vvtu):
        return _products(unit.weights, unit.frame.dtype.lo, unit.frame.dtype.hi)
    if isinstance(unit, Join):
        return _joined(unit)
    frame = unit.inputs[0]
    count = (
        unit.taps if isinstance(unit, Pool) and unit.op == "sum" else frame.pixels if isinstance(unit, GlobalSum) else 1
    )
    channels = unit.outputs[0].c
    return np.full(channels, count * frame.dtype.lo), np.full(channels, count * frame.dtype.hi)


def _products(weights: Array, lo: int, hi: int) -> tuple[Array, Array]:
    positive = np.maximum(weights, 0).sum(axis=1)
    negative = weights.sum(axis=1) - positive
    return positive * lo + negative * hi, positive * hi + negative * lo


def _joined(unit: Join) -> tuple[Array, Array]:
    a, b = unit.left.dtype, unit.right.dtype
    channels = unit.left.c
    if unit.op == "mul":
        ends = [(p - unit.left_offset) * (q - unit.right_offset) for p in (a.lo, a.hi) for q in (b.lo, b.hi)]
        return np.full(channels, min(ends)), np.full(channels, max(ends))
    left, right = (np.broadcast_to(s, (channels,)) for s in (unit.left_scale, unit.right_scale))
    parts = [(left * a.lo, left * a.hi), (right * b.lo, right * b.hi)]
    return sum(np.minimum(*p) for p in parts), sum(np.maximum(*p) for p in parts)
