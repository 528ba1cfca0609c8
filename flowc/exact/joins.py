"""Functions of two integers as thresholds on one: the rescaling at joins, proven on the full domain.

For ``f(a, b)``, the model's float32 operations on two integer tensors, integers ``m`` and ``n`` are sought such that f depends on
``u = m * a + n * b`` (or on the product ``(a - y) * (b - z)``) alone, at every pair (a, b) that can occur. Then f is a step function of
u. The proof needs no walk over all pairs: f is monotone in a, so for every b and every level k there is a least a at which the level is
reached (`flowc.exact.crossings`); ``u`` separates level k if all these pairs lie on its far side and all their neighbours below on
its near side. Small domains always have a form: ``u`` may number the pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from flowc.exact.affine import trace_affine
from flowc.exact.budget import Budget, TooLarge
from flowc.exact.crossings import Crossings, crossings, meeting_of
from flowc.exact.region import Region, Step
from flowc.exact.requant import find_requant
from flowc.exact.steps import Steps, assemble
from flowc.model.dtypes import IntType
from flowc.units.base import Array

__all__ = ["JoinForm", "find_join", "ratios", "separate", "separate_products"]

_PAIRS = 1 << 23
"""Pairs, all parameter sets together, that are visited one by one."""
_NUMBERED = 1 << 12
_NUMBERED_IN_ALL = 1 << 17
_MAX_BITS = 24
_MANY = 31
_SCALED_FROM = 12
_FEW = 64
_AT_ONCE = 1 << 15
_NONE = np.int64(1) << 60


@dataclass(frozen=True, eq=False)
class JoinForm:
    """``f(a, b) = steps(u)``, u = left * a + right * b for op "add", (a - left_offset) * (b - right_offset) for "mul".

    ``left`` and ``right`` are int64 (sets,). ``numbered``: u merely numbers the pairs, in no order that means anything.
    """

    op: str
    left: Array
    right: Array
    left_offset: int
    right_offset: int
    steps: Steps
    numbered: bool = False


def find_join(region: Region, unit: int, budget: Budget | None = None) -> JoinForm | str:
    """The join form of a region of two leaves, or the reason why there is none.

    Args:
        unit: difference between neighbouring levels.
        budget: what the functions of the model may still take; None: as much as if this were the only one.

    Raises:
        TooLarge: there may be a form, but it takes too much to find it.
    """
    meeting = meeting_of(region)
    product = meeting is not None and meeting.node.op_type == "Mul"
    large: TooLarge | None = None
    try:
        form = _by_crossings(region, meeting, unit, budget or Budget())
        if form is not None:
            return form
    except TooLarge as reason:
        large = reason
    a, b = region.leaves
    (alo, ahi), (blo, bhi) = region.limits(a), region.limits(b)
    va, vb = np.arange(alo.min(), ahi.max() + 1), np.arange(blo.min(), bhi.max() + 1)
    pairs = len(va) * len(vb)
    few = pairs <= _NUMBERED or pairs * region.sets <= _NUMBERED_IN_ALL
    if pairs * region.sets > _PAIRS or not (product or few):
        if large is not None:
            raise large
        return _refusal(region, product)
    ga, gb = (g.reshape(1, -1) for g in np.meshgrid(va, vb, indexing="ij"))
    levels = _levels(region, a, b, ga, gb)
    offsets = _offsets(region, meeting) if product else None
    if offsets is not None:
        steps = _steps_over((ga - offsets[0]) * (gb - offsets[1]), levels, unit)
        if steps is not None:
            return _product(region, offsets, steps)
    if not few:
        return _refusal(region, product)
    left, right = np.full(region.sets, len(vb), np.int64), np.ones(region.sets, np.int64)
    numbered = _steps_over(len(vb) * ga + gb, levels, unit)
    assert numbered is not None
    return JoinForm("add", left, right, 0, 0, numbered, numbered=True)


def _by_crossings(region: Region, meeting: Step | None, unit: int, budget: Budget) -> JoinForm | None:
    if meeting is None:
        return None
    first, second = region.leaves
    if _span(region, first) < _span(region, second):
        first, second = second, first
    found = crossings(region, meeting, first, second, unit, budget)
    if found is None:
        return None
    if meeting.node.op_type == "Mul":
        return _product_form(region, meeting, found, unit)
    return _sum_form(region, meeting, found, unit)


def _refusal(region: Region, product: bool) -> str:
    ends = [((leaf.name or "").removesuffix("/q"), *region.limits(leaf)) for leaf in region.leaves]
    names = " and ".join(f"'{name}' ({int(lo.min()):,} to {int(hi.max()):,})" for name, lo, hi in ends)
    where = f"on all {math.prod(_span(region, leaf) + 1 for leaf in region.leaves):,} pairs of {names}"
    if product:
        return (
            f"it is no function of the product of its inputs {where}; put a quantizer directly behind the product, or use fewer bits "
            "for its inputs"
        )
    return (
        f"no integer rescaling of up to {_MAX_BITS} bits makes it a function of one sum {where}; share one quantizer on both branches "
        "(Brevitas: one QuantIdentity for both), or use fewer bits there"
    )


def _levels(region: Region, a: ir.Value, b: ir.Value, ga: Array, gb: Array) -> Array:
    """Levels (sets, pairs) of all pairs."""
    rows = max(1, (1 << 22) // ga.size)
    parts = []
    for start in range(0, region.sets, rows):
        count = min(rows, region.sets - start)
        out = region.evaluate({a: ga, b: gb}, rows=slice(start, start + count))
        parts.append(np.broadcast_to(out, (count, ga.size)))
    return np.concatenate(parts).astype(np.int64)


def _offsets(region: Region, meeting: Step | None) -> tuple[int, int] | None:
    """The zero points of two factors, in the order of the leaves; None where they are not integers."""
    forms = [trace_affine(v) for v in meeting.inputs] if meeting is not None else [None, None]
    if forms[0] is None or forms[1] is None or forms[0].zero_int is None or forms[1].zero_int is None:
        return None
    offsets = forms[0].zero_int, forms[1].zero_int
    return offsets if forms[0].q is region.leaves[0] else offsets[::-1]


def _product(region: Region, offsets: tuple[int, int], steps: Steps) -> JoinForm:
    ones = np.ones(region.sets, np.int64)
    return JoinForm("mul", ones, ones, *offsets, steps)


def _product_form(region: Region, meeting: Step, found: Crossings, unit: int) -> JoinForm | None:
    offsets = _offsets(region, meeting)
    if offsets is None:
        return None
    swap = _span(region, region.leaves[0]) < _span(region, region.leaves[1])
    steps = separate_products(found, *(offsets[::-1] if swap else offsets), unit)
    return None if steps is None else _product(region, offsets, steps)


def _sum_form(region: Region, meeting: Step, found: Crossings, unit: int) -> JoinForm | None:
    forms = [trace_affine(v) for v in meeting.inputs]
    if forms[0] is None or forms[1] is None:
        return None
    slopes = [np.broadcast_to(region.as_sets(f.scale)[:, 0], (region.sets,)) for f in forms if f is not None]
    if meeting.node.op_type == "Sub":
        slopes[1] = -slopes[1]
    if forms[0].q is not region.leaves[0]:
        slopes.reverse()
    swap = _span(region, region.leaves[0]) < _span(region, region.leaves[1])
    if swap:
        slopes.reverse()
    sign = found.sign[:, 0]
    crude: JoinForm | None = None
    seen: set[bytes] = set()
    for factors in _factors(region, slopes[0], slopes[1]):
        # Levels must rise with u, and so with the mirrored a.
        flip = np.where(factors[0] * sign < 0, -1, 1)
        m, n = factors[0] * flip, factors[1] * flip
        key = m.tobytes() + n.tobytes()
        if key in seen or (m == 0).any():
            continue
        seen.add(key)
        steps = separate(found, m * sign, n, unit)
        if steps is None:
            continue
        form = JoinForm("add", *((n, m) if swap else (m, n)), 0, 0, steps)
        # Many levels take many thresholds: another scaling may do with a requantizer.
        if steps.at.shape[1] < _MANY or find_requant(steps, IntType.for_range(*steps.reached)) is not None:
            return form
        crude = crude or form
    return crude


def _span(region: Region, leaf: ir.Value) -> int:
    lo, hi = region.limits(leaf)
    return int(hi.max() - lo.min())


def separate(c: Crossings, m: Array, n: Array, unit: int) -> Steps | None:
    """The step function of ``u = m * a + n * b`` (a mirrored, m > 0), or None where u does not separate every level."""
    low, high, m, n = c.low, c.high, m[:, None], n[:, None]
    # What does not separate levels fails in many places: some of b tell as a rule, and some sets.
    few = slice(None, None, max(1, len(c.b) // _FEW))
    for sets, chosen in ((slice(0, 2), few), (slice(None), few), (slice(None), slice(None))):
        first, last = _ends(c, m, n, sets, chosen)
        if (first <= last).any():
            return None
    lo, hi = (m * low + n * c.b).min(axis=1), (m * high + n * c.b).max(axis=1)
    at = np.where(first == _NONE, int(hi.max()) + 1, np.maximum(first, lo[:, None]))
    free = np.where(first == _NONE, at, np.maximum(last + 1, lo[:, None]))
    base, step = np.full(len(lo), c.base, np.int64), np.full((1, 1), unit, np.int64)
    return Steps(lo, hi, base, at, step, free)


def _ends(c: Crossings, m: Array, n: Array, sets: slice, chosen: slice) -> tuple[Array, Array]:
    """Per set and level, (sets, K): the least sum that reaches it, and the greatest that does not, of some sets and some of b."""
    count = c.at.shape[2]
    m, n, low, high = m[sets], n[sets], c.low[sets, :, None], c.high[sets, :, None]
    first, last = np.full((len(m), count), _NONE), np.full((len(m), count), -_NONE)
    picked = np.arange(len(c.b))[chosen]
    many = max(1, _AT_ONCE // max(1, len(m) * count))
    for part in (picked[i : i + many] for i in range(0, len(picked), many)):
        at = c.at[sets, part].astype(np.int64)
        sums = m[:, :, None] * at + (n * c.b[part])[:, :, None]
        np.minimum(first, np.where(at <= high, sums, _NONE).min(axis=1), out=first)
        np.maximum(last, np.where(at > low, sums - m[:, :, None], -_NONE).max(axis=1), out=last)
    return first, last


def separate_products(c: Crossings, y: int, z: int, unit: int) -> Steps | None:
    """The step function of ``(a - y) * (b - z)``, or None where the product does not separate every level."""
    sets, _, count = c.at.shape
    b = c.b - z
    # Levels rise with the product, or with its opposite.
    ways = c.sign * np.sign(b)
    way = np.where((ways < 0).any(axis=1), -1, 1)
    if (ways * way[:, None] < 0).any() or ((c.sign == 0) != (b == 0)).any():
        return None
    first, last = np.full((sets, count), _NONE), np.full((sets, count), -_NONE)
    many = max(1, _AT_ONCE // max(1, sets * count))
    for part in (slice(i, i + many) for i in range(0, len(b), many)):
        at, low, high = c.at[:, part].astype(np.int64), c.low[:, part, None], c.high[:, part, None]
        sign, other = c.sign[:, part, None], (way[:, None] * b[part])[:, :, None]
        reached, missed = ((sign * a - y) * other for a in (at, at - 1))
        np.minimum(first, np.where(at <= high, reached, _NONE).min(axis=1), out=first)
        np.maximum(last, np.where(at > low, missed, -_NONE).max(axis=1), out=last)
    if (first <= last).any():
        return None
    sides = np.stack([(np.where(c.sign < 0, -e, e) - y) * b for e in (c.low, c.high)])
    lo, hi = sides.min(axis=(0, 2)), sides.max(axis=(0, 2))
    always, never = last == -_NONE, first == _NONE
    base = c.base + unit * (always if way.min() > 0 else np.where(way[:, None] > 0, always, ~never)).sum(axis=1)
    events, free = [], []
    for row, (begin, end, some) in enumerate(zip(first, last + 1, ~(always | never), strict=True)):
        at, early = (begin[some], end[some]) if way[row] > 0 else (1 - end[some][::-1], 1 - begin[some][::-1])
        events.append((at, np.full(len(at), unit * way[row])))
        free.append(early)
    return assemble(lo, hi, base, events, unit, free)


def ratios(alpha: Array, beta: Array) -> Iterator[tuple[Array, Array]]:
    """Integer multipliers (sets,) in the ratio of the real ones, ever more exact: the smallest first."""
    top = np.maximum(np.abs(alpha), np.abs(beta))
    for bits in range(_MAX_BITS + 1):
        m, n = (np.rint(x / top * (1 << bits)).astype(np.int64) for x in (alpha, beta))
        if bits == 0 and (np.minimum(np.abs(m), np.abs(n)) == 0).any():
            continue
        common = np.maximum(np.gcd(m, n), 1)
        yield m // common, n // common


def _factors(region: Region, alpha: Array, beta: Array) -> Iterator[tuple[Array, Array]]:
    """`ratios`, from some precision on each followed by one of which a level is a power of two."""
    last = region.steps[-1]
    scaled = last.node.op_type == "Quantize" and last.inputs[1] is not None
    for precision, pair in enumerate(ratios(alpha, beta)):
        yield pair
        if precision >= _SCALED_FROM and scaled:
            assert last.inputs[1] is not None
            level = region.constant(last.inputs[1])[:, 0].astype(np.float64)
            yield tuple(np.rint(x / level * (1 << precision)).astype(np.int64) for x in (alpha, beta))  # type: ignore[misc]


def _steps_over(u: Array, levels: Array, unit: int) -> Steps | None:
    """The step function of u that gives ``levels`` (sets, pairs), or None where equal u have different levels."""
    events: list[tuple[Array, Array]] = []
    free: list[Array] = []
    lo, hi, base = (np.empty(levels.shape[0], np.int64) for _ in range(3))
    order = np.argsort(u[0], kind="stable")
    row = u[0][order]
    new = np.diff(row) != 0
    for p, level in enumerate(levels[:, order]):
        delta = np.diff(level)
        if (delta[~new] != 0).any():
            return None
        where = np.flatnonzero(delta)
        jumps = delta[where] // unit
        events.append((np.repeat(row[where + 1], np.abs(jumps)), np.repeat(np.sign(jumps), np.abs(jumps)) * unit))
        free.append(np.repeat(row[where] + 1, np.abs(jumps)))
        lo[p], hi[p], base[p] = row[0], row[-1], level[0]
    return assemble(lo, hi, base, events, unit, free)
