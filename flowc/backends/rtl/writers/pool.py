"""Pools."""

from __future__ import annotations

from flowc.backends.rtl.activation import activation_part
from flowc.backends.rtl.instance import Instance, Value, delay, kind, value_bits
from flowc.units import GlobalSum, Pool

__all__ = ["write_global_sum", "write_pool"]


def _instance(
    unit: Pool | GlobalSum, shape: dict[str, Value], blocks: int, cycles: int = 0, pixels: int = 1, spacing: int = 1
) -> Instance:
    part = activation_part(unit.name, unit.activation, unit.acc, blocks, unit.pe, pixels, spacing)
    common: dict[str, Value] = {
        "PE": unit.lanes, "X_BITS": unit.frame.dtype.bits, "X_KIND": kind(unit.frame.dtype), "SUM": value_bits(unit.acc),
        "DELAY": delay(unit, 1 + cycles + part.cycles),
    }  # fmt: skip
    return Instance(unit, unit.kind, shape | common | part.parameters, part.memories)


def write_pool(unit: Pool) -> Instance:
    """A pool over window taps."""
    shape: dict[str, Value] = {
        "TERMS": unit.terms, "BEATS": unit.taps // unit.terms, "MAXIMUM": unit.op == "max", "STAGES": unit.tree,
    }  # fmt: skip
    shape |= {"CHANNELS": unit.channels} if unit.pixels > 1 else {}
    return _instance(unit, shape, unit.channels // unit.pe, unit.tree, unit.pixels, unit.activation_spacing)


def write_global_sum(unit: GlobalSum) -> Instance:
    """A sum over all positions."""
    blocks = unit.frame.c // unit.pe
    return _instance(unit, {"BLOCKS": blocks, "POSITIONS": unit.frame.pixels}, blocks)
