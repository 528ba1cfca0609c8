"""Pools against onnxruntime's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.model.dtypes import IntType, SInt, UInt
from flowc.units import Frame, GlobalSum, Pad, Pool, Table, Window, divisors
from tests.units.operators import nchw, nhwc, run_op


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 3)), st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)), st.tuples(*[st.integers(0, 2)] * 4), st.integers(1, 6), st.integers(0, 9),
    st.integers(0, 999),
)  # fmt: skip
def test_maximum(
    kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], pads: tuple[int, int, int, int],
    channels: int, pick: int, seed: int,
) -> None:  # fmt: skip
    """Overlapping, padded (with the least integer, which no maximum picks), dilated."""
    rng = np.random.default_rng(seed)
    pads = tuple(min(p, k - 1) for p, k in zip(pads, kernel * 2, strict=True))
    size = [(k - 1) * d + 1 + int(rng.integers(0, 4)) for k, d in zip(kernel, dilation, strict=True)]
    dtype = SInt(4)
    x = rng.integers(dtype.lo, dtype.hi + 1, (2, *size, channels))
    frame = Frame(*size, channels, dtype)
    top, left, bottom, right = pads
    out = Frame(frame.h + top + bottom, frame.w + left + right, channels, dtype)
    pe = divisors(channels)[pick % len(divisors(channels))]
    padding = Pad(name="p", frame=frame, out=out, top=top, left=left, bottom=bottom, right=right, value=dtype.lo)
    window = Window(name="w", frame=out, kernel=kernel, stride=stride, dilation=dilation, block=pe)
    pool = Pool(name="m", frame=window.outputs[0], channels=channels, op="max", acc=dtype, pe=pe)
    (found,) = pool.emulate(*window.emulate(*padding.emulate(x)))
    assert found.shape[1:] == pool.outputs[0].shape
    wanted = run_op("MaxPool", nchw(x), kernel_shape=kernel, strides=stride, dilations=dilation, pads=pads)
    np.testing.assert_array_equal(found, nhwc(wanted))


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(0, 9),
    st.integers(0, 999),
)
def test_sums(kernel: tuple[int, int], stride: int, channels: int, pick: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 16, (2, kernel[0] + 3, kernel[1] + 2, channels))
    pe = divisors(channels)[pick % len(divisors(channels))]
    window = Window(name="w", frame=Frame(*x.shape[1:], UInt(4)), kernel=kernel, stride=(stride, stride), block=pe)
    pool = Pool(name="s", frame=window.outputs[0], channels=channels, op="sum", acc=UInt(8), pe=pe)
    (found,) = pool.emulate(*window.emulate(x))
    mean = run_op("AveragePool", nchw(x), kernel_shape=kernel, strides=[stride, stride])
    np.testing.assert_array_equal(found, np.rint(nhwc(mean) * np.prod(kernel)))
    assert pool.taps == np.prod(kernel)


@pytest.mark.parametrize("dtype", [UInt(8), SInt(16)])
def test_global_sum(dtype: IntType) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(dtype.lo, dtype.hi + 1, (3, 40, 50, 4))
    unit = GlobalSum(name="g", frame=Frame(40, 50, 4, dtype), acc=SInt(32))
    (found,) = unit.emulate(x)
    assert found.shape == (3, 1, 1, 4)
    np.testing.assert_array_equal(
        found, nhwc(run_op("ReduceSum", nchw(x).astype(np.float64), constants=(np.array([2, 3]),), keepdims=1))
    )
    # Narrow integers must not overflow.
    np.testing.assert_array_equal(unit.emulate(x.astype(dtype.numpy))[0], found)


def test_activation_behind_a_sum() -> None:
    x = np.array([[[[0, 1], [1, 2]], [[2, 1], [1, 0]]]])
    table = Table(dtype=UInt(3), lo=0, values=np.array([[0, 0, 1, 1, 2], [7, 6, 5, 4, 3]]))
    unit = GlobalSum(name="g", frame=Frame(2, 2, 2, UInt(2)), acc=UInt(4), activation=table)
    assert unit.emulate(x)[0].tolist() == [[[[2, 3]]]]
    assert unit.outputs[0].dtype == UInt(3)
    window = Window(name="w", frame=Frame(2, 2, 2, UInt(2)), kernel=(2, 2), block=1)
    pool = Pool(name="s", frame=window.outputs[0], channels=2, op="sum", acc=UInt(4), activation=table)
    assert pool.emulate(*window.emulate(x))[0].tolist() == [[[[2, 3]]]]


def test_accumulators_beyond_24_bits() -> None:
    x = np.full((1, 3, 3, 1), (1 << 23) + 1)
    window = Window(name="w", frame=Frame(3, 3, 1, UInt(24)), kernel=(3, 3), block=1)
    pool = Pool(name="s", frame=window.outputs[0], channels=1, op="sum", acc=UInt(28))
    assert int(pool.emulate(*window.emulate(x))[0][0, 0, 0, 0]) == 9 * ((1 << 23) + 1)
