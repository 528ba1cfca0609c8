"""The exactness certificate: which thresholds every conforming float32 runtime must agree on.

A float sum has no prescribed order. Around each threshold lies a window of accumulator values in which runtimes that follow the ONNX
specification may differ. The bound on the sum's error (`flowc.exact.bounds`) and its derivation are in docs/exactness.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from flowc.exact.bounds import UNIT, SumBound, sum_bound
from flowc.exact.ops import RUNTIME
from flowc.exact.region import Region, Step
from flowc.exact.steps import Steps, bisect
from flowc.model.ir import float_attr
from flowc.units.base import Array

__all__ = ["Certificate", "TensorCertificate", "affine_chain", "aligned", "certify", "covered", "outward", "windows"]

_NEAR = 64
_WIDER = 16
_CHUNK = 1 << 18


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
    tensor: str, region: Region, steps: Steps, leaf: ir.Value, ranges: Mapping[ir.Value, tuple[Array, Array]]
) -> TensorCertificate:
    """The certificate of an activation of one integer tensor (joins of two: `flowc.exact.join_windows`).

    Args:
        tensor: its name.
        region: the operations that it stands for.
        steps: the function that was found.
        leaf: the integer tensor it is a function of.
        ranges: integer ranges of the tensors so far.
    """
    values = int((steps.hi - steps.lo + 1).sum())
    runtime = any(n.domain == "" and n.op_type in RUNTIME for n in region.nodes)
    thresholds = _Thresholds.of(steps)
    count = int(thresholds.real.sum())
    if len(region.dequantized(leaf)) != 1:
        # Nothing is proven of functions of one sum that is scaled in two ways.
        open_ = runtime or sum_bound(leaf, ranges) is not None
        return TensorCertificate(tensor, count, 0, 0 if open_ else count, 0, count if open_ else 0, 0, values)
    bound = sum_bound(leaf, ranges)
    written = _Windows(region, leaf, thresholds, bound, fused=False)
    if not runtime and written.chain is None:
        if bound is None:
            return TensorCertificate(tensor, count, 0, count, 0, 0, 0, values)
        if bound.exact and written.aligned:
            return TensorCertificate(tensor, count, count, 0, 0, 0, 0, values)
    low, high = written.find()
    empty = fused_empty = high <= low
    if written.chain is not None:
        flow, fhigh = _Windows(region, leaf, thresholds, bound, fused=True).find()
        fused_empty = fhigh <= flow
    real = thresholds.real
    proven, unfused = int((real & empty & fused_empty).sum()), int((real & empty & ~fused_empty).sum())
    # A level just beyond the ends of the range counts as a threshold where the model leaves open whether it is reached.
    ambiguous = int((~empty).sum())
    count = proven + unfused + ambiguous
    if not ambiguous:
        return TensorCertificate(tensor, count, 0, proven, unfused, 0, 0, values)
    inside = covered(low, high)
    return TensorCertificate(tensor, count, 0, proven, unfused, ambiguous, inside, values, low, high)


def covered(low: Array, high: Array) -> int:
    """How many integers lie in at least one of the windows of their set: windows of neighbouring thresholds may overlap."""
    order = np.argsort(low, axis=1, kind="stable")
    low, high = np.take_along_axis(low, order, axis=1), np.take_along_axis(high, order, axis=1)
    before = np.maximum.accumulate(high, axis=1)[:, :-1]
    starts = np.concatenate([low[:, :1], np.maximum(low[:, 1:], before)], axis=1)
    return int(np.maximum(high - starts, 0).sum())


def windows(
    region: Region, steps: Steps, leaf: ir.Value, ranges: Mapping[ir.Value, tuple[Array, Array]], *, fused: bool = False
) -> tuple[Array, Array]:
    """(low, high), int64 (sets, K): at integers in [low, high) a conforming runtime may decide otherwise than the reference function.

    Args:
        fused: the runtime may multiply a batch normalization into the weights, or compute it in another way; else as written.
    """
    view = _Windows(region, leaf, _Thresholds.of(steps), sum_bound(leaf, ranges), fused=fused)
    return view.find()


@dataclass(frozen=True, eq=False)
class _Thresholds:
    """The thresholds of a step function one by one, (sets, K + 2): those inside the domain, and one beyond each end.

    Attributes:
        at: where each begins, clipped to one beyond the domain.
        level: the value that it leads to.
        sign: +1 where the function rises, -1 where it falls.
        real: whether it lies inside the domain; end: whether it is one of the last two columns.
        monotone: whether no set both rises and falls.
    """

    steps: Steps
    at: Array
    level: Array
    sign: Array
    real: Array
    end: Array
    monotone: bool

    @classmethod
    def of(cls, steps: Steps) -> _Thresholds:
        """The thresholds of ``steps``."""
        step = np.broadcast_to(steps.step, steps.at.shape)
        real = (steps.at > steps.lo[:, None]) & (steps.at <= steps.hi[:, None]) & (step != 0)
        unit = int(np.abs(steps.step).max(initial=0)) or 1
        falling, rising = (real & (step < 0)).any(axis=1), (real & (step > 0)).any(axis=1)
        main = np.where(falling, -1, 1)[:, None]
        ends = np.stack([steps.lo, steps.hi], axis=1)
        values = steps(ends)
        levels = np.concatenate(
            [steps.base[:, None] + np.cumsum(step, axis=1), values[:, :1], values[:, 1:] + main * unit], axis=1
        )
        at = np.concatenate([steps.at, ends[:, :1], ends[:, 1:] + 1], axis=1)
        none = np.zeros(ends.shape, bool)
        return cls(
            steps,
            np.clip(at, steps.lo[:, None], steps.hi[:, None] + 1),
            levels,
            np.concatenate([np.where(step < 0, -1, 1), main, main], axis=1),
            np.concatenate([real, none], axis=1),
            np.concatenate([np.zeros(real.shape, bool), ~none], axis=1),
            not (falling & rising).any(),
        )


class _Windows:
    """Windows of one activation: where perturbed sums are quantized otherwise than exact ones."""

    def __init__(
        self, region: Region, leaf: ir.Value, thresholds: _Thresholds, bound: SumBound | None, *, fused: bool
    ) -> None:
        self.region, self.leaf, self.thresholds = region, leaf, thresholds
        self.bound = None if bound is None else bound.at_sets(region)
        (self.entry,) = region.dequantized(leaf)
        scale, zero = region.scale(self.entry)
        self.scale, self.zero = scale.astype(np.float64), zero.astype(np.float64)
        self.bias, chain = affine_chain(region, self.entry)
        # Without a sum there are no weights to multiply into; only batch normalization may be computed in more than one way.
        normalized = any(n.op_type == "BatchNormalization" for n in region.nodes)
        self.chain = chain if bound is not None or normalized else None
        self.fused = fused and self.chain is not None

    @property
    def aligned(self) -> bool:
        """Whether exact sums stay exact wherever the bias is added."""
        return aligned(self.bias, self.scale, self.bound)

    def find(self) -> tuple[Array, Array]:
        """(low, high), each int64 (sets, K): what lies in [low, high) is ambiguous."""
        t = self.thresholds
        follows = self.region.monotone(self.leaf) is not None and t.monotone
        lo, hi = t.steps.lo[:, None], t.steps.hi[:, None]
        span, widest = _NEAR, int((hi - lo).max()) + 1
        low, high = t.at.copy(), t.at.copy()
        columns = np.arange(t.at.shape[1])
        while True:
            error = self._error(span)[:, columns]
            near = np.maximum(lo, t.at[:, columns] - span), np.minimum(hi, t.at[:, columns] + span)
            search = self._by_bisection if follows else self._by_walking
            first, last = search(columns, error, *near)
            low[:, columns], high[:, columns] = first, last
            # A window that ends where the search ended may go on.
            cut = (last > first) & (((first == near[0]) & (first > lo)) | ((last == near[1] + 1) & (near[1] < hi)))
            columns = columns[(cut & (t.real | t.end)[:, columns]).any(axis=0)]
            if span >= widest or not len(columns):
                break
            span *= _WIDER
        keep = (t.real | t.end) & (high > low)
        return np.where(keep, low, 0), np.where(keep, high, 0)

    def _by_bisection(self, columns: Array, error: Array, first: Array, last: Array) -> tuple[Array, Array]:
        sign, level = self.thresholds.sign[:, columns], self.thresholds.level[:, columns]

        def crossed(q: Array, any_: bool) -> Array:
            hits = [sign * (np.broadcast_to(v, q.shape) - level) >= 0 for v in self._levels(q, error)]
            return np.logical_or.reduce(hits) if any_ else np.logical_and.reduce(hits)

        return bisect(lambda q: crossed(q, True), first, last), bisect(lambda q: crossed(q, False), first, last)

    def _by_walking(self, _columns: Array, error: Array, first: Array, last: Array) -> tuple[Array, Array]:
        """For functions that rise and fall: all integers near each threshold."""
        low, high = last + 1, first.copy()
        error = np.broadcast_to(error, first.shape)
        width, many = int((last - first).max()) + 1, max(1, _CHUNK // first.size)
        for start in range(0, width, many):
            distance = np.arange(start, min(width, start + many))
            q = np.minimum(first[..., None] + distance, last[..., None])
            flat = q.reshape(len(first), -1)
            levels = [np.broadcast_to(v, flat.shape) for v in self._levels(flat, error.repeat(len(distance), axis=1))]
            open_ = np.logical_or.reduce([v != levels[0] for v in levels[1:]]).reshape(q.shape)
            low = np.minimum(low, np.where(open_, q, low[..., None]).min(axis=2))
            high = np.maximum(high, np.where(open_, q + 1, high[..., None]).max(axis=2))
        return low, high

    def _error(self, span: int) -> Array:
        """Bound of the sum's error up to ``span`` integers around each threshold, in units of the integers."""
        at = self.thresholds.at
        if self.bound is None:
            return np.zeros(at.shape)
        offset = np.abs(self.bias / self.scale)
        scale = self.scale
        if self.fused and self.chain is not None:
            a, b = self.chain.factor, self.chain.offset
            scale = scale * np.where(a == 0, 1, a)
            offset = np.maximum(offset, np.abs(np.where(a == 0, 0, b) / scale))
        elif self.bound.exact and self.aligned:
            return np.zeros(at.shape)
        return self.bound.error(at - self.zero, span, scale[:, 0], offset[:, 0], fused=self.fused)

    def _levels(self, q: Array, error: Array) -> list[Array]:
        """Levels at the reference's value, and at the ends of the interval of values that a conforming runtime may compute."""
        x = (q - self.zero) * self.scale
        spread = error * np.abs(self.scale)
        results = []
        for side in (0.0, -1.0, 1.0):
            given: dict[ir.Value, Array] = {}
            if self.fused and side:
                given = self._normalized(x, spread, side)
            elif self.bound is not None:
                given = {self.entry: outward(x + side * spread, side)}
            for nudge in (-1, 1) if side else (0,):
                results.append(self.region.evaluate({self.leaf: q}, given, nudge=nudge).astype(np.int64))
        return results

    def _normalized(self, x: Array, spread: Array, side: float) -> dict[ir.Value, Array]:
        """The fused form: weights times the factor, one rounding each, the offset folded; or any other way to compute the chain."""
        assert self.chain is not None
        a, b = self.chain.factor, self.chain.offset
        y = x * a + b
        wide = np.abs(a) * spread + self.chain.roundings * UNIT * (self.chain.magnitude + np.abs(x * a))
        return {self.chain.output: outward(y + side * wide, side)}


@dataclass(frozen=True, eq=False)
class _Chain:
    """Affine operations with constants behind a sum, as one: ``output = x * factor + offset``.

    ``magnitude``: of what the offset is computed from; ``roundings``: of the factor, the offset and the result together, at most.
    """

    factor: Array
    offset: Array
    magnitude: Array
    roundings: int
    output: ir.Value


def affine_chain(region: Region, value: ir.Value) -> tuple[Array, _Chain | None]:
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
    return bias, _Chain(a, b, magnitude, roundings, value) if scaled else None


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


def outward(value: Array, side: float) -> Array:
    """float32 values that do not lie further in than ``value``."""
    rounded = value.astype(np.float32)
    if side > 0:
        return np.where(rounded < value, np.nextafter(rounded, np.float32(np.inf)), rounded)
    if side < 0:
        return np.where(rounded > value, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    return rounded
