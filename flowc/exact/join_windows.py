"""The certificate of a join: which sums of two tensors a conforming runtime may quantize otherwise.

Both operands may be float sums of their own (an average, an accumulator without a quantizer), each off by what
`flowc.exact.bounds` allows. The function is evaluated with both pushed up, and with both pushed down; where the levels differ, the
integer ``u`` that the join computes is ambiguous. Sums are searched by crossings as in `flowc.exact.joins`; what is not monotone is
walked through pair by pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import onnx_ir as ir

from flowc.exact.bounds import UNIT, SumBound, sum_bound
from flowc.exact.certificate import TensorCertificate
from flowc.exact.chains import affine_chain, aligned, outward
from flowc.exact.joins import JoinForm
from flowc.exact.region import Region
from flowc.exact.search import bisect
from flowc.exact.spans import covered, neighbours, stacked
from flowc.units.base import Array

__all__ = ["certify_join", "listed"]

_MOST = 1 << 24
_CHUNK = 1 << 22
_LISTED = 1 << 14


def certify_join(
    tensor: str,
    region: Region,
    form: JoinForm,
    ranges: Mapping[ir.Value, tuple[Array, Array]],
    unit: int,
    *,
    halves: bool = False,
) -> TensorCertificate:
    """The certificate of the activation behind a join.

    Args:
        tensor: its name.
        region: the operations that it stands for, of two leaves.
        form: the function that was found.
        ranges: integer ranges of the tensors so far.
        unit: difference between neighbouring levels.
        halves: the two tensors are halves of one sum, whose terms a runtime adds in any order.
    """
    steps = form.steps
    values = int((steps.hi - steps.lo + 1).sum())
    count = int(((steps.at > steps.lo[:, None]) & (steps.at <= steps.hi[:, None])).sum())
    bounds = [sum_bound(leaf, ranges) for leaf in region.leaves]
    if not region.by_runtime and all(b is None for b in bounds):
        return TensorCertificate(tensor, count, 0, count, 0, 0, 0, values)
    found = _search(region, form, bounds, unit, halves)
    if found is None:
        return TensorCertificate(tensor, count, 0, 0, 0, count, 0, values)
    low, high, open_ = found
    if not open_:
        return TensorCertificate(tensor, count, 0, count, 0, 0, 0, values)
    # A level that only a runtime's error reaches counts as a threshold; of pairs in no order, each run of them as one at most.
    count = max(count, open_ if not form.numbered else 1)
    open_ = min(open_, count)
    return TensorCertificate(tensor, count, 0, count - open_, 0, open_, covered(low, high), values, low, high)


def _search(
    region: Region, form: JoinForm, bounds: list[SumBound | None], unit: int, halves: bool
) -> tuple[Array, Array, int] | None:
    """(low, high) int64 (sets, K) of ambiguous u, and how many thresholds they belong to; None where that can't be said."""
    if any(len(region.dequantized(leaf)) != 1 for leaf in region.leaves):
        return None
    directions = [region.monotone(leaf) for leaf in region.leaves]
    operands = [
        _Operand.of(region, leaf, bound, direction)
        for leaf, bound, direction in zip(region.leaves, bounds, directions, strict=True)
    ]
    if halves:
        operands = _interleaved(operands, bounds)
    pairs = int(np.prod([int(o.hi.max() - o.lo.min()) + 1 for o in operands]))
    if form.op == "add" and not form.numbered and all(d is not None for d in directions):
        return _by_crossings(region, form, operands, unit)
    return _by_pairs(region, form, operands) if pairs * region.sets <= _MOST else None


@dataclass(frozen=True, eq=False)
class _Operand:
    """One side of a join and how far off the model's floats may be.

    Attributes:
        leaf: the integer tensor; lo, hi: its range, int64 (sets,).
        target: the float value that is pushed, ``factor * (q - zero) + offset``; None where the floats are what they are.
        wide: by how much at most, float64 (sets or 1, 1).
        rising: whether the output rises with the leaf, +1 or -1 (sets or 1, 1); toward: the same for the target.
    """

    leaf: ir.Value
    lo: Array
    hi: Array
    target: ir.Value | None
    factor: Array
    zero: Array
    offset: Array
    wide: Array
    rising: Array
    toward: Array

    @classmethod
    def of(cls, region: Region, leaf: ir.Value, bound: SumBound | None, direction: Array | None) -> _Operand:
        """The operand ``leaf`` of a region."""
        (entry,) = region.dequantized(leaf)
        lo, hi = region.limits(leaf)
        scale, zero = (a.astype(np.float64) for a in region.scale(entry))
        one = np.ones((1, 1))
        rising = one if direction is None else np.where(direction < 0, -1, 1)
        bias, chain = affine_chain(region, entry)
        if bound is None or (bound.exact and chain is None and aligned(bias, scale, bound.at_sets(region))):
            return cls(leaf, lo, hi, None, scale, zero, 0 * one, 0 * one, rising, rising)
        sets = bound.at_sets(region)
        a, b, magnitude, roundings, target = one, 0 * one, 0 * one, 0, entry
        if chain is not None:
            a, b, magnitude, roundings, target = (
                chain.factor,
                chain.offset,
                chain.magnitude,
                chain.roundings,
                chain.output,
            )
        real = scale * np.where(a == 0, 1, a)
        offset = np.maximum(np.abs(bias / scale), np.abs(np.where(a == 0, 0, b) / real))
        top = np.broadcast_to(np.maximum(np.abs(lo[:, None] - zero), np.abs(hi[:, None] - zero)), (region.sets, 1))
        # Anywhere in the range: the error around one threshold would be smaller, but thresholds lie everywhere along the other operand.
        error = sets.error(
            np.zeros((region.sets, 1)), float(top.max()), real[:, 0], offset[:, 0], fused=chain is not None
        )
        wide = np.abs(a) * error * np.abs(scale) + roundings * UNIT * (magnitude + np.abs(scale * a) * top)
        return cls(leaf, lo, hi, target, scale * a, zero, b, wide, rising, rising * np.where(scale * a < 0, -1, 1))

    @property
    def size(self) -> Array:
        """Greatest magnitude of the float form, (sets or 1, 1)."""
        ends = np.maximum(np.abs(self.lo[:, None] - self.zero), np.abs(self.hi[:, None] - self.zero))
        return np.asarray(np.abs(self.factor) * ends + np.abs(self.offset))

    def pushed(self, q: Array, side: Array | float, rows: slice) -> Array:
        """The target's value with its error, float32: outward where ``side`` is positive, inward where negative."""
        parts = (a if a.shape[0] == 1 else a[rows] for a in (self.factor, self.zero, self.offset, self.wide))
        factor, zero, offset, wide = parts
        exact = (q - zero) * factor + offset
        push = np.broadcast_to(side, exact.shape)
        return np.where(push > 0, outward(exact + wide, 1.0), outward(exact - wide, -1.0))

    def direction(self, rows: slice) -> Array:
        """``toward`` of some rows."""
        return self.toward if self.toward.shape[0] == 1 else self.toward[rows]


def _interleaved(operands: list[_Operand], bounds: list[SumBound | None]) -> list[_Operand]:
    """Operands whose terms are added in one sum: every addition rounds relative to what both can add up to."""
    terms = sum(b.up.count + 1 for b in bounds if b is not None)
    extra = terms * UNIT * (operands[0].size + operands[1].size)
    return [replace(o, wide=o.wide + extra) for o in operands]


def _levels(
    region: Region, operands: list[_Operand], integers: list[Array], sides: tuple[float, float], nudge: int, rows: slice
) -> Array:
    """Levels with each operand pushed: ``sides`` say which way the output is to move."""
    given = {
        o.target: o.pushed(q, side * o.direction(rows), rows)
        for o, q, side in zip(operands, integers, sides, strict=True)
        if o.target is not None
    }
    named = {o.leaf: q for o, q in zip(operands, integers, strict=True)}
    out = region.evaluate(named, given, rows=rows, nudge=nudge)
    count = len(range(*rows.indices(region.sets)))
    return np.broadcast_to(out, (count, np.broadcast_shapes(*(q.shape for q in integers))[1])).astype(np.int64)


def _by_crossings(
    region: Region, form: JoinForm, operands: list[_Operand], unit: int
) -> tuple[Array, Array, int] | None:
    factors = [form.left, form.right]
    if int((operands[0].hi - operands[0].lo).max()) < int((operands[1].hi - operands[1].lo).max()):
        operands, factors = operands[::-1], factors[::-1]
    a, b = operands
    vb = np.arange(b.lo.min(), b.hi.max() + 1)
    everything = slice(0, region.sets)
    sign = np.broadcast_to(a.rising, (region.sets, 1)).astype(np.int64)
    low = np.where(sign[:, 0] < 0, -a.hi, a.lo)
    high = np.where(sign[:, 0] < 0, -a.lo, a.hi)

    def levels(q: Array, other: Array, side: float) -> Array:
        integers = [sign * q, np.broadcast_to(other, q.shape)]
        results = [_levels(region, operands, integers, (side, side), nudge, everything) for nudge in region.nudges]
        return np.maximum.reduce(results) if side > 0 else np.minimum.reduce(results)

    ends = [np.broadcast_to(e[:, None], (region.sets, len(vb))) for e in (low, high)]
    base, top = int(levels(ends[0], vb[None], -1.0).min()), int(levels(ends[1], vb[None], 1.0).max())
    count = (top - base) // unit
    if count * len(vb) * region.sets > _MOST:
        return None
    wanted = np.tile(base + unit * (1 + np.arange(count)), len(vb))[None]
    others = np.repeat(vb, count)[None]
    shape = (region.sets, len(vb) * count)
    start, stop = (np.broadcast_to(e[:, None], shape) for e in (low, high))
    first = bisect(lambda q: levels(q, others, 1.0) >= wanted, start, stop)
    last = bisect(lambda q: levels(q, others, -1.0) >= wanted, start, stop)
    m, n = (np.broadcast_to(f, (region.sets,)).astype(np.int64)[:, None] for f in factors)
    m = m * sign
    # Outside of its own range a value of the other operand does not occur.
    occurs = (others >= b.lo[:, None]) & (others <= b.hi[:, None])
    open_ = (first < last) & occurs
    levels_open = int(open_.reshape(region.sets, len(vb), count).any(axis=1).sum())
    sums = listed(open_, first, last, m, n * others)
    if sums is not None:
        return *stacked([neighbours(np.unique(u)) for u in sums]), levels_open
    # Too many to list: per level, from the least to the greatest.
    none = np.int64(1) << 60
    ends_u = [m * first + n * others, m * (last - 1) + n * others]
    begin = np.where(open_, np.minimum(*ends_u), none).reshape(region.sets, len(vb), count).min(axis=1)
    end = np.where(open_, np.maximum(*ends_u) + 1, -none).reshape(region.sets, len(vb), count).max(axis=1)
    hit = end > begin
    return np.where(hit, begin, 0), np.where(hit, end, 0), levels_open


def listed(open_: Array, first: Array, last: Array, m: Array, other: Array) -> list[Array] | None:
    """The ambiguous u of every set; None where they are too many."""
    if int(np.where(open_, last - first, 0).sum()) > _LISTED:
        return None
    found = []
    for row in range(len(open_)):
        where = np.flatnonzero(open_[row])
        lengths = (last - first)[row, where]
        steps = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        a = np.repeat(first[row, where], lengths) + steps
        found.append(m[row, 0] * a + np.repeat(other[row, where], lengths))
    return found


def _by_pairs(region: Region, form: JoinForm, operands: list[_Operand]) -> tuple[Array, Array, int]:
    va, vb = (np.arange(o.lo.min(), o.hi.max() + 1) for o in operands)
    ga, gb = (g.reshape(1, -1) for g in np.meshgrid(va, vb, indexing="ij"))
    rows = max(1, _CHUNK // ga.size)
    spans: list[tuple[Array, Array]] = []
    for start in range(0, region.sets, rows):
        part = slice(start, min(region.sets, start + rows))
        levels = [
            _levels(region, operands, [ga, gb], (s, t), nudge, part)
            for s, t, nudge in product((-1.0, 1.0), (-1.0, 1.0), region.nudges)
        ]
        exact = region.evaluate({o.leaf: g for o, g in zip(operands, (ga, gb), strict=True)}, rows=part)
        open_ = np.logical_or.reduce([v != exact for v in levels])
        for row, hits in zip(range(part.start, part.stop), open_, strict=True):
            if form.op == "add":
                m, n = (int(np.broadcast_to(f, (region.sets,))[row]) for f in (form.left, form.right))
                u = m * ga[0] + n * gb[0]
            else:
                u = (ga[0] - form.left_offset) * (gb[0] - form.right_offset)
            spans.append(_runs(u, hits))
    low, high = stacked(spans)
    return low, high, int((high > low).sum())


def _runs(u: Array, hits: Array) -> tuple[Array, Array]:
    """Starts and ends of the runs of hits along the sorted distinct values of ``u``."""
    distinct, index = np.unique(u, return_inverse=True)
    hit = np.zeros(len(distinct) + 2, bool)
    hit[1 + index[hits]] = True
    edges = np.flatnonzero(np.diff(hit.astype(np.int8)))
    return distinct[edges[::2]], distinct[edges[1::2] - 1] + 1
