"""Matrix products: which kernel, under which condition it is exact, and how its weights lie.

| kernel | inputs | weights | exact while |
|---|---|---|---|
| lookup | codes of 1 or 2 bits | 1 or 2 bits | a byte holds ``limit`` >= 1 entries, uint16 the sum |
| bytes | codes of a byte | int8 | the sum fits int32; without int8 dot products also ``limit * 2 * max|a| * max|w| <= 32767`` |
| bytes by tiles (AMX) | as bytes, whose weights they share | int8 | the sum fits int32 |
| pairs | codes of a byte | int16 | the sum fits int32 |
| words | int32 | int32 | the sum fits int32 |

Every bound follows from the weights and from the type of the stream, for each output channel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flowc.dataflow.native.activations import Accumulators, halved, lower_activation
from flowc.dataflow.native.codes import INT32, Code, NotNativeError
from flowc.dataflow.native.geometry import Geometry
from flowc.dataflow.native.program import Buffer, Call, Value, sized
from flowc.kernels import ActivationKind, Library, OperationKind
from flowc.kernels.layout import aligned, blocked
from flowc.units import Mvtu
from flowc.units.base import Array

__all__ = ["lower_product", "sum_bounds"]

_INT16 = (1 << 15) - 1
_SHORTEST = 4
"""Steps from which on int16 sums are faster than int16 products."""
_SHORT_RUN = 16
"""Bytes of a run up to which windows are written out (``moving::short_windows``)."""
_LOOKUP_SPEED = {1: 4.0, 2: 2.0}
"""Products per instruction of a lookup, in multiples of a byte product's, by the bits of the weights."""
_TILE_SPEED = 4.0
"""Products per cycle by tiles that are full, in multiples of those by vectors: half of what both do at their peak (``src/tiles.h``)."""
_TILE = 16
"""Pixels, channels, and steps of four bytes of a tile."""


def sum_bounds(weights: Array, low: int, high: int) -> tuple[Array, Array]:
    """Least and greatest sum of each row of weights over inputs from ``low`` to ``high``."""
    positive = np.maximum(weights, 0).sum(axis=1)
    negative = weights.sum(axis=1) - positive
    return positive * low + negative * high, positive * high + negative * low


class _Product(NamedTuple):
    """What the kernels are chosen by.

    ``weights`` int64 (groups, rows, runs, elements of a run).
    """

    unit: Mvtu
    source: Value
    out: Code
    geometry: Geometry
    weights: Array
    offsets: list[int]
    bounds: tuple[Array, Array]
    library: Library

    @property
    def code(self) -> Code:
        """How the inputs are stored."""
        return self.source.code

    @property
    def rows(self) -> int:
        """Output channels of a group."""
        return int(self.weights.shape[1])

    @property
    def group_step(self) -> int:
        """Elements between the inputs of two groups."""
        return self.geometry.c // self.unit.groups

    def accumulators(self, block: int, scale: int, offset: Array) -> Accumulators:
        """Their bounds, with parameters for blocks of ``block`` channels of a group."""
        groups, padded = self.unit.groups, -(-self.rows // block) * block
        places = np.full((groups, padded), -1)
        places[:, : self.rows] = np.arange(self.unit.mh).reshape(groups, self.rows)
        return Accumulators(*self.bounds, scale, offset, places.reshape(-1))

    @property
    def of_codes(self) -> tuple[int, Array]:
        """Scale and offset that make accumulators of sums over codes."""
        return self.code.step, self.unit.weights.sum(axis=1) * self.code.base

    def call(self, kind: OperationKind, inp: Buffer, out: Buffer, per_step: int, element: int) -> Call:
        """The operation, without weights; ``per_step`` elements of ``element`` bytes make a step."""
        length = self.weights.shape[3]
        fields = self.geometry.fields | sized(
            oc=self.unit.mh, groups=self.unit.groups, rows=self.rows, segments=self.weights.shape[2],
            length=-(-length // per_step), limit=INT32, group_step=self.group_step * element,
            wide_in=self.code.wide, wide_out=self.out.wide,
        )  # fmt: skip
        call = Call(kind, inp, out, fields=fields)
        call.point("offsets", np.array(self.offsets, np.int32) * np.int32(element))
        return call


def lower_product(unit: Mvtu, source: Value, target: Value, geometry: Geometry | None, library: Library) -> list[Call]:
    """The operations of a matrix unit.

    Args:
        source: what the unit reads; with ``geometry``, the frame that its window reads.

    Raises:
        NotNativeError: no kernel is exact on it.
    """
    if geometry is None:
        weights, geometry = unit.stream_weights, Geometry(*unit.frame.shape, out=(unit.frame.h, unit.frame.w))
        offsets, length = [0], unit.mw
    else:
        weights, (offsets, length) = unit.weights, geometry.runs(unit.groups)
    shaped = weights.reshape(unit.groups, unit.mh // unit.groups, len(offsets), length)
    low, high = sum_bounds(unit.weights, source.code.low, source.code.high)
    product = _Product(unit, source, target.code, geometry, shaped, offsets, (low, high), library)
    if low.min() < -INT32 or high.max() > INT32:
        raise NotNativeError("sums beyond int32")
    if source.code.wide:
        return [_words(product, target.buffer)]
    raw = np.abs(unit.weights).sum(axis=1).max() * source.code.top
    if raw > INT32:
        raise NotNativeError("sums beyond int32")
    for lower in (_lookup, _bytes, _pairs):
        found = lower(product, target.buffer)
        if found is not None:
            return found
    raise NotNativeError("weights beyond int16")


def _bytes(product: _Product, out: Buffer) -> list[Call] | None:
    weights, library = product.weights, product.library
    if weights.min() < -128 or weights.max() > 127:
        return None
    if (
        weights.shape[2] > 1
        and weights.shape[3] <= _SHORT_RUN
        and product.unit.groups == product.geometry.dilation[1] == 1
    ):
        write, written = _written_out(product)
        rest = _bytes(written, out)
        return None if rest is None else [write, *rest]
    call = product.call(OperationKind.BYTES, product.source.buffer, out, 4, 1)
    call.fields["factor"] = int(library.tiles)
    if library.int16_sums:
        limit = _INT16 // max(1, 2 * product.code.top * int(np.abs(weights).max()))
        if limit < _SHORTEST:
            return None
        call.fields["limit"] = min(limit, INT32)
    call.point("weights", aligned(blocked(weights.astype(np.int8), library.block, 4)))
    call.act = lower_activation(
        product.unit.activation, product.accumulators(library.block, *product.of_codes), product.out
    )
    return [call]


def _tile_speed(product: _Product) -> float:
    """Of a product of a single sample by tiles, in multiples of that by vectors; 0 where there are no tiles.

    Pixels of further samples are not counted: a dense layer of few bits stays with lookups, which read fewer bytes of weights.
    """
    if not product.library.tiles:
        return 0.0
    _, rows, runs, length = product.weights.shape
    speed = _TILE_SPEED
    for count in (product.geometry.out[0] * product.geometry.out[1], rows, runs * -(-length // 4)):
        speed *= count / (-(-count // _TILE) * _TILE)
    return speed


def _written_out(product: _Product) -> tuple[Call, _Product]:
    """The windows as frames of their own, and the product of these: worth while where they are made of short runs, as in first layers."""
    g, (_, rows, runs, length) = product.geometry, product.weights.shape
    (h, w), c = g.out, runs * length
    windows = Buffer(h * w * c)
    write = Call(OperationKind.WINDOW, product.source.buffer, windows, fields=g.fields | sized(groups=1))
    shaped = product.weights.reshape(1, rows, 1, c)
    source, geometry = Value(windows, product.code), Geometry(h, w, c, out=(h, w))
    return write, product._replace(source=source, geometry=geometry, weights=shaped, offsets=[0])


def _pairs(product: _Product, out: Buffer) -> list[Call] | None:
    weights, library, g = product.weights, product.library, product.geometry
    if weights.min() < -_INT16 or weights.max() > _INT16:
        return None
    wide = Buffer(2 * g.h * g.w * g.c)
    widen = Call(OperationKind.WIDEN, product.source.buffer, wide, fields=sized(h=g.h, w=g.w, c=g.c))
    call = product.call(OperationKind.PAIRS, wide, out, 2, 2)
    call.point("weights", blocked(weights.astype(np.int16), library.block, 2))
    call.act = lower_activation(
        product.unit.activation, product.accumulators(library.block, *product.of_codes), product.out
    )
    return [widen, call]


def _words(product: _Product, out: Buffer) -> Call:
    weights, lanes = product.weights, product.library.lanes
    if weights.min() < -INT32 or weights.max() > INT32:
        raise NotNativeError("weights beyond int32")
    call = product.call(OperationKind.WORDS, product.source.buffer, out, 1, 1)
    padded = -(-product.rows // lanes) * lanes
    laid = np.zeros((*weights.shape[:1], *weights.shape[2:], padded), np.int32)
    laid[..., : product.rows] = weights.transpose(0, 2, 3, 1)
    call.point("weights", laid)
    call.act = lower_activation(
        product.unit.activation, product.accumulators(lanes, 1, np.zeros(product.unit.mh, np.int64)), product.out
    )
    return call


class _Tables(NamedTuple):
    """Tables of the sums of a group of inputs for each of sixteen groups of weights.

    ``entries`` uint8 (groups of inputs, 16): ``(sum - least) / unit``.
    """

    entries: Array
    least: int
    unit: int
    group: int
    weight_bits: int
    input_bits: int


def _tables(weights: Array, code: Code) -> _Tables | None:
    """The tables for these weights and inputs, or None: they have more than two bits."""
    low, high = int(weights.min()), int(weights.max())
    if code.top > 3:
        return None
    two = high - low <= 1 or bool(((weights == low) | (weights == high)).all())
    if not two and high - low > 3:
        return None
    weight_bits, input_bits = (1, 1 if code.top <= 1 else 2) if two else (2, 1 if code.top <= 1 else 2)
    group = 4 if two else 2
    of_code = np.array([low, high] if two else [low + i for i in range(4)])
    numbers = np.arange(1 << (group * input_bits))
    inputs = np.stack([numbers >> (i * input_bits) & (1 << input_bits) - 1 for i in range(group)], axis=1)
    nibbles = np.stack([np.arange(16) >> (i * weight_bits) & (1 << weight_bits) - 1 for i in range(group)], axis=1)
    allowed = (of_code[nibbles] <= high).all(axis=1)
    occurring = (inputs <= code.top).all(axis=1)
    sums = (inputs * code.step + code.base) @ of_code[nibbles].T
    real = sums[np.ix_(occurring, allowed)]
    least = int(real.min())
    unit = int(np.gcd.reduce((real - least).reshape(-1))) or 1
    if real.max() - least > 255 * unit:
        return None
    entries = np.clip((sums - least) // unit, 0, 255).astype(np.uint8)
    return _Tables(entries, least, unit, group, weight_bits, input_bits)


def _lookup(product: _Product, out: Buffer) -> list[Call] | None:
    weights, g = product.weights, product.geometry
    tables = _tables(weights, product.code)
    if tables is None or weights.shape[3] % tables.group or g.c // product.unit.groups % tables.group:
        return None
    library = product.library
    block = library.narrow if product.rows <= library.narrow else library.wide
    padding = -(-product.rows // block) * block / (-(-product.rows // library.block) * library.block)
    speed = _LOOKUP_SPEED[tables.weight_bits] * (1 if library.int16_sums else 0.5) / padding
    if speed <= max(1.0, _tile_speed(product)):
        return None
    steps = weights.shape[2] * weights.shape[3] // tables.group
    limit = 255 // max(1, int(tables.entries.max()))
    largest = (int(product.bounds[1].max()) - steps * tables.least) // tables.unit
    if largest > 65535 or limit < 1:
        return None
    packed = Buffer(g.h * g.w * g.c // tables.group)
    pack = Call(
        OperationKind.PACK, product.source.buffer, packed,
        fields=sized(h=g.h, w=g.w, c=g.c, value=tables.group, factor=tables.input_bits),
    )  # fmt: skip
    call = product.call(OperationKind.LOOKUP, packed, out, tables.group, 1)
    call.arrays.clear()
    call.point("offsets", np.array(product.offsets, np.int32) // np.int32(tables.group))
    call.fields |= sized(
        c=g.c // tables.group,
        group_step=product.group_step // tables.group,
        limit=limit,
        factor=block // library.narrow,
    )
    call.point("table", tables.entries)
    call.point("weights", _nibbles(weights, tables, block))
    offset = np.full(product.unit.mh, tables.least * steps)
    acc = product.accumulators(block, tables.unit, offset)
    call.act = lower_activation(product.unit.activation, acc, product.out)
    if call.act.act.kind == ActivationKind.COMPARE and largest < _INT16 and not product.out.wide:
        halved(call.act, library.narrow)
    return [pack, call]


def _nibbles(weights: Array, tables: _Tables, block: int) -> Array:
    """Weights of a group as one number of four bits."""
    least = weights.min()
    codes = (weights > least).astype(np.int64) if tables.weight_bits == 1 else weights - least
    grouped = codes.reshape(*weights.shape[:3], -1, tables.group)
    numbers = (grouped << (np.arange(tables.group) * tables.weight_bits)).sum(axis=-1).astype(np.uint8)
    return blocked(numbers, block, 1)
