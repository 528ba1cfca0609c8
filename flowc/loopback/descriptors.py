"""The commands of the engine: 64 bytes each, sixteen little-endian words of 32 bits.

One table says where each field lies: the ``bits`` of the dataclasses below. `encode` and `decode` read it, the C++ engine's header
and docs/loopback.md are made from it. Word 0 of every descriptor is ``op | layer << 16``; bits that no field names are zero.

A *segment* is ``Layer``, then any number of ``LoadActs``, ``LoadWeights``, ``Compute`` and ``Store``, then ``Fence``; the table ends
with ``End``. Within a segment each kind is executed in its own order; between kinds only the counters bind:

- ``after``: a load begins when this many computes have retired (its place is free then),
- ``need_acts``, ``need_weights``: a compute begins when this many loads of a kind have completed.

Counters run through the whole table modulo 2^16 and are compared as signed 16-bit differences.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np

from flowc.units.base import Array

__all__ = [
    "DESCRIPTORS", "EARLY", "MAC", "MAX", "SEARCH", "SUM", "WORD", "WORDS", "Bits", "Compute", "Descriptor", "End", "Fence", "Layer",
    "LoadActs", "LoadWeights", "Store", "as_rows", "bits_of", "decode", "encode",
]  # fmt: skip

WORDS = 16
"""32-bit words of a descriptor."""

MAC, MAX, SUM = 0, 1, 2
"""Kinds of layers: products with weights, maximum, sum."""

WORD, EARLY, SEARCH = 0, 1, 2
"""Modes of the activation unit."""


class Bits(NamedTuple):
    """Where a field lies: ``bits`` bits of word ``word`` from bit ``at``; a field of 64 bits continues in the next word."""

    word: int
    at: int
    bits: int
    signed: bool
    meaning: str


def _bits(word: int, at: int, bits: int, meaning: str, *, signed: bool = False) -> Any:
    return field(default=0, metadata={"bits": Bits(word, at, bits, signed, meaning)})


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """What all descriptors share."""

    op: ClassVar[int]
    layer: int = _bits(0, 16, 16, "number of the layer that it belongs to")


@dataclass(frozen=True, kw_only=True)
class LoadActs(Descriptor):
    """Loads a tile of activations into every lane's buffer.

    For image i, row y, lane p and column x (innermost) ``beats`` beats of 16 bytes go from byte
    ``16 * (ddr + p * lane_stride + i * image_stride + y * row_stride + x * column_stride)`` to word
    ``buf + i * buf_image + y * buf_row + x * buf_column`` of lane p's buffer.
    """

    op: ClassVar[int] = 1
    after: int = _bits(1, 0, 16, "computes that must have retired")
    beats: int = _bits(1, 16, 16, "beats of 16 bytes per column")
    ddr: int = _bits(2, 0, 32, "address, in 16 bytes")
    lane_stride: int = _bits(3, 0, 32, "from lane to lane, in 16 bytes")
    image_stride: int = _bits(4, 0, 32, "from image to image, in 16 bytes")
    row_stride: int = _bits(5, 0, 32, "from row to row, in 16 bytes")
    column_stride: int = _bits(6, 0, 16, "from column to column, in 16 bytes")
    buf_column: int = _bits(6, 16, 16, "the same in the buffer, in words")
    buf: int = _bits(7, 0, 16, "first word in the buffer")
    buf_image: int = _bits(7, 16, 16, "from image to image in the buffer, in words")
    buf_row: int = _bits(8, 0, 16, "from row to row in the buffer, in words")
    images: int = _bits(8, 16, 8, "images per lane")
    rows: int = _bits(9, 0, 16, "rows")
    columns: int = _bits(9, 16, 16, "columns")
    lane_mask: int = _bits(10, 0, 32, "lanes that are loaded, one bit each")
    tag: int = _bits(11, 0, 16, "number of this load of activations, modulo 2^16")


@dataclass(frozen=True, kw_only=True)
class LoadWeights(Descriptor):
    """Loads weights, then parameters, then tables, which follow each other in the external memory without gaps."""

    op: ClassVar[int] = 2
    after: int = _bits(1, 0, 16, "computes that must have retired")
    ddr: int = _bits(2, 0, 32, "address, in 16 bytes")
    buf: int = _bits(3, 0, 16, "first word in the weight buffer")
    words: int = _bits(3, 16, 16, "weight words")
    parameter: int = _bits(4, 0, 16, "first word in the parameter memory")
    parameters: int = _bits(4, 16, 16, "parameter words")
    table: int = _bits(5, 0, 16, "first word in the table memory")
    tables: int = _bits(5, 16, 16, "table words")
    tag: int = _bits(11, 0, 16, "number of this load of weights, modulo 2^16")


@dataclass(frozen=True, kw_only=True)
class Layer(Descriptor):
    """Registers that hold for the computes of a segment."""

    op: ClassVar[int] = 3
    kind: int = _bits(1, 0, 4, "0: products with weights, 1: maximum, 2: sum")
    planes: int = _bits(1, 4, 4, "digits of an activation")
    weight_planes: int = _bits(1, 8, 4, "digits of a weight; the last one is signed")
    out_planes: int = _bits(1, 12, 4, "digits of a result")
    skip_planes: int = _bits(1, 16, 4, "digits of the second operand of a join; 0: no join")
    join: int = _bits(1, 20, 2, "1: add, 2: multiply")
    mode: int = _bits(1, 22, 2, "0: word, 1: word and early mask, 2: search")
    depth: int = _bits(1, 24, 4, "search: steps, so that a channel has 2^depth entries")
    lo: int = _bits(2, 0, 32, "least result", signed=True)
    hi: int = _bits(3, 0, 32, "greatest result", signed=True)
    stride_y: int = _bits(4, 0, 8, "rows from output to output")
    stride_x: int = _bits(4, 8, 8, "columns from output to output")
    dilation_y: int = _bits(4, 16, 8, "rows from tap to tap")
    dilation_x: int = _bits(4, 24, 8, "columns from tap to tap")
    height: int = _bits(5, 0, 16, "rows of the input; taps outside read the pad")
    width: int = _bits(5, 16, 16, "columns of the input")
    pad: int = _bits(6, 0, 32, "what taps outside of the input read (each plane its digit)")
    lane_rows: int = _bits(7, 0, 16, "rows of the input from lane to lane; 0: lanes are images")
    tables_each: int = _bits(7, 16, 16, "table words per block of outputs")
    left_scale: int = _bits(8, 0, 16, "join: factor of the result", signed=True)
    right_scale: int = _bits(8, 16, 16, "join: factor of the second operand", signed=True)
    left_offset: int = _bits(9, 0, 32, "join by multiplication: subtracted from the result", signed=True)
    right_offset: int = _bits(10, 0, 32, "join by multiplication: subtracted from the second operand", signed=True)
    join_word: int = _bits(11, 0, 64, "word applied to the joined value")
    join_lo: int = _bits(13, 0, 32, "least joined result", signed=True)
    join_hi: int = _bits(14, 0, 32, "greatest joined result", signed=True)


@dataclass(frozen=True, kw_only=True)
class Compute(Descriptor):
    """Computes a tile: loops over images, y, x, blocks, kernel rows, kernel columns, channel blocks, planes, weight planes.

    The activation word is at ``acts + i * image_step + y * y_step + x * x_step + ky * ky_step + kx * kx_step + b * block_step
    + cb * planes + plane``, where taps at row ``y0 + lane * lane_rows + y * stride_y + ky * dilation_y`` (columns alike) outside of
    the input read the pad; the weight word at ``weights + b * K + step``, K steps per block. The block's parameters are word
    ``parameter + b``, its tables begin at word ``(parameter + b) * tables_each``.
    """

    op: ClassVar[int] = 4
    need_acts: int = _bits(1, 0, 16, "loads of activations that must have completed")
    need_weights: int = _bits(1, 16, 16, "loads of weights that must have completed")
    acts: int = _bits(2, 0, 32, "word of the tap at (y0, x0), which may lie outside of the tile", signed=True)
    weights: int = _bits(3, 0, 16, "first weight word")
    parameter: int = _bits(3, 16, 16, "first parameter word")
    images: int = _bits(4, 0, 8, "images per lane")
    rows: int = _bits(4, 8, 12, "output rows")
    columns: int = _bits(4, 20, 12, "output columns")
    blocks: int = _bits(5, 0, 12, "blocks of outputs")
    kernel_y: int = _bits(5, 12, 8, "kernel rows")
    kernel_x: int = _bits(5, 20, 8, "kernel columns")
    first: int = _bits(5, 28, 1, "accumulators begin at zero")
    last: int = _bits(5, 29, 1, "accumulators leave at the end")
    channel_blocks: int = _bits(6, 0, 16, "words per pixel and plane that a block of outputs reads")
    weight_tag: int = _bits(6, 16, 16, "load that the weights and parameters came with")
    y_step: int = _bits(7, 0, 16, "words from output row to output row")
    x_step: int = _bits(7, 16, 16, "words from output column to output column")
    ky_step: int = _bits(8, 0, 16, "words from kernel row to kernel row")
    kx_step: int = _bits(8, 16, 16, "words from kernel column to kernel column")
    image_step: int = _bits(9, 0, 16, "words from image to image")
    block_step: int = _bits(9, 16, 16, "words from block of outputs to block of outputs")
    y0: int = _bits(10, 0, 16, "row of the input of the first tap, for lane 0", signed=True)
    x0: int = _bits(10, 16, 16, "column of the input of the first tap", signed=True)
    act_tag: int = _bits(11, 0, 16, "load that the activations came with")
    skip_tag: int = _bits(11, 16, 16, "load that the second operand (of a join, or of two taps) came with")
    skip: int = _bits(12, 0, 16, "first word of the second operand of a join")
    skip_row: int = _bits(12, 16, 16, "words from row to row of it")
    skip_pixel: int = _bits(13, 0, 16, "words from pixel to pixel of it")
    skip_image: int = _bits(13, 16, 16, "words from image to image of it")


@dataclass(frozen=True, kw_only=True)
class Store(Descriptor):
    """Stores a tile of results in the order in which they leave: images, rows, columns, words.

    The words of a pixel go to bytes ``8 * (ddr + p * lane_stride + i * image_stride + y * row_stride + x * column_stride)``, and again
    ``repeat_y`` x ``repeat_x`` times, ``repeat_row`` and ``repeat_column`` apart.
    """

    op: ClassVar[int] = 5
    repeat_y: int = _bits(1, 0, 8, "times that each pixel is written, downwards")
    repeat_x: int = _bits(1, 8, 8, "times that each pixel is written, to the right")
    words: int = _bits(1, 16, 16, "activation words per pixel")
    ddr: int = _bits(2, 0, 32, "address, in 8 bytes")
    lane_stride: int = _bits(3, 0, 32, "from lane to lane, in 8 bytes")
    image_stride: int = _bits(4, 0, 32, "from image to image, in 8 bytes")
    row_stride: int = _bits(5, 0, 32, "from row to row, in 8 bytes")
    column_stride: int = _bits(6, 0, 32, "from column to column, in 8 bytes")
    repeat_row: int = _bits(7, 0, 32, "between writes downwards, in 8 bytes")
    repeat_column: int = _bits(8, 0, 32, "between writes to the right, in 8 bytes")
    images: int = _bits(9, 0, 8, "images per lane")
    rows: int = _bits(9, 8, 12, "rows")
    columns: int = _bits(9, 20, 12, "columns")
    lane_mask: int = _bits(10, 0, 32, "lanes that are stored, one bit each")


@dataclass(frozen=True, kw_only=True)
class Fence(Descriptor):
    """Ends a segment: everything before it has been stored before anything behind it is loaded."""

    op: ClassVar[int] = 6


@dataclass(frozen=True, kw_only=True)
class End(Descriptor):
    """Ends the table."""

    op: ClassVar[int] = 7


DESCRIPTORS: tuple[type[Descriptor], ...] = (LoadActs, LoadWeights, Layer, Compute, Store, Fence, End)
_BY_OP = {cls.op: cls for cls in DESCRIPTORS}
_Kind = TypeVar("_Kind", bound=Descriptor)


def bits_of(kind: type[Descriptor]) -> dict[str, Bits]:
    """Field name -> where it lies, in the order of the table."""
    return {f.name: f.metadata["bits"] for f in fields(kind)}


def as_rows(descriptors: Sequence[Descriptor], length: int) -> Array:
    """Descriptors as rows int64 (n, length): the operation, then the fields in order; 64-bit words as two's complement."""
    rows = np.zeros((len(descriptors), length), np.int64)
    for row, d in zip(rows, descriptors, strict=True):
        values = [d.op, *(int(getattr(d, name)) for name in bits_of(type(d)))]
        row[: len(values)] = [v - (1 << 64) if v >= 1 << 63 else v for v in values]
    return rows


def encode(descriptors: Iterable[Descriptor]) -> Array:
    """uint32 (n, 16).

    Raises:
        OverflowError: a value does not fit its field; names both.
    """
    return np.array([_words(d) for d in descriptors], np.uint32).reshape(-1, WORDS)


def _words(descriptor: Descriptor) -> list[int]:
    words = [0] * WORDS
    words[0] = descriptor.op
    for name, place in bits_of(type(descriptor)).items():
        value = int(getattr(descriptor, name))
        least = -(1 << (place.bits - 1)) if place.signed else 0
        if not least <= value < least + (1 << place.bits):
            raise OverflowError(
                f"{type(descriptor).__name__}.{name} = {value} does not fit {place.bits} bits (layer {descriptor.layer})"
            )
        value = (value & ((1 << place.bits) - 1)) << place.at
        for i in range(2 if place.bits > 32 else 1):
            words[place.word + i] |= value >> (32 * i) & 0xFFFFFFFF
    return words


def decode(table: Array) -> list[Descriptor]:
    """The descriptors of a table, uint32 (n, 16).

    Raises:
        ValueError: an unknown operation, or bits that no field names.
    """
    return [_descriptor([int(w) for w in row]) for row in table]


def _descriptor(words: Sequence[int]) -> Descriptor:
    kind = _BY_OP.get(words[0] & 0xFFFF)
    if kind is None:
        raise ValueError(f"no descriptor has the operation {words[0] & 0xFFFF}")
    values: dict[str, int] = {}
    for name, place in bits_of(kind).items():
        whole = words[place.word] | (words[place.word + 1] << 32 if place.bits > 32 else 0)
        value = whole >> place.at & ((1 << place.bits) - 1)
        values[name] = value - (1 << place.bits) if place.signed and value >> (place.bits - 1) else value
    found = kind(**values)
    if _words(found) != list(words):
        raise ValueError(f"a {kind.__name__} has bits set that no field names")
    return found
