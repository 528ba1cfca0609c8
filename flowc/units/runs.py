"""Sequences of integers that rise by the same step for long: kept as runs, of which there are few, not as values.

A frame of a large image takes millions of iterations, but when they touch a stream follows from a few nested counters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["Integers", "Runs"]

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Runs:
    """A sequence of at least one integer. Within a run every value is ``step`` more than the one before.

    The same sequence can be cut into runs in several ways; a run of one value has any step.

    Attributes:
        first: (runs,), the index of each run's first value: ascending, from 0.
        value: (runs,), that value.
        step: (runs,).
        size: values of the sequence.
    """

    first: Integers
    value: Integers
    step: Integers
    size: int

    @classmethod
    def line(cls, size: int, step: int = 1, start: int = 0) -> Runs:
        """A single run."""
        first, value, pace = (np.array([n], np.int64) for n in (0, start, step))
        return cls(first, value, pace, size)

    @classmethod
    def of(cls, values: Integers) -> Runs:
        """A sequence that is given value by value."""
        first = np.arange(values.size, dtype=np.int64)
        return cls(first, values.astype(np.int64), np.zeros_like(first), values.size).tidied()

    @classmethod
    def joined(cls, parts: Sequence[Runs]) -> Runs:
        """One sequence after the other."""
        if len(parts) == 1:
            return parts[0]
        starts = np.cumsum([0, *(p.size for p in parts)])
        first = np.concatenate([p.first + start for p, start in zip(parts, starts[:-1], strict=True)])
        value, step = np.concatenate([p.value for p in parts]), np.concatenate([p.step for p in parts])
        return cls(first, value, step, int(starts[-1])).tidied()

    def repeated(self, count: int, shift: int) -> Runs:
        """The sequence ``count`` times, each time ``shift`` more than before."""
        if self.first.size == 1 and (self.size == 1 or shift == self.step[0] * self.size):
            return Runs.line(count * self.size, shift if self.size == 1 else shift // self.size, int(self.value[0]))
        times = np.arange(count, dtype=np.int64)[:, None]
        first, value = (self.first + times * self.size).reshape(-1), (self.value + times * shift).reshape(-1)
        return Runs(first, value, np.tile(self.step, count), count * self.size).tidied()

    @cached_property
    def lengths(self) -> Integers:
        """(runs,), values of each run."""
        lengths = np.empty_like(self.first)
        np.subtract(self.first[1:], self.first[:-1], out=lengths[:-1])
        lengths[-1] = self.size - self.first[-1]
        return lengths

    @cached_property
    def ends(self) -> Integers:
        """(runs,), each run's last value."""
        ends: Integers = self.value + self.step * (self.lengths - 1)
        return ends

    @property
    def last(self) -> int:
        """The last value."""
        return int(self.ends[-1])

    def dense(self) -> Integers:
        """(size,), all values."""
        if self.first.size == 1:
            return np.arange(self.size, dtype=np.int64) * self.step + self.value
        values: Integers = np.arange(self.size, dtype=np.int64)
        values *= np.repeat(self.step, self.lengths)
        values += np.repeat(self.value - self.step * self.first, self.lengths)
        return values

    def __add__(self, more: int) -> Runs:
        return Runs(self.first, self.value + more, self.step, self.size) if more else self

    def __sub__(self, less: int) -> Runs:
        return self + -less

    def part(self, start: int, stop: int) -> Runs:
        """The values ``start`` to ``stop`` - 1; at least one."""
        if start == 0 and stop == self.size:
            return self
        low, high = np.searchsorted(self.first, (start, stop - 1), side="right")
        first, value, step = (a[low - 1 : high].copy() for a in (self.first, self.value, self.step))
        value[0] += step[0] * (start - first[0])
        first -= start
        first[0] = 0
        return Runs(first, value, step, stop - start)

    def get(self, index: int) -> int:
        """The value at an index."""
        return int(self.at(np.array([index]))[0])

    def count_below(self, limit: int) -> int:
        """`below` of a single limit."""
        return int(self.below(np.array([limit]))[0])

    def holding(self, index: Integers) -> Integers:
        """For each index the number of its run."""
        return np.searchsorted(self.first, index, side="right") - 1

    def at(self, index: Integers, run: Integers | None = None) -> Integers:
        """The values at indices; ``run``: the runs that hold them, where they are known."""
        run = self.holding(index) if run is None else run
        return self.on(run, index)[0]

    def on(self, run: Integers, index: Integers) -> tuple[Integers, Integers]:
        """The values at indices that the given runs hold, and the steps there."""
        step = self.step[run]
        values: Integers = step * index
        values += self._offsets[run]
        return values, step

    @cached_property
    def _offsets(self) -> Integers:
        """(runs,), what stands at index 0 of each run's line."""
        return self.value - self.step * self.first

    def below(self, limit: Integers) -> Integers:
        """How many values lie below each limit. The sequence must be strictly ascending."""
        return self.below_in(np.maximum(np.searchsorted(self.value, limit) - 1, 0), limit)

    def below_in(self, run: Integers, limit: Integers) -> Integers:
        """`below`, the last run that begins below each limit being known; the first one where there is none."""
        if self.first.size == 1 and self.size > 1:
            return np.clip(-((self.value - limit) // self.step), 0, self.size)
        pace = np.where(self.lengths > 1, self.step, 1)[run]
        within = limit - self.value[run]
        within += pace - 1
        within //= pace
        np.minimum(within, self.lengths[run], out=within)
        np.maximum(within, 0, out=within)
        within += self.first[run]
        return within

    def tidied(self) -> Runs:
        """The same sequence, runs that go on in the next one made one with it."""
        if self.first.size == 1:
            return self
        lone, step = self.lengths == 1, self.step
        rise = self.value[1:] - self.ends[:-1]
        lonely = bool(lone.any())
        if lonely:
            step = step.copy()
            np.copyto(step[:-1], rise, where=lone[:-1])
        alike = step[1:] == step[:-1]
        goes_on = rise == step[:-1]
        goes_on &= (alike | lone[1:]) if lonely else alike
        if lonely:
            # A single value can end one run or begin the next: of such in a row, every other one ends a run.
            clash = np.flatnonzero(goes_on[:-1] & goes_on[1:] & ~alike[:-1]) + 1
            in_row = np.diff(clash, prepend=-1) == 1
            place = np.arange(clash.size)
            begun = np.maximum.accumulate(np.where(in_row, 0, place))
            goes_on[clash[(place - begun) % 2 == 0]] = False
        kept = np.flatnonzero(~goes_on) + 1
        if kept.size == goes_on.size:
            return Runs(self.first, self.value, step, self.size)
        first, value, step = (np.concatenate([a[:1], a[kept]]) for a in (self.first, self.value, step))
        return Runs(first, value, step, self.size)
