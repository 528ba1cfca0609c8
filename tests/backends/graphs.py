"""Small dataflow graphs by hand, for tests of what is generated around the accelerator."""

import numpy as np

from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt
from flowc.units import Frame, InputPort, Join, Mvtu, OutputPort, Thresholds
from flowc.units.graph import Dataflow, Stream

UINT2, UINT3 = UInt(2), UInt(3)


def thresholds(rng, channels, dtype=UINT2, spread=20):
    """`channels` sets of ascending thresholds with all levels of `dtype`."""
    levels = dtype.hi - dtype.lo if not dtype.bipolar else 1
    step = 2 if dtype.bipolar else 1
    return Thresholds(
        dtype=dtype,
        values=np.sort(rng.integers(-spread, spread, (channels, levels)), axis=1),
        base=np.full(channels, dtype.lo),
        step=np.full((1, 1), step),
    )


def dense(name, x, rows, rng, *, out=UINT2, pe=1, simd=1):
    """A fully connected unit on frame `x` with random 2-bit weights."""
    return Mvtu(
        name=name,
        frame=x,
        weights=rng.integers(-2, 2, (rows, x.c)),
        weight_type=SInt(2),
        acc=SInt(20),
        activation=thresholds(rng, rows, out),
        block=x.c,
        pe=pe,
        simd=simd,
    )


def mlp(name="tiny", *, dtype=UINT3, inputs=12, outputs=6, out=UINT2, simd=6, pe=2, seed=0):
    """Input, one dense unit, output."""
    x = Frame(1, 1, inputs, dtype)
    fc = dense("fc", x, outputs, np.random.default_rng(seed), out=out, pe=pe, simd=simd)
    return Dataflow(
        name,
        [
            InputPort(name="x", tensor="x_q", tensor_shape=(1, inputs), frame=x, simd=simd),
            fc,
            OutputPort(name="y", tensor="y_q", tensor_shape=(1, outputs), frame=fc.outputs[0], simd=pe),
        ],
        [Stream("x", "fc"), Stream("fc", "y")],
    )


def image_order(c, h, w):
    """Where the elements of an (H, W, C) stream lie in a (C, H, W) tensor."""
    return np.arange(c * h * w).reshape(c, h, w).transpose(1, 2, 0).ravel()


def two_inputs(seed=0):
    """Two images added, in (C, H, W) tensors: two inputs, signed and bipolar types, widths that fill no bytes."""
    frame_a, frame_b = Frame(2, 3, 5, SInt(3)), Frame(2, 3, 5, BIPOLAR)
    one = np.ones(1, np.int64)
    join = Join(name="add", left=frame_a, right=frame_b, op="add", acc=SInt(4), left_scale=one, right_scale=one, pe=5)
    order = image_order(5, 2, 3)
    return Dataflow(
        "two_inputs",
        [
            InputPort(name="a", tensor="a_q", tensor_shape=(1, 5, 2, 3), order=order, frame=frame_a, simd=5),
            InputPort(name="b", tensor="b_q", tensor_shape=(1, 5, 2, 3), order=order, frame=frame_b, simd=5),
            join,
            OutputPort(name="s", tensor="s_q", tensor_shape=(1, 5, 2, 3), order=order, frame=join.outputs[0], simd=5),
        ],
        [Stream("a", "add"), Stream("b", "add", dst_port=1), Stream("add", "s")],
    )


def random_values(rng, dtype: IntType, shape):
    """Integers of `dtype`."""
    if dtype.bipolar:
        return rng.choice([-1, 1], shape)
    return rng.integers(dtype.lo, dtype.hi + 1, shape)
