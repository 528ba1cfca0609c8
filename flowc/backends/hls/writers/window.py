"""Padding and sliding windows."""

from __future__ import annotations

import numpy as np

from flowc.backends.hls.layer import Layer, Memory, element, word
from flowc.interface.packing import pack_rows
from flowc.model.dtypes import IntType
from flowc.units import Pad, PixelPad, Window

__all__ = ["write_pad", "write_pixel_pad", "write_window"]


def _filler(value: int, dtype: IntType) -> int:
    """The bits, as an unsigned number, of the element ``value``."""
    return int(pack_rows(np.array([[value]]), dtype, 8).view("<u8")[0, 0])


def write_pad(unit: Pad) -> Layer:
    """C++ of a padding unit."""
    frame, rows = unit.frame, unit.outputs[0].w // unit.pixels
    beats = (
        ("PIXELS", unit.pixels, "per beat"),
        (
            "ROW_BEATS",
            rows,
            f"per output row: {unit.out.w} pixels, {rows * unit.pixels - unit.out.w} more to fill them up",
        ),
    )
    words = (
        ("OUT_W", unit.out.w, ""),
        ("WORDS", frame.c // unit.simd, f"beats per pixel: {frame.c} channels / {unit.simd}"),
    )
    return Layer(
        unit,
        "pad.cpp.j2",
        ("pad.hpp",),
        types=(("Input", element(frame.dtype)), ("Output", element(unit.out.dtype))),
        numbers=(
            ("HEIGHT", frame.h, "of the input"),
            ("WIDTH", frame.w, ""),
            ("TOP", unit.top, ""),
            ("LEFT", unit.left, ""),
            ("OUT_H", unit.out.h, ""),
            *(words if unit.pixels == 1 else beats),
            ("SIMD", unit.simd, "channels per beat" if unit.pixels == 1 else "channels per pixel"),
        ),
        values={
            "function": "pad" if unit.pixels == 1 else "pad_pixels",
            "lanes": unit.lanes,
            "bits": unit.out.dtype.bits,
            "filler": _filler(unit.value, unit.out.dtype),
        },
    )


def write_pixel_pad(unit: PixelPad) -> Layer:
    """C++ of the zero insertion of a transposed convolution."""
    frame = unit.frame
    return Layer(
        unit,
        "pad.cpp.j2",
        ("pad.hpp",),
        types=(("Input", element(frame.dtype)), ("Output", element(unit.out.dtype))),
        numbers=(
            ("OUT_H", unit.out.h, ""),
            ("OUT_W", unit.out.w, ""),
            ("STRIDE_H", unit.stride_h, ""),
            ("STRIDE_W", unit.stride_w, ""),
            ("WORDS", frame.c // unit.simd, f"beats per pixel: {frame.c} channels / {unit.simd}"),
            ("SIMD", unit.simd, "channels per beat"),
        ),
        values={
            "function": "pixel_pad",
            "lanes": unit.simd,
            "bits": unit.out.dtype.bits,
            "filler": _filler(unit.value, unit.out.dtype),
        },
    )


def write_window(unit: Window) -> Layer:
    """C++ of a sliding window."""
    frame = unit.frame
    (kh, kw), (sh, sw), (dh, dw) = unit.kernel, unit.stride, unit.dilation
    if unit.pixels > 1:
        return _several(unit)
    numbers = (
        ("HEIGHT", frame.h, "of the input"),
        ("WIDTH", frame.w, ""),
        ("WORDS", frame.c // unit.simd, f"beats per pixel: {frame.c} channels / {unit.simd}"),
        ("KERNEL_H", kh, ""),
        ("KERNEL_W", kw, ""),
        ("STRIDE_H", sh, ""),
        ("STRIDE_W", sw, ""),
        ("DILATION_H", dh, ""),
        ("DILATION_W", dw, ""),
    )
    if kh == kw == 1:
        return Layer(unit, "subsample.cpp.j2", ("window.hpp",), numbers=numbers)
    return _parallel(unit, numbers) if unit.parallel else _serial(unit, numbers)


def _parallel(unit: Window, numbers: tuple[tuple[str, int, str], ...]) -> Layer:
    (kh, kw), (dh, dw), width = unit.kernel, unit.dilation, unit.frame.w
    words = unit.frame.c // unit.simd
    bits = unit.simd * unit.frame.dtype.bits
    columns, column_bits = dw * words if kw > 1 else 1, bits * (kh * (kw - 1) or 1)
    rows, row_bits = (dh * width - (kw - 1) * dw) * words if kh > 1 else 1, bits * (kh - 1 or 1)
    between = "what lies between neighbouring taps of a row", "what lies between the rows of taps"
    memories = (
        Memory("columns", word(column_bits), column_bits, (columns,), columns, about=between[0]),
        Memory("rows", word(row_bits), row_bits, (rows,), rows, unit.memory, about=between[1]),
    )
    return Layer(unit, "window_parallel.cpp.j2", ("window.hpp",), numbers=numbers, memories=memories)


def _several(unit: Window) -> Layer:
    (kh, kw), (sh, sw), (dh, dw), frame = unit.kernel, unit.stride, unit.dilation, unit.frame
    count, depth, bits = unit.line_memory
    past, columns = unit.behind_beats, kh * bits
    rows, row_bits = (depth, count * bits) if kh > 1 else (1, bits)
    earlier, between = "beats before, of every row of taps", "what lies between the rows of taps"
    memories = (
        Memory("columns", word(columns), columns, (max(1, past),), 1, about=earlier if past else "none are needed"),
        Memory("rows", word(row_bits), row_bits, (rows,), rows, unit.memory, about=between),
    )
    numbers = (
        ("HEIGHT", frame.h, "of the input"),
        ("ROW_BEATS", unit.row_beats, f"beats per row of {frame.w} pixels"),
        ("PIXELS", unit.pixels, "per beat"),
        ("BEHIND", past, "beats before the one that completes a beat of positions"),
        ("GIVEN", unit.given, "positions per beat"),
        ("OUT_BEATS", unit.out_w // unit.given, f"beats per row of {unit.out_w} positions"),
        ("KERNEL_H", kh, ""),
        ("KERNEL_W", kw, ""),
        ("STRIDE_H", sh, ""),
        ("STRIDE_W", sw, ""),
        ("DILATION_H", dh, ""),
        ("DILATION_W", dw, ""),
    )
    return Layer(unit, "window_pixels.cpp.j2", ("window.hpp",), numbers=numbers, memories=memories)


def _serial(unit: Window, numbers: tuple[tuple[str, int, str], ...]) -> Layer:
    (kh, kw), (dh, dw), frame = unit.kernel, unit.dilation, unit.frame
    words = frame.c // unit.simd
    bits = unit.simd * frame.dtype.bits
    assert unit.ring is not None
    size = unit.ring.size
    about = f"{(kh - 1) * dh + unit.spare} rows and {(kw - 1) * dw + 1} pixels of {words} words, and {unit.ring.slack} words"
    more = (
        ("OUT_H", unit.out_h, ""),
        ("OUT_W", unit.out_w, ""),
        ("BLOCKS", frame.c // unit.block, "channel blocks"),
        ("BLOCK_WORDS", unit.block // unit.simd, "beats per block and tap"),
        ("SPARE", unit.spare, "rows that the ring holds beyond the window"),
        ("CYCLES", unit.cycles, "per frame"),
    )
    line = Memory("line", word(bits), bits, (size,), size, unit.memory, about=about)
    return Layer(unit, "window.cpp.j2", ("window.hpp",), numbers=(*numbers, *more), memories=(line,))
