"""Integers to the bytes of a stream's beats, and back.

A frame's elements, in stream order, are cut into beats of ``per_beat`` elements. Within a beat, element 0 occupies the
least significant bits, each element ``bits`` wide, two's complement where signed; a bipolar element is one bit, 1 for
+1 and 0 for -1. A beat is stored least significant byte first and filled up with zero bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["bytes_per_beat", "element_dtype", "pack", "unpack"]


def bytes_per_beat(bits: int, per_beat: int) -> int:
    """Least number of bytes that hold `per_beat` elements of `bits` bits."""
    return -(-bits * per_beat // 8)


def element_dtype(bits: int, signed: bool = False, bipolar: bool = False) -> np.dtype[Any]:
    """Smallest numpy integer type that holds every element."""
    width = next(w for w in (8, 16, 32, 64) if w >= bits)
    return np.dtype("{}int{}".format("" if signed or bipolar else "u", width))


def pack(
    values: NDArray[Any], bits: int, per_beat: int, *, bipolar: bool = False, beat_bytes: Optional[int] = None
) -> NDArray[np.uint8]:
    """The bytes of frames.

    Args:
        values: integers (N, elements) in stream order; `per_beat` divides elements. Only the low `bits` bits of a value
            count.
        bits: bits of an element, 1 to 64.
        per_beat: elements of a beat.
        bipolar: elements are -1 and +1 (bits is 1).
        beat_bytes: bytes of a beat, at least `bytes_per_beat`, which is the default.

    Returns:
        uint8 (N, beats, beat_bytes).

    Raises:
        ValueError: `per_beat` does not divide the number of elements, or `beat_bytes` is too small.
    """
    values = np.asarray(values)
    frames, elements = values.shape
    used = bytes_per_beat(bits, per_beat)
    beats = _beats(elements, per_beat)
    if beat_bytes is None:
        beat_bytes = used
    if beat_bytes < used:
        raise ValueError("a beat of {} x {} bits does not fit {} bytes".format(per_beat, bits, beat_bytes))
    if bipolar:
        values = values > 0
    if values.dtype.kind != "i" and values.dtype.kind != "u":
        values = values.astype(np.int64)
    shape = (frames, beats, per_beat)
    if bits in (8, 16, 32, 64):
        data = np.ascontiguousarray(values.astype("<i{}".format(bits // 8))).view(np.uint8).reshape(frames, beats, used)
    elif bits == 1:
        data = np.packbits((values & 1).astype(np.uint8).reshape(shape), axis=-1, bitorder="little")
    elif bits < 8 and 8 % bits == 0 and per_beat * bits % 8 == 0:
        parts = (values & ((1 << bits) - 1)).astype(np.uint8).reshape(frames, beats, used, 8 // bits)
        data = parts[..., 0].copy()
        for k in range(1, 8 // bits):
            data |= parts[..., k] << (k * bits)
    else:
        octets = np.ascontiguousarray(values.astype("<i8")).view(np.uint8).reshape(*shape, 8)
        unpacked = np.unpackbits(octets[..., : -(-bits // 8)], axis=-1, count=bits, bitorder="little")
        data = np.packbits(unpacked.reshape(frames, beats, per_beat * bits), axis=-1, bitorder="little")
    if beat_bytes == used:
        return data
    wide = np.zeros((frames, beats, beat_bytes), np.uint8)
    wide[..., :used] = data
    return wide


def unpack(
    data: NDArray[np.uint8], bits: int, per_beat: int, *, signed: bool = False, bipolar: bool = False
) -> NDArray[Any]:
    """The integers of frames: the inverse of `pack`.

    Args:
        data: uint8 (N, beats, bytes of a beat); bytes and bits behind a beat's last element are ignored.
        bits: bits of an element, 1 to 64.
        per_beat: elements of a beat.
        signed: elements are two's complement.
        bipolar: elements are -1 and +1 (bits is 1).

    Returns:
        Integers (N, beats * per_beat) of the smallest type that holds them (`element_dtype`).

    Raises:
        ValueError: a beat has too few bytes.
    """
    data = np.asarray(data, np.uint8)
    frames, beats, beat_bytes = data.shape
    used = bytes_per_beat(bits, per_beat)
    if beat_bytes < used:
        raise ValueError("a beat of {} x {} bits does not fit {} bytes".format(per_beat, bits, beat_bytes))
    data = data[..., :used]
    dtype = element_dtype(bits, signed, bipolar)
    if bits in (8, 16, 32, 64):
        values = np.ascontiguousarray(data).view(dtype.newbyteorder("<"))
    elif bits < 8 and 8 % bits == 0 and per_beat * bits % 8 == 0:
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        values = (data[..., np.newaxis] >> shifts) & np.uint8((1 << bits) - 1)
    else:
        unpacked = np.unpackbits(data, axis=-1, count=bits * per_beat, bitorder="little")
        octets = np.packbits(unpacked.reshape(frames, beats, per_beat, bits), axis=-1, bitorder="little")
        values = np.zeros((frames, beats, per_beat, dtype.itemsize), np.uint8)
        values[..., : octets.shape[-1]] = octets
        values = values.view(dtype.newbyteorder("<"))
    values = values.reshape(frames, beats * per_beat).astype(dtype, copy=False)
    if bipolar:
        return 2 * values - 1
    if signed and bits < 8 * dtype.itemsize:
        unused = 8 * dtype.itemsize - bits
        values = (values << unused) >> unused
    return values


def _beats(elements: int, per_beat: int) -> int:
    if per_beat < 1 or elements % per_beat:
        raise ValueError("{} elements can't be cut into beats of {}".format(elements, per_beat))
    return elements // per_beat
