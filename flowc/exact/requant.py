"""Multiply-add-shift requantizers that equal a step function everywhere on its domain.

``floor((m * q + b) / 2^n)`` equals the wanted levels exactly when, for every level k that is entered at q = T,
``m * T + b >= k * 2^n`` and ``m * (T - 1) + b < k * 2^n``: linear constraints on (m, b). For real slopes ``m / 2^n`` they
leave one open interval, found from all pairs of thresholds; the smallest shift with an integer multiplier and an integer
offset inside is taken. Float tails move thresholds by one integer here and there; then no line passes between all of them, but one
does that is early by at most one, and a bit per level says where. The result is checked by evaluation, so an error here could
only lose a candidate.

`Bounds` say how wide multiplier, addend and shift may be. A dataflow unit has one shift for all its channels (`find_requant`); hardware
that is configured channel by channel may have one for each (`find_words`), which lets narrower multipliers do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from flowc.exact.steps import Steps
from flowc.model.dtypes import IntType
from flowc.units.activation import Requant
from flowc.units.base import Array

__all__ = ["DSP", "Bounds", "Words", "find_requant", "find_words"]

_EARLY = (0, 1, 3, 7, 15, 31)
_FAR = 1 << 33
_NONE = 1 << 61
_INT64 = 61
_ROUNDED = 2.0**-40
"""Relative: far more than the rounding of slopes in float64."""
_PAIRWISE = 1 << 6
_AT_ONCE = 1 << 16
"""Thresholds at a time, so that what is computed from them stays small."""
_AT_A_TIME = 1 << 11
"""Thresholds that one parameter set more does not take longer than a portion of its own."""
_FEW = 64
_COLUMNS = 1 << 13


@dataclass(frozen=True)
class Bounds:
    """What a requantizer's parameters may be: bits of the signed multipliers and addends, and the greatest shift."""

    mult: int
    add: int
    shift: int


DSP = Bounds(mult=27, add=48, shift=47)
"""A multiplier as wide as the widest port of a DSP48E2, an addend as wide as its adder."""


@dataclass(frozen=True, eq=False)
class Words:
    """A requantizer with a shift per set: ``out[c] = clip((acc[c] * mult[c] + add[c]) >> shift[c], lo, hi)``.

    Attributes:
        mult, add, shift: int64 (sets,).
        lo, hi: levels, shared by all sets.
        late: int64 (sets, hi - lo) or None: as of `flowc.units.activation.Requant`.
    """

    mult: Array
    add: Array
    shift: Array
    lo: int
    hi: int
    late: Array | None = None

    def of_rows(self, rows: slice) -> Words:
        """The requantizer of some sets."""
        late = None if self.late is None else self.late[rows]
        return Words(self.mult[rows], self.add[rows], self.shift[rows], self.lo, self.hi, late)

    def apply(self, acc: Array) -> Array:
        """Levels int64 (..., sets) of integers (..., sets)."""
        wide = acc.astype(np.int64) * self.mult + self.add
        level = wide >> self.shift
        if self.late is not None:
            inside = (level > self.lo) & (level <= self.hi)
            late = self.late[np.arange(len(self.mult)), np.clip(level - self.lo - 1, 0, self.hi - self.lo - 1)]
            level = level - (inside & (wide - (level << self.shift) < late * np.abs(self.mult)))
        return np.clip(level, self.lo, self.hi)


@dataclass(frozen=True, eq=False)
class _Constraints:
    """Per set, for a function that rises (after ``sign``).

    Level ``lower_level`` holds at ``lower_at``; ``upper_level`` does not yet at ``upper_at``.

    Arrays are (sets, constraints), padded with levels so low (or high) that they never bind.
    """

    lower_level: Array
    lower_at: Array
    upper_level: Array
    upper_at: Array
    sign: Array


def find_requant(steps: Steps, dtype: IntType, bounds: Bounds = DSP) -> Requant | None:
    """A `Requant` equal to ``steps`` on the whole domain of every set, or None where none is found within ``bounds``.

    First a plain one is sought; then one whose levels may begin a few integers too early, with the table that says how many (``late``).
    """
    if np.abs(steps.step).max(initial=1) != 1:
        return None
    found = _even_shift(steps, dtype, *steps.reached)
    if found is not None:
        return found
    for early in _EARLY if steps.free is None else _EARLY[:1]:
        words = _affine(steps, early, bounds, common=True)
        if words is not None:
            return Requant(
                dtype=dtype, mult=words.mult, add=words.add, shift=int(words.shift[0]), lo=words.lo, hi=words.hi, late=words.late
            )  # fmt: skip
    return None


def find_words(steps: Steps, bounds: Bounds, early: int = 0) -> Words | None:
    """As `find_requant`, with a shift per set and without rounding to even.

    Args:
        steps: the function.
        bounds: of each set's multiplier, addend and shift.
        early: how many integers too early a level may begin; above 0, ``late`` of the result puts it right.
    """
    if np.abs(steps.step).max(initial=1) != 1:
        return None
    return _affine(steps, early, bounds, common=False)


def _affine(steps: Steps, early: int, bounds: Bounds, *, common: bool) -> Words | None:
    """A requantizer equal to ``steps``, of which the plain part may enter each level up to ``early`` integers too early.

    ``common``: with one shift for all sets.
    """
    lo, hi = steps.reached
    parts = []
    for rows in _portions(steps):
        part = _corners(steps.of_rows(rows), lo, hi, early)
        if part is None:
            return None
        parts.append(part)
    constraints = _joined(parts)
    low, high = _intervals(constraints)
    if (low >= high).any():
        return None
    sets = len(low)
    mult, add, shifts = (np.zeros(sets, np.int64) for _ in range(3))
    open_ = np.ones(sets, bool)
    highest = max(abs(lo), abs(hi) + 1).bit_length()
    shifts_tried = min(bounds.shift, _INT64 - highest) + 1
    inside = _hopeful(low, high, shifts_tried, bounds)
    hopeful: Array = (np.logical_and if common else np.logical_or).reduce(inside, axis=1)
    for shift in map(int, np.flatnonzero(hopeful)):
        # No smaller multiplier lies above the slope's lower end, here or at any greater shift.
        if (low[open_] * 2.0**shift >= 1 << (bounds.mult - 1)).any():
            return None
        good, m, b = _fit(constraints, low, high, shift, bounds)
        if common:
            good[:] = good.all()
        new = open_ & good
        mult[new], add[new], shifts[new] = m[new], b[new], shift
        open_ &= ~good
        if not open_.any():
            return _corrected(Words(mult * constraints.sign, add, shifts, lo, hi), steps, early)
    return None


def _portions(steps: Steps) -> Iterator[slice]:
    """Parameter sets in portions that fit into a cache; of many, the first one alone: what is wrong is wrong there as a rule."""
    many = max(1, _AT_ONCE // (steps.at.shape[1] + 1))
    if steps.at.size <= _AT_A_TIME:
        yield slice(0, len(steps.lo))
        return
    yield slice(0, 1)
    for start in range(1, len(steps.lo), many):
        yield slice(start, min(len(steps.lo), start + many))


def _corrected(plain: Words, steps: Steps, early: int) -> Words | None:
    """The plain requantizer with its ``late`` table, if it needs one; None where it is not equal to ``steps`` even so."""
    tables = []
    for rows in _portions(steps):
        own, wanted = plain.of_rows(rows), steps.of_rows(rows)
        if early:
            own = replace(own, late=_late(own, wanted, early))
        if not _equal(own, wanted):
            return None
        tables.append(own.late)
    return replace(plain, late=np.concatenate([t for t in tables if t is not None])) if early else plain


def _late(plain: Words, steps: Steps, early: int) -> Array:
    """Per set and level above the least: how many integers too early the plain requantizer enters it."""
    late = np.zeros((len(steps.base), plain.hi - plain.lo), np.int64)
    step = np.broadcast_to(steps.step, steps.at.shape)
    inside = (steps.at > steps.lo[:, None]) & (steps.at <= steps.hi[:, None]) & (step != 0)
    for distance in range(1, early + 1):
        # An integer before the level is entered: below a rising threshold, at or above a falling one.
        before = np.clip(
            np.where(step > 0, steps.at - distance, steps.at + distance - 1), steps.lo[:, None], steps.hi[:, None]
        )
        got, right = plain.apply(before.T).T, steps(before)
        rows, columns = np.nonzero(inside & (got == right + 1))
        late[rows, got[rows, columns] - plain.lo - 1] = distance
    return late


def _constraints(steps: Steps, lo: int, hi: int, early: int) -> _Constraints | None:
    """The constraints of a requantizer that may enter each level up to ``early`` integers too early."""
    most = steps.at.shape[1]
    step = np.broadcast_to(steps.step, steps.at.shape)
    before = steps.at <= steps.lo[:, None]
    inside = ~before & (steps.at <= steps.hi[:, None]) & (step != 0)
    base = steps.base + (step * before).sum(axis=1)
    rising, falling = (inside & (step > 0)).any(axis=1), (inside & (step < 0)).any(axis=1)
    if (rising & falling).any():
        return None
    sign = np.where(falling, -1, 1)
    # A falling function of q is a rising one of -q: it enters a level where it used to leave it.
    at = np.where(falling[:, None], 1 - steps.at, steps.at)
    first = np.where(falling, -steps.hi, steps.lo)
    last = np.where(falling, -steps.lo, steps.hi)
    count = inside.sum(axis=1)
    bottom = np.where(falling, base - count, base)
    top = np.where(falling, base, base + count)
    # The thresholds inside, ascending, without gaps.
    first_at = at if steps.free is None else np.where(falling[:, None], at, np.minimum(at, steps.free))
    at, first_at = (np.sort(np.where(inside, a, _FAR), axis=1) for a in (at, first_at))
    real = np.arange(most) < count[:, None]
    level = bottom[:, None] + 1 + np.arange(most)
    at, first_at = np.where(real, at, 0), np.where(real, first_at, 0)
    return _Constraints(
        np.concatenate([np.where(real, level, -_FAR), np.where(bottom > lo, bottom, -_FAR)[:, None]], axis=1),
        np.concatenate([at, np.where(bottom > lo, first, 0)[:, None]], axis=1),
        np.concatenate([np.where(real, level, _FAR), np.where(top < hi, top + 1, _FAR)[:, None]], axis=1),
        np.concatenate([first_at - real * (1 + early), np.where(top < hi, last, 0)[:, None]], axis=1),
        sign,
    )


def _intervals(c: _Constraints) -> tuple[Array, Array]:
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


def _corners(steps: Steps, lo: int, hi: int, early: int) -> _Constraints | None:
    """`_constraints`, without those that follow from others where there are many."""
    found = _constraints(steps, lo, hi, early)
    return _reduced(found) if found is not None and found.lower_at.shape[1] > _PAIRWISE else found


def _joined(parts: list[_Constraints]) -> _Constraints:
    """The constraints of several portions of parameter sets as one."""
    width = max(c.lower_at.shape[1] for c in parts)

    def widened(name: str, fill: int) -> Array:
        arrays = [getattr(c, name) for c in parts]
        return np.concatenate([np.pad(a, ((0, 0), (0, width - a.shape[1])), constant_values=fill) for a in arrays])

    return _Constraints(
        widened("lower_level", -_FAR),
        widened("lower_at", 0),
        widened("upper_level", _FAR),
        widened("upper_at", 0),
        np.concatenate([c.sign for c in parts]),
    )


def _reduced(c: _Constraints) -> _Constraints:
    """The same constraints without those that follow from others: what is left are the corners of two convex hulls.

    A lower constraint asks for ``b >= i - s * T``; for whatever slope s, the greatest of these comes from a corner of the upper hull of
    the points (T, i). Likewise the upper ones and the lower hull.
    """
    lower = [_hull(t[k], i[k], 1) for t, i, k in zip(c.lower_at, c.lower_level, c.lower_level > -_FAR, strict=True)]
    upper = [_hull(u[k], j[k], -1) for u, j, k in zip(c.upper_at, c.upper_level, c.upper_level < _FAR, strict=True)]
    lower_at, lower_level = (_padded([p[i] for p in lower], fill) for i, fill in ((0, 0), (1, -_FAR)))
    upper_at, upper_level = (_padded([p[i] for p in upper], fill) for i, fill in ((0, 0), (1, _FAR)))
    width = max(lower_at.shape[1], upper_at.shape[1])
    lower_at, upper_at = (np.pad(a, ((0, 0), (0, width - a.shape[1]))) for a in (lower_at, upper_at))
    lower_level = np.pad(lower_level, ((0, 0), (0, width - lower_level.shape[1])), constant_values=-_FAR)
    upper_level = np.pad(upper_level, ((0, 0), (0, width - upper_level.shape[1])), constant_values=_FAR)
    return _Constraints(lower_level, lower_at, upper_level, upper_at, c.sign)


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


def _guesses(low: Array, high: Array, one: Array | float) -> tuple[Array, Array, Array]:
    """Multipliers to try where ``one`` is two to the shift: from the middle of the interval of slopes, and next to its ends."""
    # Where nothing, or nothing near, bounds the slope from above, a small one does.
    bounded = np.minimum(high, 2 * low + 2 / one)
    return np.rint((low + bounded) / 2 * one), np.floor(low * one) + 1, np.maximum(np.ceil(bounded * one) - 1, 0)


def _hopeful(low: Array, high: Array, shifts: int, bounds: Bounds) -> Array:
    """For every shift below ``shifts`` whether a guess lies in the open interval of slopes of each set, bool (shifts, sets).

    Slopes within their rounding of an end count as inside: what is said to be hopeless is.
    """
    one = np.exp2(np.arange(shifts, dtype=np.float64))[:, None]
    least, most = low * one * (1 - _ROUNDED), high * one * (1 + _ROUNDED)
    greatest = (1 << (bounds.mult - 1)) - 1
    inside = [(m >= least) & (m <= most) & (m <= greatest) for m in _guesses(low, high, one)]
    return np.asarray(np.logical_or.reduce(inside))


def _fit(c: _Constraints, low: Array, high: Array, shift: int, bounds: Bounds) -> tuple[Array, Array, Array]:
    """Which sets (sets,) have a multiplier and an addend within the bounds for one shift, and these."""
    one = 1 << shift
    mult, add = np.zeros(len(low), np.int64), np.zeros(len(low), np.int64)
    greatest_mult, greatest = (1 << (bounds.mult - 1)) - 1, (1 << (bounds.add - 1)) - 1
    lower, upper = c.lower_level > -_FAR, c.upper_level < _FAR
    lower_level, upper_level = np.where(lower, c.lower_level, 0), np.where(upper, c.upper_level, 0)
    open_ = np.ones(len(low), bool)
    for guess in _guesses(low, high, one):
        m = guess.astype(np.int64)
        possible = open_ & (m <= greatest_mult)
        m = np.minimum(m, greatest_mult)
        least = np.where(lower, lower_level * one - m[:, None] * c.lower_at, -_NONE).max(axis=1)
        most = np.where(upper, upper_level * one - m[:, None] * c.upper_at - 1, _NONE).min(axis=1)
        good = possible & (least <= most) & (least <= greatest) & (most >= -greatest - 1)
        # Where only one side binds, stay near it.
        near = np.where(
            least == -_NONE,
            np.where(most == _NONE, 0, most),
            np.where(most == _NONE, least, least + (most - least) // 2),
        )
        mult[good], add[good] = m[good], np.clip(near, -greatest - 1, greatest)[good]
        open_ &= ~good
        if not open_.any():
            break
    return ~open_, mult, add


def _even_shift(steps: Steps, dtype: IntType, lo: int, hi: int) -> Requant | None:
    """A plain shift with round-half-even: what power-of-two scales make (their exact ties go to the even neighbour)."""
    if not steps.monotone or steps.at.shape[1] < 2:
        return None
    sets = len(steps.base)
    inside = (steps.at > steps.lo[:, None]) & (steps.at <= steps.hi[:, None])
    if not inside.any():
        return None
    first, any_inside = inside.argmax(axis=1), inside.any(axis=1)
    p = int(inside.sum(axis=1).argmax())
    ats = steps.at[p][inside[p]]
    gap = (ats[-1] - ats[0]) / max(1, len(ats) - 1)
    for shift in dict.fromkeys(int(s) for s in (np.floor(np.log2(max(gap, 1))), np.ceil(np.log2(max(gap, 1))))):
        one = 1 << shift
        if shift < 1 or (steps.free is None and (np.abs(np.diff(ats) - one) > 1).any()):
            # It enters a level every 2^shift integers, or one more or less: ties go up and down in turn.
            continue
        # Level L is entered at (L - 1/2) * 2^shift - add, or one later where the tie goes down.
        level = steps.base + 1 + first
        add = np.where(any_inside, level * one - one // 2 - steps.at[np.arange(sets), first], 0)
        for bump in (0, 1):
            candidate = Requant(
                dtype=dtype, mult=np.ones(1, np.int64), add=add + bump, shift=shift, lo=lo, hi=hi, half_even=True
            )
            if _equal(candidate, steps):
                return candidate
    return None


def _equal(candidate: Requant | Words, steps: Steps) -> bool:
    """Equality on the whole domain.

    Both functions are monotone between thresholds, so what lies on either side of each suffices; late levels act further around.
    """
    if candidate.late is not None:
        reach = int(candidate.late.max(initial=0)) + 1
        distances = list(range(-reach - 1, reach + 1))
    else:
        distances = [0, -1]
    below = steps.at if steps.free is None or candidate.late is not None else steps.free

    def equal(columns: slice) -> bool:
        near = [(steps.at if d >= 0 else below)[:, columns] + d for d in distances]
        edges = np.concatenate([*near, steps.lo[:, None], steps.hi[:, None]], axis=1)
        edges = np.clip(edges, steps.lo[:, None], steps.hi[:, None])
        return np.array_equal(candidate.apply(edges.T).astype(np.int64), steps(edges).T)

    # A wrong candidate is seldom wrong in one place: a few edges tell as a rule.
    levels = steps.at.shape[1]
    if levels <= _FEW:
        return equal(slice(None))
    few = slice(0, None, levels // _FEW)
    return equal(few) and all(equal(slice(k, k + _COLUMNS)) for k in range(0, max(1, levels), _COLUMNS))
