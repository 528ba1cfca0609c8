"""The tiling of a layer: exhaustive over rows, columns, blocks and images of a tile and both loop orders, by a closed cost.

Per layer all distinct quotients are tried at once in numpy. The least cycles win; among tilings within one percent of them the one that
moves the fewest bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np

from flowc.errors import InfeasibleError
from flowc.loopback.blocks import Blocks, chunks_of
from flowc.loopback.engine import BEAT_BYTES, Engine
from flowc.units.base import Array

__all__ = ["FENCE_CYCLES", "TILE_CYCLES", "Memory", "Tiling", "tiling_of"]

TILE_CYCLES = 24
"""Cycles from a tile to the next that fill the pipeline."""
FENCE_CYCLES = 250
"""Cycles of a fence: the way to the external memory and back, and the pipeline."""
_SLACK = 1.01
_MOST_ROWS = 4095
_MOST_IMAGES = 255


@dataclass(frozen=True)
class Memory:
    """The external memory.

    Attributes:
        bytes_per_cycle: of the engine's clock; None: not known, then every port moves a beat per cycle.
        size: bytes; None: not known.
        port_bytes: that one port of the engine moves per cycle at most: what both it and the processor's port are wide enough for.
    """

    bytes_per_cycle: float | None
    size: int | None = None
    port_bytes: int = BEAT_BYTES

    @property
    def rate(self) -> float:
        """Bytes per cycle that all ports share."""
        return np.inf if self.bytes_per_cycle is None else self.bytes_per_cycle


@dataclass(frozen=True)
class Tiling:
    """How a layer is cut.

    Attributes:
        rows, columns: output positions of a tile.
        blocks: blocks of outputs of a tile.
        images: images per lane of a tile.
        weights_outer: whether the loop over blocks of outputs is the outer one (weights once), or that over positions (activations once).
        chunks: pieces of the weights of a block, where they do not fit at once (one position only).
        cycles: by the closed formula, per batch.
        bytes: moved, per batch.
    """

    rows: int
    columns: int
    blocks: int
    images: int
    weights_outer: bool
    chunks: int
    cycles: float
    bytes: int


def _quotients(n: int, most: int) -> Array:
    """All values of ceil(n / i), at most ``most``: below the root of n every number is one."""
    root = isqrt(n)
    found = {-(-n // i) for i in range(1, root + 1)} | set(range(1, -(-n // (root + 1)) + 1))
    return np.array(sorted({min(most, value) for value in found}))


def _span(outputs: int, tile: Array, kernel: int, stride: int, size: int) -> Array:
    """Input rows that all tiles of ``tile`` outputs read together, of which none lies outside."""
    tiles = -(-outputs // tile)
    last = outputs - (tiles - 1) * tile
    whole = (tiles - 1) * ((tile - 1) * stride + kernel) + (last - 1) * stride + kernel
    outside = max(0, (outputs - 1) * stride + kernel - size)
    return np.minimum(np.maximum(whole - outside, tiles), tiles * size)


def tiling_of(blocks: Blocks, groups: int, memory: Memory, *, lane_rows: int | None = None) -> Tiling:
    """The best tiling of a layer.

    Args:
        groups: images per lane of a batch.
        lane_rows: output rows per lane where lanes are stripes of one image.

    Raises:
        InfeasibleError: no tile fits; names the layer, the buffer, the bytes needed and given.
    """
    layer, e = blocks.layer, blocks.engine
    source, w = layer.source.storage, layer.window
    lane_h = layer.h if lane_rows is None else lane_rows
    kernel = [(k - 1) * d + 1 for k, d in zip(w.kernel, w.dilation, strict=True)]
    th, tw, nb, gb = np.meshgrid(
        _quotients(lane_h, _MOST_ROWS), _quotients(layer.w, _MOST_ROWS), _quotients(blocks.count, _MOST_ROWS),
        _quotients(groups, _MOST_IMAGES), indexing="ij",
    )  # fmt: skip
    size_h = source.h if lane_rows is None else 1 << 30
    rows_in = np.minimum((th - 1) * w.stride[0] + kernel[0], size_h)
    columns_in = np.minimum((tw - 1) * w.stride[1] + kernel[1], source.w)
    pixel = _pixel_words(blocks, nb)
    row_words = columns_in * pixel + 2 * (e.row_bytes // e.word_bytes)
    operands = 1 if layer.second is None else 2
    skip_pixel = _skip_words(blocks, nb)
    skip_words = gb * th * (tw * skip_pixel + 2 * (skip_pixel > 0))
    act_words = gb * operands * rows_in * row_words + skip_words
    half = e.act_words // 2
    whole = (th == lane_h) & (tw == layer.w)
    pieces = chunks_of(blocks, e.weight_words // 2)
    chunked = blocks.weight_words > e.weight_words // 2
    possible = ((gb == 1) | whole) & (act_words <= half) & (nb <= e.parameter_words // 2)
    if blocks.tables_each:
        possible &= nb * blocks.tables_each <= e.table_words // 2
    if not chunked:
        possible &= nb * blocks.weight_words <= e.weight_words // 2
    else:
        possible &= (nb == 1) & (gb * th * tw == 1)
    if layer.post.depth > e.search_depth:
        raise InfeasibleError(
            f"layer '{layer.name}' has an activation that takes a search of {layer.post.depth} steps; the engine's activation unit "
            f"makes {e.search_depth}",
            remedy="Take an engine with a deeper search",
        )
    if pieces is None or (chunked and layer.h * layer.w > 1) or not possible.any():
        raise _refusal(blocks, int(act_words.min()))
    tiles = -(-lane_h // th) * -(-layer.w // tw) * -(-groups // gb)
    parts = -(-blocks.count // nb)
    images = groups * e.lanes if lane_rows is None else e.lanes
    read = (
        operands
        * _span(lane_h, th, kernel[0], w.stride[0], size_h)
        * _span(layer.w, tw, kernel[1], w.stride[1], source.w)
    )
    once = read * pixel * e.word_bytes * images
    # Where blocks of outputs read different inputs, each part of them reads its own.
    again = np.where(blocks.step > 0, parts, np.where(tiles == 1, 1, parts))
    stored = lane_h * layer.w * blocks.count * blocks.words_per_block * blocks.out_planes * e.word_bytes * images
    stored *= layer.placement.repeat_y * layer.placement.repeat_x
    skipped = lane_h * layer.w * parts * skip_pixel * e.word_bytes * images
    weights = blocks.count * blocks.block_bytes
    outer_weights = weights * np.where(chunked, tiles, 1) + once * again
    outer_acts = np.where((parts == 1) & (not chunked), weights, weights * tiles) + once * np.where(
        blocks.step > 0, parts, 1
    )
    moved = np.minimum(outer_weights, outer_acts) + stored + skipped
    compute = groups * lane_h * layer.w * blocks.count * blocks.cycles_each
    rate = min(memory.rate, 3.0 * memory.port_bytes)
    edges = (
        act_words * e.word_bytes * e.lanes
        + gb * th * tw * nb * blocks.out_planes * blocks.words_per_block * e.word_bytes * e.lanes
    )
    works = np.maximum(compute + TILE_CYCLES * tiles * parts, stored / min(e.store_bytes, memory.port_bytes))
    cycles = np.maximum(works, moved / rate) + edges / rate + FENCE_CYCLES
    # Second operands of joins that have no room for two parts are waited for.
    waits = (parts > 1) & (outer_acts < outer_weights) & (act_words + skip_words > half)
    cycles += np.where(waits, skipped / memory.port_bytes, 0)
    cycles = np.where(possible, cycles, np.inf)
    near = cycles <= cycles.min() * _SLACK
    best = np.unravel_index(int(np.argmin(np.where(near, moved, np.inf))), cycles.shape)
    return Tiling(
        int(th[best]), int(tw[best]), int(nb[best]), int(gb[best]), bool(outer_weights[best] <= outer_acts[best]),
        len(pieces), float(cycles[best]), int(moved[best]),
    )  # fmt: skip


def _pixel_words(blocks: Blocks, nb: Array) -> Array:
    """Words per pixel that a tile of ``nb`` blocks loads: the blocks that it reads."""
    whole = blocks.layer.source.storage.channels // blocks.engine.columns * blocks.planes
    part = ((nb - 1) * blocks.step + blocks.channel_blocks) * blocks.planes
    return _in_beats(blocks.engine, whole, part, blocks.first * blocks.planes, nb * blocks.step * blocks.planes)


def _skip_words(blocks: Blocks, nb: Array) -> Array:
    """Words per pixel of the second operand of a join for ``nb`` blocks of outputs."""
    join = blocks.layer.join
    if join is None:
        return np.zeros(nb.shape, np.int64)
    columns = blocks.engine.columns
    whole = join.skip.storage.channels // columns * blocks.skip_planes
    first = int(join.skip.slots[0]) // columns * blocks.skip_planes
    return _in_beats(blocks.engine, whole, nb * blocks.skip_words, first, nb * blocks.skip_words)


def _in_beats(engine: Engine, whole: int, part: Array, first: int, step: Array) -> Array:
    """Words of a load of ``part`` of the ``whole`` words of a pixel, in beats; parts begin at word ``first`` and each ``step`` words on."""
    unit = max(1, BEAT_BYTES // engine.word_bytes)
    if whole % unit:
        return np.full(part.shape, whole)
    beside = np.where((step + first) % unit + first % unit == 0, 0, unit - 1)
    return np.minimum(-(-(part + beside) // unit) * unit, whole)


def _refusal(blocks: Blocks, act_words: int) -> InfeasibleError:
    """What does not fit, in bytes."""
    e, layer = blocks.engine, blocks.layer
    name = layer.name
    checks = (
        ("activation buffer", act_words * e.word_bytes, e.act_words // 2 * e.word_bytes),
        ("table memory", blocks.tables_each * e.parameter_word_bytes, e.table_words // 2 * e.parameter_word_bytes),
        ("weight buffer", blocks.weight_words * e.weight_word_bytes, e.weight_words // 2 * e.weight_word_bytes),
    )
    found = next(((what, need, have) for what, need, have in checks if need > have), None)
    what, need, have = found if found is not None else ("activation buffer", act_words * e.word_bytes, 0)
    return InfeasibleError(
        f"layer '{name}' has no tile that fits the engine: half of its {what} holds {have:,} bytes, and the smallest tile takes {need:,}",
        remedy=f"Take an engine with a larger {what}, or a larger target",
    )
