"""The two quantizer operators of flowc's model graph, in numpy float32: the definition everything else is measured by.

``Quantize`` maps floats to integers, ``Dequantize`` maps integers back; every importer dialect is written in terms of
the two. The rounding modes are those of the QONNX specification (checked against the qonnx package by the tests); the
arithmetic is IEEE float32, one rounding per operation, in the order written here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "ROUNDINGS", "STYLES", "dequantize", "dequantized", "integer_bounds", "quantize", "quantizer", "rounding_mode",
]  # fmt: skip

FloatArray = npt.NDArray[np.float32]

STYLES: Final = ("qonnx", "onnx", "bipolar", "levels", "shift")


def _half_up(v: FloatArray) -> FloatArray:
    return np.sign(v) * np.floor(np.abs(v) + np.float32(0.5))


def _half_down(v: FloatArray) -> FloatArray:
    return np.sign(v) * np.ceil(np.abs(v) - np.float32(0.5))


def _up(v: FloatArray) -> FloatArray:
    return np.sign(v) * np.ceil(np.abs(v))


ROUNDINGS: Final[dict[str, Callable[[FloatArray], FloatArray]]] = {
    "ROUND": np.rint,  # to nearest, ties to even
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": _up,  # away from zero
    "DOWN": np.trunc,  # towards zero
    "HALF_UP": _half_up,  # to nearest, ties away from zero
    "HALF_DOWN": _half_down,  # to nearest, ties towards zero
}
"""Canonical rounding mode -> its float32 function."""

_ALIASES: Final = {"HALF_EVEN": "ROUND", "ROUND_TO_ZERO": "DOWN"}


def rounding_mode(name: str) -> str | None:
    """The canonical name of a rounding mode as models spell it (any case, Brevitas' aliases); None if unknown."""
    upper = name.upper()
    upper = _ALIASES.get(upper, upper)
    return upper if upper in ROUNDINGS else None


def integer_bounds(bits: int, *, signed: bool, narrow: bool) -> tuple[int, int]:
    """Inclusive bounds ``(lo, hi)`` of a `bits`-wide integer by the QONNX rules.

    Narrow drops the lowest value of a signed range and the highest of an unsigned one. Bounds beyond 2**24 are rounded
    to float32, which is what clipping in float32 arithmetic makes of them.
    """
    if signed:
        lo, hi = -(2 ** (bits - 1)) + int(narrow), 2 ** (bits - 1) - 1
    else:
        lo, hi = 0, 2**bits - 1 - int(narrow)
    return int(np.float32(lo)), int(np.float32(hi))


def quantize(
    x: npt.ArrayLike,
    scale: npt.ArrayLike,
    zero_point: npt.ArrayLike,
    *more: npt.ArrayLike,
    lo: int,
    hi: int,
    rounding: str,
    style: str,
) -> FloatArray:
    """``flowc.Quantize`` on an array: float32 of any shape -> integer-valued float32 of the same shape.

    `style` "qonnx": clip(round(x / scale + zero_point), lo, hi); "onnx": clip(rint(x / scale) + zero_point, lo, hi);
    "bipolar": +1 where x >= 0, else -1. "levels": clip(lo + how many of `more`, the thresholds, x reaches, lo, hi).
    "shift": clip(floor((x * more[0] + zero_point) / scale), lo, hi) in float64, which is integer arithmetic where all of
    them are integers. `scale`, `zero_point` and `more` broadcast against `x`.
    """
    with np.errstate(over="ignore"):  # an infinite quotient is clipped like any other large one
        return quantizer(lo=lo, hi=hi, rounding=rounding, style=style)(x, scale, zero_point, *more)


def quantizer(*, lo: int, hi: int, rounding: str, style: str) -> Callable[..., FloatArray]:
    """`quantize` with these attributes, to be applied again and again; floating-point errors are the caller's to ignore."""
    least, greatest = np.float32(lo), np.float32(hi)
    rounded = ROUNDINGS[rounding] if style == "qonnx" else np.rint

    def qonnx(x: npt.ArrayLike, scale: npt.ArrayLike, zero_point: npt.ArrayLike) -> FloatArray:
        v = _quotient(x, scale) + np.asarray(zero_point, np.float32)
        return rounded(v).clip(least, greatest)

    def onnx(x: npt.ArrayLike, scale: npt.ArrayLike, zero_point: npt.ArrayLike) -> FloatArray:
        v = np.rint(_quotient(x, scale)) + np.asarray(zero_point, np.float32)
        return v.clip(least, greatest)

    def bipolar(x: npt.ArrayLike, *_: npt.ArrayLike) -> FloatArray:
        return np.where(np.asarray(x, np.float32) >= 0, np.float32(1), np.float32(-1))

    def levels(x: npt.ArrayLike, _: npt.ArrayLike, __: npt.ArrayLike, *more: npt.ArrayLike) -> FloatArray:
        x = np.asarray(x, np.float32)
        count: FloatArray = sum((np.asarray(x >= t, np.float32) for t in more), np.zeros_like(x)) + least
        return np.clip(count, least, greatest)

    def shift(x: npt.ArrayLike, scale: npt.ArrayLike, zero_point: npt.ArrayLike, factor: npt.ArrayLike) -> FloatArray:
        wide = np.asarray(x, np.float32).astype(np.float64) * np.asarray(factor, np.float64)
        wide = wide + np.asarray(zero_point, np.float64)
        return np.clip(np.floor(wide / np.asarray(scale, np.float64)), lo, hi).astype(np.float32)

    styles: dict[str, Callable[..., FloatArray]] = {
        "bipolar": bipolar,
        "levels": levels,
        "qonnx": qonnx,
        "shift": shift,
    }
    return styles.get(style, onnx)


def _quotient(x: npt.ArrayLike, scale: npt.ArrayLike) -> FloatArray:
    quotient: FloatArray = np.divide(np.asarray(x, np.float32), np.asarray(scale, np.float32), dtype=np.float32)
    return quotient


def dequantize(q: npt.ArrayLike, scale: npt.ArrayLike, zero_point: npt.ArrayLike) -> FloatArray:
    """``flowc.Dequantize`` on an array: (q - zero_point) * scale in float32.

    A float64 `scale` asks for one rounding only: float32((float64(q) - zero_point) * scale); q may then be of any dtype
    and the zero point any real number.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what is infinite or no number is told of where it is used
        return dequantized(q, scale, zero_point)


def dequantized(q: npt.ArrayLike, scale: npt.ArrayLike, zero_point: npt.ArrayLike) -> FloatArray:
    """As `dequantize`; floating-point errors are the caller's to ignore."""
    scale = np.asarray(scale)
    if scale.dtype == np.float64:
        return np.asarray((np.asarray(q, np.float64) - np.asarray(zero_point)) * scale, np.float32)
    difference: FloatArray = np.asarray(q, np.float32) - np.asarray(zero_point, np.float32)
    return np.multiply(difference, scale.astype(np.float32, copy=False), dtype=np.float32)
