"""How far a float32 sum can lie from the exact one, whatever the order of its additions (derivation: docs/exactness.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import onnx_ir as ir

from flowc.exact.binades import UNIT, Binades, slack
from flowc.exact.counts import value_counts
from flowc.exact.movement import MOVES, is_move, move_arrays
from flowc.exact.partial import PartialSums
from flowc.exact.region import Region
from flowc.model.ir import DOMAIN, array_of, float_attr, int_attr, ints_attr, shape_of, str_attr
from flowc.units.base import Array

__all__ = ["UNIT", "SumBound", "sum_bound", "together"]

_CHUNK = 1 << 11
_FUSED = 5
"""Roundings of a weight that batch normalization was multiplied into: square root, division and products."""

RangeMap = Mapping[ir.Value, tuple[Array, Array]]


@dataclass(frozen=True, eq=False)
class SumBound:
    """What bounds the float error of a tensor that the model computes as float sums; in units of the tensor's integers.

    Attributes:
        up, down: greatest and (negated) least partial sums of m terms, of as many rows.
        size: float64 (rows,): greatest sum of the terms' magnitudes.
        carried: float64 (rows,): by how much the terms are off together before they are multiplied and added.
        rounded: whether products round; without, all factors are powers of two times small integers.
        exact: whether nothing rounds: as ``rounded``, and no sum reaches 2^24.
        rows: int64, broadcastable against the tensor: which row bounds which element.
    """

    up: PartialSums
    down: PartialSums
    size: Array
    carried: Array
    rounded: bool
    exact: bool
    rows: Array
    _known: dict[tuple[bytes, bytes], Binades] = field(default_factory=dict, init=False, repr=False)

    def at_sets(self, region: Region) -> SumBound:
        """The same with one row per parameter set of the region, or one in all."""
        if all(n == 1 or axis in region.axes for axis, n in enumerate(self.rows.shape)):
            return self.at_rows(region.as_sets(self.rows)[:, 0])
        return self.merged()

    def of_rows(self, rows: slice) -> SumBound:
        """The same for some rows of many; one row bounds all of them."""
        return self if len(self.up) == 1 else self.at_rows(rows)

    def at_rows(self, rows: slice | Array) -> SumBound:
        """The bounds of these rows."""
        count = len(self.up)
        if rows.indices(count) == (0, count, 1) if isinstance(rows, slice) else np.array_equal(rows, np.arange(count)):
            return self
        return replace(
            self,
            up=self.up.at_rows(rows),
            down=self.down.at_rows(rows),
            size=self.size[rows],
            carried=self.carried[rows],
        )

    def merged(self) -> SumBound:
        """One row that holds for every element."""
        size, carried = (a.max(axis=0, keepdims=True) for a in (self.size, self.carried))
        rows = np.zeros([1] * self.rows.ndim, np.int64)
        return replace(self, up=self.up.merged(), down=self.down.merged(), size=size, carried=carried, rows=rows)

    def error(
        self, total: Array, span: float | Array, scale: Array, offset: Array, *, fused: bool | Array = False
    ) -> Array:
        """Bound on ``|float sum - exact sum|``, in units of the integers; float64 (..., sets, K).

        Summing M terms in any order makes M - 1 additions. The one that completes a partial sum of m terms rounds by half an ulp of
        that partial sum at most. No partial sum of m terms lies above ``min(up[m], total + down[M - m])``, because the other terms must
        make up the rest, and none below ``-min(down[m], up[M - m] - total)``. The k-th smallest partial sum has k + 1 terms at most.

        Args:
            total: (sets, K): exact sums. All arrays may have one more axis in front, for sums that are computed in several ways.
            span: how far the sums may be from ``total``: one number, or one for each of several ways.
            scale: (sets or 1,): value of one unit (it decides where binades begin).
            offset: (sets or 1,): magnitude of a bias that a runtime may add at any time, in units.
            fused: a batch normalization was multiplied into the weights.
        """
        return self.ways(scale, offset, fused, max(total.shape[-2], len(self.up))).error(total, span)

    def ways(self, scale: Array, offset: Array, fused: bool | Array, sets: int) -> Ways:
        """What answers `error` for these scales, offsets and ways of so many sets, again and again."""
        mantissa = 2 * np.frexp(np.abs(scale))[0]
        mantissa = np.where(mantissa > 0, mantissa, 1.0)
        factors = np.where(fused, _FUSED + 1, int(self.rounded))[..., None]
        relative = (self.carried + factors * UNIT * self.size)[..., None]
        exact = self.exact and not np.any(fused) and not offset.any()
        mantissa, offset = (np.broadcast_to(a, (*scale.shape[:-1], sets))[..., None] for a in (mantissa, offset))
        return Ways(self, mantissa, offset, relative, exact)

    def binades_of(self, part: slice, offset: Array, mantissa: Array) -> Binades:
        """The binades of some rows; offset, mantissa: of all, (..., sets, 1)."""
        return Binades.of(self.up.part(part), self.down.part(part), offset[..., part, :], mantissa[..., part, :])

    def binades(self, offset: Array, mantissa: Array) -> Binades:
        """As `binades_of`, of all rows: known where they were asked for before, as windows of a few widths and sums of one scale do."""
        key = offset.tobytes(), mantissa.tobytes()
        if key not in self._known:
            found = self._known[key] = self.binades_of(slice(None), offset, mantissa)
            for index in range(len(offset) if offset.ndim > 2 else 0):
                self._known[offset[index].tobytes(), mantissa[index].tobytes()] = found.form(index)
        return self._known[key]


@dataclass(frozen=True, eq=False)
class Ways:
    """Errors of sums that are computed in one or several ways, see `SumBound.error`.

    Attributes:
        bound: of the sums.
        mantissa, offset: of the unit, and of what may be added, (..., sets, 1).
        relative: what they are off besides the roundings of their additions, (..., sets or 1, 1).
        exact: whether nothing rounds at all.
    """

    bound: SumBound
    mantissa: Array
    offset: Array
    relative: Array
    exact: bool

    def error(self, total: Array, span: float | Array) -> Array:
        """As `SumBound.error`."""
        if self.exact:
            return np.zeros(total.shape)
        ways, (sets, _) = self.mantissa.shape[:-2], self.mantissa.shape[-2:]
        width = total.shape[-1]
        rows = max(1, _CHUNK // (width * math.prod(ways)))
        if rows >= sets and width <= _CHUNK:
            sums = self.bound.binades(self.offset, self.mantissa).additions(total, span)
        else:
            total = np.broadcast_to(total, (*ways, sets, width))
            sums = np.empty(total.shape)
            for start in range(0, sets, rows):
                part = slice(start, start + rows)
                known = self.bound.binades_of(part, self.offset, self.mantissa)
                for column in range(0, width, _CHUNK):
                    own = (..., part, slice(column, column + _CHUNK))
                    sums[own] = known.additions(total[own], span)
        bound: Array = (sums + self.relative) * slack(self.bound.up.count + 1)
        return bound


def sum_bound(value: ir.Value, ranges: RangeMap) -> SumBound | None:
    """The bound for an integer tensor; None where the model computes its float form exactly up to one rounding.

    Args:
        value: the tensor.
        ranges: integer ranges of the tensors so far.
    """
    node = value.producer()
    if node is None:
        return None
    if is_move(node):
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


@dataclass(frozen=True, eq=False)
class _Terms:
    """The terms of sums: as of `SumBound`, and the greatest magnitude of any term."""

    up: PartialSums
    down: PartialSums
    size: Array
    greatest: float


def _each(up: Array, down: Array) -> _Terms:
    """Terms that lie in [-down, up], (rows, M)."""
    terms = np.maximum(up, down)
    return _Terms(PartialSums.of_terms(up), PartialSums.of_terms(down), terms.sum(axis=1), float(terms.max(initial=0)))


def _make(terms: _Terms, factors: Array, roundings: int, inherited: Array, rows: Array) -> SumBound:
    """The bound of sums of these terms; ``factors``: the magnitudes to which roundings are relative."""
    clean = roundings == 0 and not inherited.any()
    rounded = not clean or terms.greatest >= 1 << 24
    exact = clean and float(terms.size.max(initial=0)) < 1 << 24
    return SumBound(terms.up, terms.down, terms.size, roundings * UNIT * factors + inherited, rounded, exact, rows)


def _source(node: ir.Node, index: int) -> ir.Value:
    value = node.inputs[index]
    assert value is not None
    return value


def _inherited(value: ir.Value, ranges: RangeMap, offset: float) -> float:
    """How far off the float form of an integer tensor can be, in its units: not at all, where it was quantized."""
    bound = sum_bound(value, ranges)
    if bound is None:
        return 0.0
    top = float(bound.size.max())
    # Of unknown scale: a binade may begin anywhere, which at most doubles half ulps.
    return 2 * float(bound.error(np.zeros((1, 1)), top, np.ones(1), np.array([offset])).max())


def _extremes(bounds: tuple[Array, Array], zeros: Sequence[float]) -> tuple[float, float]:
    """(up, down): greatest ``q - zero`` and ``zero - q``, or 0."""
    up, down = float(bounds[1].max()) - min(zeros), max(zeros) - float(bounds[0].min())
    return max(up, 0.0), max(down, 0.0)


def _product(node: ir.Node, ranges: RangeMap) -> SumBound | None:
    source, weights = _source(node, 0), array_of(node.inputs[1])
    if source not in ranges or weights is None:
        return None
    lo, hi = ranges[source]
    zeros = np.asarray(node.attributes["zeros"].value, np.float64)
    axis = lo.ndim - 1 if node.op_type == "IntMatMul" else 1
    zeros = zeros.reshape([-1 if i == axis else 1 for i in range(lo.ndim)])
    sides = []
    for side in (hi - zeros, zeros - lo):
        sides.append(np.maximum(np.moveaxis(side, axis, -1).reshape(-1, side.shape[axis]).max(axis=0), 0))
    terms, spread = _weighted(node, weights, sides[0], sides[1])
    shape = [1] * len(shape_of(node.outputs[0]))
    shape[axis] = len(spread)
    offset = float_attr(node, "offset", 0.0)
    factors = terms.size + spread * offset
    inherited = spread * _inherited(source, ranges, offset)
    return _make(terms, factors, int_attr(node, "roundings", 2), inherited, np.arange(len(spread)).reshape(shape))


def _weighted(node: ir.Node, weights: Array, above: Array, below: Array) -> tuple[_Terms, Array]:
    """The terms of every output, and the sums of its weights' magnitudes (outputs,).

    Args:
        node: the product; weights: as it holds them, integer-valued.
        above, below: (channels or 1,): greatest ``q - zero`` and ``zero - q`` of each input channel, or 0.
    """
    rows = weights.T if node.op_type == "IntMatMul" else weights.reshape(len(weights), -1)
    uniform = all((side == side[0]).all() and float(side[0]).is_integer() for side in (above, below))
    counted = value_counts(rows) if uniform else None
    if counted is not None:
        values, counts = counted
        occurs = counts.any(axis=0)
        up, down = (np.where(values > 0, values * a[0], -values * b[0]) for a, b in ((above, below), (below, above)))
        sizes = np.maximum(up, down)
        terms = _Terms(
            PartialSums.of_counts(up, counts), PartialSums.of_counts(down, counts), counts @ sizes,
            float(sizes[occurs].max(initial=0)),
        )  # fmt: skip
        return terms, counts @ np.abs(values)
    w = weights.astype(np.float64)
    plus, minus = np.maximum(w, 0), np.maximum(-w, 0)
    one, other = _by_channel(node, plus, above), _by_channel(node, minus, below)
    back, forth = _by_channel(node, plus, below), _by_channel(node, minus, above)
    spread: Array = _by_channel(node, np.abs(w), np.ones(1)).sum(axis=1)
    return _each(one + other, back + forth), spread


def _by_channel(node: ir.Node, weights: Array, channels: Array) -> Array:
    """``w * value of its input channel`` for every term, (outputs, M)."""
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
    terms = _each(*(np.full((1, taps), e) for e in _extremes(ranges[source], node.attributes["zeros"].value)))
    offset = float_attr(node, "offset", 0.0)
    inherited = np.array([taps * _inherited(source, ranges, offset)])
    factors = terms.size + taps * offset
    return _make(terms, factors, int_attr(node, "roundings", 3), inherited, _one_row(node))


def _halves(node: ir.Node, ranges: RangeMap) -> SumBound | None:
    """One float sum whose terms were gathered in several accumulators (`flowc.passes.halves`)."""
    left, right = (sum_bound(_source(node, i), ranges) for i in (0, 1))
    if left is None or right is None:
        return None
    return together([left, right], [np.asarray(array_of(node.inputs[i]), np.float64).reshape(-1, 1) for i in (2, 3)])


def together(bounds: Sequence[SumBound], factors: Sequence[Array]) -> SumBound:
    """The bound of one float sum whose terms were gathered in several accumulators.

    Args:
        bounds: of the accumulators.
        factors: float64 (rows or 1, 1): one unit of each in units of the sum.
    """
    ups, downs, sizes, inherited = [], [], [], []
    for bound, factor in zip(bounds, factors, strict=True):
        up, down = (np.diff(a.dense(), axis=1) * np.abs(factor) for a in (bound.up, bound.down))
        ups.append(np.where(factor < 0, down, up))
        downs.append(np.where(factor < 0, up, down))
        sizes.append(bound.size * np.abs(factor[:, 0]))
        inherited.append(bound.carried * np.abs(factor[:, 0]))
    # What they carry holds their own roundings already.
    sets = max(len(side) for side in ups)
    up, down = (np.concatenate([np.broadcast_to(a, (sets, a.shape[1])) for a in side], axis=1) for side in (ups, downs))
    rows = bounds[0].rows
    for bound in bounds[1:]:
        rows = np.maximum(rows, bound.rows)
    return _make(_each(up, down), _total(sizes), 0, _total(inherited), rows)


def _total(arrays: Sequence[Array]) -> Array:
    return np.asarray(sum(arrays[1:], arrays[0]))


def _join(node: ir.Node, ranges: RangeMap) -> SumBound | None:
    if int_attr(node, "halves", 0):
        return _halves(node, ranges)
    sources = [_source(node, i) for i in (0, 1)]
    if not all(s in ranges for s in sources):
        return None
    offset, roundings = float_attr(node, "offset", 0.0), int_attr(node, "roundings", 2)
    off = np.array([_inherited(s, ranges, offset) for s in sources])
    sides = [
        _extremes(ranges[s], node.attributes[f"{n}_zeros"].value)
        for s, n in zip(sources, ("left", "right"), strict=True)
    ]
    (a, b), (c, d) = sides
    peaks = np.array([max(a, b), max(c, d)])
    if str_attr(node, "op", "add") == "mul":
        up, down = np.array([[max(a * c, b * d)]]), np.array([[max(a * d, b * c)]])
        inherited = np.array([peaks @ off[::-1] + off.prod()])
        return _make(_each(up, down), np.array([(peaks + offset).prod()]), roundings, inherited, _one_row(node))
    ratios = np.array([float(np.asarray(array_of(node.inputs[i])).reshape(())) for i in (2, 3)])
    up = np.array([[r * (u if r > 0 else -v) for r, (u, v) in zip(ratios, sides, strict=True)]])
    down = np.array([[r * (v if r > 0 else -u) for r, (u, v) in zip(ratios, sides, strict=True)]])
    sizes = np.abs(ratios)
    return _make(
        _each(up, down), np.array([sizes @ (peaks + offset)]), roundings, np.array([sizes @ off]), _one_row(node)
    )


def _moved(node: ir.Node, ranges: RangeMap) -> SumBound | None:
    """The bounds of the tensors that are moved, side by side, and which of them bounds which element."""
    sources = [_source(node, i) for i in MOVES[node.op_type](node)]
    found = [sum_bound(s, ranges) for s in sources]
    if all(b is None for b in found):
        return None
    shapes = [shape_of(s) for s in sources]
    none, zero = PartialSums.of_terms(np.zeros((1, 1))), np.zeros(1)
    bounds = [
        b or SumBound(none, none, zero, zero, False, True, np.zeros([1] * len(s), np.int64))
        for b, s in zip(found, shapes, strict=True)
    ]
    up, down = PartialSums.stacked([b.up for b in bounds]), PartialSums.stacked([b.down for b in bounds])
    size, carried = (np.concatenate(part) for part in ([b.size for b in bounds], [b.carried for b in bounds]))
    starts = np.cumsum([0, *(len(b.up) for b in bounds)])
    rows = move_arrays(node, [b.rows + start for b, start in zip(bounds, starts, strict=False)], shapes)
    rounded, exact = any(b.rounded for b in bounds), all(b.exact for b in bounds)
    whole = SumBound(up, down, size, carried, rounded, exact, _one_row(node) if rows is None else rows)
    return whole.merged() if rows is None else whole
