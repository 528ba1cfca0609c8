"""Float tensors that stand for integers, and how far from them a conforming runtime may compute them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from flowc.exact.affine import Affine, trace_affine
from flowc.exact.bounds import UNIT, sum_bound
from flowc.model.ir import shape_of
from flowc.units.base import Array

__all__ = ["FloatSum", "float_sum", "float_sums"]


@dataclass(frozen=True, eq=False)
class FloatSum:
    """A float tensor of the model that stands for an integer tensor: ``float = scale * (integer - zero)``.

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


def float_sum(value: ir.Value, ranges: Mapping[ir.Value, tuple[Array, Array]]) -> FloatSum | None:
    """What a float tensor that is an affine function of an integer one stands for; None where it is none.

    Args:
        value: the float tensor.
        ranges: integer ranges of the tensors so far.
    """
    form = trace_affine(value)
    if form is None or form.q not in ranges or shape_of(form.q) != shape_of(value):
        return None
    if not (np.isfinite(form.scale).all() and np.isfinite(form.zero).all() and (form.scale != 0).all()):
        return None
    return FloatSum(form.q.name or "", value.name or "", form.scale, form.zero, _error(form, ranges))


def float_sums(
    values: Iterable[ir.Value], leaf: ir.Value, ranges: Mapping[ir.Value, tuple[Array, Array]]
) -> list[FloatSum]:
    """Those of ``values`` that stand for the integers of ``leaf``."""
    found = (float_sum(v, ranges) for v in values)
    return [s for s in found if s is not None and s.tensor == leaf.name]


def _error(form: Affine, ranges: Mapping[ir.Value, tuple[Array, Array]]) -> Array:
    lo, hi = ranges[form.q]
    # Of the sum itself, before anything was added, only the magnitude is known: what was added is in ``offset``.
    top = float(np.maximum(np.abs(lo - form.zero), np.abs(hi - form.zero)).max()) + form.offset
    rounding = (form.roundings + 1) * UNIT * (top + form.offset)
    bound = sum_bound(form.q, ranges)
    if bound is None:
        return np.full((1,) * form.scale.ndim, rounding)
    shape = np.broadcast_shapes(bound.rows.shape, form.scale.shape)
    rows = np.broadcast_to(bound.rows, shape).reshape(-1)
    scale = np.broadcast_to(form.scale, shape).reshape(-1)
    pairs, index = np.unique(np.stack([rows.astype(np.float64), np.abs(scale)]), axis=1, return_inverse=True)
    each = bound.at_rows(pairs[0].astype(np.int64))
    error = each.error(np.zeros((pairs.shape[1], 1)), top, pairs[1], np.array([form.offset]))[:, 0]
    return np.asarray(error[index.reshape(-1)].reshape(shape) + rounding)
