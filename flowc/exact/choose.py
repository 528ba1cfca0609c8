"""The cheapest exact hardware form of a step function: thresholds, a requantizer, or a table."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np

from flowc.exact.requant import find_requant
from flowc.exact.steps import Steps
from flowc.model.dtypes import BIPOLAR, IntType
from flowc.units.activation import Activation, Requant, Table
from flowc.units.thresholds import Thresholds

__all__ = ["activation_cost", "as_table", "as_thresholds", "choose_activation"]

_TABLE_ENTRIES = 1 << 16
_REQUANT_FROM = 7


def as_thresholds(steps: Steps, dtype: IntType) -> Thresholds:
    """The thresholds that the steps already are; a constant function gets one that is never reached."""
    if steps.at.shape[1] == 0:
        return Thresholds(dtype=dtype, values=steps.hi[:, None] + 1, base=steps.base, step=np.ones((1, 1), np.int64))
    return Thresholds(dtype=dtype, values=steps.at, base=steps.base, step=steps.step)


def as_table(steps: Steps, dtype: IntType) -> Table:
    """Every value of the domain written out; entries outside a set's own domain repeat its ends."""
    lo, hi = int(steps.lo.min()), int(steps.hi.max())
    q = np.clip(np.arange(lo, hi + 1), steps.lo[:, None], steps.hi[:, None])
    return Table(dtype=dtype, lo=lo, values=steps(q))


def activation_cost(activation: Activation, steps: Steps) -> float:
    """Relative cost in LUTs of one lane and its share of parameter storage (about 64 bits of ROM to a LUT)."""
    lo, hi = int(steps.lo.min()), int(steps.hi.max())
    bits = IntType.for_range(lo, hi).bits
    channels = activation.channels
    if isinstance(activation, Thresholds):
        compared = activation.levels * (bits / 2 + 1) + channels * activation.levels * bits / 64
        search = activation.search
        results = 0 if search.results is None else activation.dtype.bits
        searched = search.steps * bits + channels * (1 << search.steps) * (bits + results) / 64
        return min(compared, searched)
    if isinstance(activation, Requant):
        factor = IntType.for_range(int(activation.mult.min()), int(activation.mult.max())).bits
        offset = IntType.for_range(int(activation.add.min()), int(activation.add.max())).bits
        late = 0 if activation.late is None else activation.late.size / 64 + factor + 4
        if activation.mult.size == 1 and activation.mult[0] == 1:
            return 2 * bits + channels * offset / 64 + late
        return _multiplied(bits, channels, factor, offset) + late
    assert isinstance(activation, Table)
    return _table_cost(channels, activation.values.shape[1], activation.dtype)


def result_type(steps: Steps, bipolar: bool) -> IntType:
    """Type of the results: bipolar where the quantizer is, else the narrowest that holds the levels reached."""
    return BIPOLAR if bipolar else IntType.for_range(*steps.reached)


def choose_activation(steps: Steps, *, bipolar: bool = False) -> Activation:
    """The cheapest form that equals ``steps`` on the whole domain.

    It keeps the domain, from which `steps_of_activation` gets the steps again.

    Args:
        bipolar: the results are -1 and +1.
    """
    return replace(_cheapest(steps, bipolar), domain=np.stack([steps.lo, steps.hi], axis=1))


def _cheapest(steps: Steps, bipolar: bool) -> Activation:
    dtype = result_type(steps, bipolar)
    best: Activation = as_thresholds(steps, dtype)
    least = activation_cost(best, steps)
    if steps.at.shape[1] >= _REQUANT_FROM:
        requant = find_requant(steps, dtype, worth=_not_worth(least, steps))
        cost = least if requant is None else activation_cost(requant, steps)
        if requant is not None and cost < least:
            best, least = requant, cost
    entries = int(steps.hi.max()) - int(steps.lo.min()) + 1
    if entries <= _TABLE_ENTRIES and _table_cost(len(steps.lo), entries, dtype) < least:
        return as_table(steps, dtype)
    return best


def _not_worth(least: float, steps: Steps) -> int:
    """Bits of the multipliers from which on a requantizer, whatever its addends, costs ``least`` or more; 2 at least: one is no product."""
    bits = IntType.for_range(int(steps.lo.min()), int(steps.hi.max())).bits
    return next(factor for factor in count(2) if _multiplied(bits, len(steps.lo), factor, 1) >= least)


def _multiplied(bits: int, channels: int, factor: int, offset: int) -> float:
    """Cost of a product, a sum and their parameters, of so many bits of arguments, multipliers and addends."""
    return bits * factor * 0.6 + offset + channels * (factor + offset) / 64


def _table_cost(channels: int, entries: int, dtype: IntType) -> float:
    return 4 + channels * entries * dtype.bits / 64
