"""The scaled-integer form of a float tensor: ``x = scale * (q - zero)`` with an integer tensor q."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from flowc.exact.region import compress, constant_of
from flowc.model.ir import DOMAIN, array_of, float_attr, is_op, shape_of
from flowc.units.base import Array

__all__ = ["Affine", "trace_affine", "trace_sum"]

_DEEPEST = 32
"""Additions in a row that a sum of several tensors is followed through."""


@dataclass(frozen=True, eq=False)
class Affine:
    """``x = scale * (q - zero)`` up to the rounding of the operations in between.

    Attributes:
        q: the integer tensor, of x's shape.
        scale, zero: float64, of x's rank, length 1 along axes where they do not vary.
        roundings: float32 roundings on the way from q to x, each of relative size 2^-24 at most.
        offset: to what, besides ``q - zero``, they are relative: magnitudes of what was added on the way, in units of q.
    """

    q: ir.Value
    scale: Array
    zero: Array
    roundings: int
    offset: float = 0.0

    @property
    def uniform(self) -> bool:
        """Whether one scale and one zero point serve the whole tensor."""
        return self.scale.size == 1 and self.zero.size == 1

    @property
    def zero_int(self) -> int | None:
        """The zero point where it is one integer, else None."""
        if self.zero.size != 1:
            return None
        zero = float(self.zero.reshape(()))
        return int(zero) if zero == int(zero) else None


def _aligned(array: Array, rank: int, vector: bool = False) -> Array:
    if vector:
        return array.reshape([1, -1] + [1] * (rank - 2)).astype(np.float64)
    return compress(array.reshape((1,) * (rank - array.ndim) + array.shape).astype(np.float64))


def _power_of_two(array: Array) -> bool:
    return bool((np.frexp(np.abs(array))[0] == 0.5).all())


def trace_affine(value: ir.Value | None) -> Affine | None:
    """Follows ``value`` back through affine operations with constants to its Dequantize; None where there is none."""
    if value is None:
        return None
    node = value.producer()
    if node is None:
        return None
    rank = len(shape_of(value))
    if is_op(node, "Dequantize", DOMAIN):
        q, scale, zero = node.inputs[0], array_of(node.inputs[1]), array_of(node.inputs[2])
        if q is None or scale is None or zero is None:
            return None
        s = _aligned(scale, rank)
        return Affine(q, s, _aligned(zero, rank), 0 if _power_of_two(s) else 1)
    if node.domain != "":
        return None
    op = node.op_type
    if op == "Neg":
        below = trace_affine(node.inputs[0])
        return None if below is None else replace(below, scale=-below.scale)
    if op == "BatchNormalization":
        below = trace_affine(node.inputs[0])
        parameters = [array_of(i) for i in node.inputs[1:]]
        if below is None or any(p is None for p in parameters):
            return None
        gamma, beta, mean, var = (_aligned(p, rank, True) for p in parameters if p is not None)
        a = gamma / np.sqrt(var + float_attr(node, "epsilon", 1e-5))
        return _shift(_stretch(below, a, 4), beta - mean * a, np.abs(beta) + np.abs(mean * a))
    if op not in ("Add", "Sub", "Mul", "Div"):
        return None
    sides = [constant_of(i) for i in node.inputs]
    if (sides[0] is None) == (sides[1] is None):
        return None
    moving = 0 if sides[0] is None else 1
    constant = _aligned(np.asarray(sides[1 - moving]), rank)
    if op == "Div" and (moving == 1 or not constant.all()):
        return None
    other = node.inputs[moving]
    below = trace_affine(other) if other is not None and shape_of(other) == shape_of(value) else None
    if below is None:
        return None
    if op == "Mul":
        return _stretch(below, constant, 0 if _power_of_two(constant) else 1)
    if op == "Div":
        return _stretch(below, 1 / constant, 0 if _power_of_two(constant) else 1)
    if op == "Sub" and moving == 1:
        return _shift(replace(below, scale=-below.scale), constant)
    return _shift(below, constant if op == "Add" else -constant)


def trace_sum(value: ir.Value | None, deepest: int = _DEEPEST) -> list[Affine] | None:
    """``x`` as a sum of affine forms, one for each integer tensor that is added up; None where it is none.

    What is added besides stands in the zero point of the first.
    """
    whole = trace_affine(value)
    if whole is not None or value is None:
        return None if whole is None else [whole]
    node = value.producer()
    if node is None or node.domain != "" or node.op_type != "Add" or not deepest:
        return None
    constants = [constant_of(v) for v in node.inputs]
    moving = [v for v, c in zip(node.inputs, constants, strict=True) if c is None]
    if any(v is None or shape_of(v) != shape_of(value) for v in moving):
        return None
    parts = [trace_sum(v, deepest - 1) for v in moving]
    if not parts or any(p is None for p in parts):
        return None
    found = [replace(a, roundings=a.roundings + 1) for p in parts for a in p or ()]
    added = [c for c in constants if c is not None]
    if added:
        first = _shift(found[0], _aligned(np.asarray(added[0]), len(shape_of(value))))
        return None if first is None else [first, *found[1:]]
    return found


def _stretch(below: Affine, factor: Array, roundings: int) -> Affine | None:
    if not np.isfinite(factor).all() or (factor == 0).any():
        return None
    return replace(below, scale=compress(below.scale * factor), roundings=below.roundings + roundings)


def _shift(below: Affine | None, constant: Array, magnitude: Array | None = None) -> Affine | None:
    """``x + constant``; ``magnitude`` of what the constant was computed from, where it was computed."""
    if below is None:
        return None
    zero = compress(below.zero - constant / below.scale)
    met = [below.zero, zero, (np.abs(constant) if magnitude is None else magnitude) / below.scale]
    offset = max(below.offset, *(2 * float(np.abs(m).max()) for m in met))
    return replace(below, zero=zero, roundings=below.roundings + 1, offset=offset)
