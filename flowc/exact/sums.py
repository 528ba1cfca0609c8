"""Float tensors that stand for integers, and how far from them a conforming runtime may compute them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from flowc.exact.affine import Affine, trace_affine, trace_sum
from flowc.exact.bounds import UNIT, SumBound, sum_bound, together
from flowc.model.ir import shape_of
from flowc.units.base import Array

__all__ = ["FloatSum", "float_sum", "float_sums", "joint_sum"]


@dataclass(frozen=True, eq=False)
class FloatSum:
    """A float tensor of the model that stands for an integer tensor: ``float = scale * (integer - zero)``.

    Where several stand for the same float tensor, each is a part of it, and it is their sum.

    Attributes:
        tensor: name of the integer tensor; reference: name of the float tensor; both of one shape.
        scale, zero: float64, broadcastable against the tensor.
        error: float64, broadcastable: how far from the integer a conforming runtime's float may lie, in integers, whatever the order of
            its additions. Below a half the integer can be read off the float; above, only a bound is left.
        stream: name of the stream on which the tensor lies; "" where that is the tensor's own.
    """

    tensor: str
    reference: str
    scale: Array
    zero: Array
    error: Array
    stream: str = ""


def float_sum(
    value: ir.Value,
    ranges: Mapping[ir.Value, tuple[Array, Array]],
    bounds: Mapping[ir.Value, SumBound | None] | None = None,
) -> FloatSum | None:
    """What a float tensor that is an affine function of an integer one stands for; None where it is none.

    Args:
        value: the float tensor.
        ranges: integer ranges of the tensors so far.
        bounds: of integer tensors, where they are known already.
    """
    form = trace_affine(value)
    if form is None or form.q not in ranges or shape_of(form.q) != shape_of(value):
        return None
    if not (np.isfinite(form.scale).all() and np.isfinite(form.zero).all() and (form.scale != 0).all()):
        return None
    return FloatSum(form.q.name or "", value.name or "", form.scale, form.zero, _error(form, ranges, bounds or {}))


def float_sums(
    values: Iterable[ir.Value],
    leaf: ir.Value,
    ranges: Mapping[ir.Value, tuple[Array, Array]],
    bounds: Mapping[ir.Value, SumBound | None] | None = None,
) -> Iterator[FloatSum]:
    """Those of ``values`` that stand for the integers of ``leaf``; arguments as of `float_sum`."""
    found = (float_sum(v, ranges, bounds) for v in values)
    return (s for s in found if s is not None and s.tensor == leaf.name)


def joint_sum(value: ir.Value, ranges: Mapping[ir.Value, tuple[Array, Array]]) -> list[FloatSum]:
    """The parts of a float tensor that is the sum of several integer ones, each with a scale of its own; none where it is no such sum.

    Two-level ternary weights make such sums, and inputs of several scales. A runtime adds the terms of all parts in any order: the error
    of the whole stands with the first part.

    Args:
        value: the float tensor.
        ranges: integer ranges of the tensors so far.
    """
    parts = trace_sum(value) or []
    bounds = [b for p in parts if p.q in ranges and (b := sum_bound(p.q, ranges)) is not None]
    if len(parts) < 2 or len(bounds) < len(parts) or any(shape_of(p.q) != shape_of(value) for p in parts):
        return []
    if any(not (np.isfinite(p.scale).all() and np.isfinite(p.zero).all() and (p.scale != 0).all()) for p in parts):
        return []
    shape = np.broadcast_shapes(*(b.rows.shape for b in bounds), *(p.scale.shape for p in parts))
    scales = [np.abs(np.broadcast_to(p.scale, shape).reshape(-1)) for p in parts]
    factors = [(s / scales[0])[:, None] for s in scales]
    rows = [b.at_rows(np.broadcast_to(b.rows, shape).reshape(-1)) for b in bounds]
    whole = together(rows, factors)
    tops = [_top(p, ranges) * f[:, 0] for p, f in zip(parts, factors, strict=True)]
    offset = sum(p.offset * f[:, 0] for p, f in zip(parts, factors, strict=True))
    top = sum(tops[1:], tops[0])
    error = whole.error(np.zeros((len(top), 1)), float(top.max()), scales[0], np.asarray(offset))[:, 0]
    error = error + sum(p.roundings + 1 for p in parts) * UNIT * (top + offset)
    return [
        FloatSum(
            p.q.name or "",
            value.name or "",
            p.scale,
            p.zero,
            error.reshape(shape) if not i else np.zeros((1,) * len(shape)),
        )
        for i, p in enumerate(parts)
    ]


def _top(form: Affine, ranges: Mapping[ir.Value, tuple[Array, Array]]) -> float:
    """Greatest magnitude on the way to the float. Of the sum itself, before anything was added, only that is known."""
    lo, hi = ranges[form.q]
    return float(np.maximum(np.abs(lo - form.zero), np.abs(hi - form.zero)).max()) + form.offset


def _error(
    form: Affine, ranges: Mapping[ir.Value, tuple[Array, Array]], bounds: Mapping[ir.Value, SumBound | None]
) -> Array:
    top = _top(form, ranges)
    rounding = (form.roundings + 1) * UNIT * (top + form.offset)
    bound = bounds[form.q] if form.q in bounds else sum_bound(form.q, ranges)
    if bound is None:
        return np.full((1,) * form.scale.ndim, rounding)
    shape = np.broadcast_shapes(bound.rows.shape, form.scale.shape)
    rows = np.broadcast_to(bound.rows, shape).reshape(-1)
    scale = np.broadcast_to(form.scale, shape).reshape(-1)
    magnitude, offset = np.abs(scale), np.array([form.offset])
    if (np.diff(rows) > 0).all():
        pairs, index = (rows, magnitude), np.arange(len(rows))
    else:
        # Of positions by the thousand only the few bounds and scales that occur.
        (own, each), index = np.unique(np.stack([rows.astype(np.float64), magnitude]), axis=1, return_inverse=True)
        pairs = own.astype(np.int64), each
    error = bound.at_rows(pairs[0]).error(np.zeros((len(pairs[0]), 1)), top, pairs[1], offset)[:, 0]
    return np.asarray(error[index.reshape(-1)].reshape(shape) + rounding)
