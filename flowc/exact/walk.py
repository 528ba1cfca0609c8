"""Walking through the integers of a function that rises and falls, without visiting them all.

A range is cut into blocks, and each block is enclosed (`flowc.exact.intervals`): where the bounds are one level, all of it is settled;
what is not is cut again. Only the neighbourhoods of thresholds are ever visited integer by integer, so that an accumulator of
millions of values takes as long as its thresholds are many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from flowc.units.base import Array

__all__ = ["Enclose", "Settled", "settle"]

Enclose = Callable[[Array, Array, Array], tuple[Array, Array]]
"""(rows, first, last), int64 (n,) each, to the least and the greatest level, int64 (n,), that integers of those blocks may have."""

PARTS = 64
"""Blocks that every range is cut into at first."""
_CUT = 8
_AT_ONCE = 1 << 17


@dataclass(frozen=True, eq=False)
class Settled:
    """Blocks [first, last] of integers per parameter set (``rows``), int64 (n,) each.

    ``level``: the level of all integers of a block; ``open_``: bool, where the bounds hold more than one, and nothing is said of ``level``.
    """

    rows: Array
    first: Array
    last: Array
    level: Array
    open_: Array


def settle(enclose: Enclose, lo: Array, hi: Array, leaf: int, budget: int) -> Settled | None:
    """Cuts [lo, hi], int64 (sets,), into blocks that are settled, and at most ``budget`` open ones of at most ``leaf`` integers.

    The first cut makes blocks of ``width(lo, hi)`` integers, beginning at lo; no later block lies in two of them.

    Returns:
        The blocks by set, in ascending order; None where more of them stay open.
    """
    step = width(lo, hi)
    first = (lo[:, None] + step * np.arange(PARTS)).reshape(-1)
    rows = np.arange(len(lo)).repeat(PARTS)
    inside = first <= hi[rows]
    rows, first = rows[inside], first[inside]
    last = np.minimum(first + step - 1, hi[rows])
    done: list[tuple[Array, ...]] = []
    held = 0
    while len(rows):
        parts = [slice(i, i + _AT_ONCE) for i in range(0, len(rows), _AT_ONCE)]
        bounds = [enclose(rows[p], first[p], last[p]) for p in parts]
        least, most = (np.concatenate([b[i] for b in bounds]) for i in (0, 1))
        open_, small = least != most, last - first < leaf
        stay = ~open_ | small
        done.append((rows[stay], first[stay], last[stay], least[stay], open_[stay]))
        held += int((open_ & small).sum())
        rows, first, last = _cut(rows[~stay], first[~stay], last[~stay])
        if held + len(rows) > budget:
            return None
    whole = [np.concatenate([d[i] for d in done]) for i in range(5)]
    order = np.lexsort((whole[1], whole[0]))
    return Settled(*(a[order] for a in whole))


def width(lo: Array, hi: Array) -> int:
    """Integers in a block of the first cut."""
    return -(-int((hi - lo + 1).max()) // PARTS)


def _cut(rows: Array, first: Array, last: Array) -> tuple[Array, Array, Array]:
    size = -((first - last - 1) // _CUT)
    begin = first[:, None] + size[:, None] * np.arange(_CUT)
    end = np.minimum(begin + size[:, None] - 1, last[:, None])
    real = (begin <= last[:, None]).reshape(-1)
    return rows.repeat(_CUT)[real], begin.reshape(-1)[real], end.reshape(-1)[real]
