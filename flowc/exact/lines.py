"""Lines between the thresholds of a step function: what the slopes of multiply-add-shift requantizers may be.

``floor((m * q + b) / 2^n)`` equals the wanted levels exactly when, for every level k that is entered at q = T,
``m * T + b >= k * 2^n`` and ``m * (T - 1) + b < k * 2^n``: linear constraints on (m, b). For real slopes ``m / 2^n`` they
leave one open interval, found from all pairs of thresholds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from flowc.exact.steps import Steps
from flowc.units.base import Array

__all__ = ["DSP", "FAR", "INT64", "Bounds", "Constraints", "Lines", "guesses", "portions"]

FAR = 1 << 33
"""Levels, or integers, so far away that a constraint with them binds nothing."""
INT64 = 61
"""Bits of levels times two to the shift, so that sums with them fit int64."""
_ROUNDED = 2.0**-40
"""Relative: far more than the rounding of slopes in float64."""
_PAIRWISE = 1 << 6
_AT_ONCE = 1 << 16
"""Thresholds at a time, so that what is computed from them stays small."""
_AT_A_TIME = 1 << 11
"""Thresholds that one parameter set more does not take longer than a portion of its own."""


@dataclass(frozen=True)
class Bounds:
    """What a requantizer's parameters may be: bits of the signed multipliers and addends, and the greatest shift."""

    mult: int
    add: int
    shift: int


DSP = Bounds(mult=27, add=48, shift=47)
"""A multiplier as wide as the widest port of a DSP48E2, an addend as wide as its adder."""


@dataclass(frozen=True, eq=False)
class Constraints:
    """Per set, for a function that rises (after ``sign``).

    Level ``lower_level`` holds at ``lower_at``; ``upper_level`` does not yet at ``upper_at``.

    Arrays are (sets, constraints), padded with levels so low (or high) that they never bind.
    """

    lower_level: Array
    lower_at: Array
    upper_level: Array
    upper_at: Array
    sign: Array


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines that meet all constraints: the open interval of the slopes of each set.

    Attributes:
        lo, hi: least and greatest level of all sets.
        constraints: what they meet.
        low, high: float64 (sets,).
    """

    lo: int
    hi: int
    constraints: Constraints
    low: Array
    high: Array

    @classmethod
    def of(cls, steps: Steps, early: int) -> Lines | None:
        """Lines that enter each level at most ``early`` integers too early; None where some set has none."""
        lo, hi = steps.reached
        parts = []
        for rows in portions(steps):
            part = _corners(steps.of_rows(rows), lo, hi, early)
            if part is None:
                return None
            parts.append(part)
        constraints = _joined(parts) if len(parts) > 1 else parts[0]
        low, high = _intervals(constraints)
        return None if (low >= high).any() else cls(lo, hi, constraints, low, high)

    def hopeful(self, bounds: Bounds) -> Array:
        """For every shift from 0 on whether a multiplier to try may lie inside the interval of each set, bool (shifts, sets)."""
        return self._inside(bounds, _ROUNDED)[0]

    def least_bits(self, bounds: Bounds) -> int:
        """Bits of the greatest multiplier, at least, of a requantizer with one shift for all sets; 0 where none is sure to be found.

        One is found where a multiplier to try lies safely inside all intervals: what meets the real constraints meets those of integers,
        since both sides of these are integers. Its shift is not below the first hopeful one.
        """
        hopeful, sure = (inside.all(axis=1) for inside in self._inside(bounds, _ROUNDED, -_ROUNDED))
        if not sure.any() or not self._fits(int(sure.argmax()), bounds):
            return 0
        return (int(self.low.max() * (1 - _ROUNDED) * 2.0 ** int(hopeful.argmax())) + 1).bit_length()

    def _fits(self, shift: int, bounds: Bounds) -> bool:
        """Whether addends are surely within the bounds: multipliers to try are at most twice the least slope, and two more."""
        places = max(int(np.abs(at).max()) for at in (self.constraints.lower_at, self.constraints.upper_at))
        level = max(abs(self.lo), abs(self.hi)) + 1
        return bool((level + (2 * self.low.max() + 2) * places) * 2.0**shift < 2.0 ** (bounds.add - 2))

    def _inside(self, bounds: Bounds, *slack: float) -> list[Array]:
        """As `hopeful`: whether within some slack, relative, of the interval.

        With more than the slopes' rounding, what is said to be outside is; with less than none, what is said to be inside is.
        """
        highest = max(abs(self.lo), abs(self.hi) + 1).bit_length()
        one = np.exp2(np.arange(min(bounds.shift, INT64 - highest) + 1, dtype=np.float64))[:, None]
        low, high, greatest = self.low * one, self.high * one, (1 << (bounds.mult - 1)) - 1
        tried = np.array(guesses(self.low, self.high, one))
        tried[tried > greatest] = -1
        inside = ((tried >= low * (1 - s)) & (tried <= high * (1 + s)) for s in slack)
        return [np.asarray(hit.any(axis=0)) for hit in inside]


def portions(steps: Steps) -> Iterator[slice]:
    """Parameter sets in portions that fit into a cache; of many, the first one alone: what is wrong is wrong there as a rule."""
    many = max(1, _AT_ONCE // (steps.at.shape[1] + 1))
    if steps.at.size <= _AT_A_TIME:
        yield slice(0, len(steps.lo))
        return
    yield slice(0, 1)
    for start in range(1, len(steps.lo), many):
        yield slice(start, min(len(steps.lo), start + many))


def _constraints(steps: Steps, lo: int, hi: int, early: int) -> Constraints | None:
    """The constraints of a requantizer that may enter each level up to ``early`` integers too early."""
    most = steps.at.shape[1]
    step = np.broadcast_to(steps.step, steps.at.shape)
    before = steps.at <= steps.lo[:, None]
    inside = ~before & (steps.at <= steps.hi[:, None]) & (step != 0)
    base = steps.base + (step * before).sum(axis=1)
    rising, falling = (inside & (step > 0)).any(axis=1), (inside & (step < 0)).any(axis=1)
    if (rising & falling).any():
        return None
    at, first, last, bottom, count = steps.at, steps.lo, steps.hi, base, inside.sum(axis=1)
    first_at = at if steps.free is None else np.minimum(at, steps.free)
    if falling.any():
        # A falling function of q is a rising one of -q: it enters a level where it used to leave it.
        at = np.where(falling[:, None], 1 - at, at)
        first_at = np.where(falling[:, None], at, first_at)
        first, last = np.where(falling, -last, first), np.where(falling, -first, last)
        bottom = np.where(falling, base - count, base)
    top = bottom + count
    # The thresholds inside, ascending, without gaps.
    at, first_at = (np.sort(np.where(inside, a, FAR), axis=1) for a in (at, first_at))
    real = np.arange(most) < count[:, None]
    level = bottom[:, None] + 1 + np.arange(most)
    at, first_at = np.where(real, at, 0), np.where(real, first_at, 0)
    return Constraints(
        np.concatenate([np.where(real, level, -FAR), np.where(bottom > lo, bottom, -FAR)[:, None]], axis=1),
        np.concatenate([at, np.where(bottom > lo, first, 0)[:, None]], axis=1),
        np.concatenate([np.where(real, level, FAR), np.where(top < hi, top + 1, FAR)[:, None]], axis=1),
        np.concatenate([first_at - real * (1 + early), np.where(top < hi, last, 0)[:, None]], axis=1),
        np.where(falling, -1, 1),
    )


def _intervals(c: Constraints) -> tuple[Array, Array]:
    """Open intervals of feasible slopes: from ``i - s * T_i <= b < j - s * U_j`` for all lower i and upper j."""
    sets, width = c.lower_at.shape
    low, high = np.zeros(sets), np.full(sets, np.inf)
    rows = max(1, (1 << 22) // (width * width))
    for start in range(0, sets, rows):
        part = slice(start, start + rows)
        level = (c.lower_level[part, :, None] - c.upper_level[part, None, :]).astype(np.float64)
        run = c.lower_at[part, :, None] - c.upper_at[part, None, :]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = level / run
        low[part] = np.where(run > 0, slope, 0.0).max(axis=(1, 2), initial=0.0)
        high[part] = np.where(run < 0, slope, np.inf).min(axis=(1, 2), initial=np.inf)
        low[part][((run == 0) & (level >= 0)).any(axis=(1, 2))] = np.inf
    return low, high


def _corners(steps: Steps, lo: int, hi: int, early: int) -> Constraints | None:
    """`_constraints`, without those that follow from others where there are many."""
    found = _constraints(steps, lo, hi, early)
    return _reduced(found) if found is not None and found.lower_at.shape[1] > _PAIRWISE else found


def _joined(parts: list[Constraints]) -> Constraints:
    """The constraints of several portions of parameter sets as one."""
    width = max(c.lower_at.shape[1] for c in parts)

    def widened(name: str, fill: int) -> Array:
        arrays = [getattr(c, name) for c in parts]
        return np.concatenate([np.pad(a, ((0, 0), (0, width - a.shape[1])), constant_values=fill) for a in arrays])

    return Constraints(
        widened("lower_level", -FAR),
        widened("lower_at", 0),
        widened("upper_level", FAR),
        widened("upper_at", 0),
        np.concatenate([c.sign for c in parts]),
    )


def _reduced(c: Constraints) -> Constraints:
    """The same constraints without those that follow from others: what is left are the corners of two convex hulls.

    A lower constraint asks for ``b >= i - s * T``; for whatever slope s, the greatest of these comes from a corner of the upper hull of
    the points (T, i). Likewise the upper ones and the lower hull.
    """
    lower = [_hull(t[k], i[k], 1) for t, i, k in zip(c.lower_at, c.lower_level, c.lower_level > -FAR, strict=True)]
    upper = [_hull(u[k], j[k], -1) for u, j, k in zip(c.upper_at, c.upper_level, c.upper_level < FAR, strict=True)]
    lower_at, lower_level = (_padded([p[i] for p in lower], fill) for i, fill in ((0, 0), (1, -FAR)))
    upper_at, upper_level = (_padded([p[i] for p in upper], fill) for i, fill in ((0, 0), (1, FAR)))
    width = max(lower_at.shape[1], upper_at.shape[1])
    lower_at, upper_at = (np.pad(a, ((0, 0), (0, width - a.shape[1]))) for a in (lower_at, upper_at))
    lower_level = np.pad(lower_level, ((0, 0), (0, width - lower_level.shape[1])), constant_values=-FAR)
    upper_level = np.pad(upper_level, ((0, 0), (0, width - upper_level.shape[1])), constant_values=FAR)
    return Constraints(lower_level, lower_at, upper_level, upper_at, c.sign)


def _hull(x: Array, y: Array, side: int) -> tuple[Array, Array]:
    """The corners of the upper (side 1) or lower (-1) convex hull of points (n,), and perhaps a few more points at its ends."""
    order = np.lexsort((y, x))
    x, y = x[order], y[order]
    while len(x) > 2:
        dx, dy = np.diff(x), np.diff(y)
        # No corner lies on or inside the line between two other points.
        corner = np.concatenate([[True], side * (dx[:-1] * dy[1:] - dy[:-1] * dx[1:]) < 0, [True]])
        if corner.all():
            break
        x, y = x[corner], y[corner]
    return x, y


def _padded(rows: list[Array], fill: int) -> Array:
    width = max(1, *(len(r) for r in rows))
    return np.stack([np.pad(r, (0, width - len(r)), constant_values=fill) for r in rows])


def guesses(low: Array, high: Array, one: Array | float) -> tuple[Array, Array, Array]:
    """Multipliers to try where ``one`` is two to the shift: from the middle of the interval of slopes, and next to its ends."""
    # Where nothing, or nothing near, bounds the slope from above, a small one does.
    bounded = np.minimum(high, 2 * low + 2 / one)
    return np.rint((low + bounded) / 2 * one), np.floor(low * one) + 1, np.maximum(np.ceil(bounded * one) - 1, 0)
