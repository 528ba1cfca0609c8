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

    All arrays may have leading axes, for sums of several scales and offsets. Sides are sums upward and sums downward.

    Attributes:
        terms: of a whole sum.
        edges: (sets, E): in units of the integers, without the offset.
        begins: int64 (sides, sets, E): the least number of terms, from ``first`` on, that may reach the edge.
        rests: (sides, sets, E): the most that the other terms may make up then; -inf where there are not so many terms.
        first: (sets, 1): terms of the least sum that is rounded.
        weights: half ulps that each edge adds, (E,); mantissa: (sets, 1).
        some: bool (sets, 1): whether anything is added at all.
    """

    terms: int
    edges: Array
    begins: Array
    rests: Array
    first: Array
    weights: Array
    mantissa: Array
    some: Array

    @classmethod
    def of(cls, up: PartialSums, down: PartialSums, offset: Array, mantissa: Array) -> Binades:
        """``up``, ``down``: of (sets or 1) rows; offset, mantissa: (..., sets, 1)."""
        terms = up.count
        first = np.where(offset > 0, 1, 2)
        size = np.maximum(up.total, down.total)
        powers = np.arange(_LEAST, int(np.ceil(np.log2((size + offset + 1).max() * 4))) + 1)
        edges = np.exp2(powers) / (mantissa * slack(terms)) - offset
        sides = PartialSums.beside([up, down])
        begins = np.maximum(sides.below(edges[..., None, :, :]), first[..., None, :, :])
        # The other terms make up the rest: a partial sum of ``begins`` terms reaches the edge where this many of them allow it.
        rests = _turned(sides.at(_turned(np.maximum(terms - begins, 0))))
        weights = np.exp2(powers - 24.0)
        weights[1:] /= 2
        some = (terms >= first) & (size > 0)
        return cls(terms, edges, begins, np.where(begins <= terms, rests, -np.inf), first, weights, mantissa, some)

    def form(self, index: int) -> Binades:
        """Those of one place along the first axis."""
        edges, begins, rests, first = (a[index] for a in (self.edges, self.begins, self.rests, self.first))
        return Binades(self.terms, edges, begins, rests, first, self.weights, self.mantissa[index], self.some[index])

    def additions(self, total: Array, span: float | Array) -> Array:
        """Half ulps of the greatest partial sums of up to 2, 3, ..., M terms, added up, (..., sets, K).

        The whole sums lie up to ``span`` from ``total`` (..., sets, K).

        Each side of the minima is monotone in m, so the least m that reaches the start of a binade is found by searching.
        """
        most = np.stack([total + span, span - total], axis=-3)
        possible = self.rests[..., None] >= self.edges[..., None, :, :, None] - most[..., None, :]
        starts = np.where(possible, self.begins[..., None], self.terms + 1)
        count = self.terms + 1 - np.minimum(starts[..., 0, :, :, :], starts[..., 1, :, :, :])
        count[..., 0, :] = self.terms - self.first + 1
        half_ulps = (self.weights @ count) / self.mantissa
        result: Array = np.where(self.some, half_ulps, 0.0)
        return result


def _turned(sides: Array) -> Array:
    """Each side's array in the place of the other's."""
    return sides[..., ::-1, :, :]


def slack(terms: int) -> float:
    """What a bound of sums of so many terms is multiplied by."""
    return 1 + max(_SLACK, 2 * terms * UNIT)
