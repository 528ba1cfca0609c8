"""Smaller multipliers for a sum of two integers whose function is known.

Of ``f(u), u = P * a + N * b``, with P and N of some 25 bits because they are exact, only the pairs (a, b) that can occur count: smaller
multipliers ``m, n`` do where ``m * a + n * b`` separates every threshold as well. Checked for every b and every threshold, as in
`flowc.exact.joins`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from flowc.exact.crossings import Crossings
from flowc.exact.join_windows import listed
from flowc.exact.joins import ratios, separate
from flowc.exact.spans import neighbours, stacked
from flowc.exact.steps import Steps
from flowc.units.base import Array

__all__ = ["Narrowed", "narrow"]

_MOST = 1 << 22


@dataclass(frozen=True, eq=False)
class Narrowed:
    """``steps`` of ``left * a + right * b``, both int64 (sets,), and the windows in terms of the new sum.

    ``ambiguous``: of how many windows a pair that can occur lies inside.
    """

    left: Array
    right: Array
    steps: Steps
    windows: tuple[Array, Array] | None
    ambiguous: int


def narrow(
    steps: Steps,
    windows: tuple[Array, Array] | None,
    factors: tuple[Array, Array],
    limits: tuple[tuple[Array, Array], tuple[Array, Array]],
) -> Narrowed | None:
    """The same function of a sum with smaller multipliers; None where there are none, or too much to check.

    Args:
        steps, windows: as functions of ``P * a + N * b``.
        factors: P and N, int64 (sets or 1,), P positive.
        limits: least and greatest a and b, int64 (sets,) each.
    """
    sets = len(steps.lo)
    p, n = (np.broadcast_to(f, (sets,)).astype(np.int64) for f in factors)
    (alo, ahi), (blo, bhi) = limits
    b = np.arange(blo.min(), bhi.max() + 1)
    columns = steps.at.shape[1] + (0 if windows is None else 2 * windows[0].shape[1])
    if not steps.monotone or int(steps.step.flat[0]) < 0 or (p <= 0).any() or sets * len(b) * columns > _MOST:
        return None

    def least(u: Array) -> Array:
        """Per set, b and u: the least a of which the sum is u or more."""
        needed = -((n[:, None, None] * b[None, :, None] - u[:, None, :]) // p[:, None, None])
        return np.clip(needed, alo[:, None, None], ahi[:, None, None] + 1)

    occurs = (b >= blo[:, None]) & (b <= bhi[:, None])
    crossings = Crossings(least(steps.at), b, alo[:, None], ahi[:, None], np.ones((sets, 1), np.int64), 0)
    for left, right in ratios(p, n):
        found = separate(crossings, left, right, int(steps.step.flat[0]))
        if found is not None:
            break
    else:
        return None
    if left.max() >= p.max():
        return None
    found = replace(found, base=steps.base)
    if windows is None:
        return Narrowed(left, right, found, None, 0)
    first, last = least(windows[0]), least(windows[1])
    shape = (sets, -1)
    inside = (first < last) & occurs[:, :, None]
    open_ = inside.reshape(shape)
    others = np.broadcast_to((right[:, None] * b)[:, :, None], first.shape).reshape(shape)
    sums = listed(open_, first.reshape(shape), last.reshape(shape), left[:, None], others)
    if sums is None:
        return None
    if not open_.any():
        return Narrowed(left, right, found, None, 0)
    spans = stacked([neighbours(np.unique(u)) for u in sums])
    return Narrowed(left, right, found, spans, int(inside.any(axis=1).sum()))
