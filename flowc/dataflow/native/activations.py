"""Activations in the form of the kernels, chosen by the range of the accumulators."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from flowc import kernels
from flowc.dataflow.native.codes import INT32, Code, NotNativeError
from flowc.dataflow.native.steps import Steps, line, steps_of
from flowc.kernels.library import ActivationKind
from flowc.model.dtypes import distinct
from flowc.units import Activation, Requant, Table, Thresholds
from flowc.units.base import Array

__all__ = ["Accumulators", "Lowered", "halved", "lower_activation", "lower_table", "pointer"]

_FEW_LEVELS = 7
"""Up to so many thresholds, comparing with each is the fastest."""
_MANY_LEVELS = 48
"""From so many on, bisection is faster than comparing."""
_GUESSED_LEVELS = 24
"""From so many on, a line that may be late and one more comparison are faster than comparing with all."""
_EXACT_DOUBLE = 1 << 53


class Accumulators(NamedTuple):
    """What a kernel hands to its activation: ``acc = scale * raw + offset``, of which it has ``raw``.

    Attributes:
        low, high: int64 (C,): bounds of acc per channel.
        scale: positive.
        offset: int64 (C,).
        places: int64 (padded channels,): the channel at each place of the kernel's parameters, -1 where there is none.
    """

    low: Array
    high: Array
    scale: int
    offset: Array
    places: Array

    def spread(self, values: Array, dtype: type[np.generic]) -> Array:
        """Parameters (C, ...) at the kernel's places; zero where there is no channel."""
        out = np.zeros((len(self.places), *values.shape[1:]), dtype)
        used = self.places >= 0
        out[used] = values[self.places[used]]
        return out


@dataclass
class Lowered:
    """An activation of the kernels and the arrays that it points to."""

    act: kernels.Activation = field(default_factory=kernels.Activation)
    arrays: list[Array] = field(default_factory=list)

    def keep(self, array: Array) -> int:
        """The address of a copy that lives as long as this."""
        self.arrays.append(np.ascontiguousarray(array))
        return pointer(self.arrays[-1])


def pointer(array: Array) -> int:
    """Address of an array's first element."""
    return int(array.ctypes.data)


def lower_activation(activation: Activation | None, acc: Accumulators, out: Code) -> Lowered:
    """The kernels' form of an activation whose results are stored as ``out``.

    Raises:
        NotNativeError: they have none.
    """
    _bounded(acc)
    if activation is None:
        return _plain(acc, out)
    steps = steps_of(activation)
    if steps is not None and steps.sign is None:
        found = _stepped(steps, acc, out)
        if found is not None:
            return found
    if isinstance(activation, Requant):
        return _shifted(activation, acc, out)
    if isinstance(activation, Table):
        return lower_table(activation, acc, out)
    if isinstance(activation, Thresholds):
        step = np.broadcast_to(activation.step, activation.values.shape)
        values = np.concatenate([np.zeros((len(step), 1), np.int64), np.cumsum(step, axis=1)], axis=1)
        return _searched(activation.values, values + activation.base.reshape(-1, 1), acc, out)
    raise NotNativeError(f"activation '{activation.kind}'")


def _bounded(acc: Accumulators) -> None:
    if acc.low.size and (acc.low.min() < -INT32 or acc.high.max() >= INT32 or np.abs(acc.offset).max() > INT32):
        raise NotNativeError("accumulators beyond int32")


def _plain(acc: Accumulators, out: Code) -> Lowered:
    if out.step != 1:
        raise NotNativeError("accumulators of a bipolar type")
    lowered = Lowered()
    lowered.act.kind = ActivationKind.NONE
    _rescale(lowered, acc, -out.base)
    return lowered


def _rescale(lowered: Lowered, acc: Accumulators, addend: int = 0, sign: Array | None = None) -> None:
    """``scale`` and ``offset`` of the kernel's activation, which works on ``sign * acc + addend``; left out where they change nothing."""
    sign = np.ones(1, np.int64) if sign is None else sign
    offset, scale = sign * acc.offset + addend, np.broadcast_to(sign * acc.scale, acc.offset.shape)
    if (scale == 1).all() and not offset.any():
        return
    if (scale != 1).any():
        lowered.act.scale = lowered.keep(acc.spread(scale, np.int32))
    lowered.act.offset = lowered.keep(acc.spread(offset, np.int32))


def _stepped(steps: Steps, acc: Accumulators, out: Code) -> Lowered | None:
    """Comparisons or a line; None where the heights of the steps are not codes one after the other."""
    channels = len(acc.low)
    base = distinct(out.of(steps.base))
    if len(base) != 1 or steps.step != out.step:
        return None
    # acc >= t is raw >= ceil((t - offset) / scale); thresholds outside the range are equal to those just at its ends.
    raw_low, raw_high = (acc.low - acc.offset) // acc.scale, (acc.high - acc.offset) // acc.scale
    wanted = np.broadcast_to(steps.thresholds, (channels, steps.thresholds.shape[1]))
    clipped = np.clip(wanted, acc.low[:, None], acc.high[:, None] + 1)
    raw = np.clip(-((acc.offset[:, None] - clipped) // acc.scale), raw_low[:, None], raw_high[:, None] + 1)
    if raw.size and (raw.min() < -INT32 or raw.max() > INT32):
        return None
    used = (raw <= raw_high[:, None]).any(axis=0)
    raw = raw[:, : int(used.nonzero()[0].max(initial=-1)) + 1]
    if raw.shape[1] == 0:
        raw = (raw_high + 1)[:, None]
    lowered = Lowered()
    lowered.act.low, lowered.act.levels = int(base[0]), raw.shape[1]
    if raw.shape[1] > _FEW_LEVELS and _lined(lowered, acc, raw, raw_low, raw_high, steps.slope):
        return lowered
    if raw.shape[1] > _MANY_LEVELS:
        return None
    lowered.act.kind = ActivationKind.COMPARE
    lowered.act.stride = len(acc.places)
    lowered.act.first = lowered.keep(acc.spread(raw, np.int32).T)
    return lowered


def _lined(lowered: Lowered, acc: Accumulators, raw: Array, low: Array, high: Array, slope: Array | None) -> bool:
    """A line that makes the steps; or, for many of them, one that is late by one level at most."""
    hint = None if slope is None else np.broadcast_to(slope, low.shape) * acc.scale
    forms = (
        (ActivationKind.AFFINE32, np.float32, 0),
        (ActivationKind.AFFINE64, np.float64, 0),
        (ActivationKind.GUESS, np.float32, 1),
    )
    for kind, real, late in forms[: 2 if raw.shape[1] < _GUESSED_LEVELS else 3]:
        found = line(raw, low, high, real, hint=hint, late=late)
        if found is None:
            continue
        lowered.act.kind = kind
        lowered.act.first = lowered.keep(acc.spread(found[0], real))
        lowered.act.second = lowered.keep(acc.spread(found[1], real))
        if late:
            closed = np.concatenate([raw, np.full((len(raw), 1), INT32)], axis=1)
            lowered.act.third = lowered.keep(acc.spread(closed, np.int32))
        return True
    return False


def _shifted(activation: Requant, acc: Accumulators, out: Code) -> Lowered:
    """Multiply-add-shift in float64, exact while every product and sum is below 2^53 and int32 holds the result; else by bisection."""
    steps = steps_of(activation)
    levels = activation.hi - activation.lo
    if activation.late is None and not activation.half_even and out.step == 1 and levels < INT32:
        shape = acc.low.shape
        mult = np.broadcast_to(activation.mult, shape)
        low = np.broadcast_to(activation.add, shape) - (activation.lo << activation.shift)
        bound = np.maximum(np.abs(acc.low), np.abs(acc.high)).astype(np.float64) * np.abs(mult) + np.abs(low)
        raw_add = mult.astype(np.float64) * acc.offset + low
        largest = max(bound.max(initial=0), np.abs(raw_add).max(initial=0)) * 2
        if largest < min(_EXACT_DOUBLE, INT32 << activation.shift):
            lowered = Lowered()
            lowered.act.kind = ActivationKind.AFFINE64
            lowered.act.levels, lowered.act.low = levels, int(out.of(np.array([activation.lo]))[0])
            scale = 2.0**-activation.shift
            lowered.act.first = lowered.keep(acc.spread(mult * acc.scale * scale, np.float64))
            lowered.act.second = lowered.keep(acc.spread(raw_add * scale, np.float64))
            return lowered
    if steps is None:
        raise NotNativeError("a requantizer of many levels that no line makes")
    height = steps.base[:, None] + steps.step * np.arange(steps.thresholds.shape[1] + 1)
    return _searched(steps.thresholds, height, acc, out, steps.sign)


def halved(lowered: Lowered, lanes: int) -> None:
    """Comparisons of int32 as comparisons of int16, for sums of lookups, which come by vectors of ``lanes``, even channels first.

    Thresholds, and the sums, are below 2^15.
    """
    (thresholds,) = lowered.arrays
    by_vector = thresholds.astype(np.int16).reshape(len(thresholds), -1, lanes // 2, 2)
    lowered.arrays.clear()
    lowered.act.kind = ActivationKind.COMPARE_HALF
    lowered.act.first = lowered.keep(by_vector.transpose(1, 0, 3, 2))


def _searched(thresholds: Array, values: Array, acc: Accumulators, out: Code, sign: Array | None = None) -> Lowered:
    if (np.diff(thresholds, axis=1) < 0).any():
        raise NotNativeError("thresholds that do not ascend")
    lowered = Lowered()
    shared = thresholds.shape[0] == 1
    lowered.act.kind, lowered.act.levels, lowered.act.shared = ActivationKind.SEARCH, thresholds.shape[1], shared
    clipped = np.clip(thresholds, -INT32, INT32)
    codes = np.broadcast_to(out.of(values), (len(thresholds), thresholds.shape[1] + 1))
    _rescale(lowered, acc, sign=sign)
    lowered.act.first = lowered.keep(clipped.astype(np.int32) if shared else acc.spread(clipped, np.int32))
    lowered.act.second = lowered.keep(codes.astype(np.int32) if shared else acc.spread(codes, np.int32))
    return lowered


def lower_table(activation: Table, acc: Accumulators, out: Code) -> Lowered:
    """A table as such; arguments outside take its first or last entry.

    Raises:
        NotNativeError: the accumulators, or results, are beyond int32.
    """
    _bounded(acc)
    values = activation.values
    lowered = Lowered()
    shared = values.shape[0] == 1
    codes = out.of(values)
    lowered.act.kind, lowered.act.levels, lowered.act.shared = ActivationKind.TABLE, values.shape[1], shared
    lowered.act.low = activation.lo
    _rescale(lowered, acc)
    lowered.act.second = lowered.keep(codes.astype(np.int32) if shared else acc.spread(codes, np.int32))
    return lowered
