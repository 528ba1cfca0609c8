"""What a requantizer costs as SystemVerilog makes it (``flowc_requant``, ``flowc_requant_late``), where it differs from loops."""

from __future__ import annotations

from math import ceil

from flowc.units import cost, pipeline
from flowc.units.activation import Requant
from flowc.units.cost import Resources

__all__ = ["late_levels", "one_slice"]


def one_slice(requant: Requant, value: int) -> bool:
    """Whether a slice of 27 x 18 bits holds the product with values of so many bits, and the sum (``flowc_multiply_add``)."""
    factor, addend = requant.widths
    narrow, wide = sorted((value, max(2, factor)))
    return bool(factor) and narrow <= 18 and wide <= 27 and addend < 47


def late_levels(requant: Requant, lanes: int, rows: int, *, shifts: bool) -> Resources:
    """What puts levels right that the line enters too early.

    Per lane the memory and the sum that addresses it; the multiplier's magnitude and the rest, which wait six and four cycles for its
    word; their product and its comparison with the rest; the result less one, and the choice.

    Args:
        requant: with ``late``.
        lanes: results per cycle.
        rows: rows of parameters; late levels have as many, or one.
        shifts: whether what waits is shift registers, in look-up tables.
    """
    assert requant.late is not None
    factor, out, shift = max(2, requant.widths[0]), requant.dtype.bits, requant.shift
    bits = max(1, int(requant.late.max()).bit_length())
    late_rows = rows if requant.late.shape[0] > 1 else 1
    levels = requant.hi - requant.lo
    depth = levels * late_rows
    address = max(1, (depth - 1).bit_length())
    product = factor + bits
    memory = pipeline.deep_rom(depth, bits, cost.key_style(depth, bits))
    multiplied = factor / 2 if bits == 1 else 2.05 * factor * (bits - 1)
    luts = factor + multiplied + cost.comparator_luts(max(product, shift)) + address + 2 * out
    ffs = address + product + 5 * out + bits + 3
    if shifts:
        luts += factor + shift
    else:
        ffs += 6 * factor + 4 * shift
    place = Resources(lut=address + 3, ff=address) if late_rows > 1 else Resources()
    return (memory + Resources(lut=ceil(luts), ff=ffs)).times(lanes) + place + Resources(ff=4)
