"""How activations, weights and parameters lie in the external memory: what the driver writes and the engine reads.

Activations: ``[image][row][column][block][digit]`` words of ``columns`` digits, channel 0 in the least significant bits, digit 0
(the least significant) first; rows rounded up to `Engine.row_bytes`. A value q of a tensor whose least value is lo is stored as
``q - lo``. Weights: words of ``rows`` x ``columns`` digits, ``[row][column]``, in two's complement digits (the lower digits unsigned,
the last one signed). Parameters: 64 bits for each of ``rows`` outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from flowc.loopback.engine import Engine
from flowc.units.base import Array

__all__ = ["PlaneLayout", "pack_digits", "pack_word", "pack_words", "unpack_digits", "unpack_word"]

_MULT, _ADD, _SHIFT = 18, 40, 6


@dataclass(frozen=True)
class PlaneLayout:
    """The layout of a tensor in the external memory.

    Attributes:
        engine: whose words they are.
        h, w: rows and columns of an image.
        blocks: blocks of ``engine.columns`` channels.
        planes: digits of a value.
        above, below: rows in front of and behind each image that only lanes of stripes touch.
    """

    engine: Engine
    h: int
    w: int
    blocks: int
    planes: int
    above: int = 0
    below: int = 0

    @property
    def pixel_words(self) -> int:
        """Words of a pixel."""
        return self.blocks * self.planes

    @property
    def row_bytes(self) -> int:
        """Bytes from row to row."""
        unit = self.engine.row_bytes
        return -(-self.w * self.pixel_words * self.engine.word_bytes // unit) * unit

    @property
    def row_words(self) -> int:
        """Words from row to row."""
        return self.row_bytes // self.engine.word_bytes

    @property
    def image_bytes(self) -> int:
        """Bytes from image to image."""
        return (self.above + self.h + self.below) * self.row_bytes

    @property
    def origin(self) -> int:
        """Bytes from the begin of an image to its first row."""
        return self.above * self.row_bytes

    @property
    def dtype(self) -> type[np.unsignedinteger[Any]]:
        """The narrowest type that holds stored values."""
        bits = self.planes * self.engine.digit
        return np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32 if bits <= 32 else np.uint64

    def pack(self, values: Array) -> Array:
        """Stored values (N, h, w, blocks * columns), of any integer type, to bytes uint8 (N, image_bytes)."""
        n, e = len(values), self.engine
        out = np.zeros((n, self.above + self.h + self.below, self.row_bytes), np.uint8)
        split = values.reshape(n, self.h, self.w, self.blocks, e.columns)
        words = np.empty((n, self.h, self.w, self.blocks, self.planes, e.word_bytes), np.uint8)
        for plane in range(self.planes):
            words[..., plane, :] = pack_digits(split >> (e.digit * plane), e.digit)
        rows = words.reshape(n, self.h, -1)
        out[:, self.above : self.above + self.h, : rows.shape[2]] = rows
        return out.reshape(n, -1)

    def unpack(self, data: Array) -> Array:
        """The inverse: uint8 (N, image_bytes) to stored values int64 (N, h, w, blocks * columns)."""
        n, e = len(data), self.engine
        rows = data.reshape(n, -1, self.row_bytes)[:, self.above : self.above + self.h]
        used = rows[:, :, : self.w * self.pixel_words * e.word_bytes]
        digits = unpack_digits(
            np.ascontiguousarray(used).reshape(n, self.h, self.w, self.blocks, self.planes, e.word_bytes), e.digit
        )
        found = digits[..., 0, :].astype(np.int64)
        for plane in range(1, self.planes):
            found += digits[..., plane, :].astype(np.int64) << (e.digit * plane)
        return found.reshape(n, self.h, self.w, self.blocks * e.columns)


def pack_digits(digits: Array, bits: int) -> Array:
    """Digits (..., n) of 4 or 8 bits, unsigned or two's complement, to bytes uint8 (..., n * bits / 8), the first one lowest.

    What is above a digit's bits does not matter.
    """
    low = np.ascontiguousarray(digits.astype(np.uint8))
    if bits == 8:
        return low
    pairs = low.view("<u2") & np.uint16(0x0F0F)
    packed: Array = (pairs | pairs >> 4).astype(np.uint8)
    return packed


def unpack_digits(data: Array, bits: int) -> Array:
    """Bytes uint8 (..., n) to unsigned digits uint8 (..., 8 n / bits)."""
    if bits == 8:
        return data
    pairs = np.ascontiguousarray(data).astype("<u2")
    found: Array = ((pairs | pairs << 4) & np.uint16(0x0F0F)).view(np.uint8)
    return found


def pack_word(mult: int, add: int, shift: int) -> int:
    """The 64-bit word of ``(acc * mult + add) >> shift``: 18 bits mult (signed), 40 bits add (signed), 6 bits shift."""
    return int(pack_words(np.array([mult]), np.array([add]), np.array([shift]))[0])


def pack_words(mult: Array, add: Array, shift: Array) -> Array:
    """`pack_word` for arrays: uint64.

    Raises:
        OverflowError: a number does not fit its field.
    """
    for name, values, bits in (("mult", mult, _MULT), ("add", add, _ADD)):
        if values.size and (values.min() < -(1 << (bits - 1)) or values.max() >= 1 << (bits - 1)):
            raise OverflowError(f"the {name} of an activation word does not fit {bits} bits")
    low = mult.astype(np.int64).astype(np.uint64) & np.uint64((1 << _MULT) - 1)
    middle = add.astype(np.int64).astype(np.uint64) & np.uint64((1 << _ADD) - 1)
    return low | (middle << np.uint64(_MULT)) | (shift.astype(np.uint64) << np.uint64(_MULT + _ADD))


def unpack_word(words: Array) -> tuple[Array, Array, Array]:
    """(mult, add, shift) int64 of words uint64."""
    signed = words.astype(np.uint64).view(np.int64)
    mult = (signed << (64 - _MULT)) >> (64 - _MULT)
    add = (signed << _SHIFT) >> (64 - _ADD)
    return mult, add, (words.astype(np.uint64) >> np.uint64(_MULT + _ADD)).astype(np.int64)
