"""A layer in blocks: how many words it reads, multiplies and writes, and its weights in the order in which the engine fetches them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from flowc.loopback.engine import Engine
from flowc.loopback.formats import pack_digits
from flowc.loopback.layers import MAC, Layer
from flowc.units.base import Array

__all__ = ["Blocks", "chunks_of"]


@dataclass(frozen=True, eq=False)
class Blocks:
    """A layer in the words of an engine.

    Output block b reads the blocks ``first + b * step`` to ``first + b * step + channel_blocks`` of the input's storage.
    """

    layer: Layer
    engine: Engine

    @cached_property
    def out_range(self) -> tuple[int, int]:
        """First block of outputs in the storage, and their number."""
        start, end = self.layer.out.blocks(self.layer.block_rows(self.engine))
        return start, end - start

    @property
    def count(self) -> int:
        """Blocks of outputs."""
        return self.out_range[1]

    @property
    def first_out(self) -> int:
        """First block of outputs in the storage."""
        return self.out_range[0]

    @cached_property
    def _reads(self) -> tuple[int, int, int]:
        """(first, step, channel blocks)."""
        columns = self.engine.columns
        slots = self.layer.source.slots
        if self.layer.kind != MAC:
            return int(slots[0]) // columns, 1, 1
        assert self.layer.products is not None
        used = slots[self.layer.products.inputs] // columns
        if len(used) == 1:
            return int(used.min()), 0, int(used.max() - used.min()) + 1
        return self._affine(used.min(axis=1), used.max(axis=1))

    def _affine(self, low: Array, high: Array) -> tuple[int, int, int]:
        """The narrowest range that moves evenly with the output block and holds what each block reads."""
        block = self.layer.out.slots // self.engine.rows - self.first_out
        least, most = np.full(self.count, 1 << 30), np.full(self.count, -1)
        np.minimum.at(least, block, low)
        np.maximum.at(most, block, high)
        there = most >= 0
        index = np.arange(self.count)
        total = self.layer.source.storage.channels // self.engine.columns
        best = (int(least[there].min()), 0, int(most[there].max() - least[there].min()) + 1)
        for step in range(1, total + 1):
            first = int((least - index * step)[there].min())
            reads = int((most - index * step)[there].max()) - first + 1
            if first >= 0 and first + (self.count - 1) * step + reads <= total and reads < best[2]:
                best = (first, step, reads)
        return best

    @property
    def first(self) -> int:
        """First block of the input that block 0 reads."""
        return self._reads[0]

    @property
    def step(self) -> int:
        """Input blocks from output block to output block."""
        return self._reads[1]

    @property
    def channel_blocks(self) -> int:
        """Input blocks that an output block reads."""
        return self._reads[2]

    @cached_property
    def planes(self) -> int:
        """Digits of an input."""
        return self.layer.source.storage.planes(self.engine)

    @cached_property
    def out_planes(self) -> int:
        """Digits of a result."""
        return self.layer.out.storage.planes(self.engine)

    @cached_property
    def skip_planes(self) -> int:
        """Digits of the second operand of a join."""
        return 0 if self.layer.join is None else self.layer.join.skip.storage.planes(self.engine)

    @cached_property
    def weight_planes(self) -> int:
        """Digits of a weight."""
        if self.layer.products is None:
            return 1
        lo, hi = self.layer.products.digits
        bits = max(hi.bit_length(), (-lo - 1).bit_length() if lo < 0 else 0) + 1
        return self.engine.planes(bits)

    @property
    def taps_words(self) -> int:
        """Steps per tap and output block."""
        return self.channel_blocks * self.planes * self.weight_planes

    @cached_property
    def steps(self) -> int:
        """Steps of the array per position and block, without the second operand."""
        return self.layer.taps * self.taps_words

    @property
    def weight_words(self) -> int:
        """Weight words per output block."""
        return self.steps if self.layer.kind == MAC else 0

    @property
    def skip_words(self) -> int:
        """Words of the second operand of a join per block of outputs."""
        return self.skip_planes * self.words_per_block

    @property
    def words_per_block(self) -> int:
        """Activation words per digit of a block of outputs."""
        return self.engine.spread if self.layer.kind == MAC else 1

    @property
    def tables_each(self) -> int:
        """Table words per output block."""
        return int(self.layer.post.tables.shape[1])

    @property
    def post_cycles(self) -> int:
        """Cycles of the activation unit per position and block: a search takes its depth for each result."""
        rows = self.layer.block_rows(self.engine)
        return -(-rows * self.engine.lanes // self.engine.results) * max(1, self.layer.post.depth)

    @property
    def cycles_each(self) -> int:
        """Cycles per position and block: of the array, or of the activation unit if that is slower."""
        return max(self.steps + self.skip_words, self.post_cycles)

    @cached_property
    def block_bytes(self) -> int:
        """Bytes of weights, parameters and tables per block of outputs."""
        e = self.engine
        return self.weight_words * e.weight_word_bytes + (1 + self.tables_each) * e.parameter_word_bytes

    def weights(self, start: int, count: int) -> Array:
        """Weight words uint8 (count, steps, bytes) of output blocks, in the order [ky][kx][channel block][plane][weight plane]."""
        e, layer = self.engine, self.layer
        assert layer.products is not None
        block, row = np.divmod(layer.out.slots, e.rows)
        block = block - self.first_out - start
        mine = np.flatnonzero((block >= 0) & (block < count))
        block, row = block[mine], row[mine]
        slots = layer.source.slots[
            layer.products.inputs if len(layer.products.inputs) == 1 else layer.products.inputs[mine]
        ]
        near = slots // e.columns - (self.first + (start + block[:, None]) * self.step)
        digits = np.zeros((count, layer.taps, self.channel_blocks, e.rows, e.columns), np.int64)
        values = layer.products.weights[mine].transpose(0, 2, 1)
        digits[block[:, None], :, near, row[:, None], np.broadcast_to(slots % e.columns, near.shape)] = values
        shifts = e.digit * np.arange(self.weight_planes).reshape(-1, 1, 1)
        split = (digits[:, :, :, None] >> shifts) & ((1 << e.digit) - 1)
        whole = np.broadcast_to(
            split[:, :, :, None], (count, layer.taps, self.channel_blocks, self.planes, *split.shape[3:])
        )
        packed = pack_digits(whole, e.digit)
        return packed.reshape(count, self.steps, e.weight_word_bytes)

    def parameters(self, start: int, count: int) -> Array:
        """Words uint64 (count, rows) of output blocks."""
        return self._per_row(self.layer.post.words[:, None], start, count)[:, :, 0]

    def tables(self, start: int, count: int) -> Array:
        """Table words uint64 (count, tables_each, rows) of output blocks."""
        return self._per_row(self.layer.post.tables, start, count).transpose(0, 2, 1)

    def _per_row(self, values: Array, start: int, count: int) -> Array:
        size = self.layer.block_rows(self.engine)
        block, row = np.divmod(self.layer.out.slots, size)
        block = block - self.first_out - start
        mine = (block >= 0) & (block < count)
        out = np.zeros((count, self.engine.rows, values.shape[1]), np.uint64)
        out[block[mine], row[mine]] = np.broadcast_to(values, (len(block), values.shape[1]))[mine]
        return out


def chunks_of(blocks: Blocks, capacity: int) -> list[tuple[slice, slice, slice]] | None:
    """Kernel rows, kernel columns and channel blocks of the pieces in which a block's weights fit ``capacity`` words.

    Returns:
        The pieces in fetch order, one if all fit; None where not even one channel block does.
    """
    kh, kw = blocks.layer.window.kernel
    cb, unit = blocks.channel_blocks, blocks.planes * blocks.weight_planes
    if unit > capacity:
        return None
    whole = slice(0, kh), slice(0, kw), slice(0, cb)
    if kh * kw * cb * unit <= capacity:
        return [whole]
    if kw * cb * unit <= capacity:
        each = capacity // (kw * cb * unit)
        return [(slice(y, min(kh, y + each)), whole[1], whole[2]) for y in range(0, kh, each)]
    if cb * unit <= capacity:
        each = capacity // (cb * unit)
        return [(slice(y, y + 1), slice(x, min(kw, x + each)), whole[2]) for y in range(kh) for x in range(0, kw, each)]
    each = capacity // unit
    return [
        (slice(y, y + 1), slice(x, x + 1), slice(c, min(cb, c + each)))
        for y in range(kh)
        for x in range(kw)
        for c in range(0, cb, each)
    ]
