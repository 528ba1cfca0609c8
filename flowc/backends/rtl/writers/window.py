"""Padding and sliding windows."""

from __future__ import annotations

import numpy as np

from flowc.backends.rtl.instance import Bits, Instance, Value, delay, kind, ram_style
from flowc.interface.packing import pack_rows
from flowc.units import Pad, PixelPad, Window
from flowc.units.schedule import RING_GAP

__all__ = ["write_pad", "write_pixel_pad", "write_window"]


def _edges(unit: Pad | PixelPad) -> dict[str, Value]:
    """What all paddings are told."""
    frame, out = unit.frame, unit.out
    filler = int(pack_rows(np.array([[unit.value]]), out.dtype, 8).view("<u8")[0, 0])
    return {
        "SIMD": unit.simd, "IN_BITS": frame.dtype.bits, "IN_KIND": kind(frame.dtype), "OUT_BITS": out.dtype.bits,
        "OUT_BIPOLAR": out.dtype.bipolar, "FILLER": Bits((filler,), out.dtype.bits), "HEIGHT": frame.h,
        "WIDTH": frame.w, "OUT_H": out.h, "DELAY": delay(unit, 0),
    }  # fmt: skip


def _pad(unit: Pad | PixelPad, place: dict[str, Value]) -> Instance:
    own: dict[str, Value] = {"WORDS": unit.frame.c // unit.simd, "OUT_W": unit.out.w}
    return Instance(unit, "pad", _edges(unit) | own | place)


def _pad_pixels(unit: Pad) -> Instance:
    own: dict[str, Value] = {
        "PIXELS": unit.pixels, "ROW_BEATS": unit.outputs[0].w // unit.pixels, "TOP": unit.top, "LEFT": unit.left,
    }  # fmt: skip
    return Instance(unit, "pad_pixels", _edges(unit) | own)


def write_pad(unit: Pad) -> Instance:
    """A padding unit."""
    if unit.pixels > 1:
        return _pad_pixels(unit)
    return _pad(unit, {"TOP": unit.top, "LEFT": unit.left})


def write_pixel_pad(unit: PixelPad) -> Instance:
    """The zero insertion of a transposed convolution."""
    return _pad(unit, {"TOP": 0, "LEFT": 0, "STEP_H": unit.stride_h, "STEP_W": unit.stride_w})


def write_window(unit: Window) -> Instance:
    """A sliding window."""
    if unit.pixels > 1:
        return _window_pixels(unit)
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
    assert unit.ring is not None
    blocks: dict[str, Value] = {
        "BLOCKS": frame.c // unit.block,
        "BLOCK_WORDS": unit.block // unit.simd,
        "SPARE": unit.spare,
        "SLACK": unit.ring.slack,
    }
    return Instance(unit, "window", shape | blocks | {"GAP": RING_GAP, "STYLE": style, "DELAY": delay(unit, 1)})


def _window_pixels(unit: Window) -> Instance:
    _, depth, bits = unit.line_memory
    (kh, kw), (sh, sw), (dh, dw) = unit.kernel, unit.stride, unit.dilation
    parameters: dict[str, Value] = {
        "WIDTH": bits // unit.pixels, "PIXELS": unit.pixels, "GIVEN": unit.given, "BEHIND": unit.behind_beats,
        "HEIGHT": unit.frame.h, "ROW_BEATS": unit.row_beats, "OUT_BEATS": unit.out_w // unit.given, "KERNEL_H": kh,
        "KERNEL_W": kw, "STRIDE_H": sh, "STRIDE_W": sw, "DILATION_H": dh, "DILATION_W": dw,
        "STYLE": ram_style(unit.memory, depth, bits), "DELAY": delay(unit, 0),
    }  # fmt: skip
    return Instance(unit, "window_pixels", parameters)
