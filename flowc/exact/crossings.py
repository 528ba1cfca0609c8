"""Where two tensors that meet in a sum or a product cross the levels of what lies behind.

What follows a meeting is a function of one float. Where it is monotone, each level begins at one float32 value, which a bisection over
floats finds. Of two known floats the sum or product rounds once: the least ``a`` that reaches such a value with a given ``b`` is looked
up among the floats of all ``a``, and then checked together with its neighbour by the very operation. No pair is visited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from flowc.exact.budget import Budget, TooLarge
from flowc.exact.region import Region, Step
from flowc.exact.search import bisect
from flowc.units.base import Array

__all__ = ["Crossings", "crossings", "meeting_of"]

_AT_ONCE = 1 << 16
_MOST = 1 << 24
"""Crossings held at most: some hundred megabytes."""
_FIXES = 64
_MAGNITUDE = 0x7FFFFFFF


@dataclass(frozen=True, eq=False)
class Crossings:
    """Where levels begin, for a (mirrored where ``sign`` says so, so that levels rise with it) against every b.

    Attributes:
        at: integers (sets, nb, K): least mirrored a of level k at b; one more than the greatest where it is not reached.
        b: int64 (nb,).
        low, high: int64 (sets, 1 or nb): the range of the mirrored a.
        sign: int64 (sets, 1), or (sets, nb) for products: -1 where a is mirrored; 0 where b makes every product zero.
        base: the level below the first.
    """

    at: Array
    b: Array
    low: Array
    high: Array
    sign: Array
    base: int


def meeting_of(region: Region) -> Step | None:
    """The addition, subtraction or product in which two leaves meet; None where they meet otherwise, or more than once."""
    depends: dict[ir.Value, set[ir.Value]] = {leaf: {leaf} for leaf in region.leaves}
    met: Step | None = None
    for step in region.steps:
        below = set().union(*(depends.get(v, set()) for v in step.inputs if v is not None))
        if len(below) > 1:
            if met is not None or step.node.op_type not in ("Add", "Sub", "Mul"):
                return None
            met, below = step, {step.output}
        depends[step.output] = below
    return met


def crossings(region: Region, meeting: Step, a: ir.Value, b: ir.Value, unit: int, budget: Budget) -> Crossings | None:
    """All crossings; None where the operations are not monotone.

    Args:
        region: operations on the leaves a and b, which meet in ``meeting`` as `meeting_of` has it.
        unit: difference between neighbouring levels.
        budget: what the functions of the model may still take.

    Raises:
        Blocked: a result is not a number.
        TooLarge: there are too many.
    """
    direction = region.monotone(meeting.output)
    if direction is None:
        return None
    (alo, ahi), (blo, bhi) = region.limits(a), region.limits(b)
    va, vb = np.arange(alo.min(), ahi.max() + 1), np.arange(blo.min(), bhi.max() + 1)
    x, y = (_operand(region, meeting, leaf, span) for leaf, span in ((a, va), (b, vb)))
    up = np.where(direction < 0, np.float32(-1), np.float32(1))
    product = meeting.node.op_type == "Mul"
    x, y = x * up, y if product else y * up
    turns = np.array([[_turn(row)] for row in x])
    if not (np.isfinite(x).all() and np.isfinite(y).all() and turns.all()):
        return None
    sign = np.broadcast_to(
        turns * (np.sign(y).astype(np.int64) if product else 1), (region.sets, len(vb) if product else 1)
    )
    ends = [np.broadcast_to(e[:, None], (region.sets, len(vb))) for e in (alo, ahi)]
    levels = [region.evaluate({a: e, b: vb[None]}).astype(np.int64) for e in ends]
    base, top = (int(f([f(v) for v in levels])) for f in (np.min, np.max))
    count = (top - base) // unit
    total = count * len(vb) * region.sets
    if total > _MOST or not budget.take(total, region.sets):
        raise _too_many(
            count,
            {(leaf.name or "").removesuffix("/q"): (int(v[0]), int(v[-1])) for leaf, v in ((a, va), (b, vb))},
            region.sets,
        )
    meets = np.multiply if product else np.add
    reach = np.stack([meets(x[:, [i]], y) for i in (0, -1)])
    floats = _floats(region, meeting, up, reach, base + unit * (1 + np.arange(count)))
    at = np.empty((region.sets, len(vb), count), np.int32 if len(va) < 1 << 30 else np.int64)
    for row in range(region.sets):
        own, other, way = (r[row % len(r)] for r in (x, y, sign))
        if not _fill(at[row], own, other, way, floats[row], product):
            return None
    low, high = (np.where(sign < 0, -m, n) for m, n in ((ahi[:, None], alo[:, None]), (alo[:, None], ahi[:, None])))
    # From places among all a to integers; what a set's own range leaves out does not occur in it.
    at += np.where(sign < 0, -va[-1], va[0]).astype(at.dtype)[:, :, None]
    np.clip(at, low[:, :, None], high[:, :, None] + 1, out=at)
    return Crossings(at, vb, low, high, sign, base)


def _too_many(levels: int, ranges: Mapping[str, tuple[int, int]], sets: int) -> TooLarge:
    names = " and ".join(f"'{name}' ({lo:,} to {hi:,})" for name, (lo, hi) in ranges.items())
    some = f" in each of {sets:,} parameter sets" if sets > 1 else ""
    return TooLarge(
        f"its result passes through {levels + 1:,} levels{some} while its inputs {names} take on every pair of values, more than flowc "
        "visits in one model; quantize one of the inputs, or the result, to 8 bits (Brevitas: bit_width=8; onnxruntime and torch.ao: an "
        "8-bit type), or share one quantizer on both branches"
    )


def _operand(region: Region, meeting: Step, leaf: ir.Value, integers: Array) -> Array:
    """What a leaf becomes on its way to the meeting, float32 (sets or 1, n); negated where it is subtracted."""
    others = {v: np.zeros((1, 1)) for v in region.leaves}
    for index, value in enumerate(meeting.inputs):
        assert value is not None
        if _depends(region, value, leaf):
            found = region.evaluate(others | {leaf: integers[None]}, of=value)
            return -found if index == 1 and meeting.node.op_type == "Sub" else found
    raise AssertionError("a meeting has both leaves below it")


def _depends(region: Region, value: ir.Value, leaf: ir.Value) -> bool:
    below = {leaf}
    for step in region.steps:
        if any(v in below for v in step.inputs if v is not None):
            below.add(step.output)
    return value in below


def _turn(row: Array) -> int:
    """+1 for floats that do not fall, -1 for floats that do not rise, 0 for others."""
    change = np.diff(row)
    return 1 if (change >= 0).all() else -1 if (change <= 0).all() else 0


def _key(value: Array) -> Array:
    """Integers in the order of float32 values, neighbours for neighbours."""
    bits = value.astype(np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & _MAGNITUDE), bits)


def _float(key: Array) -> Array:
    magnitude: Array = np.abs(key).astype(np.int32).view(np.float32)
    return np.where(key < 0, -magnitude, magnitude)


def _floats(region: Region, meeting: Step, up: Array, reach: Array, wanted: Array) -> Array:
    """The keys (see `_key`) at which levels (K,) begin, int64 (sets, K); ``reach``: results of the meeting, their extremes among them."""
    zeros = {v: np.zeros((1, 1)) for v in region.leaves}
    shape = (region.sets, len(wanted))
    ends = [np.broadcast_to(_key(f(reach, axis=(0, 2))[:, None]), (region.sets, 1)) for f in (np.min, np.max)]

    def reached(key: Array) -> Array:
        return region.evaluate(zeros, {meeting.output: _float(key) * up}) >= wanted

    return bisect(reached, *(np.broadcast_to(e, shape) for e in ends))


def _fill(at: Array, x: Array, y: Array, sign: Array, keys: Array, product: bool) -> bool:
    """Writes the least places (nb, K) in x, mirrored by ``sign``, that reach floats (K,) with each y (nb,); False if it can't."""
    least, below = _float(keys), _float(keys - 1)
    middle = (least.astype(np.float64) + below.astype(np.float64)) / 2
    signs = np.broadcast_to(sign, y.shape)
    for way in (-1, 0, 1):
        rows = np.flatnonzero(signs == way)
        if way == 0:
            # Every product is zero: a level is reached by all or by none.
            at[rows] = np.where(least <= 0, 0, len(x))
            continue
        ordered = x[::way]
        # What falls along this order rises where both factors are negated.
        flip = np.float32(-1 if product and _turn(ordered) < 0 else 1)
        distinct, first = np.unique(ordered * flip, return_index=True)
        places, wide = np.append(first, len(x)), distinct.astype(np.float64)
        many = max(1, _AT_ONCE // max(1, len(keys)))
        for part in (rows[i : i + many] for i in range(0, len(rows), many)):
            other = (y[part] * flip)[:, None]
            real = other.astype(np.float64)
            found = np.searchsorted(wide, middle / real if product else middle - real)
            if not _settled(found, distinct, other, least, np.multiply if product else np.add):
                return False
            at[part] = places[found]
    return True


def _settled(found: Array, x: Array, y: Array, least: Array, meets: np.ufunc) -> bool:
    """Moves places (n, K) until each is the first whose float, met with y (n, 1), is ``least`` (K,) or more; False if that takes long."""
    last = len(x) - 1
    for _ in range(_FIXES):
        early = (found > 0) & (meets(x[np.maximum(found - 1, 0)], y) >= least)
        late = (found <= last) & (meets(x[np.minimum(found, last)], y) < least)
        if not (early.any() or late.any()):
            return True
        found += late.astype(np.int64) - early
    return False
