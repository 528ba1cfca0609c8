"""Joins, standalone activations and argmax."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.model.dtypes import SInt, UInt
from flowc.units import Activate, ArgMax, Frame, Join, Requant, Thresholds
from tests.units.operators import nchw, nhwc, run_op


@pytest.mark.parametrize("per_channel", [False, True])
def test_weighted_sums(per_channel: bool) -> None:
    rng = np.random.default_rng(0)
    frame = Frame(3, 2, 4, SInt(5))
    a, b = rng.integers(-16, 16, (2, 2, 3, 2, 4))
    scales = rng.integers(-9, 9, (2, 4 if per_channel else 1))
    unit = Join(name="j", left=frame, right=frame, op="add", acc=SInt(12), left_scale=scales[0], right_scale=scales[1])
    left, right = (
        run_op("Mul", nchw(x), constants=(s.reshape(1, -1, 1, 1).astype(np.float32),))
        for x, s in zip((a, b), scales, strict=True)
    )
    np.testing.assert_array_equal(unit.emulate(a, b)[0], nhwc(run_op("Add", left, right)))


def test_products_with_offsets() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 16, (2, 2, 3, 2, 4))
    ones = np.ones(1, np.int64)
    unit = Join(
        name="j", left=Frame(3, 2, 4, UInt(4)), right=Frame(3, 2, 4, UInt(4)), op="mul", acc=SInt(10), left_scale=ones, right_scale=ones,
        left_offset=3, right_offset=-2,
    )  # fmt: skip
    wanted = run_op("Mul", (a - 3).astype(np.float32), (b + 2).astype(np.float32))
    np.testing.assert_array_equal(unit.emulate(a.astype(np.uint8), b.astype(np.uint8))[0], wanted)


def test_join_with_activation_is_join_then_activation() -> None:
    rng = np.random.default_rng(2)
    frame = Frame(2, 2, 3, SInt(4))
    a, b = rng.integers(-8, 8, (2, 4, 2, 2, 3))
    activation = Requant(dtype=SInt(4), mult=np.array([3, 5, 7]), add=np.array([1, -9, 4]), shift=3, lo=-8, hi=7)
    plain = Join(
        name="j", left=frame, right=frame, op="add", acc=SInt(8), left_scale=np.array([2]), right_scale=np.array([-3])
    )
    (acc,) = plain.emulate(a, b)
    alone = Activate(name="a", frame=Frame(2, 2, 3, SInt(8)), activation=activation)
    whole = plain.with_(activation=activation)
    np.testing.assert_array_equal(whole.emulate(a, b)[0], alone.emulate(acc)[0])
    assert whole.outputs[0].dtype == alone.outputs[0].dtype == SInt(4)
    assert plain.outputs[0].dtype == SInt(8)


def test_standalone_thresholds() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(-20, 20, (3, 2, 2, 5))
    values = np.sort(rng.integers(-20, 20, (5, 7)), axis=1)
    activation = Thresholds(dtype=SInt(4), values=values, base=np.full(5, -4), step=np.ones((1, 1), np.int64))
    (found,) = Activate(name="a", frame=Frame(2, 2, 5, SInt(6)), activation=activation).emulate(x)
    np.testing.assert_array_equal(found, -4 + (x[..., None] >= values).sum(axis=-1))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 12), st.integers(0, 999))
def test_argmax_takes_the_first_of_equals(h: int, w: int, channels: int, seed: int) -> None:
    x = np.random.default_rng(seed).integers(-2, 3, (4, h, w, channels))
    unit = ArgMax(name="a", frame=Frame(h, w, channels, SInt(3)))
    np.testing.assert_array_equal(unit.emulate(x)[0], nhwc(run_op("ArgMax", nchw(x), axis=1, keepdims=1)))
    assert unit.outputs[0].dtype.holds(0, channels - 1)
