"""The 64-bit words that the engine applies to accumulators, fitted to activations.

``q = clip((acc * m + b) >> s, lo, hi)`` with m of 18, b of 40 and s of 6 bits, a word per channel and levels per layer. Where no
word fits, one whose levels begin up to three integers too early does, with two bits per level that put it right; else a binary
search over the steps of the function, which holds any function of at most 256 pieces.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from flowc.exact.requant import Bounds, find_words
from flowc.exact.steps import Steps, steps_of_activation
from flowc.loopback.descriptors import EARLY, SEARCH, WORD
from flowc.loopback.formats import pack_words
from flowc.units.activation import Activation, Table
from flowc.units.base import Array

__all__ = ["DEEPEST", "EARLY", "SEARCH", "WORD", "Fit", "Post", "fit", "identity"]

DEEPEST = 8
_BOUNDS = Bounds(mult=18, add=40, shift=47)
_EARLIEST = 3
_LEVELS_PER_WORD = 32
_ENTRY_LIMIT = (1 << 31) - 1


@dataclass(frozen=True, eq=False)
class Post:
    """What the activation unit of a layer gets, in the engine's own numbers.

    Attributes:
        mode: WORD, EARLY or SEARCH.
        words: uint64 (channels,).
        tables: uint64 (channels, tables_each).
        depth: steps of a search.
        lo, hi: bounds of the result.
    """

    mode: int
    words: Array
    tables: Array
    depth: int
    lo: int
    hi: int


@dataclass(frozen=True, eq=False)
class Fit:
    """An activation in a form that the engine has, in the model's own integers.

    Attributes:
        mode: WORD, EARLY or SEARCH.
        mult, add, shift: int64 (sets,); sets is 1 where all channels share one.
        lo, hi: levels reached.
        early: int64 (sets, hi - lo + 1): how many integers too early each level begins; EARLY only.
        at, value: int64 (sets, 2^depth): from ``at`` on the result is ``value``; SEARCH only.
    """

    mode: int
    mult: Array
    add: Array
    shift: Array
    lo: int
    hi: int
    early: Array | None = None
    at: Array | None = None
    value: Array | None = None

    @property
    def depth(self) -> int:
        """Steps of the search."""
        return 0 if self.at is None else self.at.shape[1].bit_length() - 1

    @property
    def tables_each(self) -> int:
        """64-bit table words per channel."""
        if self.mode == EARLY:
            return -(-(self.hi - self.lo + 1) // _LEVELS_PER_WORD)
        return 0 if self.at is None else self.at.shape[1]

    def stored(self, constant: Array, offset: int) -> Post | None:
        """The same for accumulators of stored activations.

        Args:
            constant: int64 (channels,): true accumulator less the engine's.
            offset: least value of the result's tensor, which is stored less this.

        Returns:
            None where a number grows beyond its field.
        """
        mult, shift = (np.broadcast_to(a, constant.shape) for a in (self.mult, self.shift))
        add = self.add + mult * constant - (np.int64(offset) << shift)
        if self.mode != SEARCH and np.abs(add).max(initial=0) >= 1 << (_BOUNDS.add - 1):
            return None
        tables = np.zeros((len(constant), self.tables_each), np.uint64)
        if self.mode == EARLY:
            assert self.early is not None
            masks = np.zeros((len(self.early), tables.shape[1] * _LEVELS_PER_WORD), np.uint64)
            masks[:, : self.early.shape[1]] = self.early
            packed = masks.reshape(len(masks), -1, _LEVELS_PER_WORD) << (
                2 * np.arange(_LEVELS_PER_WORD, dtype=np.uint64)
            )
            tables[:] = np.bitwise_or.reduce(packed, axis=2)
        elif self.mode == SEARCH:
            assert self.at is not None
            assert self.value is not None
            at = np.broadcast_to(self.at, tables.shape) - np.where(np.abs(self.at) > _ENTRY_LIMIT, 0, constant[:, None])
            value = np.broadcast_to(self.value, tables.shape) - offset
            at = np.clip(at, -_ENTRY_LIMIT - 1, _ENTRY_LIMIT)
            tables[:] = (at & 0xFFFFFFFF).astype(np.uint64) | (value.astype(np.uint64) << np.uint64(32))
            mult, add, shift = (np.zeros(len(constant), np.int64) for _ in range(3))
        return Post(self.mode, pack_words(mult, add, shift), tables, self.depth, self.lo - offset, self.hi - offset)


def identity(lo: int, hi: int) -> Fit:
    """The function that gives its argument, which lies in [lo, hi]."""
    one, zero = np.ones(1, np.int64), np.zeros(1, np.int64)
    return Fit(WORD, one, zero, zero, lo, hi)


def fit(activation: Activation | None, lo: Array, hi: Array) -> Fit | None:
    """An activation as words, with an early mask, or as a search; None where it has too many pieces.

    Args:
        activation: the function; None: accumulators leave as they are.
        lo, hi: int64 (channels,): least and greatest argument of each channel, for activations that do not know their domain.
    """
    if activation is None:
        return identity(int(lo.min()), int(hi.max()))
    steps = _steps(activation, lo, hi)
    if steps is None:
        return None
    if activation.dtype.bipolar:
        return _signs(steps) or _search(steps)
    unit = _unit_steps(steps)
    reached = unit.reached
    for early in (0, 1, _EARLIEST) if _monotone(unit) and reached[1] - reached[0] < 1 << DEEPEST else ():
        words = find_words(unit, _BOUNDS, early)
        if words is None:
            continue
        late = None
        if words.late is not None:
            late = np.pad(words.late, ((0, 0), (1, 0)))
        return Fit(EARLY if early else WORD, words.mult, words.add, words.shift, words.lo, words.hi, early=late)
    if _monotone(unit):
        words = find_words(unit, _BOUNDS)
        if words is not None:
            return Fit(WORD, words.mult, words.add, words.shift, words.lo, words.hi)
    return _search(steps)


def _steps(activation: Activation, lo: Array, hi: Array) -> Steps | None:
    """The function's steps on the arguments that occur."""
    sets = activation.channels
    if activation.domain is not None:
        domain = activation.domain
        sets = max(sets, len(domain))
        domain = np.broadcast_to(domain, (sets, 2))
    elif sets == 1:
        domain = np.array([[lo.min(), hi.max()]])
    else:
        domain = np.stack([np.broadcast_to(lo, (sets,)), np.broadcast_to(hi, (sets,))], axis=1)
    if isinstance(activation, Table):
        last = activation.lo + activation.values.shape[1] - 1
        domain = np.clip(domain, activation.lo, last)
    if activation.channels == 1 and sets > 1:
        # One function for all: what it must equal on the union of the domains.
        domain = np.array([[domain[:, 0].min(), domain[:, 1].max()]])
    return steps_of_activation(replace(activation, domain=np.ascontiguousarray(domain)))


def _monotone(steps: Steps) -> bool:
    step = np.broadcast_to(steps.step, steps.at.shape)
    inside = (steps.at > steps.lo[:, None]) & (steps.at <= steps.hi[:, None])
    return not (((step > 0) & inside).any(axis=1) & ((step < 0) & inside).any(axis=1)).any()


def _unit_steps(steps: Steps) -> Steps:
    """The same with steps of one: larger ones are repeated."""
    size = int(np.abs(steps.step).max(initial=1))
    if size <= 1:
        return steps
    step = np.broadcast_to(steps.step, steps.at.shape)
    # Repetitions that a step does not need stand beyond the domain.
    copies = np.arange(size)
    needed = copies < np.abs(step)[..., None]
    at = np.where(needed, steps.at[..., None], steps.hi[:, None, None] + 1)
    signs = np.where(needed, np.sign(step)[..., None], 1)
    sets = len(steps.base)
    at, signs = at.reshape(sets, -1), signs.reshape(sets, -1)
    order = np.argsort(at, axis=1, kind="stable")
    return replace(
        steps, at=np.take_along_axis(at, order, 1), step=np.take_along_axis(signs, order, 1), free=None
    )  # fmt: skip


def _signs(steps: Steps) -> Fit | None:
    """A function to -1 and +1 with at most one step per channel: a slope of two levels per integer."""
    step = np.broadcast_to(steps.step, steps.at.shape)
    below = (step * (steps.at <= steps.lo[:, None])).sum(axis=1)
    inside = (steps.at > steps.lo[:, None]) & (steps.at <= steps.hi[:, None]) & (step != 0)
    if (inside.sum(axis=1) > 1).any():
        return None
    first = steps.base + below
    rise = (step * inside).sum(axis=1)
    at = (steps.at * inside).sum(axis=1)
    # At ``at`` the level is beyond the upper bound, one before it beyond the lower one.
    mult = rise
    add = np.where(rise > 0, 1 - 2 * at, np.where(rise < 0, 2 * at - 1, first))
    return Fit(WORD, mult, add, np.zeros(len(mult), np.int64), -1, 1)


def _search(steps: Steps) -> Fit | None:
    """Entries (from where, value) per set."""
    rows = []
    step = np.broadcast_to(steps.step, steps.at.shape)
    for p in range(len(steps.base)):
        ats, sizes = steps.at[p], step[p]
        real = (ats <= steps.hi[p]) & (sizes != 0)
        ats, sizes = np.maximum(ats[real], steps.lo[p]), sizes[real]
        where, index = np.unique(ats, return_inverse=True)
        walk = steps.base[p] + np.cumsum(np.bincount(index, sizes, len(where)).astype(np.int64))
        changed = np.diff(np.concatenate([[steps.base[p]], walk])) != 0
        rows.append((where[changed], np.concatenate([[steps.base[p]], walk[changed]])))
    most = max(len(value) for _, value in rows)
    depth = max(1, (most - 1).bit_length())
    if depth > DEEPEST or any(np.abs(at).max(initial=0) > _ENTRY_LIMIT >> 1 for at, _ in rows):
        return None
    never = _ENTRY_LIMIT + 1
    at = np.full((len(rows), 1 << depth), never, np.int64)
    value = np.zeros((len(rows), 1 << depth), np.int64)
    for p, (ats, values) in enumerate(rows):
        at[p, 0], at[p, 1 : 1 + len(ats)] = -never, ats
        value[p, : len(values)], value[p, len(values) :] = values, values[-1]
    zero = np.zeros(len(rows), np.int64)
    return Fit(SEARCH, zero, zero, zero, int(value.min()), int(value.max()), at=at, value=value)
