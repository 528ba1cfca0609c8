"""How far a float32 sum can lie from the exact one, whatever the order of its additions (derivation: docs/exactness.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from flowc.exact.region import Region
from flowc.ir import DOMAIN, array_of, float_attr, int_attr, ints_attr, shape_of, str_attr
from flowc.passes.movement import MOVES, move_arrays
from flowc.units.base import Array

__all__ = ["UNIT", "SumBound", "sum_bound"]

UNIT = 2.0**-24
"""Greatest relative error of one float32 rounding."""
_LEAST = -2
_SLACK = 1 + 2.0**-10
"""Covers second-order terms: partial sums that are themselves off by what is bounded here."""
_FUSED = 5
"""Roundings of a weight that batch normalization was multiplied into: square root, division and products."""

RangeMap = Mapping[ir.Value, tuple[Array, Array]]


@dataclass(frozen=True, eq=False)
class SumBound:
    """What bounds the float error of a tensor that the model computes as float sums; in units of the tensor's integers.

    Attributes:
        prefix: float64 (rows, M + 1): greatest magnitude of a partial sum of m terms (prefix sums of the descending per-term maxima).
        carried: float64 (rows,): by how much the terms are off together before they are multiplied and added.
        rounded: whether products round; without, all factors are powers of two times small integers.
        exact: whether nothing rounds: as ``rounded``, and no sum reaches 2^24.
        rows: int64, broadcastable against the tensor: which row bounds which element.
    """

    prefix: Array
    carried: Array
    rounded: bool
    exact: bool
    rows: Array

    def at_sets(self, region: Region) -> SumBound:
        """The same with one row per parameter set of the region, or one in all."""
        if all(n == 1 or axis in region.axes for axis, n in enumerate(self.rows.shape)):
            index = region.as_sets(self.rows)[:, 0]
            return replace(self, prefix=self.prefix[index], carried=self.carried[index])
        return replace(self, prefix=self.prefix.max(axis=0, keepdims=True), carried=self.carried.max(keepdims=True))

    def error(self, total: Array, scale: Array, offset: Array, *, fused: bool = False) -> Array:
        """Bound on ``|float sum - exact sum|``, in units of the integers; float64 (sets, K).

        Summing M terms in any order makes M - 1 additions. The one that completes a partial sum of m terms rounds by half an ulp of
        that partial sum at most, and no partial sum of m terms exceeds ``min(prefix[m], |total| + prefix[M - m])``.

        Args:
            total: (sets, K): magnitude of the exact sums.
            scale: (sets or 1,): value of one unit (it decides where binades begin).
            offset: (sets or 1,): magnitude of a bias that a runtime may add at any time, in units.
            fused: a batch normalization was multiplied into the weights.
        """
        if self.exact and not fused and not offset.any():
            return np.zeros(total.shape)
        sets = max(len(total), len(self.prefix))
        mantissa = 2 * np.frexp(np.abs(np.broadcast_to(scale, (sets,))))[0]
        mantissa = np.where(mantissa > 0, mantissa, 1.0)
        bias = np.broadcast_to(offset, (sets,))
        result = np.empty((sets, total.shape[1]))
        for row in range(sets):
            prefix = self.prefix[min(row, len(self.prefix) - 1)]
            result[row] = _additions(prefix, total[min(row, len(total) - 1)], float(bias[row]), float(mantissa[row]))
        carried = self.carried
        if fused:
            carried = carried + _FUSED * UNIT * self.prefix[:, -1]
        if fused or self.rounded:
            terms = np.diff(self.prefix, axis=1)
            result += _half_ulp(terms * mantissa[: len(terms), None]).sum(axis=1)[:, None] / mantissa[:, None]
        return (result + carried[:, None]) * _SLACK


def _half_ulp(magnitude: Array) -> Array:
    """Half an ulp of float32 numbers of that magnitude; 0 at 0."""
    return np.where(magnitude > 0, np.exp2(np.floor(np.log2(np.maximum(magnitude, 1e-30))) - 24), 0.0)


def _additions(prefix: Array, total: Array, offset: float, mantissa: float) -> Array:
    """Half ulps of the greatest partial sums of every number of terms, added up; (K,).

    Both arguments of the minimum are monotone in m, so the additions at or above the start of a binade are counted by two searches.
    """
    terms = len(prefix) - 1
    first = 1 if offset else 2
    if terms < first or not prefix[-1]:
        return np.zeros(total.shape)
    top = int(np.ceil(np.log2((prefix[-1] + offset + 1) * 4)))
    powers = np.arange(_LEAST, top + 1)
    edges = np.exp2(powers) / (mantissa * _SLACK) - offset
    alone = np.maximum(np.searchsorted(prefix, edges), first)
    rest = np.searchsorted(prefix, edges[:, None] - total[None, :])
    count = np.maximum(terms - rest - alone[:, None] + 1, 0)
    count[0] = terms - first + 1
    weights = np.exp2(powers - 24.0)
    weights[1:] /= 2
    return weights @ count / mantissa


def sum_bound(value: ir.Value, ranges: RangeMap) -> SumBound | None:
    """The bound for an integer tensor; None where the model computes its float form exactly up to one rounding.

    Args:
        value: the tensor.
        ranges: integer ranges of the tensors so far.
    """
    node = value.producer()
    if node is None:
        return None
    if node.domain == "" and node.op_type in MOVES:
        return _moved(node, ranges)
    if node.domain != DOMAIN:
        return None
    if node.op_type in ("IntMatMul", "IntConv"):
        return _product(node, ranges)
    if node.op_type in ("SumPool", "GlobalSum"):
        return _pool(node, ranges)
    if node.op_type == "Join":
        return _join(node, ranges)
    if node.op_type == "PixelPad":
        source = node.inputs[0]
        return None if source is None else sum_bound(source, ranges)
    return None


def _make(terms: Array, factors: Array, roundings: int, inherited: Array, rows: Array) -> SumBound:
    """The bound of sums whose term magnitudes are ``terms`` (rows, M); ``factors``: the magnitudes to which roundings are relative."""
    descending = -np.sort(-terms, axis=1)
    prefix = np.concatenate([np.zeros((len(terms), 1)), np.cumsum(descending, axis=1)], axis=1)
    clean = roundings == 0 and not inherited.any()
    rounded = not clean or float(terms.max(initial=0)) >= 1 << 24
    exact = clean and float(prefix[:, -1].max(initial=0)) < 1 << 24
    return SumBound(prefix, roundings * UNIT * factors + inherited, rounded, exact, rows)


def _source(node: ir.Node, index: int) -> ir.Value:
    value = node.inputs[index]
    assert value is not None
    return value


def _inherited(value: ir.Value, ranges: RangeMap, offset: float) -> float:
    """How far off the float form of an integer tensor can be, in its units: not at all, where it was quantized."""
    bound = sum_bound(value, ranges)
    if bound is None:
        return 0.0
    top = bound.prefix[:, -1].max(keepdims=True)
    # Of unknown scale: a binade may begin anywhere, which at most doubles half ulps.
    return 2 * float(bound.error(np.full((1, 1), top), np.ones(1), np.array([offset])).max())


def _peak(bounds: tuple[Array, Array], zeros: Sequence[float]) -> float:
    """Greatest ``|q - zero|``."""
    lo, hi = float(bounds[0].min()), float(bounds[1].max())
    return max(abs(end - z) for end in (lo, hi) for z in zeros)


def _product(node: ir.Node, ranges: RangeMap) -> SumBound | None:
    source, weights = _source(node, 0), array_of(node.inputs[1])
    if source not in ranges or weights is None:
        return None
    lo, hi = ranges[source]
    zeros = np.asarray(node.attributes["zeros"].value, np.float64)
    axis = lo.ndim - 1 if node.op_type == "IntMatMul" else 1
    zeros = zeros.reshape([-1 if i == axis else 1 for i in range(lo.ndim)])
    peak = np.maximum(np.abs(lo - zeros), np.abs(hi - zeros))
    peak = np.moveaxis(peak, axis, -1).reshape(-1, peak.shape[axis]).max(axis=0)
    offset, w = float_attr(node, "offset", 0.0), np.abs(weights.astype(np.float64))
    terms = _weighted(node, w, peak)
    spread = _weighted(node, w, np.ones(1)).sum(axis=1)
    shape = [1] * len(shape_of(node.outputs[0]))
    shape[axis] = len(terms)
    inherited = spread * _inherited(source, ranges, offset)
    rows = np.arange(len(terms)).reshape(shape)
    return _make(terms, terms.sum(axis=1) + spread * offset, int_attr(node, "roundings", 2), inherited, rows)


def _weighted(node: ir.Node, weights: Array, channels: Array) -> Array:
    """``|w| * value of its input channel`` for every term, (outputs, M)."""
    if node.op_type == "IntMatMul":
        rows = np.broadcast_to(channels, (weights.shape[0],))
        product: Array = (weights * rows[:, None]).T
        return product
    groups = int_attr(node, "group", 1)
    outputs, per_group = weights.shape[:2]
    column = np.broadcast_to(channels, (groups * per_group,)).reshape(groups, 1, per_group, 1)
    return (weights.reshape(groups, outputs // groups, per_group, -1) * column).reshape(outputs, -1)


def _one_row(node: ir.Node) -> Array:
    return np.zeros([1] * len(shape_of(node.outputs[0])), np.int64)


def _pool(node: ir.Node, ranges: RangeMap) -> SumBound | None:
    source = _source(node, 0)
    if source not in ranges:
        return None
    taps = int(np.prod(ints_attr(node, "kernel_shape") or shape_of(source)[2:]))
    peak = _peak(ranges[source], node.attributes["zeros"].value)
    offset = float_attr(node, "offset", 0.0)
    # The division by the number of taps rounds twice at most, unless it is a power of two.
    roundings = int_attr(node, "roundings", 1) + (2 if taps & (taps - 1) else 0)
    inherited = np.array([taps * _inherited(source, ranges, offset)])
    return _make(np.full((1, taps), peak), np.array([taps * (peak + offset)]), roundings, inherited, _one_row(node))


def _join(node: ir.Node, ranges: RangeMap) -> SumBound | None:
    sources = [_source(node, i) for i in (0, 1)]
    if not all(s in ranges for s in sources):
        return None
    zeros = [node.attributes[f"{side}_zeros"].value for side in ("left", "right")]
    offset, roundings = float_attr(node, "offset", 0.0), int_attr(node, "roundings", 2)
    peaks = [_peak(ranges[s], z) for s, z in zip(sources, zeros, strict=True)]
    off = [_inherited(s, ranges, offset) for s in sources]
    if str_attr(node, "op", "add") == "mul":
        a, b = peaks
        inherited = a * off[1] + b * off[0] + off[0] * off[1]
        return _make(
            np.array([[a * b]]), np.array([(a + offset) * (b + offset)]), roundings, np.array([inherited]), _one_row(node)
        )
    ratios = [float(np.abs(np.asarray(array_of(node.inputs[i]))).max()) for i in (2, 3)]
    terms = np.array([[r * p for r, p in zip(ratios, peaks, strict=True)]])
    factors = np.array([sum(r * (p + offset) for r, p in zip(ratios, peaks, strict=True))])
    inherited = np.array([sum(r * o for r, o in zip(ratios, off, strict=True))])
    return _make(terms, factors, roundings, inherited, _one_row(node))


def _moved(node: ir.Node, ranges: RangeMap) -> SumBound | None:
    """The bounds of the tensors that are moved, side by side, and which of them bounds which element."""
    sources = [_source(node, i) for i in MOVES[node.op_type](node)]
    found = [sum_bound(s, ranges) for s in sources]
    if all(b is None for b in found):
        return None
    shapes = [shape_of(s) for s in sources]
    none = [SumBound(np.zeros((1, 2)), np.zeros(1), False, True, np.zeros([1] * len(s), np.int64)) for s in shapes]
    bounds = [b or n for b, n in zip(found, none, strict=True)]
    width = max(b.prefix.shape[1] for b in bounds)
    prefix = np.concatenate([np.pad(b.prefix, ((0, 0), (0, width - b.prefix.shape[1])), mode="edge") for b in bounds])
    carried = np.concatenate([b.carried for b in bounds])
    starts = np.cumsum([0] + [len(b.prefix) for b in bounds])
    rows = move_arrays(node, [b.rows + start for b, start in zip(bounds, starts, strict=False)], shapes)
    rounded, exact = any(b.rounded for b in bounds), all(b.exact for b in bounds)
    if rows is None:
        prefix, carried, rows = prefix.max(axis=0, keepdims=True), carried.max(keepdims=True), _one_row(node)
    return SumBound(prefix, carried, rounded, exact, rows)
