"""What the joining of two streams costs as SystemVerilog makes it (``flowc_join``), without its activation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from flowc.model.dtypes import IntType
from flowc.units import cost, pipeline
from flowc.units.applied import signed_bits, value_bits
from flowc.units.base import Array
from flowc.units.cost import Resources

__all__ = ["Operand", "digits", "joined"]

_LEAST_PRODUCT = 9
"""Bits of the narrowest product that yosys puts into a slice; factors have two or more."""


@dataclass(frozen=True, eq=False)
class Operand:
    """One side of a join: its elements' type, scales (C,) or (1,), and what is taken off its elements."""

    dtype: IntType
    scale: Array
    offset: int = 0

    @property
    def bits(self) -> int:
        """Bits of the elements as signed numbers."""
        return value_bits(self.dtype)

    @property
    def scale_bits(self) -> int:
        """Bits of the scales, signed."""
        return signed_bits(self.scale)


def digits(constant: int) -> list[tuple[int, int]]:
    """(place, 1 or -1) of a constant's digits that are not zero, from the lowest on: no two in a row are not zero, so there are no fewer.

    They are the differences of the bits of three times the constant and its own (Reitwiesner, "Binary Arithmetic", 1960).
    """
    once, thrice = constant >> 1, 3 * constant >> 1
    return [(i, 1 if thrice >> i & 1 else -1) for i in range(constant.bit_length() + 1) if (once ^ thrice) >> i & 1]


def joined(op: str, left: Operand, right: Operand, acc: IntType, *, rows: int, lanes: int, slices: bool) -> Resources:
    """Scales, products and sums, and their registers.

    Args:
        op: add or mul.
        left, right: the operands.
        acc: type of the sum or product.
        rows: beats after which the scales are the first ones again; 0: they are constants.
        lanes: elements per beat.
        slices: whether products may be DSP slices.
    """
    if op == "mul":
        sides = (left, right)
        bits = [side.bits + (1 if side.offset else 0) for side in sides]
        luts = sum((~side.offset % (1 << side.bits)).bit_count() for side in sides if side.offset)
        product = _product(bits[0], bits[1], slices=slices)
        return (product + Resources(lut=luts, ff=sum(bits) + acc.bits)).times(lanes)
    one = Resources(lut=acc.bits, ff=acc.bits)
    for side in (left, right):
        one += _scaled(side, slices=slices) if rows else _constant(side)
    width = lanes * (left.scale_bits + right.scale_bits) if rows else 0
    memory = pipeline.deep_rom(rows, width, "lutram") + Resources(ff=1) if rows > 1 else Resources()
    return one.times(lanes) + memory + pipeline.counters(rows)


def _product(a: int, b: int, *, slices: bool) -> Resources:
    if slices and min(a, b) > 1 and a + b >= _LEAST_PRODUCT:
        return Resources(dsp=cost.multiplier_dsps(a, b))
    return Resources(lut=ceil(cost.multiplier_luts(a, b)))


def _scaled(side: Operand, *, slices: bool) -> Resources:
    """An element times its channel's scale."""
    return _product(side.bits, side.scale_bits, slices=slices) + Resources(ff=side.bits + side.scale_bits)


def _constant(side: Operand) -> Resources:
    """An element times a constant (``flowc_constant``): an adder for every digit that is not zero but the lowest, or, to negate, that too.

    An adder has a table where both summands have a bit; to subtract, wherever the element has one. Registers: the product's bits, but for
    those that are always zero.
    """
    constant, magnitude = int(side.scale[0]), value_bits(side.dtype) - (0 if side.dtype.lo < 0 else 1)
    found = digits(constant)
    if not found:
        return Resources()
    luts = magnitude if found[0][1] < 0 else 0
    for (below, _), (place, sign) in pairwise(found):
        luts += magnitude if sign < 0 else max(0, magnitude + 1 - (place - below))
    size, lowest = abs(constant), found[0][0]
    registers = magnitude + size.bit_length() - lowest - (1 if size == 1 << lowest else 0)
    return Resources(lut=luts, ff=registers + any(sign < 0 for _, sign in found))
