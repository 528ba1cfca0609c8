"""Interval evaluation of the model's elementwise operations: what a region can become anywhere between two integers.

Arithmetic that IEEE 754 prescribes rounds monotonically, so an operation that follows each of its arguments in one direction takes its
extremes at corners of the intervals, and the float32 results there bound all others. Functions whose last bits a runtime chooses
are widened by what `flowc.exact.ops.ripple` leaves open; functions with one minimum (SiLU, GELU, ...) are evaluated there as well.
An interval may come out too wide (``x * sigmoid(x)`` takes both factors as independent), never too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import onnx_ir as ir

from flowc.exact import ops
from flowc.exact.region import Region
from flowc.exact.steps import Levels
from flowc.exact.walk import Enclose
from flowc.model.ir import DOMAIN, float_attr
from flowc.units.base import Array

__all__ = ["Interval", "enclose", "interval", "level_bounds", "levels_of"]

Interval = tuple[Array, Array]
"""Least and greatest value, arrays of one shape."""
_Arguments = Sequence[Interval | None]

_MINIMA = {"Gelu": -0.7517916, "HardSwish": -1.5, "Mish": -1.1924313, "Swish": -1.2784646}
"""Functions that fall up to here and rise from here on (``Swish`` for alpha 1). Near a minimum they are so flat that a float more or
less does not matter."""


def enclose(region: Region, known: Mapping[ir.Value, Interval], rows: Array) -> Interval:
    """Bounds of the region's output.

    Args:
        region: the operations.
        known: intervals (n, 1) of the leaves, and of values to take instead of computing them.
        rows: int64 (n,): which parameter set each row belongs to.

    Returns:
        float32 (n, 1) twice. What can't be bounded reaches from -inf to inf.
    """
    values = {v: (c, c) for v, a in region.constants.items() for c in [a if len(a) == 1 else a[rows]]}
    values |= known
    for step in region.steps:
        if step.output not in values:
            values[step.output] = interval(step.node, [None if v is None else values[v] for v in step.inputs])
    return values[region.output]


def levels_of(region: Region, leaf: ir.Value) -> Levels:
    """The levels that a region of one leaf, which ends in a quantizer, gives its integers."""

    def levels(q: Array, rows: Any) -> Array:
        found = region.evaluate({leaf: q}, rows=rows)
        return (found if found.shape == q.shape else np.broadcast_to(found, q.shape)).astype(np.int64)

    return levels


def level_bounds(region: Region, leaf: ir.Value) -> Enclose:
    """Bounds of the levels of all integers between two."""

    def bounds(rows: Array, first: Array, last: Array) -> tuple[Array, Array]:
        low, high = enclose(region, {leaf: (first[:, None], last[:, None])}, rows)
        return low[:, 0].astype(np.int64), high[:, 0].astype(np.int64)

    return bounds


def interval(node: ir.Node, args: _Arguments) -> Interval:
    """Bounds of one operation on intervals."""
    rule = _RULES.get(node.op_type, _corners) if node.domain != DOMAIN else _corners
    with np.errstate(all="ignore"):
        low, high = rule(node, args)
        unknown = np.isnan(low) | np.isnan(high)
    return np.where(unknown, np.float32(-np.inf), low), np.where(unknown, np.float32(np.inf), high)


def _at(node: ir.Node, args: _Arguments, points: Sequence[Array]) -> Interval:
    """Extremes of the function of the first argument at ``points``, the other arguments being constant."""
    others = [None if a is None else a[0] for a in args[1:]]
    return _extremes(node, args, [ops.evaluate(node, [p, *others]) for p in points])


def _extremes(node: ir.Node, args: _Arguments, results: Sequence[Array]) -> Interval:
    low, high = np.minimum.reduce(results), np.maximum.reduce(results)
    first = args[0]
    assert first is not None
    magnitude = np.maximum(np.abs(first[0]), np.abs(first[1]))
    return ops.widened(node, magnitude, low, high)


def _corners(node: ir.Node, args: _Arguments) -> Interval:
    """Functions that follow each argument in one direction, whichever it is."""
    choices = [(None,) if a is None else (a[0],) if a[0] is a[1] else a for a in args]
    return _extremes(node, args, [ops.evaluate(node, corner) for corner in product(*choices)])


def _unbounded(like: Array) -> Interval:
    return np.full(like.shape, -np.inf, np.float32), np.full(like.shape, np.inf, np.float32)


def _over_zero(node: ir.Node, args: _Arguments) -> Interval:
    """Functions that may turn at zero and nowhere else."""
    x = args[0]
    assert x is not None
    return _at(node, args, [*x, np.asarray(np.clip(np.float32(0), *x))])


def _quotient(node: ir.Node, args: _Arguments) -> Interval:
    divisor = args[-1]
    assert divisor is not None
    low, high = _corners(node, args)
    none, all_ = _unbounded(low)
    through = (divisor[0] <= 0) & (divisor[1] >= 0)
    return np.where(through, none, low), np.where(through, all_, high)


def _power(node: ir.Node, args: _Arguments) -> Interval:
    x, exponent = args[0], args[1]
    assert x is not None
    assert exponent is not None
    if exponent[0] is not exponent[1]:
        return _unbounded(np.broadcast_arrays(x[0], exponent[0])[0])
    low, high = _over_zero(node, args)
    none, all_ = _unbounded(low)
    through = (exponent[0] < 0) & (x[0] <= 0) & (x[1] >= 0)
    return np.where(through, none, low), np.where(through, all_, high)


def _valley(node: ir.Node, args: _Arguments) -> Interval:
    """Functions with one minimum."""
    x = args[0]
    assert x is not None
    alpha = float_attr(node, "alpha", 1.0) if node.op_type == "Swish" else 1.0
    if alpha <= 0:
        return _unbounded(x[0])
    return _at(node, args, [*x, np.asarray(np.clip(np.float32(_MINIMA[node.op_type] / alpha), *x))])


def _jump(node: ir.Node, args: _Arguments) -> Interval:
    """``x`` above alpha, else 0: rises everywhere but at an alpha below zero."""
    x = args[0]
    assert x is not None
    return _corners(node, args) if float_attr(node, "alpha", 1.0) >= 0 else _unbounded(x[0])


_RULES: dict[str, Callable[[ir.Node, _Arguments], Interval]] = {
    "Abs": _over_zero, "Celu": _over_zero, "Elu": _over_zero, "LeakyRelu": _over_zero, "PRelu": _over_zero, "Selu": _over_zero,
    "Div": _quotient, "Reciprocal": _quotient, "Pow": _power, "ThresholdedRelu": _jump, **dict.fromkeys(_MINIMA, _valley),
}  # fmt: skip
