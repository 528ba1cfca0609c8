"""Activations as step functions, and lines that make the same steps.

A monotone activation adds one to a level at each of its thresholds. Where the thresholds lie nearly evenly, as those of a quantizer
do, a line and a floor find the level without visiting them: ``floor(x * slope + intercept)``. A line is accepted only if the
very float arithmetic of the kernel gives the right level at every threshold and one integer below; since rounding is
monotone, it is then right everywhere.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flowc.units import Activation, Requant, Table, Thresholds
from flowc.units.base import Array

__all__ = ["Steps", "line", "steps_of"]

_MOST_THRESHOLDS = 1 << 20
"""Of a requantizer that is written out, over all channels."""
_MOST_LEVELS = 255
"""Of a table that is turned into steps."""
_NEVER = 1 << 40
_CONVERTED = float(1 << 30)
"""Bound of what a line gives before it is cut off."""


class Steps(NamedTuple):
    """``base + step * (number of thresholds that x reaches)``: thresholds int64 (C, K) ascending, base int64 (C,).

    ``slope`` (C,): levels per integer of the line that the thresholds were made from, where it is known. ``sign`` (C,): -1 for
    channels whose thresholds are for -x (functions that fall); None: there are none.
    """

    thresholds: Array
    base: Array
    step: int
    slope: Array | None = None
    sign: Array | None = None


def steps_of(activation: Activation) -> Steps | None:
    """An activation as steps of one height, or None."""
    if isinstance(activation, Thresholds):
        if activation.uniform_step is None:
            return None
        values = activation.values
        base = np.broadcast_to(activation.base, (values.shape[0],))
        return Steps(values, base, activation.uniform_step)
    if isinstance(activation, Requant) and (activation.hi - activation.lo) * activation.channels <= _MOST_THRESHOLDS:
        return _steps_of_requant(activation)
    if isinstance(activation, Table):
        return _steps_of_table(activation)
    return None


def _steps_of_table(activation: Table) -> Steps | None:
    """Of a table that ascends; a level that it skips is entered together with the next."""
    values = activation.values
    least, levels = values[:, 0], int((values[:, -1] - values[:, 0]).max())
    if levels > _MOST_LEVELS or (np.diff(values, axis=1) < 0).any():
        return None
    wanted = least[:, None] + np.arange(1, levels + 1)
    below = np.stack([np.searchsorted(row, want) for row, want in zip(values, wanted, strict=True)])
    return Steps(activation.lo + below, least, 1)


def _steps_of_requant(activation: Requant) -> Steps:
    """The least integer at which each level is entered, in closed form; of -x where the multiplier is negative."""
    level = np.arange(activation.lo + 1, activation.hi + 2)
    entered = level << activation.shift
    if activation.half_even and activation.shift:
        # A tie rounds to the even level: an odd one needs more than the half.
        entered = entered - (1 << (activation.shift - 1)) + (level & 1)
    mult, add = np.broadcast_arrays(activation.mult, activation.add)
    factor = np.maximum(np.abs(mult), 1)
    least = -((add[:, None] - entered) // factor[:, None])
    if activation.late is not None and not (activation.half_even and activation.shift):
        # A level that comes too early is put off by `late` integers, but not beyond the next level's entry.
        least = np.minimum(least[:, :-1] + activation.late, least[:, 1:])
    else:
        least = least[:, :-1]
    # A multiplier of zero gives one and the same level.
    constant = np.where(add[:, None] >= entered[None, :-1], -_NEVER, _NEVER)
    least = np.where(mult[:, None] == 0, constant, least)
    sign = None if mult.min() >= 0 else np.where(mult < 0, -1, 1)
    return Steps(least, np.full(least.shape[0], activation.lo), 1, factor / 2.0**activation.shift, sign)


def line(
    thresholds: Array, low: Array, high: Array, real: type[np.floating], *, hint: Array | None = None, late: int = 0
) -> tuple[Array, Array] | None:
    """Slopes and intercepts, ``real`` (C,), of lines whose floors, clamped to 0 to K, make the steps on ``[low, high]``; or None.

    Args:
        thresholds: int64 (C, K), clipped to low to high + 1.
        low, high: int64 (C,).
        hint: slopes (C,) that may do, where known.
        late: levels by which a line may be late, 0 or 1.
    """
    found: tuple[Array, ...] | None = None
    for slope in (_slopes(thresholds, low, high), hint):
        if slope is None:
            continue
        lines = _through(slope, thresholds, low, high, real, late)
        right = _makes(lines, thresholds, low, high, late)
        found = lines if found is None else tuple(np.where(right, a, b) for a, b in zip(lines, found, strict=True))
        if _makes(found, thresholds, low, high, late).all():
            return found[0], found[1]
    return None


def _through(
    slope: Array, thresholds: Array, low: Array, high: Array, real: type[np.floating], late: int
) -> tuple[Array, Array]:
    """Lines of given slopes in the middle between those that reach a level too late and too early."""
    levels = np.arange(1, thresholds.shape[1] + 1)
    reach = np.where(thresholds <= high[:, None], slope[:, None] * thresholds - levels + late, np.inf).min(axis=1)
    miss = np.where(thresholds > low[:, None], slope[:, None] * (thresholds - 1) - levels, -np.inf).max(axis=1)
    reach, miss = np.where(np.isinf(reach), miss + 1, reach), np.where(np.isinf(miss), reach - 1, miss)
    return slope.astype(real), (-(reach + miss) / 2).astype(real)


def _slopes(thresholds: Array, low: Array, high: Array) -> Array:
    """Least squares of the levels over the places between a threshold and the integer below; one half where there is one threshold."""
    levels = np.arange(1, thresholds.shape[1] + 1)
    inside = (thresholds > low[:, None]) & (thresholds <= high[:, None])
    count = np.maximum(inside.sum(axis=1), 1)
    x = thresholds - 0.5
    mean_x = (x * inside).sum(axis=1) / count
    mean_y = (levels * inside).sum(axis=1) / count
    dx, dy = (x - mean_x[:, None]) * inside, (levels - mean_y[:, None]) * inside
    spread = (dx * dx).sum(axis=1)
    one = inside.sum(axis=1) == 1
    slope: Array = np.divide((dx * dy).sum(axis=1), spread, out=np.zeros(len(spread)), where=spread > 0)
    return np.where(one, 0.5, slope)


def _makes(found: tuple[Array, ...], thresholds: Array, low: Array, high: Array, late: int) -> Array:
    """Where (C,) the kernel's arithmetic gives the right level at each threshold and one below, and int32 holds it, within the range."""
    slope, intercept = found
    levels = np.arange(1, thresholds.shape[1] + 1)

    def at(x: Array) -> Array:
        y: Array = x.astype(slope.dtype) * slope[:, None] + intercept[:, None]
        return y

    reached = (at(thresholds) >= levels - late) | (thresholds > high[:, None])
    below = (at(thresholds - 1) < levels) | (thresholds <= low[:, None])
    ends = at(np.stack([low, high], axis=1))
    held = np.all(np.abs(ends) < _CONVERTED, axis=1)
    right: Array = np.all(reached & below, axis=1)
    return right & held & (slope >= 0) & np.isfinite(slope) & np.isfinite(intercept)
