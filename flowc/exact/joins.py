"""Functions of two integers as thresholds on one: the rescaling at joins, proven on the full domain.

For ``f(a, b)``, the model's float32 operations on two integer tensors, integers ``m`` and ``n`` are sought such that f depends on
``u = m * a + n * b`` (or on the product ``(a - y) * (b - z)``) alone, at every pair (a, b) that can occur. Then f is a step function of
u. Small domains always have one: ``u`` may number the pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from flowc.dtypes import IntType
from flowc.exact.region import Region, Step
from flowc.exact.requant import find_requant
from flowc.exact.steps import Steps, assemble
from flowc.passes.affine import trace_affine
from flowc.units.base import Array

__all__ = ["JoinForm", "find_join"]

_DOMAIN = 1 << 26
_NUMBERED = 1 << 12
_MAX_BITS = 14
_MANY = 31


@dataclass(frozen=True, eq=False)
class JoinForm:
    """``f(a, b) = steps(u)``, u = left * a + right * b for op "add", (a - left_offset) * (b - right_offset) for "mul".

    ``left`` and ``right`` are int64 (sets,).
    """

    op: str
    left: Array
    right: Array
    left_offset: int
    right_offset: int
    steps: Steps


def find_join(region: Region, unit: int) -> JoinForm | str:
    """The join form of a region of two leaves, or the reason why there is none.

    Args:
        unit: difference between neighbouring levels.
    """
    a, b = region.leaves
    (alo, ahi), (blo, bhi) = region.limits(a), region.limits(b)
    # One rectangle of pairs for every set: the widest ranges.
    va, vb = np.arange(alo.min(), ahi.max() + 1), np.arange(blo.min(), bhi.max() + 1)
    pairs = len(va) * len(vb)
    if pairs * region.sets > _DOMAIN:
        return f"a function of two integers with {pairs} pairs and {region.sets} parameter sets is too large to prove"
    ga, gb = (g.reshape(1, -1) for g in np.meshgrid(va, vb, indexing="ij"))
    rows = max(1, (1 << 22) // pairs)
    parts = [
        np.broadcast_to(
            region.evaluate({a: ga, b: gb}, rows=slice(i, i + rows)), (min(rows, region.sets - i), pairs)
        )
        for i in range(0, region.sets, rows)
    ]
    levels = np.concatenate(parts).astype(np.int64)
    meeting = _meeting(region)
    if meeting is not None and meeting.node.op_type == "Mul":
        forms = [trace_affine(v) for v in meeting.inputs]
        if all(f is not None and f.zero_int is not None for f in forms):
            y, z = (f.zero_int or 0 for f in forms if f is not None)
            if forms[0] is not None and forms[0].q is b:
                y, z = z, y
            steps = _steps_over((ga - y) * (gb - z), levels, unit)
            if steps is not None:
                ones = np.ones(region.sets, np.int64)
                return JoinForm("mul", ones, ones, y, z, steps)
    elif meeting is not None:
        form = _by_scaling(region, meeting, ga, gb, levels, unit)
        if form is not None:
            return form
    if pairs <= _NUMBERED:
        left, right = np.full(region.sets, len(vb), np.int64), np.ones(region.sets, np.int64)
        steps = _steps_over(len(vb) * ga + gb, levels, unit)
        assert steps is not None
        return JoinForm("add", left, right, 0, 0, steps)
    return f"no integer rescaling of up to {_MAX_BITS} bits makes it a function of one sum on all {pairs} pairs"


def _meeting(region: Region) -> Step | None:
    """The operation at which the two leaves meet."""
    depends: dict[ir.Value, set[ir.Value]] = {leaf: {leaf} for leaf in region.leaves}
    for step in region.steps:
        below = set().union(*(depends.get(v, set()) for v in step.inputs if v is not None))
        if len(below) == 2:
            return step if step.node.op_type in ("Add", "Sub", "Mul") else None
        depends[step.output] = below
    return None


def _by_scaling(region: Region, meeting: Step, ga: Array, gb: Array, levels: Array, unit: int) -> JoinForm | None:
    forms = [trace_affine(v) for v in meeting.inputs]
    if forms[0] is None or forms[1] is None:
        return None
    alphas = [region.as_sets(f.scale)[:, 0] for f in forms if f is not None]
    if meeting.node.op_type == "Sub":
        alphas[1] = -alphas[1]
    if forms[0].q is not region.leaves[0]:
        alphas.reverse()
    alpha, beta = (np.broadcast_to(x, (region.sets,)) for x in alphas)
    crude: JoinForm | None = None
    seen: set[bytes] = set()
    for m, n in _factors(region, alpha, beta):
        key = m.tobytes() + n.tobytes()
        if key in seen:
            continue
        seen.add(key)
        steps = _steps_over(m[:, None] * ga + n[:, None] * gb, levels, unit)
        if steps is None:
            continue
        form = JoinForm("add", m, n, 0, 0, steps)
        # Levels that go up and down, or many of them, take many thresholds: another scaling may do with fewer, or with a requantizer.
        if steps.monotone and (steps.at.shape[1] < _MANY or find_requant(steps, IntType.for_range(*steps.reached)) is not None):
            return form
        if crude is None or (steps.monotone and not crude.steps.monotone):
            crude = form
    return crude


def _factors(region: Region, alpha: Array, beta: Array) -> Iterator[tuple[Array, Array]]:
    """Integer multipliers (sets,) to try, in the ratio of the real ones: the smallest first; then such that a level is a power of two."""
    top = np.maximum(np.abs(alpha), np.abs(beta))
    for bits in range(_MAX_BITS + 1):
        m, n = (np.rint(x / top * (1 << bits)).astype(np.int64) for x in (alpha, beta))
        if bits == 0 and (np.minimum(np.abs(m), np.abs(n)) == 0).any():
            continue
        common = np.maximum(np.gcd(m, n), 1)
        yield m // common, n // common
    last = region.steps[-1]
    if last.node.op_type == "Quantize" and last.inputs[1] is not None:
        level = region.constant(last.inputs[1])[:, 0].astype(np.float64)
        for bits in range(_MAX_BITS, _MAX_BITS + 7):
            yield tuple(np.rint(x / level * (1 << bits)).astype(np.int64) for x in (alpha, beta))  # type: ignore[misc]


def _steps_over(u: Array, levels: Array, unit: int) -> Steps | None:
    """The step function of u that gives ``levels`` (sets, pairs), or None where equal u have different levels."""
    sets = levels.shape[0]
    events: list[tuple[Array, Array]] = []
    free: list[Array] = []
    lo, hi, base = (np.empty(sets, np.int64) for _ in range(3))
    order = None
    for p in range(sets):
        if order is None or u.shape[0] > 1:
            row = u[min(p, u.shape[0] - 1)]
            order = np.argsort(row, kind="stable")
            sorted_u = row[order]
            new = np.diff(sorted_u) != 0
        level = levels[p, order]
        delta = np.diff(level)
        if (delta[~new] != 0).any():
            return None
        where = np.flatnonzero(delta)
        jumps = delta[where] // unit
        events.append((np.repeat(sorted_u[where + 1], np.abs(jumps)), np.repeat(np.sign(jumps), np.abs(jumps)) * unit))
        free.append(np.repeat(sorted_u[where] + 1, np.abs(jumps)))
        lo[p], hi[p], base[p] = sorted_u[0], sorted_u[-1], level[0]
    return assemble(lo, hi, base, events, unit, free)
