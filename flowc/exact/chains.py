"""Affine operations behind a sum that a runtime may multiply into its weights, and floats rounded outward."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from flowc.exact.bounds import SumBound
from flowc.exact.region import Region, Step
from flowc.model.ir import float_attr
from flowc.units.base import Array

__all__ = ["Chain", "affine_chain", "aligned", "outward"]


@dataclass(frozen=True, eq=False)
class Chain:
    """Affine operations with constants behind a sum, as one: ``output = x * factor + offset``.

    ``magnitude``: of what the offset is computed from; ``roundings``: of the factor, the offset and the result together, at most.
    """

    factor: Array
    offset: Array
    magnitude: Array
    roundings: int
    output: ir.Value

    def of_rows(self, rows: slice) -> Chain:
        """The same for some parameter sets."""
        if all(
            len(a) == 1 or rows.indices(len(a)) == (0, len(a), 1) for a in (self.factor, self.offset, self.magnitude)
        ):
            return self
        factor, offset, magnitude = (a if len(a) == 1 else a[rows] for a in (self.factor, self.offset, self.magnitude))
        return replace(self, factor=factor, offset=offset, magnitude=magnitude)


def affine_chain(region: Region, value: ir.Value) -> tuple[Array, Chain | None]:
    """The bias that is added to the sum ``value``, and what a runtime may multiply into the weights (None where nothing scales the sum)."""
    uses: dict[ir.Value, list[Step]] = {}
    for step in region.steps:
        for source in step.inputs:
            if source is not None:
                uses.setdefault(source, []).append(step)
    zero = np.zeros((1, 1))
    a, b, magnitude, bias, roundings, scaled = np.ones((1, 1)), zero, zero, zero, 3, False
    while len(uses.get(value, ())) == 1:
        (step,) = uses[value]
        found = _affine_step(region, step, value)
        if found is None:
            break
        factor, offset, met = found
        a, b, magnitude, value = a * factor, b * factor + offset, magnitude * np.abs(factor) + met, step.output
        roundings += 5
        scaled = scaled or bool((np.abs(factor) != 1).any())
        bias = bias if scaled else b
    return bias, Chain(a, b, magnitude, roundings, value) if scaled else None


def _affine_step(region: Region, step: Step, value: ir.Value) -> tuple[Array, Array, Array] | None:
    """(factor, offset, magnitude of what the offset is computed from) of an operation on ``value`` and constants; None for others."""
    op, one, zero = step.node.op_type, np.ones((1, 1)), np.zeros((1, 1))
    if any(v is not None and v is not value and v not in region.constants for v in step.inputs):
        return None
    constants = [region.constant(v).astype(np.float64) for v in step.inputs if v is not None and v is not value]
    if op == "BatchNormalization" and step.inputs[0] is value:
        gamma, beta, mean, var = constants
        factor = gamma / np.sqrt(var + float_attr(step.node, "epsilon", 1e-5))
        return factor, beta - mean * factor, np.abs(beta) + np.abs(mean * factor)
    if op == "Neg":
        return -one, zero, zero
    if op not in ("Add", "Sub", "Mul", "Div") or len(constants) != 1:
        return None
    (c,) = constants
    first = step.inputs[0] is value
    if op == "Add":
        return one, c, np.abs(c)
    if op == "Sub":
        return (one, -c, np.abs(c)) if first else (-one, c, np.abs(c))
    if op == "Mul":
        return c, zero, zero
    return (1 / c, zero, zero) if first and c.all() else None


def aligned(bias: Array, scale: Array, bound: SumBound | None) -> bool:
    """Whether the bias is a multiple of the scale, so small that exact sums stay exact wherever it is added."""
    steps = bias / scale
    top = 0.0 if bound is None else float(bound.size.max())
    return bool((steps == np.rint(steps)).all()) and top + float(np.abs(steps).max()) < 1 << 24


def outward(value: Array, side: float | Array) -> Array:
    """float32 values that do not lie further in than ``value``: not below where ``side`` is 1, not above where it is -1."""
    with np.errstate(over="ignore"):
        rounded = value.astype(np.float32)
    short = np.where(np.asarray(side) > 0, rounded < value, rounded > value)
    return np.where(short, np.nextafter(rounded, np.float32(np.inf) * np.asarray(side, np.float32)), rounded)
