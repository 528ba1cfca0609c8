"""Where partial sums cross binades: how many additions of a sum round by how much (derivation: docs/exactness.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flowc.exact.partial import PartialSums
from flowc.units.base import Array

__all__ = ["UNIT", "Binades", "slack"]

UNIT = 2.0**-24
"""Greatest relative error of one float32 rounding."""
_LEAST = -2
_SLACK = 2.0**-10
"""Covers second-order terms, relative: partial sums that are themselves off by what is bounded here (more in longer sums)."""


@dataclass(frozen=True, eq=False)
class Binades:
    """What is known of sums whose binades begin at ``edges``, whatever the whole sum: partial sums of how many terms reach each.

    Attributes:
        terms: of a whole sum.
        edges: (sets, E): in units of the integers, without the offset.
        begins: of sums upward and downward, int64 (sets, E): the least number of terms, from ``first`` on, that may reach the edge.
        rests: (sets, E): the most that the other terms may make up then.
        open_: bool (sets, E): whether so many terms there are.
        first: (sets, 1): terms of the least sum that is rounded.
        weights: half ulps that each edge adds, (E,); mantissa: (sets, 1).
        some: bool (sets, 1): whether anything is added at all.
    """

    terms: int
    edges: Array
    begins: tuple[Array, Array]
    rests: tuple[Array, Array]
    open_: tuple[Array, Array]
    first: Array
    weights: Array
    mantissa: Array
    some: Array

    @classmethod
    def of(cls, up: PartialSums, down: PartialSums, offset: Array, mantissa: Array) -> Binades:
        """``up``, ``down``: of (sets or 1) rows; offset, mantissa: (sets, 1)."""
        terms = up.count
        first = np.where(offset > 0, 1, 2)
        size = np.maximum(up.total, down.total)
        powers = np.arange(_LEAST, int(np.ceil(np.log2((size + offset + 1).max() * 4))) + 1)
        edges = np.exp2(powers) / (mantissa * slack(terms)) - offset
        begins, rests, open_ = [], [], []
        for own, other in ((up, down), (down, up)):
            begin = np.maximum(own.below(edges), first)
            begins.append(begin)
            # The other terms make up the rest: a partial sum of ``begin`` terms reaches the edge where this many of them allow it.
            rests.append(other.at(np.maximum(terms - begin, 0)))
            open_.append(begin <= terms)
        weights = np.exp2(powers - 24.0)
        weights[1:] /= 2
        some = (terms >= first) & (size > 0)
        return cls(
            terms,
            edges,
            (begins[0], begins[1]),
            (rests[0], rests[1]),
            (open_[0], open_[1]),
            first,
            weights,
            mantissa,
            some,
        )

    def additions(self, total: Array, span: float) -> Array:
        """Half ulps of the greatest partial sums of up to 2, 3, ..., M terms, added up, (sets, K).

        The whole sums lie up to ``span`` from ``total`` (sets, K).

        Each side of the minima is monotone in m, so the least m that reaches the start of a binade is found by searching.
        """
        starts = []
        for begin, rest, open_, most in zip(
            self.begins, self.rests, self.open_, (total + span, span - total), strict=True
        ):
            possible = open_[:, :, None] & (rest[:, :, None] >= self.edges[:, :, None] - most[:, None, :])
            starts.append(np.where(possible, begin[:, :, None], self.terms + 1))
        count = self.terms + 1 - np.minimum(*starts)
        count[:, 0] = self.terms - self.first + 1
        half_ulps = np.tensordot(self.weights, count, axes=(0, 1)) / self.mantissa
        result: Array = np.where(self.some, half_ulps, 0.0)
        return result


def slack(terms: int) -> float:
    """What a bound of sums of so many terms is multiplied by."""
    return 1 + max(_SLACK, 2 * terms * UNIT)
