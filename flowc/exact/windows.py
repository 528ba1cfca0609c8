"""Where conforming float32 runtimes may decide otherwise: windows of accumulator values around thresholds.

The sum that a runtime computes lies within a bound of the exact one (`flowc.exact.bounds`). Where the operations behind it are
monotone, a window is found by evaluating them at both ends of that interval, with one bisection per end of the window. What rises
and falls is enclosed block by block (`flowc.exact.walk`), so that an extreme between the ends is seen as well.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from flowc.exact.bounds import UNIT, SumBound
from flowc.exact.chains import affine_chain, aligned, outward
from flowc.exact.intervals import Interval, enclose
from flowc.exact.region import NO_LEVEL, Region
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
_TOGETHER = 1 << 15
"""Values that are evaluated in one step: as fast as in several, or faster."""


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
        at: where each begins, clipped to one beyond the domain.
        level: the value that it leads to.
        sign: +1 where the function rises, -1 where it falls.
        real: whether it lies inside the domain; end: whether it is one of the last two columns.
        monotone: whether no set both rises and falls.
    """

    steps: Steps
    at: Array
    level: Array
    sign: Array
    real: Array
    end: Array
    monotone: bool

    @classmethod
    def of(cls, steps: Steps) -> Thresholds:
        """The thresholds of ``steps``."""
        step = np.broadcast_to(steps.step, steps.at.shape)
        real = (steps.at > steps.lo[:, None]) & (steps.at <= steps.hi[:, None]) & (step != 0)
        unit = int(np.abs(steps.step).max(initial=0)) or 1
        falling, rising = (real & (step < 0)).any(axis=1), (real & (step > 0)).any(axis=1)
        main = np.where(falling, -1, 1)[:, None]
        ends = np.stack([steps.lo, steps.hi], axis=1)
        values = steps(ends)
        levels = np.concatenate(
            [steps.base[:, None] + np.cumsum(step, axis=1), values[:, :1], values[:, 1:] + main * unit], axis=1
        )
        at = np.concatenate([steps.at, ends[:, :1], ends[:, 1:] + 1], axis=1)
        none = np.zeros(ends.shape, bool)
        return cls(
            steps,
            np.clip(at, steps.lo[:, None], steps.hi[:, None] + 1),
            levels,
            np.concatenate([np.where(step < 0, -1, 1), main, main], axis=1),
            np.concatenate([real, none], axis=1),
            np.concatenate([np.zeros(real.shape, bool), ~none], axis=1),
            not (falling & rising).any(),
        )


class Windows:
    """Windows of one activation, for some of its parameter sets: where perturbed sums are quantized otherwise than exact ones.

    Args:
        region: the operations; leaf: the integer tensor that they depend on.
        steps: the function that was found, of the parameter sets ``rows``.
        bound: of the float sum that the leaf stands for; None where it is exact up to one rounding.
        fused: the runtime may multiply a batch normalization into the weights, or compute it in another way; else as written.
    """

    def __init__(
        self, region: Region, leaf: ir.Value, steps: Steps, rows: slice, bound: SumBound | None, *, fused: bool
    ) -> None:
        self.region, self.leaf, self.part, self.rows = region, leaf, rows, np.arange(region.sets)[rows]
        self.thresholds = Thresholds.of(steps)
        self.bound = None if bound is None else bound.at_sets(region).of_rows(rows)
        (self.entry,) = region.dequantized(leaf)
        scale, zero = region.scale(self.entry)
        self.scale, self.zero = (_of_rows(a.astype(np.float64), rows) for a in (scale, zero))
        bias, chain = affine_chain(region, self.entry)
        self.bias = _of_rows(bias, rows)
        # Without a sum there are no weights to multiply into; only batch normalization may be computed in more than one way.
        normalized = any(n.op_type == "BatchNormalization" for n in region.nodes)
        self.chain = chain.of_rows(rows) if chain is not None and (bound is not None or normalized) else None
        self.fused = fused and self.chain is not None

    @property
    def aligned(self) -> bool:
        """Whether exact sums stay exact wherever the bias is added."""
        return aligned(self.bias, self.scale, self.bound)

    def as_fused(self) -> Windows:
        """The same for runtimes that may multiply a batch normalization into the weights."""
        other = copy(self)
        other.fused = self.chain is not None
        return other

    def find(self, settled: Array | None = None) -> Found:
        """The windows.

        Args:
            settled: bool (sets, K): thresholds that need none found, or anything said of them.
        """
        t = self.thresholds
        if self.region.monotone(self.leaf) is None or not t.monotone:
            return self._by_settling()
        low, high = self._by_bisection(settled)
        hit = high > low
        return Found(low, high, hit[:, :-2], int(hit[:, -2:].sum()))

    def _by_bisection(self, settled: Array | None) -> tuple[Array, Array]:
        """One window, which may be empty, for every threshold."""
        t = self.thresholds
        lo, hi = t.steps.lo[:, None], t.steps.hi[:, None]
        widest = int((hi - lo).max()) + 1
        # Anywhere in the range, and as far beyond as the first search looks around a threshold.
        error = self._error(lo, 2 * widest)
        span = min(max(_NEAR, 1 << int(np.fmin(error.max(), widest)).bit_length()), widest)
        low, high = t.at.copy(), t.at.copy()
        open_ = self._undecided(error)
        if settled is not None:
            open_[:, :-2] &= ~settled
        while open_.any():
            columns, some = gathered(open_)
            at = np.take_along_axis(t.at, columns, axis=1)
            near = np.maximum(lo, at - span), np.minimum(hi, at + span)
            first, last = self._bisected(at, columns, self._error(at, span), *near)
            # A window that ends where the search ended may go on.
            cut = (last > first) & (((first == near[0]) & (first > lo)) | ((last == near[1] + 1) & (near[1] < hi)))
            rows = np.nonzero(some)[0]
            low[rows, columns[some]], high[rows, columns[some]] = first[some], last[some]
            if span >= widest:
                break
            open_[rows, columns[some]] = cut[some]
            span *= _WIDER
        keep = (t.real | t.end) & (high > low)
        return np.where(keep, low, 0), np.where(keep, high, 0)

    def _undecided(self, error: Array) -> Array:
        """Thresholds, bool (sets, K), that may have a window: an error as great as anywhere in the range may move them by an integer."""
        t = self.thresholds
        lo, hi = t.steps.lo[:, None], t.steps.hi[:, None]
        error = np.broadcast_to(error, t.at.shape)
        below, here = np.maximum(t.at - 1, lo), np.minimum(t.at, hi)
        count, levels = t.at.shape[1], self._levels(np.concatenate([below, here], axis=1), np.tile(error, 2))
        early = np.logical_or.reduce([t.sign * (v[:, :count] - t.level) >= 0 for v in levels])
        late = np.logical_or.reduce([t.sign * (v[:, count:] - t.level) < 0 for v in levels])
        return np.asarray((t.real | t.end) & ((early & (t.at > lo)) | (late & (t.at <= hi))))

    def _bisected(self, at: Array, columns: Array, error: Array, first: Array, last: Array) -> tuple[Array, Array]:
        # Both ends in one search: where any conforming runtime may have crossed, and where all have. The reference crosses in between.
        t, count = self.thresholds, columns.shape[1]
        parts = np.take_along_axis(t.sign, columns, axis=1), np.take_along_axis(t.level, columns, axis=1), error
        sign, level, wide = (np.tile(part, 2) for part in parts)

        def crossed(q: Array) -> Array:
            # Both ends of every threshold, as often as they are asked for.
            times = q.shape[1] // (2 * count)
            signs, levels, error = (np.tile(part, times) for part in (sign, level, wide))
            hits = np.array([signs * (v - levels) >= 0 for v in self._levels(q, error)])
            begun, ended = np.moveaxis(hits.reshape(len(hits), len(q), times, 2, count), 3, 0)
            return np.stack([begun.any(axis=0), ended.all(axis=0)], axis=2).reshape(q.shape)

        ends = np.concatenate([first, at], axis=1), np.concatenate([at - 1, last], axis=1)
        search = bisect if self.region.by_runtime else first_near
        found = search(crossed, *ends, np.tile(at, 2))
        return found[:, :count], found[:, count:]

    def _by_settling(self) -> Found:
        """For functions that rise and fall: everything that is not enclosed by one level."""
        t = self.thresholds
        lo, hi = t.steps.lo, t.steps.hi
        step = width(lo, hi)
        centers = np.minimum(lo[:, None] + step * np.arange(PARTS) + step // 2, hi[:, None])
        error = np.broadcast_to(self._error(centers, step), (len(lo), PARTS))

        def bounds(rows: Array, first: Array, last: Array) -> tuple[Array, Array]:
            wide = error[rows, (first - lo[rows]) // step][:, None]
            low, high = self._enclosed(rows, first[:, None], last[:, None], wide)
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

    def _error(self, at: Array, span: int) -> Array:
        """Bound of the sum's error up to ``span`` integers around each of ``at`` (sets, K), in units of the integers."""
        if self.bound is None:
            return np.zeros(at.shape)
        offset = np.abs(self.bias / self.scale)
        scale = self.scale
        if self.fused and self.chain is not None:
            a, b = self.chain.factor, self.chain.offset
            scale = scale * np.where(a == 0, 1, a)
            offset = np.maximum(offset, np.abs(np.where(a == 0, 0, b) / scale))
        elif self.bound.exact and self.aligned:
            return np.zeros(at.shape)
        return self.bound.error(at - self.zero, span, scale[:, 0], offset[:, 0], fused=self.fused)

    def _levels(self, q: Array, error: Array) -> list[Array]:
        """Levels (sets, K) at the reference's value, and at the ends of the interval of values that a conforming runtime may compute."""
        x = (q - self.zero) * self.scale
        spread = error * np.abs(self.scale)
        if self.fused:
            target, value, wide = self._normalized(x, spread)
        else:
            target, value, wide = self.entry, x, spread
        pushed = (
            []
            if self.bound is None and not self.fused
            else [outward(value + side * wide, side) for side in (-1.0, 1.0)]
        )
        if pushed and not self.region.by_runtime and 3 * q.size <= _TOGETHER:
            # What follows the float that is pushed depends on nothing else, so one evaluation does for the three.
            own = self.region.evaluate({self.leaf: q}, rows=self.part, of=target)
            out = self.region.evaluate({}, {target: np.concatenate([own, *pushed], axis=1)}, rows=self.part)
            if out.min() <= NO_LEVEL:  # which integers that can occur must not come to: this says so
                self.region.evaluate({self.leaf: q}, rows=self.part)
            return np.split(out.astype(np.int64), 3, axis=1)
        results = [self.region.evaluate({self.leaf: q}, rows=self.part)]
        for given in [{target: p} for p in pushed] or [{}, {}]:
            for nudge in self.region.nudges:
                results.append(self.region.evaluate({self.leaf: q}, given, rows=self.part, nudge=nudge))
        return [np.broadcast_to(r, q.shape).astype(np.int64) for r in results]

    def _normalized(self, x: Array, spread: Array) -> tuple[ir.Value, Array, Array]:
        """The fused form and its error: weights times the factor, one rounding each, the offset folded; or any other way to compute it."""
        assert self.chain is not None
        a, b = self.chain.factor, self.chain.offset
        wide = np.abs(a) * spread + self.chain.roundings * UNIT * (self.chain.magnitude + np.abs(x * a))
        return self.chain.output, x * a + b, wide

    def _enclosed(self, rows: Array, first: Array, last: Array, error: Array) -> Interval:
        """Bounds of the levels of the integers [first, last], (n, 1) each, under every conforming runtime."""
        scale, zero = (_picked(a, rows) for a in (self.scale, self.zero))
        spread = error * np.abs(scale)
        ends = [(q - zero) * scale for q in (first, last)]
        known: dict[ir.Value, Interval] = {self.leaf: (first, last)}
        if self.fused:
            assert self.chain is not None
            a, b, magnitude = (_picked(c, rows) for c in (self.chain.factor, self.chain.offset, self.chain.magnitude))
            sides = [x * a + b for x in ends]
            peak = np.maximum(*(np.abs(x * a) for x in ends))
            wide = np.abs(a) * spread + self.chain.roundings * UNIT * (magnitude + peak)
            known[self.chain.output] = outward(np.minimum(*sides) - wide, -1.0), outward(np.maximum(*sides) + wide, 1.0)
        elif self.bound is not None:
            known[self.entry] = outward(np.minimum(*ends) - spread, -1.0), outward(np.maximum(*ends) + spread, 1.0)
        return enclose(self.region, known, self.rows[rows])


def _of_rows(array: Array, rows: slice) -> Array:
    return array if len(array) == 1 else array[rows]


def _picked(array: Array, rows: Array) -> Array:
    return array if len(array) == 1 else array[rows]


def _open_spans(found: Settled, row: int) -> tuple[Array, Array]:
    """The open blocks of a parameter set, those that touch as one."""
    start, stop = np.searchsorted(found.rows, [row, row + 1])
    open_ = found.open_[start:stop]
    first, end = found.first[start:stop][open_], found.last[start:stop][open_] + 1
    if not len(first):
        return first, end
    gap = first[1:] > end[:-1]
    return first[np.concatenate([[True], gap])], end[np.concatenate([gap, [True]])]
