"""What an activation costs as SystemVerilog makes it: tables and memories as in any structure, flip-flops register by register."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from flowc.model.dtypes import IntType
from flowc.units import cost, pipeline
from flowc.units.activation import Activation, Requant, Table
from flowc.units.cost import Resources
from flowc.units.thresholds import MOST_COUNTED, MOST_SUMMED, Thresholds

__all__ = ["applied", "registers", "value_bits"]


def value_bits(dtype: IntType) -> int:
    """Bits of a signed number that holds every value of a type."""
    return dtype.bits if dtype.signed and not dtype.bipolar else dtype.bits + 1


def applied(activation: Activation | None, lanes: int, channels: int, acc: IntType, spacing: int = 1) -> Resources:
    """An activation's module, and the counter of its rows of parameters.

    Args:
        activation: what is applied, or None.
        lanes, channels, acc, spacing: as of `Activation.resources`.
    """
    if activation is None:
        return Resources()
    given, rows = (lanes, channels, acc, spacing), _rows(activation, lanes, channels)
    found = replace(activation.resources(*given), ff=registers(activation, *given))
    return found + pipeline.counters(rows) + Resources(lut=_other_tables(activation, lanes, rows, acc, spacing, found))


def _other_tables(activation: Activation, lanes: int, rows: int, acc: IntType, spacing: int, found: Resources) -> int:
    """Look-up tables that other structures do not have, or have more.

    The sum behind a requantizer's product: there are two registers between them, so that no slice takes both. A search whose keys are wired
    in chooses the second one of two: its bits are the first outcome, its complement, or constants.
    """
    if isinstance(activation, Requant) and found.dsp:
        factor, addend = activation.widths
        return lanes * (max(acc.bits + max(0, factor - 1), addend) + 1)
    if isinstance(activation, Thresholds):
        form = activation.form(lanes, lanes * rows, acc, spacing)
        if form == "search":
            wired = lanes * acc.bits if rows == 1 and activation.search.steps > 1 else 0
            first_late = activation.first_late(lanes, lanes * rows, acc)
            return _shifted(activation, lanes, rows, value_bits(acc), first_late) - wired
        if form == "compare" and rows > 1:
            return lanes * _narrower(activation, rows, acc)
    return 0


def _narrower(thresholds: Thresholds, rows: int, acc: IntType) -> int:
    """Of a lane's memory of thresholds that are compared: the look-up tables that it takes less than one as wide as the argument.

    Its bits are those that the widest threshold needs, as those above them repeat the sign; they are read at an address in registers.
    """
    counted = cost.constants(rows, acc.bits * thresholds.levels, cost.THRESHOLD_MEMORIES[thresholds.memory])
    if counted.bram18:
        return 0
    taken = pipeline.deep_rom(rows, thresholds.width(acc) * thresholds.levels, "lutram")
    return (taken.lut or 0) - (counted.lut or 0)


def registers(activation: Activation, lanes: int, channels: int, acc: IntType, spacing: int = 1) -> int | None:
    """Flip-flops of an activation's module, but for the counter of its rows; arguments as of `applied`."""
    rows, value = _rows(activation, lanes, channels), value_bits(acc)
    if isinstance(activation, Thresholds):
        form, cycles = activation.form(lanes, channels, acc, spacing), activation.stages(lanes, channels, acc, spacing)
        if form == "compare":
            return _compared(activation, lanes, rows, acc) + cycles
        if form == "search":
            ends = activation.first_block(lanes, channels, acc), activation.first_late(lanes, channels, acc)
            return _searched(activation, lanes, rows, value, *ends) + cycles
    elif isinstance(activation, Requant) and activation.late is None:
        return _requantized(activation, lanes, rows, value) + 4
    elif isinstance(activation, Table):
        return _tabled(activation, lanes, rows)
    return activation.resources(lanes, channels, acc, spacing).ff


def _rows(activation: Activation, lanes: int, channels: int) -> int:
    return 1 if activation.channels == 1 else ceil(channels / lanes)


def _row(rows: int, width: int, style: str) -> int:
    """Parameters that change from beat to beat (``flowc_rows``): the row, marks until the first is there. One row alone is wired in."""
    return 0 if rows == 1 else width + (2 if style == "bram" else 1)


def _compared(thresholds: Thresholds, lanes: int, rows: int, acc: IntType) -> int:
    """Thresholds of a row, an outcome each, the result (``flowc_thresholds``); bases and steps with them (``flowc_steps``)."""
    levels, out = thresholds.levels, thresholds.dtype.bits
    width, own = levels * thresholds.width(acc), levels + out
    if thresholds.plain:
        groups = ceil(levels / MOST_COUNTED)
        own += 3 * groups if groups > 1 else 0
    else:
        wide, groups = out + 2, ceil(levels / MOST_SUMMED)  # about what a step or a base takes, signed
        width += (levels + 1) * wide
        own += (levels + 1) * wide + (groups * (wide + out + levels.bit_length()) if groups > 1 else 0)
    width *= lanes
    return _row(rows, width, thresholds.stored(rows, width)) + lanes * own


def _searched(thresholds: Thresholds, lanes: int, rows: int, value: int, first_block: int, first_late: int) -> int:
    """Of every step the key, the argument and the path that wait for it, the path behind it (``flowc_search``); the result.

    Where they wait for the register behind a block RAM they take a third register, or look-up tables (`_shifted`).
    """
    steps, out, tabled = thresholds.search.steps, thresholds.dtype.bits, thresholds.tabled
    own, places = 1 + out * (2 if tabled and steps < first_block else 1), (rows - 1).bit_length()
    row = places if steps + tabled > 1 else 0
    for k in range(1, steps):
        late = k >= first_late
        own += value if late or k < first_block else 0  # the key
        waits = 3 if late else 2
        if late and thresholds.read_cycles == 1:
            own += 1
        else:
            own += waits * (value + k) + 1
            row += waits * places if k < steps - 1 or tabled else 0
    return _row(rows, lanes * value, "lutram") + lanes * own + row


def _shifted(thresholds: Thresholds, lanes: int, rows: int, value: int, first_late: int) -> int:
    """Look-up tables as shift registers of three places: argument, path and row while they wait for the register behind a block RAM.

    On Lattice parts, whose tables hold none, registers.
    """
    if thresholds.read_cycles > 1:
        return 0
    steps, places = thresholds.search.steps, (rows - 1).bit_length()
    return sum(
        lanes * (value + k) + (places if k < steps - 1 or thresholds.tabled else 0) for k in range(first_late, steps)
    )


def _requantized(requant: Requant, lanes: int, rows: int, value: int) -> int:
    """Factor and addend, product and addend twice, their sum, the result; rounded to even once, and the level."""
    factor, addend = requant.widths
    factor, addend, out = max(2, factor), addend + 1, requant.dtype.bits
    width = lanes * (factor + addend)
    total = max(max(value + factor, addend) + 1, requant.shift + out + 2)
    held = total - requant.shift if requant.half_even else value + factor + addend
    own = value + factor + addend + held + total + out
    return _row(rows, width, cost.memory_style(rows, width, constant=True)) + lanes * own


def _tabled(table: Table, lanes: int, rows: int) -> int:
    """Per lane the address, the word where it comes from look-up tables, and the register behind it; where rows begin."""
    depth, bits = int(table.values.shape[1]) * rows, table.dtype.bits
    address = (depth - 1).bit_length()
    words = 2 if cost.memory_style(depth, bits, constant=True) == "lutram" else 1
    return lanes * (address + words * bits) + (address if rows > 1 else 0) + 3
