"""Units that move elements without changing them."""

from __future__ import annotations

from itertools import accumulate
from math import gcd

from flowc.backends.rtl.instance import (
    Bits,
    Instance,
    Memory,
    constant_style,
    delay,
    kind,
    pack_fields,
    ram_style,
)
from flowc.units import Concat, Fork, Gather, Permute, Split, Upsample, WidthConverter

__all__ = [
    "write_concat",
    "write_fork",
    "write_gather",
    "write_permute",
    "write_split",
    "write_upsample",
    "write_width_converter",
]


def write_fork(unit: Fork) -> Instance:
    """A fork."""
    width = unit.simd * unit.frame.dtype.bits
    return Instance(unit, "fork", {"WIDTH": width, "WAYS": unit.ways, "DELAY": delay(unit, 0)})


def write_concat(unit: Concat) -> Instance:
    """A concatenation."""
    types = [frame.dtype for frame in unit.frames]
    return Instance(
        unit,
        "concat",
        {
            "WAYS": len(types),
            "SIMD": unit.simd,
            "ENDS": Bits(tuple(accumulate(frame.c // unit.simd for frame in unit.frames))),
            "IN_BITS": Bits(tuple(t.bits for t in types)),
            "IN_KINDS": Bits(tuple(kind(t) for t in types)),
            "IN_WIDTH": unit.simd * sum(t.bits for t in types),
            "OUT_BITS": unit.out.dtype.bits,
            "OUT_BIPOLAR": unit.out.dtype.bipolar,
            "DELAY": delay(unit, 0),
        },
    )


def write_split(unit: Split) -> Instance:
    """A split."""
    return Instance(
        unit,
        "split",
        {
            "WIDTH": unit.simd * unit.frame.dtype.bits,
            "WAYS": len(unit.sizes),
            "WORDS": unit.frame.c // unit.simd,
            "BEGINS": Bits(tuple(a // unit.simd for a in unit.starts)),
            "ENDS": Bits(tuple((a + n) // unit.simd for a, n in zip(unit.starts, unit.sizes, strict=True))),
            "DELAY": delay(unit, 0),
        },
    )


def write_upsample(unit: Upsample) -> Instance:
    """An upsampling."""
    frame = unit.frame
    return Instance(
        unit,
        "upsample",
        {
            "WIDTH": unit.simd * frame.dtype.bits,
            "COLUMNS": frame.w,
            "WORDS": frame.c // unit.simd,
            "FACTOR_H": unit.factor_h,
            "FACTOR_W": unit.factor_w,
            "STYLE": ram_style("auto", *unit.row_memory),
            "DELAY": delay(unit, 2),
        },
    )


def write_permute(unit: Permute) -> Instance:
    """A permutation."""
    return _reordering(unit, int(unit.order.size))


def write_gather(unit: Gather) -> Instance:
    """A gather."""
    return _reordering(unit, unit.taken)


def _reordering(unit: Permute, taken: int) -> Instance:
    given = int(unit.order.size)
    address = max(1, (taken - 1).bit_length())
    words, bits = pack_fields([(unit.order.reshape(-1, 1, 1), address)])
    order = Memory(f"data/{unit.name}_order.hex", words, bits)
    return Instance(
        unit,
        "permute",
        {
            "WIDTH": unit.frame.dtype.bits,
            "CHUNKS": unit.frame.elements // taken,
            "TAKEN": taken,
            "GIVEN": given,
            "GAP": unit.gap,
            "ORDER": order.file,
            "STYLE": ram_style("auto", *unit.chunk_memory),
            "ORDER_STYLE": constant_style("auto", given, address),
            "DELAY": delay(unit, 4),
        },
        (order,),
    )


def write_width_converter(unit: WidthConverter) -> Instance:
    """A width converter."""
    bits = unit.frame.dtype.bits
    return Instance(
        unit,
        "width_converter",
        {
            "IN": unit.wide_in * bits,
            "OUT": unit.wide_out * bits,
            "UNIT": gcd(unit.wide_in, unit.wide_out) * bits,
            "DELAY": delay(unit, 0),
        },
    )
