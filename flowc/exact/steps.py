"""Integer functions as steps: thresholds by evaluation.

The level of every integer that can occur is found by evaluating the model's own operations: exhaustively where the range
is small, by bisection per threshold where it is large and the operations are monotone. Nothing is derived by algebra.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from flowc.units.activation import Activation, Requant, Thresholds
from flowc.units.base import Array

__all__ = [
    "Steps",
    "TooLarge",
    "assemble",
    "bisect",
    "steps_by_bisection",
    "steps_by_exhaustion",
    "steps_of",
    "steps_of_activation",
]

_EXHAUSTIVE = 1 << 22
_LIMIT = 1 << 30
_CHUNK = 1 << 22

Levels = Callable[[Array, slice], Array]
"""Levels of integers (rows, n) for a slice of parameter sets: int64 (rows, n)."""


class TooLarge(Exception):
    """A function that is not monotone over a range too large to walk through."""


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

    @property
    def reached(self) -> tuple[int, int]:
        """Least and greatest value over all sets."""
        rise = np.broadcast_to(self.step, self.at.shape) * (
            (self.at <= self.hi[:, None]) & (self.at > self.lo[:, None])
        )
        start = self.base + (np.broadcast_to(self.step, self.at.shape) * (self.at <= self.lo[:, None])).sum(axis=1)
        walk = np.concatenate([start[:, None], start[:, None] + np.cumsum(rise, axis=1)], axis=1)
        return int(walk.min()), int(walk.max())

    @property
    def monotone(self) -> bool:
        """Whether every set is nondecreasing with one common step."""
        return self.step.size == 1

    def __call__(self, q: Array) -> Array:
        """Values (P, n) at integers (P, n)."""
        out = np.empty(q.shape, np.int64)
        step = np.broadcast_to(self.step, self.at.shape)
        for p in range(len(self.base)):
            walk = np.concatenate([[self.base[p]], self.base[p] + np.cumsum(step[p])])
            out[p] = walk[np.searchsorted(self.at[p], q[p], side="right")]
        return out


def bisect(reached: Callable[[Array], Array], lo: Array, hi: Array) -> Array:
    """Per element the smallest integer of [lo, hi] at which a nondecreasing predicate holds, ``hi + 1`` where it never does.

    Args:
        reached: maps int64 integers to booleans, elementwise (vectorized).
        lo, hi: int64 arrays of one shape.
    """
    low, high = lo.astype(np.int64).copy(), hi.astype(np.int64) + 1
    while True:
        open_ = low < high
        if not open_.any():
            return low
        middle = np.minimum((low + high) >> 1, hi)
        holds = reached(middle)
        high = np.where(open_ & holds, middle, high)
        low = np.where(open_ & ~holds, middle + 1, low)


def steps_of(levels: Levels, lo: Array, hi: Array, direction: Array | None, unit: int) -> Steps:
    """The step form of ``levels`` on [lo, hi].

    Args:
        direction: +1, 0 or -1 per set where monotonicity is proven, else None.
        unit: difference between neighbouring levels (2 for bipolar results, else 1).

    Raises:
        TooLarge: not monotone and more than 2^30 integers in all.
    """
    count = int((hi - lo + 1).max()) * len(lo)
    if count <= _EXHAUSTIVE or direction is None:
        if count > _LIMIT:
            raise TooLarge
        return steps_by_exhaustion(levels, lo, hi, unit)
    return steps_by_bisection(levels, lo, hi, unit)


def steps_of_activation(activation: Activation) -> Steps:
    """The steps of an activation that knows its domain: what another form of it has to equal.

    Thresholds are steps; requantizers are bisected, each set being monotone; tables are walked through.

    Raises:
        ValueError: the activation has no domain.
    """
    if activation.domain is None:
        raise ValueError("an activation without a domain has no steps")
    lo, hi = activation.domain.T
    if isinstance(activation, Thresholds):
        return Steps(lo, hi, np.broadcast_to(activation.base, lo.shape), activation.values, activation.step)
    unit = 2 if activation.dtype.bipolar else 1

    def levels(q: Array, rows: slice) -> Array:
        return activation.select(np.arange(len(lo))[rows]).apply(q.T).T.astype(np.int64)

    return steps_of(levels, lo, hi, np.ones(len(lo)) if isinstance(activation, Requant) else None, unit)


def steps_by_exhaustion(levels: Levels, lo: Array, hi: Array, unit: int) -> Steps:
    """Walks through every integer of the domain."""
    sets, width = len(lo), int((hi - lo + 1).max())
    rows = max(1, _CHUNK // width)
    base = np.empty(sets, np.int64)
    events: list[tuple[Array, Array]] = []
    for start in range(0, sets, rows):
        part = slice(start, min(sets, start + rows))
        q = np.minimum(lo[part, None] + np.arange(width), hi[part, None])
        level = levels(q, part)
        base[part] = level[:, 0]
        delta = np.diff(level, axis=1)
        for row in range(level.shape[0]):
            where = np.flatnonzero(delta[row])
            jumps = delta[row, where] // unit
            events.append(
                (np.repeat(lo[start + row] + 1 + where, np.abs(jumps)), np.repeat(np.sign(jumps), np.abs(jumps)) * unit)
            )
    return assemble(lo, hi, base, events, unit)


def steps_by_bisection(levels: Levels, lo: Array, hi: Array, unit: int) -> Steps:
    """One bisection per threshold, all at once; every set must be proven monotone."""
    everything = slice(0, len(lo))
    first, last = levels(lo[:, None], everything)[:, 0], levels(hi[:, None], everything)[:, 0]
    sign = np.where(last >= first, 1, -1)
    jumps = np.abs(last - first) // unit
    most = int(jumps.max())
    events: list[tuple[Array, Array]] = []
    if most:
        wanted = first[:, None] + sign[:, None] * unit * (1 + np.arange(most))
        at = bisect(
            lambda q: sign[:, None] * (levels(q, everything) - wanted) >= 0,
            np.broadcast_to(lo[:, None], wanted.shape),
            np.broadcast_to(hi[:, None], wanted.shape),
        )
    else:
        at = np.empty((len(lo), 0), np.int64)
    for p in range(len(lo)):
        events.append((at[p, : jumps[p]], np.full(int(jumps[p]), sign[p] * unit)))
    return assemble(lo, hi, first, events, unit)


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
