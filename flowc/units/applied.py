"""What an activation costs as SystemVerilog makes it: tables and memories as in any structure, flip-flops register by register."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, floor

import numpy as np

from flowc.model.dtypes import IntType
from flowc.units import cost, pipeline
from flowc.units.activation import Activation, Requant, Table
from flowc.units.base import Array
from flowc.units.cost import Resources
from flowc.units.requantized import late_levels, one_slice
from flowc.units.thresholds import MOST_COUNTED, MOST_SUMMED, Thresholds

__all__ = ["CONSTANT_SAVES", "applied", "compared_style", "different_columns", "registers", "signed_bits", "value_bits"]

CONSTANT_SAVES = 0.12
"""Look-up tables per bit that a comparison with a constant takes less than one with a register."""


def value_bits(dtype: IntType) -> int:
    """Bits of a signed number that holds every value of a type."""
    return dtype.bits if dtype.signed and not dtype.bipolar else dtype.bits + 1


def signed_bits(*values: Array) -> int:
    """Bits of signed numbers that hold all values."""
    return value_bits(IntType.for_range(min(int(v.min()) for v in values), max(int(v.max()) for v in values)))


def compared_style(thresholds: Thresholds, lanes: int, channels: int, acc: IntType) -> str:
    """Lutram or bram: the memory of all lanes' thresholds where all are compared, with bases and steps unless a count says all.

    It is as wide as SystemVerilog writes it, so that text and price are of one style.
    """
    bits = thresholds.levels * signed_bits(np.clip(thresholds.ends, acc.lo, acc.hi + 1))
    bits += 0 if thresholds.plain else (thresholds.levels + 1) * signed_bits(thresholds.base, thresholds.step)
    return thresholds.stored(_rows(thresholds, lanes, channels), lanes * bits)


def applied(
    activation: Activation | None, lanes: int, channels: int, acc: IntType, spacing: int = 1, *, slices: bool = False
) -> Resources:
    """An activation's module, and the counter of its rows of parameters.

    Args:
        activation: what is applied, or None.
        lanes, channels, acc, spacing: as of `Activation.resources`.
        slices: whether the part is known to have slices that add to a product, as AMD's have.
    """
    if activation is None:
        return Resources()
    given, rows = (lanes, channels, acc, spacing), _rows(activation, lanes, channels)
    if isinstance(activation, Requant):
        return _requant(activation, lanes, rows, acc, slices=slices or activation.slices)
    found = replace(activation.resources(*given), ff=registers(activation, *given))
    return found + pipeline.counters(rows) + _others(activation, lanes, rows, acc, spacing)


def _requant(requant: Requant, lanes: int, rows: int, acc: IntType, *, slices: bool) -> Resources:
    """A requantizer, as a slice where one is known to hold it; what late levels take besides."""
    parts = [pipeline.counters(rows)]
    if requant.late is not None:
        parts.append(late_levels(requant, lanes, rows, shifts=slices))
        requant = replace(requant, late=None)
    found = requant.resources(lanes, lanes * rows, acc)
    if slices and one_slice(requant, value_bits(acc)):
        parts.append(replace(found, ff=_sliced(requant, lanes, rows) + 4).exchanged(*_parameters(requant, lanes, rows)))
    else:
        summed = max(acc.bits + max(0, requant.widths[0] - 1), requant.widths[1]) + 1 if found.dsp else 0
        parts.append(replace(found, ff=_requantized(requant, lanes, rows, value_bits(acc)) + 4))
        parts.append(Resources(lut=lanes * summed))
    return Resources.total(parts)


def _parameters(requant: Requant, lanes: int, rows: int) -> tuple[Resources, Resources]:
    """Look-up tables and blocks of factors and addends: a memory for each, as loops have them, and one of all as it is here."""
    factor, addend = requant.widths
    widths = [factor if requant.mult.shape[0] > 1 else 0, addend if requant.add.shape[0] > 1 else 0]
    elsewhere = cost.parameters(requant.channels, lanes, lanes * rows, widths)
    here = _constants(rows, lanes * sum(widths), _kept(requant, lanes, rows)) if requant.channels > 1 else Resources()
    return replace(elsewhere, ff=0), replace(here, ff=0)


def _kept(requant: Requant, lanes: int, rows: int) -> str:
    """Lutram or bram: the memory of factors and addends, as wide as SystemVerilog writes it."""
    return cost.memory_style(rows, lanes * (signed_bits(requant.mult) + signed_bits(requant.add)), constant=True)


def _sliced(requant: Requant, lanes: int, rows: int) -> int:
    """Flip-flops where the slice holds the rest: factor and addend, the addend once more, if it is no constant, the result."""
    factor, addend = requant.widths
    width, style = lanes * (max(2, factor) + addend + 1), _kept(requant, lanes, rows)
    own = _own(rows, width) if style == "lutram" else width
    waits = addend + 1 if rows > 1 else 0
    return _row(rows, own, style) + lanes * (waits + requant.dtype.bits)


def _others(activation: Activation, lanes: int, rows: int, acc: IntType, spacing: int) -> Resources:
    """What other structures do not have, or have more of: less what they have where this one has none.

    Of thresholds, memories that all lanes share or that lie elsewhere.
    """
    if not isinstance(activation, Thresholds):
        return Resources()
    form = activation.form(lanes, lanes * rows, acc, spacing)
    if form == "compare" and rows == 1:
        return Resources(lut=-floor(lanes * activation.levels * CONSTANT_SAVES * acc.bits))
    if form == "serial":
        return Resources()
    elsewhere = activation.loop_memories(form, lanes, lanes * rows, acc)
    if form == "compare":
        own, shifted = _row_of_all(activation, lanes, rows, acc), 0
    else:
        own, shifted = _keys(activation, lanes, rows, acc), _shifted(activation, lanes, rows, acc)
    tables = (own.lut or 0) - (elsewhere.lut or 0) + shifted
    return Resources(lut=tables, bram18=(own.bram18 or 0) - (elsewhere.bram18 or 0))


def _row_of_all(thresholds: Thresholds, lanes: int, rows: int, acc: IntType) -> Resources:
    """The memory of thresholds that are compared, one for all lanes, with bases and steps where these differ from channel to channel.

    Thresholds have the bits that the widest needs, as those above them repeat the sign; they are read at an address in registers.
    """
    levels, (_, own_base) = thresholds.levels, thresholds.bases
    stepped = levels if thresholds.step.shape[0] > 1 else 0
    width = thresholds.width(acc) * levels + thresholds.dtype.bits * (stepped + own_base)
    return _constants(rows, lanes * width, compared_style(thresholds, lanes, lanes * rows, acc))


def _keys(thresholds: Thresholds, lanes: int, rows: int, acc: IntType) -> Resources:
    """The memories of a search: one of all lanes' first keys, in look-up tables, then a lane's own, and where it has one its table."""
    own = [_constants(*memory) for memory in thresholds.search_memories(lanes, lanes * rows, acc)]
    return _constants(rows, lanes * acc.bits, "lutram") + Resources.total(own).times(lanes)


def _constants(depth: int, width: int, style: str) -> Resources:
    """A memory of constants, of whose columns in look-up tables equal ones are one; a bit of the address or its complement takes none."""
    if style == "lutram" and depth <= _FEW_WORDS:
        functions, wires = (1 << depth) - 2, 2 * (depth - 1).bit_length()
        width = ceil(different_columns(depth, width) * max(0, functions - wires) / functions) if functions else 0
    return pipeline.deep_rom(depth, width, style)


_FEW_WORDS = 16
"""Words of a memory some of whose columns are equal, or constant: of 16 there are 65,536 columns."""


def different_columns(depth: int, width: int) -> float:
    """Different columns, constants aside, of ``width`` that are drawn of all those of ``depth`` words, as many as are to be expected.

    There are ``n = 2^depth``, and each is drawn with probability ``1 - (1 - 1/n)^width``.
    """
    columns = 1 << depth
    return (columns - 2) * (1 - (1 - 1 / columns) ** width)


def _own(depth: int, width: int) -> int:
    """Registers behind the columns of a memory of ``depth`` constant words: equal columns are one, and constants none."""
    return ceil(different_columns(depth, width)) if depth <= _FEW_WORDS else width


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
    style = compared_style(thresholds, lanes, lanes * rows, acc)
    return _row(rows, _own(rows, lanes * width) if style == "lutram" else lanes * width, style) + lanes * own


def _searched(thresholds: Thresholds, lanes: int, rows: int, value: int, first_block: int, first_late: int) -> int:
    """Of every step the key, the argument and the path that wait for it, the path behind it (``flowc_search``); the result.

    Where they wait for the register behind a block RAM they take a third register, or look-up tables (`_shifted`).
    """
    steps, out, tabled = thresholds.search.steps, thresholds.dtype.bits, thresholds.tabled
    own, places = 1 + out * (2 if tabled and steps < first_block else 1), (rows - 1).bit_length()
    own -= 3 * _last_shifted(thresholds, rows, first_late)
    row = places if steps + tabled > 1 else 0
    for k in range(1, steps):
        late = k >= first_late
        own += _own(rows << k, value) if k < first_block else value if late else 0  # the key
        waits = 3 if late else 2
        if late and thresholds.read_cycles == 1:
            own += 1
        else:
            own += waits * (value + k) + 1
            row += waits * places if k < steps - 1 or tabled else 0
    return _row(rows, _own(rows, lanes * value), "lutram") + lanes * own + row


def _last_shifted(thresholds: Thresholds, rows: int, first_late: int) -> int:
    """Bits of a path that are a shift register of three places, before the last comparison, behind it and as the result: all but the last.

    Before the register of a block RAM they are one anyway, and it is one place longer. Of two keys some bit is what the first place holds.
    """
    steps = thresholds.search.steps
    counted = thresholds.plain and thresholds.uniform_step == 1 and not thresholds.base.any()
    shifts = counted and thresholds.read_cycles == 1 and first_late >= steps and rows << (steps - 1) > 2
    return steps - 1 if shifts else 0


def _shifted(thresholds: Thresholds, lanes: int, rows: int, acc: IntType) -> int:
    """Look-up tables as shift registers of three places; on Lattice parts, whose tables hold none, registers.

    They are argument, path and row while they wait for the register behind a block RAM, and the path on the last way to the result.
    """
    if thresholds.read_cycles > 1:
        return 0
    steps, places, value = thresholds.search.steps, (rows - 1).bit_length(), value_bits(acc)
    first_late = thresholds.first_late(lanes, lanes * rows, acc)
    last = lanes * _last_shifted(thresholds, rows, first_late)
    return last + sum(
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
