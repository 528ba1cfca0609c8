"""Greatest partial sums of so many terms, in runs of equal terms: weights of few bits have few values, however many they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from flowc.units.base import Array

__all__ = ["PartialSums"]

_ONE_BY_ONE = 64
"""Runs per row up to which each is compared with all values: beyond, values are searched for."""
_AT_ONCE = 1 << 14
"""Comparisons up to which all runs are compared with all values in one step."""
_DENSE = 1 << 22
_ALL = 2.0**60
"""A step down that ends below everything."""


@dataclass(frozen=True, eq=False)
class PartialSums:
    """Per row an ascending sequence of M + 1 numbers that begins with 0: the greatest sums of 0, 1, ..., M terms.

    The terms are written in runs of equal ones. All arithmetic is exact where terms are integers and sums stay below 2^53.
    Several may stand `beside` each other: then a first axis counts them.

    Attributes:
        term: float64 (rows or 1, R): what each term of a run adds; of a run of one, only `sums` counts.
        ends: int64 (rows or 1, R): terms up to the end of each run; the last is M.
        sums: float64 (rows, R): the sum up to the end of each run.
    """

    term: Array
    ends: Array
    sums: Array

    @classmethod
    def of_sequence(cls, sequence: Array) -> PartialSums:
        """The sequences themselves, (rows, M + 1)."""
        return cls(np.zeros((1, 1)), np.arange(1, sequence.shape[1])[None], sequence[:, 1:])

    @classmethod
    def of_terms(cls, terms: Array) -> PartialSums:
        """Of terms (rows, M), none below 0."""
        return cls(
            np.zeros((1, 1)), np.arange(1, terms.shape[1] + 1)[None], np.cumsum(-np.sort(-terms, axis=1), axis=1)
        )

    @classmethod
    def of_counts(cls, term: Array, counts: Array) -> PartialSums:
        """Of terms (R,), none below 0, that occur ``counts`` (rows, R) times."""
        order = np.argsort(-term, kind="stable")
        counts = counts[:, order]
        return cls(term[order][None], np.cumsum(counts, axis=1), np.cumsum(counts * term[order], axis=1))

    @classmethod
    def stacked(cls, parts: Sequence[PartialSums]) -> PartialSums:
        """The rows of all parts; what has fewer terms than another gets terms of 0."""
        most = max(p.count for p in parts)
        runs = max(p.sums.shape[1] for p in parts) + 1
        columns: list[list[Array]] = [[], [], []]
        for part in parts:
            more = runs - part.sums.shape[1]
            term = np.broadcast_to(part.term, part.sums.shape)
            ends = np.broadcast_to(part.ends, part.sums.shape)
            columns[0].append(np.pad(term, ((0, 0), (0, more))))
            columns[1].append(np.pad(ends, ((0, 0), (0, more)), constant_values=most))
            columns[2].append(np.pad(part.sums, ((0, 0), (0, more)), mode="edge"))
        return cls(*(np.concatenate(column) for column in columns))

    @classmethod
    def beside(cls, parts: Sequence[PartialSums]) -> PartialSums:
        """Several of as many rows, terms and runs, to be asked together: `at` and `below` take (..., parts or 1, rows, K)."""
        return cls(*(np.stack(fields) for fields in zip(*((p.term, p.ends, p.sums) for p in parts), strict=True)))

    def __len__(self) -> int:
        return len(self.sums)

    @property
    def count(self) -> int:
        """M."""
        return int(self.ends.flat[-1])

    @property
    def total(self) -> Array:
        """The sum of all terms, (rows, 1)."""
        return self.sums[:, -1:]

    def at_rows(self, rows: slice | Array) -> PartialSums:
        """The sequences of these rows."""
        term, ends = (a if len(a) == 1 else a[rows] for a in (self.term, self.ends))
        return PartialSums(term, ends, self.sums[rows])

    def part(self, rows: slice) -> PartialSums:
        """The same for some rows of many; one row serves all of them."""
        return self if len(self) == 1 else self.at_rows(rows)

    def dense(self) -> Array:
        """The sequences, float64 (rows, M + 1)."""
        return self.at(np.broadcast_to(np.arange(self.count + 1), (len(self), self.count + 1)))

    def merged(self) -> PartialSums:
        """One row: the greatest of all rows, number by number."""
        if len(self) == 1:
            return self
        many = max(1, _DENSE // (self.count + 1))
        parts = [self.at_rows(slice(k, k + many)).dense().max(axis=0) for k in range(0, len(self), many)]
        return PartialSums.of_sequence(np.max(parts, axis=0)[None])

    def at(self, m: Array) -> Array:
        """The number at each place m, of (..., rows, K) places 0 to M."""
        run = _placed(self.ends, m)
        end, sums, term = (_taken(field, run) for field in (self.ends, self.sums, self.term))
        return np.where(m == 0, 0.0, sums - (end - m) * term)

    def below(self, values: Array) -> Array:
        """How many numbers of each row lie below each of its values (..., rows, K), int64."""
        runs = self.sums.shape[-1]
        run = _placed(self.sums, values)
        end, sums, term = (_taken(field, np.minimum(run, runs - 1)) for field in (self.ends, self.sums, self.term))
        # A run whose last number is not below ends before it: so many numbers before its last are not below either.
        found = end - _steps_down(sums, term, values)
        found = np.where(run == runs, self.count + 1, found)
        return np.where(values > 0, found, 0)


def _taken(field: Array, runs: Array) -> Array:
    """A field (..., rows or 1, R or 1) at runs (..., rows, K); of one column, the same for every run."""
    if field.shape[-1] == 1:
        return field
    return field.take(runs + _starts(field.shape))


@lru_cache(maxsize=1 << 8)
def _starts(shape: tuple[int, ...]) -> Array:
    """Where each row of an array of this shape begins."""
    return np.arange(0, math.prod(shape), shape[-1]).reshape(*shape[:-1], 1)


def _placed(edges: Array, values: Array) -> Array:
    """How many of the ascending edges (..., rows or 1, R) of its row lie below each value (..., rows, K)."""
    runs = edges.shape[-1]
    if runs * values.size <= _AT_ONCE:
        return np.count_nonzero(edges[..., :, None] < values[..., None, :], axis=-2)
    shape = np.broadcast_shapes((*edges.shape[:-1], 1), values.shape)
    if runs <= _ONE_BY_ONE:
        found = np.zeros(shape, np.int64)
        for k in range(runs):
            found += edges[..., k, None] < values
        return found
    found, values = np.empty(shape, np.int64), np.broadcast_to(values, shape)
    for row in np.ndindex(edges.shape[:-1]):
        # One row of edges may serve all rows of values.
        own = (..., *(i if n > 1 else slice(None) for i, n in zip(row, edges.shape, strict=False)), slice(None))
        found[own] = np.searchsorted(edges[row], values[own])
    return found


def _steps_down(top: Array, step: Array, values: Array) -> Array:
    """The most steps down from ``top`` that end at the values or above, int64; none where a step is 0."""
    step = np.where(step > 0, step, _ALL)
    found = np.floor((top - values) / step).clip(0, 2.0**53)
    found -= top - found * step < values  # the quotient was rounded
    found += top - (found + 1) * step >= values
    return found.astype(np.int64)
