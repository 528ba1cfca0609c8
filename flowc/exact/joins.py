"""Functions of two integers as thresholds on one: the rescaling at joins, proven on the full domain.

For ``f(a, b)``, the model's float32 operations on two integer tensors, integers ``m`` and ``n`` are sought such that f depends on
``u = m * a + n * b`` (or on the product ``(a - y) * (b - z)``) alone, at every pair (a, b) that can occur. Then f is a step function of
u. For sums the proof needs no walk over all pairs: f is monotone in a, so for every b and every level k one bisection finds the
least a at which the level is reached; ``u`` separates level k if all these pairs lie on its far side and all their neighbours below on
its near side. Small domains always have a form: ``u`` may number the pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from flowc.exact.affine import trace_affine
from flowc.exact.region import Region, Step
from flowc.exact.requant import find_requant
from flowc.exact.steps import Steps, assemble, bisect
from flowc.model.dtypes import IntType
from flowc.units.base import Array

__all__ = ["Crossings", "JoinForm", "find_join", "ratios", "separate"]

_DOMAIN = 1 << 26
_NUMBERED = 1 << 12
_NUMBERED_IN_ALL = 1 << 17
_MAX_BITS = 24
_MANY = 31
_SCALED_FROM = 12


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


def find_join(region: Region, unit: int) -> JoinForm | str:
    """The join form of a region of two leaves, or the reason why there is none.

    Args:
        unit: difference between neighbouring levels.
    """
    meeting = _meeting(region)
    if meeting is not None and meeting.node.op_type != "Mul":
        form = _sum_form(region, meeting, unit)
        if form is not None:
            return form
    a, b = region.leaves
    (alo, ahi), (blo, bhi) = region.limits(a), region.limits(b)
    va, vb = np.arange(alo.min(), ahi.max() + 1), np.arange(blo.min(), bhi.max() + 1)
    pairs = len(va) * len(vb)
    product = meeting is not None and meeting.node.op_type == "Mul"
    few = pairs <= _NUMBERED or pairs * region.sets <= _NUMBERED_IN_ALL
    if pairs * region.sets > _DOMAIN or not (product or few):
        return (
            f"no integer rescaling of up to {_MAX_BITS} bits makes it a function of one sum on all {pairs:,} pairs of its inputs; "
            "share one quantizer on both branches (Brevitas: one QuantIdentity for both), or use fewer bits there"
        )
    ga, gb = (g.reshape(1, -1) for g in np.meshgrid(va, vb, indexing="ij"))
    levels = _levels(region, a, b, ga, gb)
    if product and meeting is not None:
        form = _product_form(meeting, b, ga, gb, levels, unit)
        if form is not None:
            return form
    if not few:
        return (
            f"it is no function of the product of its inputs on all {pairs:,} pairs; put a quantizer directly behind the product, "
            "or use fewer bits for its inputs"
        )
    left, right = np.full(region.sets, len(vb), np.int64), np.ones(region.sets, np.int64)
    steps = _steps_over(len(vb) * ga + gb, levels, unit)
    assert steps is not None
    return JoinForm("add", left, right, 0, 0, steps, numbered=True)


def _levels(region: Region, a: ir.Value, b: ir.Value, ga: Array, gb: Array) -> Array:
    """Levels (sets, pairs) of all pairs."""
    rows = max(1, (1 << 22) // ga.size)
    parts = []
    for start in range(0, region.sets, rows):
        count = min(rows, region.sets - start)
        out = region.evaluate({a: ga, b: gb}, rows=slice(start, start + count))
        parts.append(np.broadcast_to(out, (count, ga.size)))
    return np.concatenate(parts).astype(np.int64)


def _meeting(region: Region) -> Step | None:
    """The operation at which the two leaves meet."""
    depends: dict[ir.Value, set[ir.Value]] = {leaf: {leaf} for leaf in region.leaves}
    for step in region.steps:
        below = set().union(*(depends.get(v, set()) for v in step.inputs if v is not None))
        if len(below) == 2:
            return step if step.node.op_type in ("Add", "Sub", "Mul") else None
        depends[step.output] = below
    return None


def _product_form(meeting: Step, b: ir.Value, ga: Array, gb: Array, levels: Array, unit: int) -> JoinForm | None:
    forms = [trace_affine(v) for v in meeting.inputs]
    if forms[0] is None or forms[1] is None or forms[0].zero_int is None or forms[1].zero_int is None:
        return None
    y, z = forms[0].zero_int, forms[1].zero_int
    if forms[0].q is b:
        y, z = z, y
    steps = _steps_over((ga - y) * (gb - z), levels, unit)
    ones = np.ones(levels.shape[0], np.int64)
    return None if steps is None else JoinForm("mul", ones, ones, y, z, steps)


@dataclass(frozen=True, eq=False)
class Crossings:
    """Where levels begin, for a (mirrored so that levels rise with it) against every b.

    ``at`` int64 (sets, nb, K): least a of level k at b, ``high + 1`` where it is not reached; low, high, sign: (sets,).
    """

    at: Array
    b: Array
    low: Array
    high: Array
    sign: Array
    base: int


def _sum_form(region: Region, meeting: Step, unit: int) -> JoinForm | None:
    forms = [trace_affine(v) for v in meeting.inputs]
    if forms[0] is None or forms[1] is None:
        return None
    slopes = [np.broadcast_to(region.as_sets(f.scale)[:, 0], (region.sets,)) for f in forms if f is not None]
    if meeting.node.op_type == "Sub":
        slopes[1] = -slopes[1]
    if forms[0].q is not region.leaves[0]:
        slopes.reverse()
    first, second = region.leaves
    swap = _span(region, first) < _span(region, second)
    if swap:
        first, second = second, first
        slopes.reverse()
    crossings = _crossings(region, first, second, unit)
    if crossings is None:
        return None
    crude: JoinForm | None = None
    seen: set[bytes] = set()
    for factors in _factors(region, slopes[0], slopes[1]):
        # Levels must rise with u, and so with the mirrored a.
        flip = np.where(factors[0] * crossings.sign < 0, -1, 1)
        m, n = factors[0] * flip, factors[1] * flip
        key = m.tobytes() + n.tobytes()
        if key in seen or (m == 0).any():
            continue
        seen.add(key)
        steps = separate(crossings, m * crossings.sign, n, unit)
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


def _crossings(region: Region, a: ir.Value, b: ir.Value, unit: int) -> Crossings | None:
    direction = region.monotone(a)
    if direction is None:
        return None
    sign = np.where(np.broadcast_to(direction.reshape(-1), (region.sets,)) < 0, -1, 1).astype(np.int64)
    (alo, ahi), (blo, bhi) = region.limits(a), region.limits(b)
    low, high = np.where(sign < 0, -ahi, alo), np.where(sign < 0, -alo, ahi)
    vb = np.arange(blo.min(), bhi.max() + 1)

    def levels(q: Array, other: Array) -> Array:
        return np.broadcast_to(region.evaluate({a: sign[:, None] * q, b: other}), q.shape).astype(np.int64)

    ends = [levels(np.broadcast_to(e[:, None], (region.sets, len(vb))), vb[None]) for e in (low, high)]
    base, top = int(min(e.min() for e in ends)), int(max(e.max() for e in ends))
    count = (top - base) // unit
    if count * len(vb) * region.sets > _DOMAIN // 4:
        return None
    wanted = np.tile(base + unit * (1 + np.arange(count)), len(vb))[None]
    others = np.repeat(vb, count)[None]
    shape = (region.sets, len(vb) * count)
    at = bisect(
        lambda q: levels(q, others) >= wanted,
        np.broadcast_to(low[:, None], shape),
        np.broadcast_to(high[:, None], shape),
    )
    return Crossings(at.reshape(region.sets, len(vb), count), vb, low, high, sign, base)


def separate(c: Crossings, m: Array, n: Array, unit: int) -> Steps | None:
    """The step function of ``u = m * a + n * b`` (a mirrored, m > 0), or None where u does not separate every level."""
    low, high, m = c.low[:, None, None], c.high[:, None, None], m[:, None, None]
    shift = n[:, None] * c.b
    reached, avoidable = c.at <= high, c.at > low
    none = np.int64(1) << 60
    first = np.where(reached, m * c.at + shift[:, :, None], none).min(axis=1)
    last = np.where(avoidable, m * (c.at - 1) + shift[:, :, None], -none).max(axis=1)
    if (first <= last).any():
        return None
    lo = (m[:, 0] * c.low[:, None] + shift).min(axis=1)
    hi = (m[:, 0] * c.high[:, None] + shift).max(axis=1)
    at = np.where(first == none, int(hi.max()) + 1, np.maximum(first, lo[:, None]))
    free = np.where(first == none, at, np.maximum(last + 1, lo[:, None]))
    base, step = np.full(len(lo), c.base, np.int64), np.full((1, 1), unit, np.int64)
    return Steps(lo, hi, base, at, step, free)


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
