"""The activation unit: accumulators to results by a layer's registers, words and tables."""

from __future__ import annotations

import numpy as np

from flowc.loopback.descriptors import EARLY, Layer
from flowc.loopback.formats import unpack_word
from flowc.units.base import Array

__all__ = ["by_word", "joined", "searched"]


def by_word(r: Layer, acc: Array, words: Array, tables: Array) -> Array:
    """``clip((acc * m + b) >> s, lo, hi)``; in the mode EARLY one less where a level begins too early.

    Args:
        acc: int64 (lanes, positions, blocks, rows).
        words: uint64 (blocks, rows).
        tables: uint64 (blocks, tables_each, rows): two bits per level, how many integers too early it begins.
    """
    mult, add, shift = unpack_word(words)
    wide = acc * mult + add
    level = wide >> shift
    if r.mode == EARLY:
        index = np.clip(level - r.lo, 0, r.hi - r.lo)
        entry = tables[np.arange(acc.shape[2])[:, None], index >> 5, np.arange(acc.shape[3])]
        early = (entry >> (2 * (index & 31)).astype(np.uint64)).astype(np.int64) & 3
        inside = (level > r.lo) & (level <= r.hi)
        level = level - (inside & (wide - (level << shift) < early * np.abs(mult)))
    return np.clip(level, r.lo, r.hi)


def searched(r: Layer, acc: Array, tables: Array) -> Array:
    """The value of the last entry whose threshold the accumulator reaches; arguments as of `by_word`, entries value << 32 | threshold."""
    at = (tables & np.uint64(0xFFFFFFFF)).astype(np.uint32).view(np.int32).astype(np.int64)
    value = (tables >> np.uint64(32)).astype(np.int64)
    block, row = np.arange(acc.shape[2])[:, None], np.arange(acc.shape[3])
    entry = np.zeros(acc.shape, np.int64)
    for bit in reversed(range(r.depth)):
        tried = entry | 1 << bit
        entry = np.where(acc >= at[block, tried, row], tried, entry)
    return value[block, entry, row]


def joined(r: Layer, result: Array, second: Array) -> Array:
    """Results joined with the second operand, and the word of the join applied."""
    if r.join == 1:
        value = r.left_scale * result + r.right_scale * second
    else:
        value = (result - r.left_offset) * (second - r.right_offset)
    mult, add, shift = (int(a[0]) for a in unpack_word(np.array([r.join_word], np.uint64)))
    return np.clip((value * mult + add) >> shift, r.join_lo, r.join_hi)
