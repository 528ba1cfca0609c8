"""Integer types of streams, weights and accumulators, as values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BIPOLAR", "Array", "IntType", "SInt", "UInt", "compact", "distinct"]

Array = NDArray[Any]


def distinct(array: Array) -> Array:
    """The different values of an array, ascending (n,), as of `numpy.unique`, which loads numpy's masked arrays. Every NaN is one."""
    ordered = np.sort(array, axis=None)
    return ordered[np.concatenate([np.ones(min(1, ordered.size), bool), ordered[1:] != ordered[:-1]])]


@dataclass(frozen=True, order=True)
class IntType:
    """An integer type of ``bits`` bits.

    ``bipolar`` is the one-bit type whose two values are -1 and +1 (wire value 0 and 1).
    """

    bits: int
    signed: bool = False
    bipolar: bool = False

    def __post_init__(self) -> None:
        if self.bits < 1 or self.bits > 64 or (self.bipolar and (self.bits != 1 or not self.signed)):
            raise ValueError(f"no integer type has bits={self.bits}, signed={self.signed}, bipolar={self.bipolar}")

    @property
    def lo(self) -> int:
        """Least value."""
        if self.bipolar:
            return -1
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def hi(self) -> int:
        """Greatest value."""
        if self.bipolar:
            return 1
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """Smallest numpy integer dtype that holds every value."""
        wide = next(w for w in (8, 16, 32, 64) if w >= max(self.bits, 2 if self.bipolar else 1))
        return np.dtype(f"{'int' if self.signed else 'uint'}{wide}")

    def holds(self, lo: int, hi: int) -> bool:
        """Whether every integer of ``[lo, hi]`` is a value of this type (for bipolar: -1 and +1 only)."""
        if self.bipolar:
            return lo in (-1, 1) and hi in (-1, 1)
        return self.lo <= lo and hi <= self.hi

    @classmethod
    def for_range(cls, lo: int, hi: int) -> IntType:
        """The narrowest non-bipolar type that holds ``[lo, hi]``."""
        if lo > hi:
            raise ValueError(f"empty range [{lo}, {hi}]")
        if lo >= 0:
            return cls(max(1, int(hi).bit_length()))
        return cls(max(int(max(hi, 0)).bit_length(), int(-lo - 1).bit_length()) + 1, True)

    @classmethod
    def parse(cls, text: str) -> IntType:
        """The inverse of ``str()``: ``uint4``, ``int8``, ``bipolar``. Raises ValueError."""
        if text == "bipolar":
            return BIPOLAR
        match = re.fullmatch(r"(u?)int(\d+)", text)
        if match is None:
            raise ValueError(f"not an integer type: {text!r}")
        return cls(int(match[2]), match[1] == "")

    def __str__(self) -> str:
        return "bipolar" if self.bipolar else f"{'' if self.signed else 'u'}int{self.bits}"


def UInt(bits: int) -> IntType:
    """Unsigned integers of ``bits`` bits."""
    return IntType(bits)


def SInt(bits: int) -> IntType:
    """Two's complement integers of ``bits`` bits."""
    return IntType(bits, True)


BIPOLAR = IntType(1, True, True)


def compact(integers: Array) -> Array:
    """Integer-valued numbers in the narrowest signed dtype that holds them and their negatives: magnitudes and signs can't overflow."""
    most = max(-int(integers.min(initial=0)), int(integers.max(initial=0)))
    dtype = next((d for d in (np.int8, np.int16, np.int32) if most <= np.iinfo(d).max), np.int64)
    return integers.astype(dtype, copy=False)
