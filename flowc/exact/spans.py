"""Sets of integers as half-open spans ``[low, high)``, one row per parameter set; spans of no length fill the rows up."""

from __future__ import annotations

import numpy as np

from flowc.units.base import Array

__all__ = ["covered", "gathered", "neighbours", "packed", "stacked", "touching"]


def covered(low: Array, high: Array) -> int:
    """How many integers lie in at least one of the windows of their set: windows of neighbouring thresholds may overlap."""
    order = np.argsort(low, axis=1, kind="stable")
    low, high = np.take_along_axis(low, order, axis=1), np.take_along_axis(high, order, axis=1)
    before = np.maximum.accumulate(high, axis=1)[:, :-1]
    starts = np.concatenate([low[:, :1], np.maximum(low[:, 1:], before)], axis=1)
    return int(np.maximum(high - starts, 0).sum())


def gathered(chosen: Array) -> tuple[Array, Array]:
    """Where each row of a bool array (rows, K) is true: columns, int64 (rows, N), and which of these are meant (the rest is padding)."""
    counts = chosen.sum(axis=1)
    meant = np.arange(int(counts.max(initial=0))) < counts[:, None]
    columns = np.zeros(meant.shape, np.int64)
    columns[meant] = np.nonzero(chosen)[1]
    return columns, meant


def stacked(spans: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Windows of every set, as many columns as the set with most has."""
    width = max(len(s[0]) for s in spans)
    low, high = (np.zeros((len(spans), width), np.int64) for _ in range(2))
    for row, (begin, end) in enumerate(spans):
        low[row, : len(begin)], high[row, : len(end)] = begin, end
    return low, high


def neighbours(u: Array) -> tuple[Array, Array]:
    """Starts and ends of the runs of ascending integers."""
    cut = np.flatnonzero(np.diff(u) > 1)
    return u[np.concatenate([[0], cut + 1])[: len(u)]], u[np.concatenate([cut, [len(u) - 1]])[: len(u)]] + 1


def packed(low: Array, high: Array) -> list[tuple[Array, Array]]:
    """The spans of every row that hold something."""
    some = high > low
    return [(a[s], b[s]) for a, b, s in zip(low, high, some, strict=True)]


def touching(at: Array, low: Array, high: Array) -> Array:
    """Which thresholds (sets, K) have a span beside them: one that holds the threshold itself or the integer below it.

    Args:
        low, high: (sets, N), spans of a row in ascending order without overlap, empty ones last.
    """
    found = np.zeros(at.shape, bool)
    for row, (begin, end) in enumerate(packed(low, high)):
        if len(begin):
            index = np.searchsorted(begin, at[row], side="right") - 1
            found[row] = (index >= 0) & (at[row] <= end[index])
    return found
