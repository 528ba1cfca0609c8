"""The units that the clock benchmark measures: a small one of every kind and style, of shapes as networks have them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.synthesis_units import activate, matrix, thresholds, window
from flowc.model.dtypes import BIPOLAR, SInt, UInt
from flowc.units import (
    Activate,
    ArgMax,
    Concat,
    Fork,
    Frame,
    Gather,
    GlobalSum,
    Join,
    Lookup,
    Mvtu,
    Pad,
    Permute,
    PixelPad,
    Pool,
    Requant,
    Split,
    Table,
    Thresholds,
    Unit,
    Upsample,
    Vvtu,
    WidthConverter,
)

__all__ = ["FIFOS", "clock_units"]

FIFOS: list[tuple[str, int, int, str]] = [
    ("FIFO of registers", 32, 2, "registers"),
    ("FIFO in look-up tables", 32, 64, "distributed"),
    ("FIFO in block RAM", 32, 600, "block"),
]
"""Name, bits, depth and style."""

S4, S8, U4, U8 = SInt(4), SInt(8), UInt(4), UInt(8)


def clock_units() -> Iterator[tuple[str, Unit]]:
    """What a unit is, and the unit."""
    for name, unit in (*_products(), *_activations()):
        own = unit.with_(dsp_port=0) if isinstance(unit, Mvtu) else unit
        yield name, own if own.threshold_memory is None else own.with_(read_cycles=2)
    yield from _windows()
    yield from _reductions()
    yield from _routing()


def _products() -> Iterator[tuple[str, Unit]]:
    s2, u2 = SInt(2), UInt(2)
    yield "matrix, 1 x 1 bit, heap", matrix("m11", BIPOLAR, BIPOLAR, BIPOLAR, (64, 64), (4, 16))
    yield "matrix, 2 x 2, heap, thresholds in turn", matrix("m22", s2, u2, u2, (64, 64), (4, 8))
    yield "matrix, 4 x 4, 255 thresholds in turn", matrix("m48", S4, U4, U8, (64, 32), (2, 2))
    yield "matrix, 4 x 4, heap, search", matrix("m44", S4, U4, U4, (64, 64), (2, 8))
    yield "matrix, 4 x 4, heap, 512 channels", matrix("m512", S4, U4, U4, (64, 512), (1, 2))
    yield "matrix, 4 x 4, DSP", matrix("md4", S4, U4, U4, (64, 32), (2, 4), multiplier="dsp")
    yield "matrix, 8 x 8, DSP, requantizer", matrix("md8", S8, U8, U8, (64, 32), (2, 4), multiplier="dsp", scaled=True)
    yield "matrix, weights from a port", matrix("ms", S4, U4, None, (64, 32), (2, 4), memory="stream")
    for parallel in (True, False):
        rng = np.random.default_rng(2)
        weights, acc = rng.integers(-8, 8, (16, 9)), SInt(12)
        found = thresholds(rng, acc, U4, 16)
        name, pe = ("vp", 2) if parallel else ("vs", 4)
        unit = Vvtu(
            name=name, frame=Frame(1, 4, 9 * 16, U4), channels=16, weights=weights, weight_type=S4, acc=acc,
            activation=found, pe=pe, parallel=parallel, multiplier="lut",
        )  # fmt: skip
        yield f"depthwise, {'parallel' if parallel else 'serial'}", unit


def _activations() -> Iterator[tuple[str, Unit]]:
    rng = np.random.default_rng(3)
    yield "thresholds compared, 3 of 12 bit", activate("ac", SInt(12), UInt(2), 32, 4, "compare")
    yield "thresholds compared, 15 of 12 bit", activate("ad", SInt(12), U4, 32, 2, "compare")
    yield "thresholds searched, 15 of 16 bit", activate("as", SInt(16), U4, 64, 2, "search")
    yield "thresholds searched, 255 of 20 bit", activate("at", SInt(20), U8, 64, 1, "search")
    source, frame = SInt(14), Frame(1, 2, 32, SInt(14))
    values = np.sort(rng.integers(source.lo, source.hi, (32, 7)), axis=1)
    steps, base = rng.integers(-3, 4, (32, 7)), rng.integers(-50, 50, 32)
    stepped = Thresholds(dtype=S8, values=values, base=base, step=steps, style="compare")
    yield "steps of any height", Activate(name="step", frame=frame, activation=stepped, pe=2)
    mult, add = rng.integers(1 << 12, 1 << 13, 32), rng.integers(-(1 << 16), 1 << 16, 32)
    for name, what, half, late in (
        ("rq", "requantizer", False, None),
        ("rl", "requantizer with late levels", False, rng.integers(0, 4, (32, 255))),
        ("re", "rounding to even", True, None),
    ):
        ones, zeros = np.ones(1, np.int64), np.zeros(1, np.int64)
        unit = Requant(
            dtype=U8, mult=ones if half else mult, add=zeros if half else add, shift=4 if half else 18, lo=0, hi=255,
            half_even=half, late=late,
        )  # fmt: skip
        yield what, Activate(name=name, frame=frame, activation=unit, pe=1)
    table = Table(dtype=S8, lo=-128, values=rng.integers(-128, 128, (32, 256)))
    yield "table", Activate(name="table", frame=Frame(1, 2, 32, S8), activation=table, pe=2)


def _windows() -> Iterator[tuple[str, Unit]]:
    yield "serial window, 32 x 32 x 3", window("w0", 32, 3, 8, 3)
    yield "serial window, 28 x 28 x 64, stride 2", window("w1", 28, 64, 4, 4, stride=2)
    yield "serial window in block RAM", window("w2", 30, 64, 4, 8, memory="bram")
    yield "parallel window, 16 x 16 x 8", window("wp", 16, 8, 4, 8, parallel=True)
    yield "parallel window in block RAM", window("wb", 112, 8, 4, 8, parallel=True, memory="bram")
    yield "window of one tap, stride 2", window("w3", 28, 16, 4, 4, kernel=1, stride=2)
    frame = Frame(28, 28, 16, U4)
    yield "padding", Pad(name="pad", frame=frame, out=Frame(30, 30, 16, U4), top=1, left=1, bottom=1, right=1, simd=4)
    yield "zero insertion", PixelPad(name="pp", frame=frame, out=Frame(55, 55, 16, U4), stride_h=2, stride_w=2, simd=4)


def _reductions() -> Iterator[tuple[str, Unit]]:
    taps, rng = Frame(7, 7, 4 * 16, U8), np.random.default_rng(4)
    for op, acc in (("max", U8), ("sum", UInt(10))):
        for parallel in (False, True):
            name = f"pool_{op}_{int(parallel)}"
            unit = Pool(name=name, frame=taps, channels=16, op=op, acc=acc, pe=4, parallel=parallel)
            yield f"pool, {op}, {'parallel' if parallel else 'serial'}", unit
    yield "global sum", GlobalSum(name="sum", frame=Frame(7, 7, 32, U8), acc=UInt(14), pe=4)
    yield "argmax", ArgMax(name="best", frame=Frame(1, 1, 10, SInt(16)), pe=1)
    yield "argmax, 10 at once", ArgMax(name="best10", frame=Frame(1, 1, 10, SInt(16)), pe=10)
    frame, ones = Frame(4, 4, 32, U4), np.ones(1, np.int64)
    scales = [rng.integers(1, 200, 32) for _ in range(2)]
    for name, what, op, (left, right), acc, found in (
        ("add", "join, sum", "add", (ones, ones), UInt(5), None),
        ("scaled", "join, scaled sum, requantizer", "add", scales, SInt(14), True),
        ("mul", "join, product", "mul", (ones, ones), UInt(8), None),
    ):
        mult, add = rng.integers(1 << 12, 1 << 13, 32), rng.integers(-(1 << 16), 1 << 16, 32)
        activation = None if found is None else Requant(dtype=U4, mult=mult, add=add, shift=18, lo=0, hi=15)
        unit = Join(
            name=name, left=frame, right=frame, op=op, acc=acc, left_scale=left, right_scale=right, activation=activation,
            pe=2,
        )  # fmt: skip
        yield what, unit


def _routing() -> Iterator[tuple[str, Unit]]:
    frame, rng = Frame(8, 8, 32, U4), np.random.default_rng(5)
    yield "fork to 3", Fork(name="fork", frame=frame, simd=4, ways=3)
    parts = (Frame(8, 8, 32, U4), Frame(8, 8, 64, S4), Frame(8, 8, 32, SInt(5)))
    yield "concatenation of 3", Concat(name="concat", frames=parts, out=Frame(8, 8, 128, SInt(5)), simd=4)
    yield "split in 3", Split(name="split", frame=frame, simd=4, starts=(0, 8, 20), sizes=(8, 12, 12))
    yield "upsampling", Upsample(name="up", frame=Frame(14, 14, 32, U4), simd=4, factor_h=2, factor_w=2)
    order = rng.permutation(1024)
    yield "permutation", Permute(name="order", frame=Frame(8, 8, 32, U4), out=Frame(8, 8, 32, U4), order=order)
    taken = rng.integers(0, 256, 512)
    yield "gather", Gather(name="gather", frame=Frame(8, 8, 32, U4), out=Frame(8, 16, 32, U4), order=taken)
    table = rng.integers(-128, 128, (200, 32))
    yield (
        "lookup",
        Lookup(name="look", frame=Frame(1, 4, 2, U8), table=table, dtype=S8, first=3, out=Frame(1, 8, 32, S8), pe=4),
    )
    for name, what, sides in (("narrow", "16 to 2", (16, 2)), ("wide", "2 to 16", (2, 16)), ("any", "6 to 4", (6, 4))):
        whole = Frame(4, 4, 48, U4)
        yield f"converter, {what}", WidthConverter(name=name, frame=whole, wide_in=sides[0], wide_out=sides[1])
