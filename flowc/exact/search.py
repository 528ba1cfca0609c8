"""Where nondecreasing functions of integers reach values, all of many at once.

What a model's operations take to evaluate depends little on how many integers they are evaluated on, as long as these are a few
thousand. So a search looks at as many places at a time as that allows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from flowc.units.base import Array

__all__ = ["bisect", "counted", "first_near", "first_reached"]

_SAMPLES = 1 << 12
_MOST_SAMPLES = 1 << 16
"""Integers of all sets, and of one, that are looked at before thresholds are searched one by one: no more than their searches take."""
_SEARCHED = 1 << 14
"""Integers looked at in one step of a search: as fast as one, nearly."""
_FAR = 1 << 40
_AROUND = (-2, -1, 0, 1)
"""What is looked at first around a guess."""
_FEWEST = 4
"""Places in each search at a time from which on these are worth more than halving."""


def counted(at: Array, q: Array) -> Array:
    """How many of its own ascending integers ``at`` (P, K) each of ``q`` (P, n) has reached."""
    if not at.size or not q.size:
        return np.zeros(q.shape, np.int64)
    # All rows end to end, each lifted above the one before it, so that one search does.
    low, high = min(int(at.min()), int(q.min())), max(int(at.max()), int(q.max()))
    if (high - low + 1) * len(at) >= 1 << 62:
        return np.stack([np.searchsorted(a, x, side="right") for a, x in zip(at, q, strict=True)])
    lift = (high - low + 1) * np.arange(len(at))[:, None] - low
    found = np.searchsorted((at + lift).reshape(-1), (q + lift).reshape(-1), side="right")
    counts: Array = found.reshape(q.shape) - at.shape[1] * np.arange(len(at))[:, None]
    return counts


def bisect(reached: Callable[[Array], Array], lo: Array, hi: Array, guess: Array | None = None) -> Array:
    """Per element the smallest integer of [lo, hi] at which a nondecreasing predicate holds, ``hi + 1`` where it never does.

    Args:
        reached: maps int64 integers to booleans, elementwise (vectorized).
        lo, hi: int64 arrays of one shape.
        guess: where to look first, then ever farther away: few rounds where the results lie near it. None: halving from the start.
    """
    low, high = lo.astype(np.int64).copy(), hi.astype(np.int64) + 1
    reach = 1
    for count in itertools.count():
        open_ = low < high
        if not open_.any():
            break
        middle = np.minimum((low + high) >> 1, hi)
        if guess is not None and reach < _FAR:
            near = np.clip(middle, guess - reach, guess + (reach - 1))
            middle = np.minimum(np.maximum(np.minimum(near, high - 1), low), hi)
            reach <<= count > 0  # the integer before the guess, and the guess itself, come first
        holds = reached(middle)
        high = np.where(open_ & holds, middle, high)
        low = np.where(open_ & ~holds, middle + 1, low)
    return low


def first_near(reached: Callable[[Array], Array], lo: Array, hi: Array, guess: Array) -> Array:
    """As `bisect` from a guess, for searches side by side: the integers around all guesses are looked at in one step.

    A guess is believed where the integer before it does not reach and its own does; else it goes on from what was seen.

    Args:
        reached: maps int64 integers (sets, n * K), n for each search, to booleans.
        lo, hi, guess: int64 (sets, K).
    """
    if lo.size * len(_AROUND) > _SEARCHED:
        return bisect(reached, lo, hi, guess)
    q = [np.clip(guess + step, lo, hi) for step in _AROUND]
    holds = reached(np.concatenate(q, axis=1)).reshape(len(lo), len(q), -1)
    first, last = lo.astype(np.int64), hi.astype(np.int64)
    for step, at in enumerate(q):
        first = np.where(holds[:, step], first, np.maximum(first, at + 1))
        last = np.where(holds[:, step], np.minimum(last, at - 1), last)
    return first if (first > last).all() else bisect(reached, first, last, guess)


def first_reached(levels: Callable[[Array], Array], lo: Array, hi: Array, wanted: Array) -> Array:
    """Per set and level the smallest integer of [lo, hi] at which a function has reached it, ``hi + 1`` where it never does.

    The function must not fall anywhere, not by its last bit either. Samples all over the range tell between which two of them each level
    is reached: all that lie before have not reached it, and all behind have. Then the same between these two, until nothing is in
    between. So no more is believed than what was evaluated.

    Args:
        levels: maps int64 integers (sets, n) of [lo, hi] to levels, int64 (sets, n).
        lo, hi: int64 (sets, 1).
        wanted: int64 (sets, K).
    """
    sets, most = wanted.shape
    count = min(max(2 * most, min(16 * most, _SAMPLES // sets)), _MOST_SAMPLES)
    if not count:
        return np.empty(wanted.shape, np.int64)
    width = hi - lo + 1
    passed = counted(levels(_begin(lo, width, np.arange(count), count)), wanted - 1)
    first, last = _between(lo, hi, width, passed, count)
    parts = _SEARCHED // wanted.size
    if parts < _FEWEST:
        # Where nothing is left to search, any integer will do.
        return bisect(lambda q: levels(np.clip(q, lo, hi)) >= wanted, first, last)
    while True:
        width = last - first + 1
        count = min(parts, int(width.max()))
        if count < 1:
            found: Array = np.minimum(first, hi + 1)
            return found
        # Where nothing is left to search, this is where the level is reached, or the last integer, where it is not.
        q = np.minimum(_begin(first[:, :, None], width[:, :, None], np.arange(count), count), hi[:, :, None])
        passed = np.count_nonzero(levels(q.reshape(sets, -1)).reshape(q.shape) < wanted[:, :, None], axis=2)
        first, last = _between(first, last, width, passed, count)


def _begin(first: Array, width: Array, part: Array, parts: int) -> Array:
    """Where a part of ``width`` integers begins that are cut into so many; parts of less than an integer begin where others do."""
    begin: Array = first + width // parts * part + width % parts * part // parts
    return begin


def _between(first: Array, last: Array, width: Array, passed: Array, parts: int) -> tuple[Array, Array]:
    """What is left of [first, last] where the begins of the first ``passed`` parts have not reached a level, and the others have."""
    return (
        np.where(passed > 0, _begin(first, width, passed - 1, parts) + 1, first),
        np.where(passed < parts, _begin(first, width, passed, parts) - 1, last),
    )
