"""The exactness certificate: which thresholds every conforming float32 runtime must agree on.

A float sum has no prescribed order. Around each threshold lies a window of accumulator values in which runtimes that follow the ONNX
specification may differ. The bound on the sum's error and its derivation are in docs/exactness.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from flowc.exact.ops import RUNTIME
from flowc.exact.region import Region, Step
from flowc.exact.steps import Steps, bisect
from flowc.ir import DOMAIN, array_of, float_attr, int_attr, ints_attr, is_op, shape_of
from flowc.units.base import Array

__all__ = ["Certificate", "SumBound", "TensorCertificate", "certify", "sum_bound"]

_U = 2.0**-24


@dataclass(frozen=True, eq=False)
class SumBound:
    """What bounds the float error of an integer sum, per output channel, in units of the integers.

    Attributes:
        prefix: float64 (sets, M + 1): greatest magnitude of a partial sum of m terms (prefix sums of the descending per-term maxima).
        products: float64 (sets,): half an ulp of every product, added up.
        roundings: relative roundings of each term (inputs and weights).
        exact: whether scales are powers of two and sums stay below 2^24: no rounding at all.
    """

    prefix: Array
    products: Array
    roundings: int
    exact: bool

    def error(self, at: Array, offset: Array) -> Array:
        """Bound on ``|float sum - exact sum|`` for exact sums ``at`` (sets, K), in units of the integers.

        Summing M terms in any order makes M - 1 additions. The one that completes a partial sum of m terms rounds by half an ulp of
        that partial sum at most, and no partial sum of m terms exceeds ``min(prefix[m], |total| + prefix[M - m])``.

        Args:
            offset: (sets or 1, 1): magnitude of a bias that a runtime may add first.
        """
        if self.exact:
            return np.zeros(at.shape)
        terms = self.prefix.shape[1] - 1
        result = np.empty(at.shape)
        for k in range(at.shape[1]):
            capped = np.minimum(self.prefix[:, 2:], np.abs(at[:, k : k + 1]) + self.prefix[:, terms - 2 :: -1][:, : terms - 1])
            result[:, k] = _half_ulp(capped + offset).sum(axis=1)
        return result + (self.products + self.roundings * _U * self.prefix[:, -1])[:, None]


def _half_ulp(magnitude: Array) -> Array:
    return np.exp2(np.floor(np.log2(np.maximum(magnitude, 1e-30))) - 24)


def sum_bound(leaf: ir.Value, ranges: Mapping[ir.Value, tuple[Array, Array]]) -> SumBound | None:
    """The bound for an integer tensor that the model computes as a float sum; None where it is no sum."""
    node = leaf.producer()
    if node is None or node.domain != DOMAIN:
        return None
    if node.op_type in ("IntMatMul", "IntConv"):
        source, weights = node.inputs[0], array_of(node.inputs[1])
        if source not in ranges or weights is None:
            return None
        terms = _terms(node, np.abs(weights.astype(np.float64)), *ranges[source])
        roundings = int_attr(node, "roundings", 2)
    elif node.op_type in ("SumPool", "GlobalSum"):
        lo, hi = (float(f(a)) for f, a in zip((np.min, np.max), ranges[node.inputs[0]], strict=True))  # type: ignore[index, operator]
        taps = int(np.prod(ints_attr(node, "kernel_shape") or shape_of(node.inputs[0])[2:]))  # type: ignore[arg-type]
        terms, roundings = np.full((1, taps), max(abs(lo), abs(hi))), 3
    elif is_op(node, "Join", DOMAIN):
        peaks = [max(abs(float(a.min())), abs(float(b.max()))) for a, b in (ranges[v] for v in node.inputs[:2])]  # type: ignore[index]
        terms, roundings = np.array([peaks]), 2
    else:
        return None
    descending = -np.sort(-terms, axis=1)
    prefix = np.concatenate([np.zeros((len(terms), 1)), np.cumsum(descending, axis=1)], axis=1)
    exact = roundings == 0 and float(prefix[:, -1].max()) < 1 << 24
    return SumBound(prefix, _half_ulp(terms).sum(axis=1) * (terms > 0).any(axis=1), roundings, exact)


def _terms(node: ir.Node, weights: Array, lo: Array, hi: Array) -> Array:
    """Greatest magnitude of every term ``w * (q - zero)``, (outputs, M)."""
    zeros = np.asarray(node.attributes["zeros"].value, np.float64)
    axis = lo.ndim - 1 if node.op_type == "IntMatMul" else 1
    zeros = zeros.reshape([-1 if i == axis else 1 for i in range(lo.ndim)])
    peak = np.maximum(np.abs(lo - zeros), np.abs(hi - zeros))
    if node.op_type == "IntMatMul":
        rows = np.broadcast_to(peak.reshape(-1, peak.shape[-1]).max(axis=0), (weights.shape[0],))
        return (weights * rows[:, None]).T
    groups = int_attr(node, "group", 1)
    outputs, per_group = weights.shape[:2]
    channels = np.broadcast_to(peak.reshape(peak.shape[1], -1).max(axis=1), (groups * per_group,)).reshape(groups, 1, per_group, 1)
    return (weights.reshape(groups, outputs // groups, per_group, -1) * channels).reshape(outputs, -1)


@dataclass(frozen=True, eq=False)
class TensorCertificate:
    """The certificate of one activation.

    Attributes:
        tensor: name of the integer tensor.
        thresholds: thresholds inside the range; of these ``exact`` (arithmetic is exact), ``proven`` (no accumulator value can be decided
            otherwise, batch normalization fused into the weights or not), ``proven_unfused`` (as written only) and ``ambiguous``.
        inside: accumulator values in a window; values: accumulator values in all.
        low, high: int64 (sets, K): values in [low, high) are ambiguous; None where there is none.
    """

    tensor: str
    thresholds: int
    exact: int
    proven: int
    proven_unfused: int
    ambiguous: int
    inside: int
    values: int
    low: Array | None = None
    high: Array | None = None

    @property
    def windows(self) -> tuple[Array, Array] | None:
        """(low, high), or None where there is no window."""
        return None if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True)
class Certificate:
    """The certificates of all activations."""

    tensors: tuple[TensorCertificate, ...]

    def renamed(self, aliases: Mapping[str, str]) -> Certificate:
        """The same, with tensors under the names by which they are compared."""
        return Certificate(tuple(replace(t, tensor=aliases.get(t.tensor, t.tensor)) for t in self.tensors))

    def as_dict(self) -> dict[str, float | int]:
        """The ``certificate`` entry of a report."""
        names = ("thresholds", "exact", "proven", "proven_unfused", "ambiguous")
        sums: dict[str, float | int] = {n: sum(getattr(t, n) for t in self.tensors) for n in names}
        values = sum(t.values for t in self.tensors)
        return sums | {"ambiguous_value_share": sum(t.inside for t in self.tensors) / values if values else 0.0}

    @property
    def windows(self) -> dict[str, tuple[Array, Array]]:
        """Tensor -> (low, high) where there is a window."""
        return {t.tensor: t.windows for t in self.tensors if t.windows is not None}


def certify(
    tensor: str, region: Region, steps: Steps, leaf: ir.Value | None, ranges: Mapping[ir.Value, tuple[Array, Array]]
) -> TensorCertificate:
    """The certificate of one activation.

    Args:
        tensor: its name.
        region: the operations that it stands for.
        steps: the function that was found.
        leaf: the integer tensor it is a function of; None for a join of two.
        ranges: integer ranges of the tensors so far.
    """
    real = (steps.at > steps.lo[:, None]) & (steps.at <= steps.hi[:, None])
    real &= np.broadcast_to(steps.step, steps.at.shape) != 0
    count, values = int(real.sum()), int((steps.hi - steps.lo + 1).sum())
    if leaf is None:
        sums = [v for v in region.leaves if sum_bound(v, ranges) is not None]
        proven = 0 if sums else count
        return TensorCertificate(tensor, count, 0, proven, 0, count - proven, 0, values)
    bound = sum_bound(leaf, ranges)
    runtime = any(n.domain == "" and n.op_type in RUNTIME for n in region.nodes)
    if bound is None and not runtime:
        return TensorCertificate(tensor, count, 0, count, 0, 0, 0, values)
    if bound is not None and bound.exact and not runtime:
        return TensorCertificate(tensor, count, count, 0, 0, 0, 0, values)
    written = _Windows(region, leaf, steps, bound, fused=False)
    low, high = written.find(real)
    fused = _Windows(region, leaf, steps, bound, fused=True)
    flow, fhigh = fused.find(real) if fused.applies else (low, high)
    empty, fused_empty = (high <= low) & real, (fhigh <= flow) & real
    proven, unfused = int((empty & fused_empty).sum()), int((empty & ~fused_empty).sum())
    inside = int(np.where(real, np.maximum(high - low, 0), 0).sum())
    ambiguous = count - proven - unfused
    if not ambiguous:
        return TensorCertificate(tensor, count, 0, proven, unfused, 0, 0, values)
    low, high = np.where(real, low, 0), np.where(real, high, 0)
    return TensorCertificate(tensor, count, 0, proven, unfused, ambiguous, inside, values, low, high)


class _Windows:
    """Windows of one activation: where perturbed sums are quantized otherwise than exact ones."""

    def __init__(self, region: Region, leaf: ir.Value, steps: Steps, bound: SumBound | None, *, fused: bool) -> None:
        self.region, self.leaf, self.steps, self.bound, self.fused = region, leaf, steps, bound, fused
        self.entry = region.dequantized(leaf)[0]
        scale, zero = region.scale(self.entry)
        self.scale, self.zero = scale.astype(np.float64), zero.astype(np.float64)
        self.bias, self.norm = self._shape()

    @property
    def applies(self) -> bool:
        """Whether there is a batch normalization that a runtime could fuse."""
        return self.norm is not None

    def _shape(self) -> tuple[Array, Step | None]:
        """Magnitude of a bias added to the sum, and the batch normalization behind it."""
        bias, value = np.zeros((1, 1)), self.entry
        for step in self.region.steps:
            if step.node.op_type == "Add" and value in step.inputs:
                other = step.inputs[1] if step.inputs[0] is value else step.inputs[0]
                if other is not None and other in self.region.constants:
                    bias, value = np.abs(self.region.constant(other)), step.output
            elif step.node.op_type == "BatchNormalization" and step.inputs[0] is value:
                return bias, step
        return bias, None

    def find(self, real: Array) -> tuple[Array, Array]:
        """(low, high), each int64 (sets, K)."""
        steps = self.steps
        at = np.clip(steps.at, steps.lo[:, None], steps.hi[:, None])
        error = self._error(at)
        step = np.broadcast_to(steps.step, at.shape)
        # The level from which each threshold leads away, and in which direction.
        level = steps(at)
        sign = np.sign(step)
        lo, hi = np.broadcast_to(steps.lo[:, None], at.shape), np.broadcast_to(steps.hi[:, None], at.shape)
        reach = self._reach(at, error, lo, hi)
        lo, hi = reach

        def crossed(q: Array, any_: bool) -> Array:
            levels = [np.broadcast_to(v, q.shape) for v in self._levels(q, error)]
            hits = [sign * (v - level) >= 0 for v in levels]
            return np.logical_or.reduce(hits) if any_ else np.logical_and.reduce(hits)

        low = bisect(lambda q: crossed(q, True), lo, hi)
        high = bisect(lambda q: crossed(q, False), lo, hi)
        return np.where(real, low, 0), np.where(real, high, 0)

    @staticmethod
    def _reach(at: Array, error: Array, lo: Array, hi: Array) -> tuple[Array, Array]:
        """Integers near a threshold that a perturbation can possibly concern, so that bisection stays local."""
        span = np.minimum(4 * np.ceil(error) + 64, 2**40).astype(np.int64)
        return np.maximum(lo, at - span), np.minimum(hi, at + span)

    def _error(self, at: Array) -> Array:
        """Bound of the sum's error at each threshold, in units of the integers."""
        if self.bound is None:
            return np.zeros(at.shape)
        total = np.abs(at - self.zero)
        bias = self.bias / np.abs(self.scale)
        sets = max(at.shape[0], len(self.bound.prefix))
        total = np.broadcast_to(total, (sets, at.shape[1])) + 1
        error = self.bound.error(total * (1 + 2.0**-10), bias)
        return error[: at.shape[0]] if at.shape[0] >= sets else error.max(axis=0, keepdims=True)

    def _levels(self, q: Array, error: Array) -> list[Array]:
        """Levels at the ends of the interval of values that a conforming runtime may compute, and at the reference's value."""
        x = (q - self.zero) * self.scale
        spread = error * np.abs(self.scale)
        results = []
        for side in (-1.0, 0.0, 1.0):
            if self.fused and self.norm is not None:
                target, value = self._normalized(x, spread, side)
            else:
                target, value = self.entry, _outward(x + side * spread, side)
            for nudge in (-1, 1) if side else (0,):
                results.append(self.region.evaluate({self.leaf: q}, {target: value}, nudge=nudge).astype(np.int64))
        return results

    def _normalized(self, x: Array, spread: Array, side: float) -> tuple[ir.Value, Array]:
        """The fused form: weights times a, one rounding each, bias folded; half ulps may double where exponents shift."""
        assert self.norm is not None
        gamma, beta, mean, var = (self.region.constant(v).astype(np.float64) for v in self.norm.inputs[1:] if v is not None)
        epsilon = float_attr(self.norm.node, "epsilon", 1e-5)
        a = gamma / np.sqrt(var + epsilon)
        b = beta - mean * a
        y = x * a + b
        total = 0.0 if self.bound is None else (self.bound.prefix[:, -1:] if len(self.bound.prefix) == len(y) else self.bound.prefix[:, -1].max())
        wide = np.abs(a) * (2 * spread + 4 * _U * total * np.abs(self.scale)) + 4 * _U * (np.abs(b) + np.abs(y))
        return self.norm.output, _outward(y + side * wide, side)


def _outward(value: Array, side: float) -> Array:
    """float32 values that do not lie further in than ``value``."""
    rounded = value.astype(np.float32)
    if side > 0:
        return np.where(rounded < value, np.nextafter(rounded, np.float32(np.inf)), rounded)
    if side < 0:
        return np.where(rounded > value, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    return rounded
