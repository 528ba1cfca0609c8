"""Packing of integers into bit fields: weight rows, threshold types and the beats of streams."""

from __future__ import annotations

import numpy as np

from flowc.dtypes import IntType
from flowc.units import Array

__all__ = ["pack_rows", "unpack_rows"]


def pack_rows(values: Array, dtype: IntType, row_bytes: int | None = None) -> Array:
    """Packs each row of integers into bytes, element 0 in the least significant bits.

    Args:
        values: integers (rows, lanes) of ``dtype``; bipolar as -1 and +1.
        dtype: how each is encoded: two's complement, unsigned, or one bit that is 1 for +1.
        row_bytes: bytes per row, at least what the lanes need (the default); the rest is zero.

    Returns:
        uint8 (rows, row_bytes), little endian.
    """
    rows, lanes = values.shape
    bits = dtype.bits
    row_bytes = row_bytes if row_bytes is not None else -(-lanes * bits // 8)
    out = np.zeros((rows, row_bytes), np.uint8)
    used = -(-lanes * bits // 8)
    if bits in (8, 16, 32, 64):
        out[:, :used] = (
            np.ascontiguousarray(values).astype(f"<i{bits // 8}" if dtype.signed else f"<u{bits // 8}").view(np.uint8)
        )
        return out
    raw = (values > 0).astype(np.uint8) if dtype.bipolar else values.astype(np.int64)
    if bits < 8:
        fields = np.unpackbits(raw.astype(np.uint8)[..., None], axis=-1, count=bits, bitorder="little")
    else:
        parts = raw.astype("<i8")[..., None].view(np.uint8)[..., : -(-bits // 8)]
        fields = np.unpackbits(parts, axis=-1, count=bits, bitorder="little")
    out[:, :used] = np.packbits(fields.reshape(rows, lanes * bits), axis=1, bitorder="little")
    return out


def unpack_rows(packed: Array, dtype: IntType, lanes: int) -> Array:
    """The inverse of `pack_rows`: uint8 (rows, row_bytes) to int64 (rows, lanes)."""
    rows = packed.shape[0]
    bits = dtype.bits
    fields = np.unpackbits(packed, axis=1, count=lanes * bits, bitorder="little").reshape(rows, lanes, bits)
    padded = np.zeros((rows, lanes, 8), np.uint8)
    parts = np.packbits(fields, axis=2, bitorder="little")
    padded[..., : parts.shape[2]] = parts
    value: Array = padded.view("<i8")[..., 0]
    if dtype.bipolar:
        return 2 * value - 1
    if dtype.signed and bits < 64:
        sign = 1 << (bits - 1)
        return (value ^ sign) - sign
    return value
