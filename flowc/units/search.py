"""Thresholds as a binary search: a tree of keys, and what each path through it gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flowc.units.base import Array

__all__ = ["Search", "halving"]

NEVER = 1 << 60
"""A key that no argument reaches."""


@dataclass(frozen=True, eq=False)
class Search:
    """Thresholds found by halving: step k compares the argument with key number ``path`` of its 2^k and appends the outcome to the path.

    The path behind the last step is the number of keys reached: out = base + step * path, or ``results[c, path]``. It serves any function
    with so many breakpoints, also one that rises and falls.

    Attributes:
        steps: comparisons, one after the other; the greatest path is 2^steps - 1.
        keys: int64 (C, 2^steps - 1), ascending; `NEVER` where there is no threshold.
        results: int64 (C, 2^steps), or None where each key adds the same.
        count: keys that are thresholds.
    """

    steps: int
    keys: Array
    results: Array | None
    count: int

    def at(self, step: int) -> Array:
        """The keys of a step, (C, 2^step)."""
        half = 1 << (self.steps - 1 - step)
        return self.keys[:, half - 1 :: 2 * half]


def halving(values: Array, base: Array, step: Array | None) -> Search:
    """A search of the fewest steps.

    Args:
        values: int64 (C, K), ascending along K.
        base: int64 (C,): the result below every threshold.
        step: int64 (C or 1, K): what each threshold adds; None where all add the same.
    """
    count, keys, results = values.shape[1], values, None
    if step is not None:
        # Thresholds that coincide are one key.
        sums = base[:, None] + np.cumsum(np.broadcast_to(step, values.shape), axis=1)
        last = np.concatenate([np.diff(values, axis=1) != 0, np.ones((len(values), 1), bool)], axis=1)
        count = int(last.sum(axis=1).max())
        keys = np.full((len(values), count), NEVER, np.int64)
        results = np.repeat(sums[:, -1:], count + 1, axis=1)
        results[:, 0] = base
        for row, own in enumerate(last):
            keys[row, : own.sum()] = values[row, own]
            results[row, 1 : 1 + own.sum()] = sums[row, own]
    steps = count.bit_length()
    more = (1 << steps) - 1 - count
    keys = np.concatenate([keys, np.full((len(keys), more), NEVER, keys.dtype)], axis=1)
    if results is not None:
        results = np.concatenate([results, np.repeat(results[:, -1:], more, axis=1)], axis=1)
    return Search(steps, keys, results, count)
