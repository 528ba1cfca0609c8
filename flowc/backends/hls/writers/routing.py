"""Units that move elements without changing them."""

from __future__ import annotations

from itertools import accumulate
from math import gcd

import numpy as np

from flowc.backends.hls.layer import SAFE_DISTANCE, Constant, Layer, Memory, element, word
from flowc.backends.hls.split import Bundle
from flowc.backends.hls.text import hex_rows
from flowc.units import Concat, Fork, Permute, Split, Upsample, WidthConverter
from flowc.units.cost import memory_style

__all__ = [
    "write_bundle",
    "write_concat",
    "write_fork",
    "write_permute",
    "write_split",
    "write_upsample",
    "write_width_converter",
]


def write_fork(unit: Fork) -> Layer:
    """C++ of a fork."""
    return Layer(unit, "fork.cpp.j2", ("count.hpp", "step.hpp"), numbers=(("BEATS", unit.cycles, "per frame"),))


def write_bundle(unit: Bundle) -> Layer:
    """C++ of what puts the parts of a split unit together."""
    return Layer(unit, "bundle.cpp.j2", ("count.hpp", "step.hpp"), numbers=(("BEATS", unit.cycles, "per frame"),))


def write_concat(unit: Concat) -> Layer:
    """C++ of a concatenation."""
    ends = list(accumulate(frame.c // unit.simd for frame in unit.frames))
    numbers = (
        ("PIXELS", unit.out.pixels, f"{unit.out.h} x {unit.out.w}"),
        ("WORDS", ends[-1], f"beats per pixel: {unit.out.c} channels / {unit.simd}"),
    )
    dtype = unit.out.dtype
    values = {
        "ends": ends,
        "bits_out": unit.simd * dtype.bits,
        "result": element(dtype),
        "sources": [None if frame.dtype == dtype else element(frame.dtype) for frame in unit.frames],
    }
    return Layer(unit, "concat.cpp.j2", ("count.hpp", "element.hpp", "step.hpp"), numbers=numbers, values=values)


def write_split(unit: Split) -> Layer:
    """C++ of a split."""
    frame = unit.frame
    slices = [(a // unit.simd, (a + n) // unit.simd) for a, n in zip(unit.starts, unit.sizes, strict=True)]
    numbers = (
        ("PIXELS", frame.pixels, f"{frame.h} x {frame.w}"),
        ("WORDS", frame.c // unit.simd, f"beats per pixel: {frame.c} channels / {unit.simd}"),
    )
    return Layer(unit, "split.cpp.j2", ("count.hpp", "step.hpp"), numbers=numbers, values={"slices": slices})


def write_upsample(unit: Upsample) -> Layer:
    """C++ of an upsampling."""
    frame = unit.frame
    words = frame.c // unit.simd
    bits = unit.simd * frame.dtype.bits
    kept = words if words < SAFE_DISTANCE else 1
    memories = (
        Memory("pixel", word(bits), bits, (kept,), 0, about="the pixel that is repeated"),
        Memory(
            "row", word(bits), bits, (frame.w * words,), max(words, SAFE_DISTANCE), about="the row that is repeated"
        ),
    )
    # A row that short comes back before a memory has settled.
    if frame.w * unit.factor_w * words < SAFE_DISTANCE:
        memories = (
            memories[0],
            Memory("row", word(bits), bits, (frame.w * words,), 0, about="the row that is repeated"),
        )
    return Layer(
        unit,
        "upsample.cpp.j2",
        ("routing.hpp",),
        numbers=(
            ("HEIGHT", frame.h, "of the input"),
            ("WIDTH", frame.w, ""),
            ("WORDS", words, f"beats per pixel: {frame.c} channels / {unit.simd}"),
            ("FACTOR_H", unit.factor_h, ""),
            ("FACTOR_W", unit.factor_w, ""),
        ),
        memories=memories,
    )


def write_permute(unit: Permute) -> Layer:
    """C++ of a permutation."""
    name = unit.name
    chunk = int(unit.order.size)
    bits = unit.frame.dtype.bits
    index = np.uint8 if chunk <= 1 << 8 else np.uint16 if chunk <= 1 << 16 else np.uint32
    style = memory_style(chunk, max(1, (chunk - 1).bit_length()), constant=True)
    about = f"which of {chunk} elements of a chunk leaves as its i-th"
    order = Constant(f"{np.dtype(index).name}_t", f"{name}_order", (chunk,), hex_rows(unit.order.astype(index)), about)
    distance = 0 if chunk <= 32 else SAFE_DISTANCE
    halves = Memory("halves", word(bits), bits, (2 * chunk,), distance, about="two chunks")
    return Layer(
        unit,
        "permute.cpp.j2",
        ("routing.hpp",),
        numbers=(
            ("CHUNKS", unit.frame.elements // chunk, "per frame"),
            ("CHUNK", chunk, "elements"),
            ("GAP", unit.gap, "idle cycles after a chunk"),
        ),
        constants=(order,),
        memories=(halves,),
        values={"settled": SAFE_DISTANCE if distance else 1},
        pragmas=(f"BIND_STORAGE variable = {name}_order type = rom_1p impl = {style}",) if chunk > 1 else (),
    )


def write_width_converter(unit: WidthConverter) -> Layer:
    """C++ of a width converter."""
    bits = unit.frame.dtype.bits
    if unit.wide_in % unit.wide_out == 0:
        function = "narrow"
    elif unit.wide_out % unit.wide_in == 0:
        function = "widen"
    else:
        function = "convert"
    return Layer(
        unit,
        "width_converter.cpp.j2",
        ("width_converter.hpp",),
        numbers=(
            ("BEATS_IN", unit.frame.elements // unit.wide_in, f"of {unit.wide_in} elements"),
            ("BEATS_OUT", unit.frame.elements // unit.wide_out, f"of {unit.wide_out} elements"),
            ("UNIT", gcd(unit.wide_in, unit.wide_out) * bits, "bits that divide both widths"),
        ),
        values={"function": function},
    )
