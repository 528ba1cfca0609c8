"""Where conforming float32 runtimes may decide otherwise: windows of accumulator values around thresholds.

The sum that a runtime computes lies within a bound of the exact one (`flowc.exact.bounds`), and what follows it may be computed in two
forms (`flowc.exact.forms`). Where the operations are monotone, a window is found by evaluating them at both ends of that interval, with
one bisection per end of the window. What rises and falls is enclosed block by block (`flowc.exact.walk`), so that an extreme between
the ends is seen as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from flowc.exact.bounds import SumBound
from flowc.exact.forms import Form, SumForms, Together
from flowc.exact.region import Region
from flowc.exact.search import bisect, first_near
from flowc.exact.spans import gathered, stacked, touching
from flowc.exact.steps import Steps
from flowc.exact.walk import PARTS, Settled, settle, width
from flowc.units.base import Array

__all__ = ["Found", "Thresholds", "Windows"]

_NEAR = 4
_WIDER = 16
_LEAVES = (1, 1 << 8, 1 << 16)
"""Integers to a block at the finest: coarser where there would be too many of them."""
_BLOCKS = 1 << 21


@dataclass(frozen=True, eq=False)
class Found:
    """Windows [low, high), int64 (sets, N), and what they leave open.

    Attributes:
        open_: bool (sets, K): thresholds, as `Steps` lists them, that a window stands beside.
        beyond: windows beside no threshold: levels that only a runtime's error reaches.
    """

    low: Array
    high: Array
    open_: Array
    beyond: int


@dataclass(frozen=True, eq=False)
class Thresholds:
    """The thresholds of a step function one by one, (sets, K + 2): those inside the domain, and one beyond each end.

    Attributes:
        lo, hi: the domain, (sets, 1).
        at: where each begins, clipped to one beyond the domain.
        level: the value that it leads to.
        sign: +1 where the function rises, -1 where it falls.
        real: whether it lies inside the domain; end: whether it is one of the last two columns.
        monotone: whether no set both rises and falls.
    """

    lo: Array
    hi: Array
    at: Array
    level: Array
    sign: Array
    real: Array
    end: Array
    monotone: bool

    @classmethod
    def of(cls, steps: Steps) -> Thresholds:
        """The thresholds of ``steps``."""
        lo, hi = steps.lo[:, None], steps.hi[:, None]
        step = np.broadcast_to(steps.step, steps.at.shape)
        before = steps.at <= lo
        real = ~before & (steps.at <= hi) & (step != 0)
        unit = int(np.abs(steps.step).max(initial=0)) or 1
        falling = (real & (step < 0)).any(axis=1, keepdims=True)
        both = falling.any() and bool((falling & real & (step > 0)).any())
        main = np.where(falling, -1, 1)
        base = steps.base[:, None]
        first = base + (step * before).sum(axis=1, keepdims=True)
        last = first + (step * real).sum(axis=1, keepdims=True)
        none = np.zeros((len(lo), 2), bool)
        return cls(
            lo,
            hi,
            np.clip(np.concatenate([steps.at, lo, hi + 1], axis=1), lo, hi + 1),
            np.concatenate([base + np.cumsum(step, axis=1), first, last + main * unit], axis=1),
            np.concatenate([np.where(step < 0, -1, 1), main, main], axis=1),
            np.concatenate([real, none], axis=1),
            np.concatenate([np.zeros(real.shape, bool), ~none], axis=1),
            not both,
        )


class Windows:
    """Windows of one activation, for some of its parameter sets: where perturbed sums are quantized otherwise than exact ones.

    Args:
        region: the operations; leaf: the integer tensor that they depend on.
        steps: the function that was found, of the parameter sets ``rows``.
        bound: of the float sum that the leaf stands for; None where it is exact up to one rounding.
    """

    def __init__(self, region: Region, leaf: ir.Value, steps: Steps, rows: slice, bound: SumBound | None) -> None:
        self.forms = SumForms(region, leaf, rows, bound)
        self.thresholds = Thresholds.of(steps)
        self.monotone = region.monotone(leaf) is not None and self.thresholds.monotone

    def written(self) -> Found:
        """Of runtimes that compute as it is written."""
        return self._found([self.forms.written])[0]

    def fused(self) -> Found:
        """Of runtimes that fuse what can be fused; as written where nothing can."""
        return self._found([self.forms.fused or self.forms.written])[0]

    def both(self) -> tuple[Found, Found]:
        """As written, and fused."""
        if self.forms.fused is None:
            found = self.written()
            return found, found
        written, fused = self._found([self.forms.written, self.forms.fused])
        return written, fused

    def _found(self, forms: Sequence[Form]) -> list[Found]:
        if not self.monotone:
            return [self._by_settling(form) for form in forms]
        windows = zip(*_Search(Together(self.forms, forms), self.thresholds).windows(), strict=True)
        hits = [(low, high, high > low) for low, high in windows]
        return [Found(low, high, hit[:, :-2], int(hit[:, -2:].sum())) for low, high, hit in hits]

    def _by_settling(self, form: Form) -> Found:
        """For functions that rise and fall: everything that is not enclosed by one level."""
        t = self.thresholds
        lo, hi = t.lo[:, 0], t.hi[:, 0]
        step = width(lo, hi)
        centers = np.minimum(lo[:, None] + step * np.arange(PARTS) + step // 2, hi[:, None])
        (error,) = Together(self.forms, [form]).error(centers, step)

        def bounds(rows: Array, first: Array, last: Array) -> tuple[Array, Array]:
            wide = error[rows, (first - lo[rows]) // step][:, None]
            low, high = self.forms.enclosed(form, rows, first[:, None], last[:, None], wide)
            return low[:, 0].astype(np.int64), high[:, 0].astype(np.int64)

        found: Settled | None = None
        for leaf in (*_LEAVES, step):
            found = settle(bounds, lo, hi, leaf, _BLOCKS)
            if found is not None:
                break
        assert found is not None
        low, high = stacked([_open_spans(found, row) for row in range(len(lo))])
        beside = touching(t.at[:, :-2], low, high) & t.real[:, :-2]
        windows = int((high > low).sum())
        taken = sum(
            len(np.unique(np.searchsorted(a[b > a], x[near], side="right")))
            for a, b, x, near in zip(low, high, t.at[:, :-2], beside, strict=True)
        )
        return Found(low, high, beside, windows - taken)


class _Search:
    """Windows of monotone functions: one, which may be empty, for every threshold in every form.

    Arrays are (forms, sets, K), where K thresholds, or some of them, are looked at in each parameter set.
    """

    def __init__(self, forms: Together, thresholds: Thresholds) -> None:
        self.forms, self.thresholds, self.count = forms, thresholds, len(forms.forms)

    def windows(self) -> tuple[Array, Array]:
        """(low, high)."""
        t = self.thresholds
        shape = self.count, *t.at.shape
        widest = int((t.hi - t.lo).max()) + 1
        # Anywhere in the range, and as far beyond as the first search looks around a threshold.
        error = self.forms.error(t.lo, 2 * widest)
        span = np.array([[[_first_span(float(e.max()), widest)]] for e in error])
        low, high = (np.broadcast_to(t.at, shape).copy() for _ in range(2))
        open_ = self._undecided(error)
        while open_.any():
            columns, some = (a.reshape(*shape[:2], -1) for a in gathered(open_.reshape(-1, shape[2])))
            at = _taken(t.at, columns)
            near = np.maximum(t.lo, at - span), np.minimum(t.hi, at + span)
            first, last = self._bisected(at, columns, self.forms.error(at, span), *near)
            # A window that ends where the search ended may go on.
            cut = (last > first) & (((first == near[0]) & (first > t.lo)) | ((last == near[1] + 1) & (near[1] < t.hi)))
            form, row, _ = np.nonzero(some)
            where = form, row, columns[some]
            low[where], high[where] = first[some], last[some]
            open_[where] = (cut & (span < widest))[some]
            span *= _WIDER
        keep = (t.real | t.end) & (high > low)
        return np.where(keep, low, 0), np.where(keep, high, 0)

    def _undecided(self, error: Array) -> Array:
        """Thresholds, bool, that may have a window: an error as great as anywhere in the range may move them by an integer."""
        t = self.thresholds
        count = t.at.shape[1]
        beside = np.concatenate([np.maximum(t.at - 1, t.lo), np.minimum(t.at, t.hi)], axis=1)
        levels = self.forms.levels(np.broadcast_to(beside, (self.count, *beside.shape)), error)
        early = (t.sign * (levels[..., :count] - t.level) >= 0).any(axis=0)
        late = (t.sign * (levels[..., count:] - t.level) < 0).any(axis=0)
        return np.asarray((t.real | t.end) & ((early & (t.at > t.lo)) | (late & (t.at <= t.hi))))

    def _bisected(self, at: Array, columns: Array, error: Array, first: Array, last: Array) -> tuple[Array, Array]:
        # Both ends in one search: where any conforming runtime may have crossed, and where all have. The reference crosses in between.
        shape, count = at.shape, at.shape[2]
        parts = _taken(self.thresholds.sign, columns), _taken(self.thresholds.level, columns), error

        def crossed(q: Array) -> Array:
            # Both ends of every threshold, as often as they are asked for.
            times = q.shape[1] // (2 * count)
            sign, level, wide = (np.tile(part, 2 * times) for part in parts)
            # One after the other: of 16-bit results there are many.
            hits = np.array([sign * (v - level) >= 0 for v in self.forms.levels(q.reshape(*shape[:2], -1), wide)])
            hits = hits.reshape(len(hits), len(q), times, 2, count)
            return np.stack([hits[..., 0, :].any(axis=0), hits[..., 1, :].all(axis=0)], axis=2).reshape(q.shape)

        sides = [first, at], [at - 1, last], [at, at]
        ends = [np.concatenate(side, axis=2).reshape(-1, 2 * count) for side in sides]
        search = bisect if self.forms.sums.region.by_runtime else first_near
        found = search(crossed, *ends).reshape(*shape[:2], 2, count)
        return found[:, :, 0], found[:, :, 1]


def _first_span(error: float, widest: int) -> int:
    """How far around a threshold is looked at first."""
    return min(max(_NEAR, 1 << int(np.fmin(error, widest)).bit_length()), widest)


def _taken(array: Array, columns: Array) -> Array:
    """Columns (forms, sets, n) of an array (sets, K)."""
    return array[np.arange(len(array))[:, None], columns]


def _open_spans(found: Settled, row: int) -> tuple[Array, Array]:
    """The open blocks of a parameter set, those that touch as one."""
    start, stop = np.searchsorted(found.rows, [row, row + 1])
    open_ = found.open_[start:stop]
    first, end = found.first[start:stop][open_], found.last[start:stop][open_] + 1
    if not len(first):
        return first, end
    gap = first[1:] > end[:-1]
    return first[np.concatenate([[True], gap])], end[np.concatenate([gap, [True]])]
