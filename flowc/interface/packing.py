"""Packing of integers into bit fields: weight rows and the beats of streams. The driver's packing, by type."""

from __future__ import annotations

import numpy as np

from flowc.model.dtypes import IntType
from flowc.templates.driver.packing import pack, unpack
from flowc.units import Array

__all__ = ["pack_rows", "unpack_rows"]


def pack_rows(values: Array, dtype: IntType, row_bytes: int | None = None) -> Array:
    """Packs each row of integers into bytes, element 0 in the least significant bits.

    Args:
        values: integers (rows, lanes) of ``dtype``; bipolar as -1 and +1.
        dtype: how each is encoded: two's complement, unsigned, or one bit that is 1 for +1.
        row_bytes: bytes per row, at least what the lanes need (the default); the rest is zero.

    Returns:
        uint8 (rows, row_bytes), C-contiguous, little endian.
    """
    packed = pack(values, dtype.bits, values.shape[1], bipolar=dtype.bipolar, beat_bytes=row_bytes)
    return np.ascontiguousarray(packed[:, 0])


def unpack_rows(packed: Array, dtype: IntType, lanes: int) -> Array:
    """The inverse of `pack_rows`: uint8 (rows, row_bytes) to int64 (rows, lanes)."""
    return unpack(packed[:, np.newaxis], dtype.bits, lanes, signed=dtype.signed, bipolar=dtype.bipolar).astype(np.int64)
