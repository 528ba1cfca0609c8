"""Arithmetic on `Runs`, exact, without writing their values out: every function takes time in the number of runs."""

from __future__ import annotations

import numpy as np

from flowc.units.runs import Integers, Runs

__all__ = [
    "FOREVER",
    "composed",
    "held_after",
    "held_before",
    "maximum",
    "merged",
    "minimum",
    "minus",
    "most_ahead",
    "plus",
    "rising",
    "same",
    "until",
]

FOREVER = 1 << 60
"""Later than anything happens."""


def plus(a: Runs, b: Runs) -> Runs:
    """Values ``a[i] + b[i]``."""
    return _combined(a, b, 1)


def minus(a: Runs, b: Runs) -> Runs:
    """Values ``a[i] - b[i]``."""
    return _combined(a, b, -1)


def same(a: Runs, b: Runs) -> bool:
    """Whether two sequences are equal."""
    if a.size != b.size:
        return False
    if all(np.array_equal(x, y) for x, y in ((a.first, b.first), (a.value, b.value), (a.step, b.step))):
        return True
    difference = minus(a, b)
    return not (difference.value.any() or difference.ends.any())


def maximum(a: Runs, b: Runs) -> Runs:
    """Values ``max(a[i], b[i])``."""
    return _extreme(a, b, 1)


def minimum(a: Runs, b: Runs) -> Runs:
    """Values ``min(a[i], b[i])``."""
    return _extreme(a, b, -1)


def rising(a: Runs) -> Runs:
    """Running maximum: values ``max(a[:i + 1])``."""
    before = np.concatenate([[-2 * FOREVER], np.maximum.accumulate(np.maximum(a.value, a.ends))[:-1]])
    below = a.value < before
    first, value, step = a.first, np.maximum(a.value, before), np.where(below | (a.step < 0), 0, a.step)
    later = np.flatnonzero(below & (a.ends > before))  # runs that rise above what was before somewhere on the way
    place = (before[later] - a.value[later]) // a.step[later] + 1
    return _inserted(first, value, step, later, place, a.value[later] + a.step[later] * place, a.step[later], a.size)


def until(a: Runs) -> Runs:
    """Running minimum from the end: values ``min(a[i:])``."""
    after = np.concatenate([np.minimum.accumulate(np.minimum(a.value, a.ends)[::-1])[::-1][1:], [2 * FOREVER]])
    climbs = (a.step > 0) & (a.lengths > 1)
    value = np.minimum(np.where(climbs, a.value, a.ends), after)
    step = np.where(climbs & (a.value < after), a.step, 0)
    over = np.flatnonzero(climbs & (a.value < after) & (a.ends > after))
    place = (after[over] - a.value[over]) // a.step[over] + 1
    return _inserted(a.first, value, step, over, place, after[over], np.zeros_like(over), a.size)


def composed(a: Runs, index: Runs) -> Runs:
    """Values ``a[index[i]]``; indices must be strictly ascending."""
    if a.first.size == 1:
        return Runs(index.first, a.value + a.step * index.value, a.step * index.step, index.size).tidied()
    begun = index.below(a.first[1:])
    first, own, run = merged(index.first, begun[: np.searchsorted(begun, index.size)])
    places, pace = index.on(own, first)
    value, step = a.on(run, places)
    return Runs(first, value, step * pace, index.size).tidied()


def held_after(a: Runs, index: Runs, size: int) -> Runs:
    """(size,), at ``index[i]`` the value ``a[i]``, which stays until the next index; ``-FOREVER`` before the first one."""
    first, value, step, slope, length = _pieces(a, index)
    end = first + step * (length - 1)
    moving = (slope != 0) & (length > 1)
    stays = np.flatnonzero(moving & (np.append(first[1:], size) > end + 1))
    runs = _inserted(
        first, value, np.where(moving, slope, 0), stays, (end + 1 - first)[stays], (value + slope * (length - 1))[stays],
        np.zeros_like(stays), size,
    )  # fmt: skip
    if first[0] == 0:
        return runs
    return _before(runs, -FOREVER)


def held_before(a: Runs, index: Runs, size: int) -> Runs:
    """(size,), at ``index[i]``, and at all since the index before, the value ``a[i]``; ``FOREVER`` after the last one."""
    first, value, step, slope, length = _pieces(a, index)
    end = first + step * (length - 1)
    begin = np.concatenate([[0], end[:-1] + 1])
    moving = (slope != 0) & (length > 1)
    waits = np.flatnonzero(moving & (begin < first))
    held = int(end[-1]) + 1
    runs = _inserted(
        begin,
        value,
        np.where(moving & (begin == first), slope, 0),
        waits,
        (first - begin)[waits],
        value[waits],
        slope[waits],
        held,
    )
    return runs if held == size else Runs.joined([runs, Runs.line(size - held, 0, FOREVER)])


def most_ahead(given: Runs, taken: Runs) -> int:
    """The greatest of ``i + 1 - (number of values of taken below given[i])``; both strictly ascending.

    Between the values of ``given`` that first lie above the beginning of a run of ``taken``, and within a run of ``given``, the number
    rises by at most one per value or by at least one: the greatest difference is at an end.
    """
    begun = given.below(taken.value + 1)
    first, own, passed = merged(given.first, begun[: np.searchsorted(begun, given.size)])
    run = np.maximum(passed - 1, 0)
    most = -taken.size
    for index in (first, np.append(first[1:], given.size) - 1):
        below = taken.below_in(run, given.at(index, own))
        most = max(most, int((index - below).max()) + 1)
    return most


def merged(a: Integers, b: Integers) -> tuple[Integers, Integers, Integers]:
    """Two ascending sequences as one, each value once.

    Returns:
        The values; for each the number of the last one of ``a`` up to it, and how many of ``b`` there are up to it. Values of ``a`` are
        distinct, and none of ``b`` is less than the first one.
    """
    before = np.searchsorted(a, b, side="right")
    fresh = a[before - 1] != b
    fresh[1:] &= b[1:] != b[:-1]
    added = np.cumsum(fresh)
    place = before + added - 1  # of each one of b among all
    count = a.size + (int(added[-1]) if b.size else 0)
    passed = np.cumsum(np.bincount(place, minlength=count))
    if count == a.size:
        return a, np.arange(count), passed
    values, own = np.empty(count, np.int64), np.ones(count, np.bool_)
    new = place[fresh]
    own[new] = False
    values[own] = a
    values[new] = b[fresh]
    return values, np.cumsum(own) - 1, passed


def _both(a: Runs, b: Runs) -> tuple[Integers, Integers, Integers, Integers, Integers]:
    """The beginnings of the common runs of two sequences, and each one's values and steps."""
    if b.first.size == 1:
        return a.first, a.value, a.step, b.value + b.step * a.first, np.broadcast_to(b.step, a.first.shape)
    if a.first.size < b.first.size:
        first, vb, sb, va, sa = _both(b, a)
        return first, va, sa, vb, sb
    if np.array_equal(a.first, b.first):
        return a.first, a.value, a.step, b.value, b.step
    first, run_a, passed = merged(a.first, b.first)
    run_b = passed - 1
    return first, *a.on(run_a, first), *b.on(run_b, first)


def _combined(a: Runs, b: Runs, sign: int) -> Runs:
    first, va, sa, vb, sb = _both(a, b)
    return Runs(first, va + sign * vb, sa + sign * sb, a.size).tidied()


def _extreme(a: Runs, b: Runs, sign: int) -> Runs:
    for bound, of in ((a, b), (b, a)):
        if bound.first.size == 1 and bound.step[0] == 0:  # a constant often bounds nothing
            least = min(int((sign * of.value).min()), int((sign * of.ends).min()))
            if sign * int(bound.value[0]) <= least:
                return of
    first, va, sa, vb, sb = _both(a, b)
    ahead, gains = sign * (va - vb), sign * (sa - sb)
    wins = (ahead > 0) | ((ahead == 0) & (gains > 0))
    value, step = np.where(wins, va, vb), np.where(wins, sa, sb)
    lead, loses = np.where(wins, ahead, -ahead), np.where(wins, -gains, gains)
    length = np.diff(first, append=a.size)
    turned = np.flatnonzero(lead < loses * (length - 1))
    place = lead[turned] // loses[turned] + 1
    rest = np.where(wins, sb, sa)[turned]
    other = np.where(wins, vb, va)[turned] + rest * place
    return _inserted(first, value, step, turned, place, other, rest, a.size)


def _inserted(
    first: Integers,
    value: Integers,
    step: Integers,
    runs: Integers,
    place: Integers,
    values: Integers,
    steps: Integers,
    size: int,
) -> Runs:
    """Runs, of which those numbered ``runs`` go on with other values and steps from their ``place``-th value on."""
    if not runs.size:
        return Runs(first, value, step, size).tidied()
    at = runs + 1
    return Runs(
        np.insert(first, at, first[runs] + place), np.insert(value, at, values), np.insert(step, at, steps), size
    ).tidied()


def _pieces(a: Runs, index: Runs) -> tuple[Integers, Integers, Integers, Integers, Integers]:
    """Where ``a`` and ``index`` both are a single run: first index, first value, step of indices, slope per value, and length.

    Pieces with gaps between their indices and values that differ are cut into single values.
    """
    cuts, value, slope, first, step = _both(a, index)
    length = np.diff(cuts, append=a.size)
    stairs = (step > 1) & (slope != 0) & (length > 1)
    if not stairs.any():
        return first, value, step, slope, length
    count = np.where(stairs, length, 1)
    within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    first, value = (np.repeat(x, count) + np.repeat(d, count) * within for x, d in ((first, step), (value, slope)))
    return first, value, np.repeat(step, count), np.repeat(slope, count), np.repeat(np.where(stairs, 1, length), count)


def _before(runs: Runs, value: int) -> Runs:
    """``runs``, whose first run begins late, with a constant in front."""
    first, values, step = (np.insert(a, 0, x) for a, x in ((runs.first, 0), (runs.value, value), (runs.step, 0)))
    return Runs(first, values, step, runs.size)
