"""Designs of pools behind windows of every way, for the tests of backends."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from flowc.model.dtypes import IntType, SInt, UInt
from flowc.units import Array, Frame, InputPort, OutputPort, Pool, Thresholds, Unit, Window
from flowc.units.graph import Dataflow, Stream


def pooled(
    name: str, frame: Frame, op: str, acc: IntType, kernel: int, stride: int, pe: int, parallel: bool
) -> list[Unit]:
    """A window and its pool; the sum's thresholds differ per channel."""
    spare = 0 if parallel else stride - 1
    window = Window(
        name=f"{name}_window", frame=frame, kernel=(kernel, kernel), stride=(stride, stride), block=pe, simd=pe,
        parallel=parallel, spare=spare,
    )  # fmt: skip
    values = np.arange(frame.c)[:, None] + np.array([[-3, 20, 50]])
    thresholds = Thresholds(
        dtype=UInt(2), values=values, base=np.zeros(frame.c, np.int64), step=np.ones((1, 1), np.int64)
    )
    activation = thresholds if op == "sum" else None
    pool = Pool(
        name=name,
        frame=window.outputs[0],
        channels=frame.c,
        op=op,
        acc=acc,
        activation=activation,
        pe=pe,
        parallel=parallel,
    )
    return [window, pool]


def chain(name: str, made: list[Unit]) -> tuple[list[Unit], list[Stream]]:
    """The units between ports of their own."""
    frame, out = made[0].inputs[0], made[-1].outputs[0]
    (wide_in,), (wide_out,) = made[0].in_widths, made[-1].out_widths
    source = InputPort(name=f"{name}_x", tensor=f"{name}_x", tensor_shape=frame.shape, frame=frame, simd=wide_in)
    sink = OutputPort(name=f"{name}_y", tensor=f"{name}_y", tensor_shape=out.shape, frame=out, simd=wide_out)
    units = [source, *made, sink]
    return units, [Stream(a.name, b.name) for a, b in pairwise(units)]


def pools() -> tuple[Dataflow, list[Array]]:
    """Two parallel pools side by side, and frames for them: random ones, all least, all greatest."""
    rng = np.random.default_rng(5)
    units: list[Unit] = []
    streams: list[Stream] = []
    frames: list[Array] = []
    forms = [
        ("max", SInt(3), SInt(3), 3, 2, 2),
        ("sum", UInt(4), SInt(9), 3, 1, 4),
    ]
    for i, (op, dtype, acc, kernel, stride, pe) in enumerate(forms):
        frame, name = Frame(8, 6, 4, dtype), f"p{i}"
        more = chain(name, pooled(name, frame, op, acc, kernel, stride, pe, parallel=True))
        units, streams = units + more[0], streams + more[1]
        x = rng.integers(dtype.lo, dtype.hi + 1, (4, *frame.shape))
        x[1], x[2] = dtype.lo, dtype.hi
        frames.append(x)
    return Dataflow("pools", units, streams), frames
