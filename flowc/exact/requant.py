"""Multiply-add-shift requantizers that equal a step function everywhere on its domain.

Of the lines that pass between all thresholds (`flowc.exact.lines`), one with an integer multiplier, an integer addend and the smallest
shift is taken. Float tails move thresholds by one integer here and there; then no line passes between all of them, but one
does that is early by at most one, and a bit per level says where. The result is checked by evaluation, so an error here could
only lose a candidate.

`Bounds` say how wide multiplier, addend and shift may be. A dataflow unit has one shift for all its channels (`find_requant`); hardware
that is configured channel by channel may have one for each (`find_words`), which lets narrower multipliers do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from flowc.exact.lines import DSP, FAR, Bounds, Constraints, Lines, guesses, portions
from flowc.exact.steps import Steps
from flowc.model.dtypes import IntType
from flowc.units.activation import Requant
from flowc.units.base import Array

__all__ = ["DSP", "Bounds", "Words", "find_requant", "find_words"]

_EARLY = (0, 1, 3, 7, 15, 31)
_NONE = 1 << 61
_ANY = 64
"""More bits than any multiplier has."""
_FEW = 64
_COLUMNS = 1 << 13


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


def find_requant(steps: Steps, dtype: IntType, bounds: Bounds = DSP, worth: int = _ANY) -> Requant | None:
    """A `Requant` equal to ``steps`` on the whole domain of every set, or None where none is found within ``bounds``.

    First a plain one is sought; then one whose levels may begin a few integers too early, with the table that says how many (``late``).

    Args:
        steps: the function.
        dtype: of the results.
        bounds: of multipliers, addends and the shift.
        worth: bits of the greatest multiplier from which on nobody wants it: where it is known to come to as many, it is not sought.
    """
    if np.abs(steps.step).max(initial=1) != 1:
        return None
    found = _even_shift(steps, dtype, *steps.reached)
    if found is not None:
        return found
    for early in _EARLY if steps.free is None else _EARLY[:1]:
        lines = Lines.of(steps, early)
        if lines is not None and not early and worth < _ANY and lines.least_bits(bounds) >= worth:
            return None
        words = None if lines is None else _affine(steps, early, lines, bounds, common=True)
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
    lines = Lines.of(steps, early)
    return None if lines is None else _affine(steps, early, lines, bounds, common=False)


def _affine(steps: Steps, early: int, lines: Lines, bounds: Bounds, *, common: bool) -> Words | None:
    """A requantizer equal to ``steps``, of which the plain part may enter each level up to ``early`` integers too early.

    ``common``: with one shift for all sets.
    """
    constraints, low, high = lines.constraints, lines.low, lines.high
    sets = len(low)
    mult, add, shifts = (np.zeros(sets, np.int64) for _ in range(3))
    open_ = np.ones(sets, bool)
    hopeful: Array = (np.logical_and if common else np.logical_or).reduce(lines.hopeful(bounds), axis=1)
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
            return _corrected(Words(mult * constraints.sign, add, shifts, lines.lo, lines.hi), steps, early)
    return None


def _corrected(plain: Words, steps: Steps, early: int) -> Words | None:
    """The plain requantizer with its ``late`` table, if it needs one; None where it is not equal to ``steps`` even so."""
    tables = []
    for rows in portions(steps):
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


def _fit(c: Constraints, low: Array, high: Array, shift: int, bounds: Bounds) -> tuple[Array, Array, Array]:
    """Which sets (sets,) have a multiplier and an addend within the bounds for one shift, and these."""
    one = 1 << shift
    mult, add = np.zeros(len(low), np.int64), np.zeros(len(low), np.int64)
    greatest_mult, greatest = (1 << (bounds.mult - 1)) - 1, (1 << (bounds.add - 1)) - 1
    lower, upper = c.lower_level > -FAR, c.upper_level < FAR
    lower_level, upper_level = np.where(lower, c.lower_level, 0), np.where(upper, c.upper_level, 0)
    open_ = np.ones(len(low), bool)
    for guess in guesses(low, high, one):
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
    p = int(inside.sum(axis=1).argmax())
    ats = steps.at[p][inside[p]]
    gap = max(1.0, float(ats[-1] - ats[0]) / max(1, len(ats) - 1))
    for shift in dict.fromkeys((math.floor(math.log2(gap)), math.ceil(math.log2(gap)))):
        one = 1 << shift
        if shift < 1 or (steps.free is None and (np.abs(np.diff(ats) - one) > 1).any()):
            # It enters a level every 2^shift integers, or one more or less: ties go up and down in turn.
            continue
        first, any_inside = inside.argmax(axis=1), inside.any(axis=1)
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
