"""How often each integer occurs in each row of a matrix: all that sums over inputs of one range depend on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any
from weakref import ref

import numpy as np

from flowc.units.base import Array

__all__ = ["value_counts"]

_VALUES = 1 << 12
"""Different values up to which they are counted."""
_AT_ONCE = 1 << 20
"""Elements that are counted at a time."""
_KEPT = 1 << 21
"""Counts that are kept, of one matrix, until others come."""


@dataclass(frozen=True, eq=False)
class _Known:
    """What was counted: a matrix as a view of the array that owns its memory, and its counts."""

    owner: ref[Array]
    layout: tuple[Any, ...]
    found: tuple[Array, Array]


_LATELY: deque[_Known] = deque(maxlen=8)


def value_counts(rows: Array) -> tuple[Array, Array] | None:
    """The integers from the least to the greatest element, int64 (R,), and how often each occurs in each row, int64 (rows, R).

    None where a row has no more elements than there are such integers: then counts are no shorter.

    The weights of a layer are counted for their range, their bound and their certificate, one after the other: the last few matrices
    are known.

    Args:
        rows: integer-valued (rows, n), of any dtype; not changed in place later, as constants are not.
    """
    owner = _owner(rows)
    layout = (rows.__array_interface__["data"][0], rows.shape, rows.strides, rows.dtype)
    for known in _LATELY:
        if known.owner() is owner and known.layout == layout:
            return known.found
    found = _counted(rows)
    if found is not None and found[1].size <= _KEPT:
        _LATELY.append(_Known(ref(owner), layout, found))
    return found


def _owner(array: Array) -> Array:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _counted(rows: Array) -> tuple[Array, Array] | None:
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
