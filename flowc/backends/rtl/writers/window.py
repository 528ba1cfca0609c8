"""Padding and sliding windows."""

from __future__ import annotations

import numpy as np

from flowc.backends.rtl.instance import Bits, Instance, Value, delay, kind, ram_style
from flowc.interface.packing import pack_rows
from flowc.units import Pad, PixelPad, Window
from flowc.units.schedule import RING_GAP

__all__ = ["write_pad", "write_pixel_pad", "write_window"]


def _pad(unit: Pad | PixelPad, place: dict[str, Value]) -> Instance:
    frame, out = unit.frame, unit.out
    filler = int(pack_rows(np.array([[unit.value]]), out.dtype, 8).view("<u8")[0, 0])
    parameters: dict[str, Value] = {
        "SIMD": unit.simd, "IN_BITS": frame.dtype.bits, "IN_KIND": kind(frame.dtype), "OUT_BITS": out.dtype.bits,
        "OUT_BIPOLAR": out.dtype.bipolar, "FILLER": Bits((filler,), out.dtype.bits), "HEIGHT": frame.h,
        "WIDTH": frame.w, "WORDS": frame.c // unit.simd, "OUT_H": out.h, "OUT_W": out.w, "DELAY": delay(unit, 0),
    }  # fmt: skip
    return Instance(unit, "pad", parameters | place)


def write_pad(unit: Pad) -> Instance:
    """A padding unit."""
    return _pad(unit, {"TOP": unit.top, "LEFT": unit.left})


def write_pixel_pad(unit: PixelPad) -> Instance:
    """The zero insertion of a transposed convolution."""
    return _pad(unit, {"TOP": 0, "LEFT": 0, "STEP_H": unit.stride_h, "STEP_W": unit.stride_w})


def write_window(unit: Window) -> Instance:
    """A sliding window."""
    frame = unit.frame
    bits = unit.simd * frame.dtype.bits
    shape: dict[str, Value] = {
        "WIDTH": bits, "HEIGHT": frame.h, "COLUMNS": frame.w, "STRIDE_H": unit.stride[0], "STRIDE_W": unit.stride[1],
    }  # fmt: skip
    words = frame.c // unit.simd
    if unit.kernel == (1, 1):
        return Instance(unit, "subsample", shape | {"WORDS": words, "DELAY": delay(unit, 0)})
    shape |= {
        "KERNEL_H": unit.kernel[0], "KERNEL_W": unit.kernel[1], "DILATION_H": unit.dilation[0],
        "DILATION_W": unit.dilation[1],
    }  # fmt: skip
    _, depth, _ = unit.line_memory
    style = ram_style(unit.memory, depth, bits)
    if unit.parallel:
        return Instance(unit, "window_parallel", shape | {"WORDS": words, "STYLE": style, "DELAY": delay(unit, 0)})
    blocks: dict[str, Value] = {
        "BLOCKS": frame.c // unit.block,
        "BLOCK_WORDS": unit.block // unit.simd,
        "SPARE": unit.spare,
    }
    return Instance(unit, "window", shape | blocks | {"GAP": RING_GAP, "STYLE": style, "DELAY": delay(unit, 1)})
