"""How integers are stored in the arena: as codes of one byte where a type has at most 256 values, else as int32."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flowc.model.dtypes import IntType
from flowc.units.base import Array

__all__ = ["Code", "NotNativeError", "OutOfTypeError", "code_of"]

INT32 = (1 << 31) - 1


class NotNativeError(Exception):
    """No kernel covers this; the unit's numpy function is used. The text says what is missing."""


class OutOfTypeError(Exception):
    """An integer is not a value of its stream's type; the kernels compute with values of the types alone."""


class Code(NamedTuple):
    """``value = step * code + low``; ``wide`` codes are int32, others bytes. Values run from ``low`` to ``high``."""

    wide: bool
    low: int
    high: int
    step: int = 1

    @property
    def base(self) -> int:
        """The value of code zero."""
        return 0 if self.wide else self.low

    @property
    def top(self) -> int:
        """The greatest code of a byte."""
        return (self.high - self.low) // self.step

    @property
    def size(self) -> int:
        """Bytes per element."""
        return 4 if self.wide else 1

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Of the codes."""
        return np.dtype(np.int32 if self.wide else np.uint8)

    def of(self, values: Array) -> Array:
        """Codes (int64) of integers.

        Raises:
            NotNativeError: one of them has none.
        """
        shifted = np.asarray(values, np.int64) - self.base
        codes, rest = np.divmod(shifted, self.step)
        if rest.any() or (not self.wide and codes.size and (codes.min() < 0 or codes.max() > 255)):
            raise NotNativeError("results that the type of the stream does not hold")
        return codes

    def decode(self, codes: Array, dtype: np.dtype[np.generic] | type[np.generic]) -> Array:
        """The integers of ``codes``, as a new array of ``dtype``."""
        values: Array = codes.astype(dtype)
        if self.step != 1:
            values *= self.step
        if self.base:
            values += np.asarray(self.base).astype(dtype)
        return values


def code_of(kind: IntType) -> Code | None:
    """How integers of a type are stored, or None: they are beyond int32."""
    step = 2 if kind.bipolar else 1
    if (kind.hi - kind.lo) // step < 256:
        return Code(False, kind.lo, kind.hi, step)
    if kind.lo < -INT32 or kind.hi > INT32:
        return None
    return Code(True, kind.lo, kind.hi)
