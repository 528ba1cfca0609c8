"""How often each integer occurs in each row of a matrix: all that sums over inputs of one range depend on."""

from __future__ import annotations

import numpy as np

from flowc.units.base import Array

__all__ = ["value_counts"]

_VALUES = 1 << 12
"""Different values up to which they are counted."""
_AT_ONCE = 1 << 20
"""Elements that are counted at a time."""


def value_counts(rows: Array) -> tuple[Array, Array] | None:
    """The integers from the least to the greatest element, int64 (R,), and how often each occurs in each row, int64 (rows, R).

    None where a row has no more elements than there are such integers: then counts are no shorter.

    Args:
        rows: integer-valued (rows, n), of any dtype.
    """
    least, greatest = int(rows.min(initial=0)), int(rows.max(initial=0))
    span = greatest - least + 1
    if span > min(_VALUES, rows.shape[1]):
        return None
    counts = np.empty((len(rows), span), np.int64)
    many = max(1, _AT_ONCE // rows.shape[1])
    for start in range(0, len(rows), many):
        part = rows[start : start + many]
        index = part.astype(np.int64) + (span * np.arange(len(part))[:, None] - least)
        counts[start : start + many] = np.bincount(index.reshape(-1), minlength=span * len(part)).reshape(-1, span)
    return np.arange(least, greatest + 1), counts
