"""The integer form of a constant matrix or kernel: ``w = sum of scale_i * integers_i``, as a rule one term."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from flowc.exact.affine import trace_affine
from flowc.model.dtypes import compact
from flowc.model.ir import array_of
from flowc.passes.remedies import FLOAT_WEIGHTS, RUN_TIME
from flowc.units.base import Array

__all__ = ["Term", "integer_ratio", "weight_terms"]

_MAX_LEVEL = 1 << 15
_RECOVERED = 128
_MOST_DIVISOR = 8


@dataclass(frozen=True, eq=False)
class Term:
    """``scale * integers``: integers of the weight's shape (`compact`); scale float64, broadcastable along the output channels.

    ``roundings``: float32 roundings between the product and the stored weights.
    """

    integers: Array
    scale: Array
    roundings: int


def weight_terms(value: ir.Value | None, output_axis: int) -> list[Term] | str:
    """The terms of a constant weight tensor, or the reason why it has no integer form.

    Quantized weights give one term. Float weights whose values are multiples of one step (per output channel; of a power of
    two in all where they are integers or fixed-point numbers) are recovered; two-level ternary weights (-Wn, 0, +Wp) give
    two terms.
    """
    affine = trace_affine(value)
    if affine is not None:
        q = array_of(affine.q)
        if q is None:
            return RUN_TIME
        with np.errstate(invalid="ignore"):
            integers = q.astype(np.float64) - affine.zero if affine.zero.any() else q
        if not max(-float(integers.min(initial=0)), float(integers.max(initial=0))) < 1 << 53:
            return "the weights, or their zero point, are no integers below 2^53; quantize them to 8 bits or fewer"
        if not np.array_equal(integers, np.rint(integers)):
            return "the weights' zero point is not an integer; quantize weights symmetrically (onnxruntime: WeightSymmetric)"
        if any(n > 1 for axis, n in enumerate(affine.scale.shape) if axis != output_axis % q.ndim):
            return _fold_scale(integers.astype(np.int64), affine.scale, output_axis % q.ndim, affine.roundings)
        return [Term(compact(integers), affine.scale, affine.roundings)]
    array = array_of(value)
    if array is None:
        return RUN_TIME
    return _recover(array.astype(np.float32), output_axis % array.ndim)


def integer_ratio(values: Array) -> tuple[float, Array] | None:
    """``(unit, multiples)`` with ``values == unit * multiples`` exactly, multiples integers below 2^15; or None."""
    nonzero = np.abs(values[values != 0])
    if not len(nonzero):
        return None
    unit = float(nonzero.min())
    for divisor in range(1, 9):
        ratio = values / (unit / divisor)
        if np.array_equal(ratio, np.rint(ratio)) and np.abs(ratio).max() < _MAX_LEVEL:
            return unit / divisor, ratio.astype(np.int64)
    return None


def _fold_scale(integers: Array, scale: Array, axis: int, roundings: int) -> list[Term] | str:
    """A scale that varies over the inputs: foldable into the integers where its values are multiples of one unit."""
    full = np.broadcast_to(scale, integers.shape)
    rows = np.moveaxis(full, axis, 0).reshape(integers.shape[axis], -1)
    units, multiples = [], []
    for row in rows:
        ratio = integer_ratio(row)
        if ratio is None:
            return (
                "the weights' scale varies over the inputs of one output, by ratios that are not integers; use one scale per output "
                "channel (onnxruntime: per_channel=True; Brevitas: scaling_per_output_channel)"
            )
        units.append(ratio[0])
        multiples.append(ratio[1])
    moved = np.moveaxis(integers, axis, 0)
    folded = np.stack(multiples).reshape(moved.shape) * moved
    shape = [1] * integers.ndim
    shape[axis] = -1
    return [Term(np.moveaxis(folded, 0, axis), np.array(units).reshape(shape), roundings)]


def _recover(weights: Array, axis: int) -> list[Term] | str:
    rows = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)
    shape = [1] * weights.ndim
    shape[axis] = -1
    units = np.array([np.abs(row[row != 0]).min(initial=np.inf) for row in rows], np.float64)
    units[~np.isfinite(units)] = 1.0
    scale = units.reshape(shape).astype(np.float32)
    integers = np.rint(weights / scale)
    if np.abs(integers).max() <= _RECOVERED and np.array_equal((integers * scale).astype(np.float32), weights):
        return [Term(integers.astype(np.int64), scale.astype(np.float64), 1)]
    fixed = _fixed_point(weights)
    if fixed is not None:
        return [fixed]
    for divisor in range(2, _MOST_DIVISOR + 1):
        finer = (units.reshape(shape) / divisor).astype(np.float32)
        integers = np.rint(weights / finer)
        if np.abs(integers).max() <= _RECOVERED and np.array_equal((integers * finer).astype(np.float32), weights):
            return [Term(integers.astype(np.int64), finer.astype(np.float64), 1)]
    for part, layout in ((rows.reshape(1, -1), [1] * weights.ndim), (rows, shape)):
        levels = [np.unique(row[row != 0]) for row in part]
        if any(len(v) > 2 or (v > 0).sum() > 1 or (v < 0).sum() > 1 for v in levels):
            continue
        # A level that an output does not have may be anything: the other one mirrored.
        pairs = [(v[-1], v[0]) if len(v) == 2 else (abs(v[0]), -abs(v[0])) if len(v) else (1.0, -1.0) for v in levels]
        positive, negative = (np.array(column, np.float64).reshape(layout) for column in zip(*pairs, strict=True))
        return [Term((weights > 0).astype(np.int64), positive, 0), Term((weights < 0).astype(np.int64), negative, 0)]
    return FLOAT_WEIGHTS


def _fixed_point(weights: Array) -> Term | None:
    """Weights that are integers below 2^15 times one power of two, exactly: integers, or fixed-point numbers."""
    mantissas, exponents = np.frexp(weights[weights != 0].astype(np.float64))
    if not mantissas.size:
        return None
    # Of each value, the exponent of its last bit that is set.
    whole = (mantissas * 2.0**24).astype(np.int64)
    last = exponents - 24 + np.round(np.log2(whole & -whole)).astype(np.int64)
    step = 2.0 ** float(last.min())
    integers = weights.astype(np.float64) / step
    if np.abs(integers).max() >= _MAX_LEVEL:
        return None
    return Term(integers.astype(np.int64), np.full((1,) * weights.ndim, step), 0)
