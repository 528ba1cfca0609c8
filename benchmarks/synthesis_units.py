"""The units that the synthesis benchmark measures: the shapes of FINN's RTL library, and a spread for the cost model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt
from flowc.units import (
    Activate,
    Activation,
    Frame,
    InputPort,
    Mvtu,
    OutputPort,
    Pool,
    Requant,
    Thresholds,
    Unit,
    Vvtu,
    Window,
)
from flowc.units.graph import Dataflow, Stream

__all__ = ["FINN", "SEED", "Theirs", "alone", "drawn_units", "finn_units", "model_units", "packed_units", "probe_units"]

SEED = 2026
"""Of the shapes that are drawn."""


@dataclass(frozen=True)
class Theirs:
    """What yosys 0.70 makes of a unit of FINN's RTL library (main branch of 2026) for UltraScale+, weights not included."""

    lut: int
    bram18: int = 0
    dsp: int = 0


FINN: dict[str, Theirs] = {
    "4 x 4, 576 x 64, pe 8, simd 8": Theirs(1745, 1, 16),
    "8 x 8, 576 x 64, pe 8, simd 8": Theirs(2336, 2, 32),
    "4 x 8, 9 x 16, pe 16, simd 9": Theirs(3416, 0, 72),
    "4 x 4, 144 x 16, pe 8, simd 16": Theirs(3062, 0, 32),
    "window of 32 x 32 x 3, 8 bit, simd 3": Theirs(265),
    "window of 30 x 30 x 64, 2 bit, simd 64": Theirs(331),
    "window of 14 x 14 x 64, 2 bit, simd 4": Theirs(221, 1),
    "thresholds of 10 bit to 2, 64 channels, pe 16": Theirs(479),
    "thresholds of 13 bit to 4, 64 channels, pe 8": Theirs(797),
    "thresholds of 20 bit to 8, 64 channels, pe 2": Theirs(698, 22),
}


def thresholds(rng: np.random.Generator, acc: IntType, out: IntType, channels: int) -> Thresholds:
    """Random ones, of each channel its own, for a part of AMD's."""
    levels = 1 if out.bipolar else out.hi
    values = np.sort(rng.integers(acc.lo, acc.hi, (channels, levels)), axis=1)
    base = np.full(channels, -1) if out.bipolar else np.zeros(channels, np.int64)
    step = np.array([[2 if out.bipolar else 1]])
    return Thresholds(dtype=out, values=values, base=base, step=step, read_cycles=1)


def requant(rng: np.random.Generator, out: IntType, channels: int) -> Requant:
    """A multiply-add-shift with 14-bit factors."""
    mult, add = rng.integers(1 << 12, 1 << 13, channels), rng.integers(-(1 << 16), 1 << 16, channels)
    return Requant(dtype=out, mult=mult, add=add, shift=18, lo=out.lo, hi=out.hi)


def matrix(
    name: str, w: IntType, a: IntType, out: IntType | None, shape: tuple[int, int], fold: tuple[int, int], *,
    memory: str = "bram", multiplier: str = "lut", scaled: bool = False, pixels: int = 1,
) -> Mvtu:  # fmt: skip
    """A matrix unit of (inputs, outputs), folded (pe, simd), with random weights."""
    rng = np.random.default_rng(1)
    mw, mh = shape
    weights = 2 * rng.integers(0, 2, (mh, mw)) - 1 if w.bipolar else rng.integers(w.lo, w.hi + 1, (mh, mw))
    bound = int(np.abs(weights).sum(axis=1).max()) * max(-a.lo, a.hi)
    acc = IntType.for_range(-bound, bound)
    activation: Activation | None = None
    if out is not None:
        activation = requant(rng, out, mh) if scaled else thresholds(rng, acc, out, mh)
    return Mvtu(
        name=name, frame=Frame(1, pixels, mw, a), weights=weights, weight_type=w, acc=acc, activation=activation, block=mw,
        pe=fold[0], simd=fold[1], memory=memory, multiplier=multiplier, dsp_port=27, pixels=pixels,
    )  # fmt: skip


def window(name: str, size: int, channels: int, bits: int, simd: int, *, kernel: int = 3, stride: int = 1,
           memory: str = "auto", parallel: bool = False, pixels: int = 1) -> Window:  # fmt: skip
    """A square window over a square frame."""
    frame = Frame(size, size, channels, UInt(bits))
    return Window(
        name=name, frame=frame, kernel=(kernel, kernel), stride=(stride, stride), dilation=(1, 1), block=channels,
        simd=simd, memory=memory, parallel=parallel, pixels=pixels,
    )  # fmt: skip


def activate(name: str, source: IntType, out: IntType, channels: int, pe: int, style: str = "auto") -> Activate:
    """Thresholds alone."""
    found = thresholds(np.random.default_rng(1), source, out, channels)
    return Activate(
        name=name,
        frame=Frame(1, 1, channels, source),
        activation=found.__class__(**vars(found) | {"style": style}),
        pe=pe,
    )


def finn_units() -> Iterator[Unit]:
    """Units of the shapes of `FINN`, in that order; matrix units with their weights and thresholds, thresholds in the best style."""
    s4, s8, u4, u8 = SInt(4), SInt(8), UInt(4), UInt(8)
    narrow = [*_narrow_units("overlapped")]
    yield narrow[0]
    yield matrix("mvtu_8x8_8x8_packed", s8, u8, u8, (576, 64), (8, 8), multiplier="packed")
    yield matrix("mvtu_4x8_16x9_packed", s4, u8, u4, (9, 16), (16, 9), memory="lutram", multiplier="packed")
    yield narrow[1]
    yield window("window_0", 32, 3, 8, 3)
    yield window("window_1", 30, 64, 2, 64)
    yield window("window_2", 14, 64, 2, 4)
    yield activate("thresholds_0", SInt(10), UInt(2), 64, 16)
    yield activate("thresholds_1", SInt(13), UInt(4), 64, 8)
    yield activate("thresholds_2", SInt(20), UInt(8), 64, 2)


def _narrow_units(multiplier: str) -> Iterator[Unit]:
    """The units of 4 x 4 bits among these."""
    for shape, fold in (((576, 64), (8, 8)), ((144, 16), (8, 16))):
        name = f"mvtu_4x4_{fold[0]}x{fold[1]}_{multiplier}"
        unit = matrix(name, SInt(4), UInt(4), UInt(4), shape, fold, multiplier=multiplier)
        yield unit.with_(structure="pipeline")


def packed_units() -> Iterator[Unit]:
    """The matrix units of these, several of whose products share a DSP slice, those of 4 x 4 bits also without overlapping sums."""
    yield from (unit for unit in finn_units() if unit.kind == "mvtu")
    yield from _narrow_units("packed")


def model_units() -> Iterator[Unit]:
    """A spread of units with which the cost model is held against yosys."""
    b, s2, s4, u2, u4, u8 = BIPOLAR, SInt(2), SInt(4), UInt(2), UInt(4), UInt(8)
    kinds = [("1x1", b, b, b), ("2x2", s2, u2, u2), ("4x4", s4, u4, u4), ("2x8", s2, u8, u2)]
    for pe, simd in ((2, 8), (4, 16), (8, 8)):
        for name, w, a, out in kinds:
            if w.bits * a.bits * pe * simd <= 300:
                yield matrix(f"mvtu_{name}_{pe}x{simd}", w, a, out, (64, 64), (pe, simd))
    yield matrix("mvtu_1x1_8x36", b, b, b, (144, 64), (8, 36))
    yield matrix("mvtu_2x2_sums", s2, u2, None, (64, 64), (4, 8))
    yield matrix("mvtu_2x2_logic", s2, u2, u2, (64, 16), (2, 8), memory="lutram")
    yield matrix("mvtu_2x2_1x4_of_512", s2, u2, u2, (256, 512), (1, 4))
    yield matrix("mvtu_4x4_1x2_of_512", s4, u4, u4, (64, 512), (1, 2))
    yield window("window_32_3_8", 32, 3, 8, 3)
    yield window("window_28_64_2_32", 28, 64, 2, 32)
    yield window("window_14_64_2_4", 14, 64, 2, 4)
    yield window("window_10_128_2_2", 10, 128, 2, 2, kernel=2, stride=2)


def depthwise(name: str, channels: int, pe: int, *, parallel: bool = False, pixels: int = 1) -> Vvtu:
    """A depthwise unit of nine taps of 4 x 4 bits, with random weights and thresholds."""
    rng = np.random.default_rng(1)
    weights = rng.integers(-8, 8, (channels, 9))
    bound = int(np.abs(weights).sum(axis=1).max()) * 15
    acc = IntType.for_range(-bound, bound)
    return Vvtu(
        name=name, frame=Frame(1, pixels, 9 * channels, UInt(4)), channels=channels, weights=weights, weight_type=SInt(4),
        acc=acc, activation=thresholds(rng, acc, UInt(4), channels), pe=pe, parallel=parallel, pixels=pixels, multiplier="lut",
    )  # fmt: skip


def maximum(name: str, channels: int, bits: int, pe: int, *, parallel: bool = False, pixels: int = 1) -> Pool:
    """The greatest of four taps."""
    dtype = UInt(bits)
    return Pool(
        name=name, frame=Frame(1, pixels, 4 * channels, dtype), channels=channels, op="max", acc=dtype, pe=pe,
        parallel=parallel, pixels=pixels,
    )  # fmt: skip


def probe_units() -> Iterator[Unit]:
    """Units of several pixels, depthwise units, pools, requantizers and products in DSP slices."""
    s2, s4, s8, u2, u4, u8 = SInt(2), SInt(4), SInt(8), UInt(2), UInt(4), UInt(8)
    yield matrix("mvtu_2x2_two_pixels", s2, u2, u2, (18, 4), (4, 18), pixels=2)
    yield matrix("mvtu_2x2_four_pixels", s2, u2, u2, (9, 2), (2, 9), pixels=4)
    yield depthwise("vvtu_two_pixels", 1, 1, parallel=True, pixels=2)
    yield maximum("pool_four_pixels", 2, 4, 2, parallel=True, pixels=4)
    yield window("window_two_pixels", 16, 4, 4, 4, parallel=True, pixels=2)
    yield window("window_four_pixels", 32, 1, 4, 1, kernel=5, parallel=True, pixels=4)
    yield window("window_parallel", 16, 4, 4, 4, parallel=True)
    yield depthwise("vvtu_serial", 16, 4)
    yield maximum("pool_serial", 16, 2, 8)
    yield matrix("mvtu_8x8_requant", s8, u8, u8, (64, 16), (2, 4), multiplier="dsp", scaled=True)
    yield matrix("mvtu_4x4_requant", s4, u4, u8, (64, 16), (2, 4), scaled=True)


def drawn_units(seed: int = SEED) -> Iterator[Unit]:
    """Matrix units and serial windows of shapes that nothing was fitted to, drawn at random."""
    rng = np.random.default_rng(seed)
    kinds = [(BIPOLAR, BIPOLAR, BIPOLAR), (SInt(2), UInt(2), UInt(2)), (SInt(3), UInt(3), UInt(3)), (SInt(4), UInt(4), UInt(4)),
             (SInt(4), UInt(8), UInt(4)), (BIPOLAR, UInt(3), UInt(3)), (SInt(5), SInt(6), None), (SInt(2), UInt(2), UInt(4))]  # fmt: skip
    for number, kind in enumerate(rng.permutation(len(kinds))):
        w, a, out = kinds[kind]
        while True:
            pe, simd = (int(v) for v in rng.integers((1, 2), (9, 33)))
            if w.bits * a.bits * pe * simd <= 260:
                break
        rows, columns = (int(v) for v in rng.integers((2, 2), (33, 25)))
        memory = "lutram" if rows * columns <= 128 else "bram"
        yield matrix(f"drawn_{number}", w, a, out, (simd * columns, pe * rows), (pe, simd), memory=memory)
    for number in range(4):
        simd, words, bits = (int(v) for v in rng.integers((1, 1, 1), (17, 9, 9)))
        size, kernel, stride = (int(v) for v in rng.integers((8, 2, 1), (33, 4, 3)))
        yield window(
            f"drawn_window_{number}", size, simd * words, min(bits, 64 // simd), simd, kernel=kernel, stride=stride
        )


def alone(units: Iterable[Unit]) -> Dataflow:
    """Every unit between ports of its own."""
    all_units: list[Unit] = []
    streams: list[Stream] = []
    for unit in units:
        for side, frames, widths in (("in", unit.inputs, unit.in_widths), ("out", unit.outputs, unit.out_widths)):
            for i, (frame, simd) in enumerate(zip(frames, widths, strict=True)):
                name = f"{unit.name}_{side}{i}"
                made = InputPort if side == "in" else OutputPort
                shape = (frame.c, frame.h, frame.w)
                lanes = simd if simd % frame.c == 0 else int(np.gcd(simd, frame.c))  # whole pixels, or a part of one
                all_units.append(made(name=name, tensor=name, tensor_shape=shape, frame=frame, simd=lanes))
                ends = (name, unit.name, 0, i) if side == "in" else (unit.name, name, i, 0)
                streams.append(Stream(*ends))
        all_units.append(unit)
    return Dataflow("units", all_units, streams)
