"""Integer functions as steps: thresholds by evaluation.

The level of every integer that can occur is found by evaluating the model's own operations: exhaustively where the range
is small, by bisection per threshold where it is large and the operations are monotone. Nothing is derived by algebra.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from flowc.exact.budget import PER_THRESHOLD, Budget, TooLarge
from flowc.exact.search import bisect, counted, first_reached
from flowc.exact.walk import Enclose, settle
from flowc.units.activation import Activation, Requant
from flowc.units.base import Array
from flowc.units.thresholds import Thresholds

__all__ = [
    "Steps",
    "assemble",
    "steps_by_bisection",
    "steps_by_exhaustion",
    "steps_by_settling",
    "steps_of",
    "steps_of_activation",
]

_EXHAUSTIVE = 1 << 22
_SEARCH = 1 << 5
"""Visits of a bisection per threshold, more or less: what has fewer integers is walked through."""
_LIMIT = 1 << 26
"""Integers visited at most in one function: some seconds."""
_THRESHOLDS = 1 << 22
"""Thresholds held at most, all parameter sets together: some hundred megabytes with all that is computed from them."""
_CHUNK = 1 << 20
_LEAF = 64

Levels = Callable[[Array, Any], Array]
"""Levels of integers (rows, n) for some parameter sets, a slice or an index per row: int64 (rows, n)."""


@dataclass(frozen=True, eq=False)
class Steps:
    """Step functions, one per parameter set: ``f(q) = base + sum over k of step[k] * (q >= at[k])`` for q in [lo, hi].

    Attributes:
        lo, hi: int64 (P,): the domain.
        base: int64 (P,): the value at ``lo`` (below every threshold).
        at: int64 (P, K), ascending; ``hi + 1`` or more: never reached; ``lo`` or less: always.
        step: int64 (P, K), or (1, 1) where uniform.
        free: int64 (P, K) or None: each threshold may lie anywhere in [free, at] without changing the function on the integers that
            occur (the inputs of a join's function are sparse).
    """

    lo: Array
    hi: Array
    base: Array
    at: Array
    step: Array
    free: Array | None = None

    @cached_property
    def reached(self) -> tuple[int, int]:
        """Least and greatest value over all sets."""
        before = self.at <= self.lo[:, None]
        inside = ~before & (self.at <= self.hi[:, None])
        start = self.base + (self.step * before).sum(axis=1)
        if self.monotone:
            walk = np.stack([start, start + int(self.step.flat[0]) * inside.sum(axis=1)])
        else:
            walk = start[:, None] + np.cumsum(self.step * inside, axis=1)
            walk = np.concatenate([start[:, None], walk], axis=1)
        return int(walk.min()), int(walk.max())

    @property
    def monotone(self) -> bool:
        """Whether every set is nondecreasing with one common step."""
        return self.step.size == 1

    @property
    def inside(self) -> Array:
        """The thresholds that lie inside of their set's domain and change something, all sets in a row."""
        real = (self.at > self.lo[:, None]) & (self.at <= self.hi[:, None]) & (self.step != 0)
        return self.at[real]

    def of_rows(self, rows: slice) -> Steps:
        """The same functions of some sets."""
        if rows.indices(len(self.lo)) == (0, len(self.lo), 1):
            return self
        step, free = self.step, self.free
        return Steps(
            self.lo[rows],
            self.hi[rows],
            self.base[rows],
            self.at[rows],
            step if len(step) == 1 else step[rows],
            None if free is None else free[rows],
        )

    def __call__(self, q: Array) -> Array:
        """Values (P, n) at integers (P, n)."""
        passed = counted(self.at, q)
        if self.step.size == 1:
            return self.base[:, None] + passed * self.step
        levels = self.base[:, None] + np.cumsum(np.broadcast_to(self.step, self.at.shape), axis=1)
        values: Array = np.take_along_axis(np.concatenate([self.base[:, None], levels], axis=1), passed, axis=1)
        return values


def steps_of(
    levels: Levels,
    lo: Array,
    hi: Array,
    direction: Array | None,
    unit: int,
    enclose: Enclose | None = None,
    budget: Budget | None = None,
    *,
    ripples: bool = False,
) -> Steps:
    """The step form of ``levels`` on [lo, hi].

    Args:
        direction: +1, 0 or -1 per set where monotonicity is proven, else None.
        unit: difference between neighbouring levels (2 for bipolar results, else 1).
        enclose: bounds of the levels between two integers; what is not monotone is walked through with it where the range is large.
        budget: what the functions of the model may still take; None: as much as if this were the only one.
        ripples: as of `steps_by_bisection`.

    Raises:
        TooLarge: more integers than can be walked through, or more thresholds than can be held.
    """
    budget = budget or Budget()
    count = int((hi - lo + 1).max()) * len(lo)
    if direction is not None:
        ends = levels(np.stack([lo, hi], axis=1), slice(0, len(lo)))
        thresholds = int(np.abs(ends[:, 1] - ends[:, 0]).sum()) // unit
        _take_thresholds(budget, thresholds, lo, hi)
        if count > _EXHAUSTIVE or count > _SEARCH * thresholds:
            return steps_by_bisection(levels, lo, hi, unit, ends, ripples=ripples)
        return steps_by_exhaustion(levels, lo, hi, unit)
    if count <= _EXHAUSTIVE or enclose is None:
        if count > _LIMIT or not budget.take(count, len(lo)):
            raise _too_wide(lo, hi)
        found = steps_by_exhaustion(levels, lo, hi, unit)
    else:
        found = steps_by_settling(levels, enclose, lo, hi, unit, budget)
    _take_thresholds(budget, len(found.inside), lo, hi)
    return found


def _take_thresholds(budget: Budget, thresholds: int, lo: Array, hi: Array) -> None:
    most = min(_THRESHOLDS // len(lo), budget.levels(len(lo)))
    if thresholds > _THRESHOLDS or not budget.take(PER_THRESHOLD * thresholds, len(lo)):
        raise _too_many(thresholds, most, lo, hi)


def steps_of_activation(activation: Activation) -> Steps:
    """The steps of an activation that knows its domain: what another form of it has to equal.

    Thresholds are steps; requantizers are bisected, each set being monotone; tables are walked through.

    Raises:
        ValueError: the activation has no domain.
    """
    if activation.domain is None:
        raise ValueError("an activation without a domain has no steps")
    sets = max(len(activation.domain), activation.channels)
    lo, hi = np.broadcast_to(activation.domain, (sets, 2)).T
    if isinstance(activation, Thresholds):
        at = np.broadcast_to(activation.values, (sets, activation.levels))
        return Steps(lo, hi, np.broadcast_to(activation.base, lo.shape), at, activation.step)
    unit = 2 if activation.dtype.bipolar else 1

    def levels(q: Array, rows: slice) -> Array:
        return activation.select(np.arange(len(lo))[rows]).apply(q.T).T.astype(np.int64)

    return steps_of(levels, lo, hi, np.ones(len(lo)) if isinstance(activation, Requant) else None, unit)


def _too_wide(lo: Array, hi: Array) -> TooLarge:
    return TooLarge(
        f"it rises and falls over integers from {int(lo.min()):,} to {int(hi.max()):,}, and its levels lie too close together to tell "
        "them apart without visiting every one, more than flowc visits in one model; quantize its input first, to 16 bits or fewer "
        "(Brevitas: a QuantIdentity in front of it)"
    )


def _too_many(thresholds: int, most: int, lo: Array, hi: Array) -> TooLarge:
    sets = len(lo)
    bits = min(max(most.bit_length() - 1, 8), 16)
    some = f" in each of {sets:,} parameter sets" if sets > 1 else ""
    shared = ", or give all channels one scale and one bias" if sets > 1 else ""
    return TooLarge(
        f"its result passes through {-(-thresholds // sets) + 1:,} levels{some} while its input goes from {int(lo.min()):,} to "
        f"{int(hi.max()):,}: {thresholds:,} thresholds, more than flowc computes with in one model; quantize its result to {bits} bits or "
        f"fewer (Brevitas: bit_width={bits}; onnxruntime and torch.ao: an 8-bit type){shared}"
    )


def _check_count(thresholds: int, sets: int, lo: Array, hi: Array) -> None:
    if thresholds * sets > _THRESHOLDS:
        raise _too_many(thresholds * sets, _THRESHOLDS // sets, lo, hi)


def steps_by_exhaustion(levels: Levels, lo: Array, hi: Array, unit: int) -> Steps:
    """Walks through every integer of the domain."""
    sets, wide = len(lo), int((hi - lo + 1).max())
    rows = max(1, _CHUNK // wide)
    base = np.empty(sets, np.int64)
    events: list[tuple[Array, Array]] = []
    most = 0
    for start in range(0, sets, rows):
        part = slice(start, min(sets, start + rows))
        q = np.minimum(lo[part, None] + np.arange(wide), hi[part, None])
        level = levels(q, part)
        base[part] = level[:, 0]
        delta = np.diff(level, axis=1)
        most = max(most, int(np.abs(delta).sum(axis=1).max()) // unit)
        _check_count(most, sets, lo, hi)
        for row in range(level.shape[0]):
            where = np.flatnonzero(delta[row])
            events.append(_jumps(lo[start + row] + 1 + where, delta[row, where], unit))
    return assemble(lo, hi, base, events, unit)


def _jumps(at: Array, delta: Array, unit: int) -> tuple[Array, Array]:
    """Where levels change by ``delta``, one entry per level, and the signed changes."""
    count = np.abs(delta) // unit
    return at.repeat(count), (np.sign(delta) * unit).repeat(count)


def steps_by_settling(
    levels: Levels, enclose: Enclose, lo: Array, hi: Array, unit: int, budget: Budget | None = None
) -> Steps:
    """Visits only the integers near thresholds (`flowc.exact.walk`)."""
    found = settle(enclose, lo, hi, _LEAF, _LIMIT // _LEAF)
    if found is None or not (budget or Budget()).take(int(found.open_.sum()) * _LEAF, len(lo)):
        raise _too_wide(lo, hi)
    closed = ~found.open_
    rows, at, level = [found.rows[closed]], [found.first[closed]], [found.level[closed]]
    blocks = np.flatnonzero(found.open_)
    many = _CHUNK // _LEAF
    for part in (blocks[i : i + many] for i in range(0, len(blocks), many)):
        q = np.minimum(found.first[part, None] + np.arange(_LEAF), found.last[part, None])
        values = levels(q, found.rows[part])
        # The last integer of a short block is repeated, which changes nothing.
        begins = np.concatenate([np.ones((len(part), 1), bool), np.diff(values, axis=1) != 0], axis=1)
        rows.append(found.rows[part].repeat(begins.sum(axis=1)))
        at.append(q[begins])
        level.append(values[begins])
    return _from_runs(np.concatenate(rows), np.concatenate(at), np.concatenate(level), lo, hi, unit)


def _from_runs(rows: Array, at: Array, level: Array, lo: Array, hi: Array, unit: int) -> Steps:
    """Step functions from runs of integers: set, first integer and level of each, in any order."""
    order = np.lexsort((at, rows))
    rows, at, level = rows[order], at[order], level[order]
    starts = np.searchsorted(rows, np.arange(len(lo) + 1))
    deltas = [np.diff(level[a:b]) for a, b in pairwise(starts)]
    _check_count(max(int(np.abs(d).sum()) for d in deltas) // unit, len(lo), lo, hi)
    events = [_jumps(at[a + 1 : b], d, unit) for (a, b), d in zip(pairwise(starts), deltas, strict=True)]
    return assemble(lo, hi, level[starts[:-1]], events, unit)


def steps_by_bisection(
    levels: Levels, lo: Array, hi: Array, unit: int, ends: Array | None = None, *, ripples: bool = False
) -> Steps:
    """One search per threshold, many at once; every set must be proven monotone.

    Args:
        ends: levels (sets, 2) at lo and hi, where they are known.
        ripples: some operation rises only up to its last bits, so that what is found depends on where one looks: thresholds are halved
            down to, each by itself, whatever else is searched.
    """
    if ends is None:
        ends = levels(np.stack([lo, hi], axis=1), slice(0, len(lo)))
    first, last = ends.T
    sign = np.where(last >= first, 1, -1)
    jumps = np.abs(last - first) // unit
    most = int(jumps.max())
    _check_count(most, len(lo), lo, hi)
    at = np.empty((len(lo), most), np.int64)
    sets, columns = max(1, _CHUNK // max(1, most)), min(most, _CHUNK) or 1
    for start in range(0, len(lo), sets):
        rows = slice(start, min(len(lo), start + sets))
        for column in range(0, most, columns):
            jump = 1 + np.arange(column, min(most, column + columns))
            at[rows, column : column + columns] = _searched(levels, rows, lo, hi, first, sign, unit * jump, ripples)
    if (sign > 0).all():
        return _rising(lo, hi, first, at, jumps, unit)
    events = [(at[p, : jumps[p]], np.full(int(jumps[p]), sign[p] * unit)) for p in range(len(lo))]
    return assemble(lo, hi, first, events, unit)


def _rising(lo: Array, hi: Array, base: Array, at: Array, jumps: Array, unit: int) -> Steps:
    """As `assemble`, where each set rises at the first ``jumps`` of its integers ``at`` (sets, K)."""
    common = int(base.min())
    skip = (base - common) // unit
    levels = int((skip + jumps).max())
    own = np.arange(levels) - skip[:, None]
    found = np.take_along_axis(at, np.clip(own, 0, max(0, at.shape[1] - 1)), axis=1) if at.size else np.zeros_like(own)
    found = np.where(own < jumps[:, None], found, int(hi.max()) + 1)
    found = np.where(own < 0, lo[:, None], found)
    return Steps(lo, hi, np.full(len(lo), common, np.int64), found, np.full((1, 1), unit, np.int64))


def _searched(
    levels: Levels, rows: slice, lo: Array, hi: Array, first: Array, sign: Array, rise: Array, ripples: bool
) -> Array:
    """Where some sets have come as far (``rise``, ascending) from their first level as this."""
    toward = sign[rows, None]
    wanted = toward * first[rows, None] + rise

    def risen(q: Array) -> Array:
        return toward * levels(q, rows)

    if not ripples:
        return first_reached(risen, lo[rows, None], hi[rows, None], wanted)
    ends = (np.broadcast_to(e[rows, None], wanted.shape) for e in (lo, hi))
    return bisect(lambda q: risen(q) >= wanted, *ends)


def assemble(
    lo: Array, hi: Array, base: Array, events: list[tuple[Array, Array]], unit: int, free: list[Array] | None = None
) -> Steps:
    """Step functions from, per set, the ascending integers at which the value changes and the signed changes (of size ``unit``).

    Args:
        free: per set, how far down each change may move (see `Steps`).
    """
    never = int(hi.max()) + 1
    sets = len(lo)
    if all((sign > 0).all() for _, sign in events):
        # One base and one step for all sets: a set that starts higher has thresholds that always hold.
        common = int(base.min())
        levels = (max(int(b) + unit * len(at) for b, (at, _) in zip(base, events, strict=True)) - common) // unit
        skip = [(int(b) - common) // unit for b in base]
        base, step = np.full(sets, common, np.int64), np.full((1, 1), unit, np.int64)
    else:
        levels, skip = max(len(at) for at, _ in events), [0] * sets
        step = np.zeros((sets, levels), np.int64)
        for p, (at, sign) in enumerate(events):
            step[p, : len(at)] = sign

    def spread(rows: list[Array]) -> Array:
        out = np.full((sets, levels), never, np.int64)
        for p, row in enumerate(rows):
            out[p, : skip[p]] = lo[p]
            out[p, skip[p] : skip[p] + len(row)] = row
        return out

    return Steps(lo, hi, base, spread([at for at, _ in events]), step, None if free is None else spread(free))
