"""The definition of the quantizers against closed forms in exact rational arithmetic, and against the qonnx package."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowc.model.quantizers import ROUNDINGS, dequantize, integer_bounds, quantize, rounding_mode

EXACT: dict[str, Callable[[Fraction], float]] = {
    "ROUND": round,
    "CEIL": math.ceil,
    "FLOOR": math.floor,
    "UP": lambda v: math.copysign(math.ceil(abs(v)), v),
    "DOWN": math.trunc,
    "HALF_UP": lambda v: math.copysign(math.floor(abs(v) + Fraction(1, 2)), v),
    "HALF_DOWN": lambda v: math.copysign(math.ceil(abs(v) - Fraction(1, 2)), v),
}


@pytest.mark.parametrize("mode", ROUNDINGS)
@given(halves=st.integers(-4000, 4000), lo=st.integers(-200, 0), span=st.integers(1, 300), zero=st.integers(-9, 9))
def test_every_rounding_mode_including_ties(mode: str, halves: int, lo: int, span: int, zero: int) -> None:
    x, scale = np.float32(halves / 16), np.float32(0.125)  # x / scale is a whole number of halves
    expected = min(max(int(EXACT[mode](Fraction(halves, 2) + zero)), lo), lo + span)
    q = quantize(np.asarray(x), np.asarray(scale), np.asarray(zero), lo=lo, hi=lo + span, rounding=mode, style="qonnx")
    assert q.dtype == np.float32
    assert q == expected


def test_onnx_style_rounds_before_the_zero_point() -> None:
    x = np.asarray([0.5, 1.5, 2.5, 300.0, -300.0], np.float32)
    q = quantize(x, np.float32(1), np.float32(3), lo=-128, hi=127, rounding="ROUND", style="onnx")
    assert q.tolist() == [3, 5, 5, 127, -128]
    q = quantize(x, np.float32(1), np.float32(3), lo=-128, hi=127, rounding="ROUND", style="qonnx")
    assert q.tolist() == [4, 4, 6, 127, -128]


def test_bipolar_takes_zero_of_either_sign_as_positive() -> None:
    q = quantize(
        np.asarray([-0.0, 0.0, -1e-38, 3], np.float32),
        np.float32(1),
        np.float32(0),
        lo=-1,
        hi=1,
        rounding="ROUND",
        style="bipolar",
    )
    assert q.tolist() == [1, 1, -1, 1]


def test_quotients_beyond_float32_are_clipped() -> None:
    q = quantize(
        np.asarray([3e38, -3e38], np.float32),
        np.float32(1e-3),
        np.float32(0),
        lo=-8,
        hi=7,
        rounding="ROUND",
        style="qonnx",
    )
    assert q.tolist() == [7, -8]


@pytest.mark.parametrize(
    ("bits", "signed", "narrow", "bounds"),
    [
        (4, True, False, (-8, 7)), (4, True, True, (-7, 7)), (4, False, False, (0, 15)), (4, False, True, (0, 14)),
        (1, False, False, (0, 1)), (2, True, True, (-1, 1)), (32, True, False, (-(2**31), 2**31)),
    ],
)  # fmt: skip
def test_bounds(bits: int, signed: bool, narrow: bool, bounds: tuple[int, int]) -> None:
    assert integer_bounds(bits, signed=signed, narrow=narrow) == bounds


@pytest.mark.parametrize("bits", range(1, 25))
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("narrow", [True, False])
def test_bounds_equal_those_of_qonnx(bits: int, signed: bool, narrow: bool) -> None:
    functions = pytest.importorskip("qonnx.custom_op.general.quant")
    lo, hi = integer_bounds(bits, signed=signed, narrow=narrow)
    assert lo == functions.min_int(signed, narrow, bits)
    assert hi == functions.max_int(signed, narrow, bits)


def test_rounding_names() -> None:
    assert rounding_mode("round") == "ROUND"
    assert rounding_mode("HALF_EVEN") == "ROUND"
    assert rounding_mode("Round_To_Zero") == "DOWN"
    assert rounding_mode("half_up") == "HALF_UP"
    assert rounding_mode("STOCHASTIC") is None


@given(q=st.integers(-(2**20), 2**20), zero=st.integers(-255, 255), scale=st.floats(2**-20, 1024, width=32))
def test_dequantize_rounds_once(q: int, zero: int, scale: float) -> None:
    x = dequantize(np.asarray(q), np.float32(scale), np.asarray(zero))
    assert x.dtype == np.float32
    assert x == np.float32(float(q - zero) * scale)  # a product of 21 and 24 bits is exact in float64


def test_dequantize_by_a_float64_scale() -> None:
    scale = np.asarray(1 / 3)
    assert dequantize(np.asarray([3, 7]), scale, np.asarray(1)).tolist() == [np.float32(2 / 3), np.float32(2.0)]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_no_float32_holds_is_infinite_without_a_warning(dtype: type[np.floating]) -> None:
    np.testing.assert_array_equal(dequantize([-4, 0, 4], dtype(2.0**127), 0), np.float32([-np.inf, 0, np.inf]))
    assert np.isnan(dequantize([0], dtype(np.inf), 0)).all()
