"""Analysis: the range of every integer tensor, per channel, from real weights (scaled-integer range analysis)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from flowc.exact.counts import value_counts
from flowc.exact.movement import MOVES, is_move, move_arrays
from flowc.model.ir import DOMAIN, array_of, int_attr, ints_attr, is_op, shape_of, str_attr
from flowc.units.base import Array

__all__ = ["Ranges", "integer_ranges", "node_range", "product_range", "uniform_range"]

Ranges = dict[ir.Value, tuple[Array, Array]]
"""Integer tensor -> (least, greatest) value: int64 arrays of the tensor's rank, of length 1 along axes where it does not vary."""


def integer_ranges(graph: ir.Graph) -> Ranges:
    """One forward sweep over the graph.

    Ranges of products hold every partial sum too, in any order: zero is included term by term.
    """
    ranges: Ranges = {}
    for node in graph:
        found = node_range(node, ranges)
        if found is not None:
            ranges[node.outputs[0]] = found
    return ranges


def uniform_range(value: ir.Value, lo: int, hi: int) -> tuple[Array, Array]:
    """One range for a whole tensor."""
    shape = (1,) * len(shape_of(value))
    return np.full(shape, lo, np.int64), np.full(shape, hi, np.int64)


def node_range(node: ir.Node, ranges: Ranges) -> tuple[Array, Array] | None:
    """Range of a node's output from those of its inputs; None where it is no integer tensor."""
    out = node.outputs[0]
    if is_op(node, "Quantize", DOMAIN):
        return uniform_range(out, int_attr(node, "lo", 0), int_attr(node, "hi", 0))
    if is_move(node):
        data = [node.inputs[i] for i in MOVES[node.op_type](node)]
        if not all(v in ranges for v in data):
            return None
        los, his = zip(*(ranges[v] for v in data if v is not None), strict=True)
        shapes = [shape_of(v) for v in data if v is not None]
        lo, hi = move_arrays(node, list(los), shapes), move_arrays(node, list(his), shapes)
        if lo is None or hi is None:
            return uniform_range(out, min(int(a.min()) for a in los), max(int(a.max()) for a in his))
        if node.op_type == "Pad" and str_attr(node, "mode", "constant") == "constant":
            fill = _pad_value(node)
            if abs(fill) >= 1 << 53:
                return None
            lo, hi = np.minimum(lo, fill), np.maximum(hi, fill)
        return lo, hi
    if not node.inputs or node.inputs[0] not in ranges:
        return None
    if is_op(node, "ArgMax"):
        return uniform_range(out, 0, shape_of(node.inputs[0])[1] - 1)
    if node.domain != DOMAIN:
        return None
    lo, hi = ranges[node.inputs[0]]
    if node.op_type in ("Threshold", "Requant", "Table"):
        return uniform_range(out, int_attr(node, "lo", 0), int_attr(node, "hi", 0))
    if node.op_type == "Lookup":
        table = array_of(node.inputs[1])
        assert table is not None
        columns = (1,) * (len(shape_of(out)) - 1) + (-1,)
        rows = table.astype(np.int64)
        return rows.min(axis=0).reshape(columns), rows.max(axis=0).reshape(columns)
    if node.op_type == "PixelPad":
        fill = int_attr(node, "value", 0)
        return np.minimum(lo, fill), np.maximum(hi, fill)
    if node.op_type in ("SumPool", "GlobalSum"):
        if node.op_type == "SumPool":
            taps = int(np.prod(ints_attr(node, "kernel_shape") or (1,)))
        else:
            taps = int(np.prod(shape_of(node.inputs[0])[2:]))
        space = tuple(range(2, lo.ndim))
        least, most = lo.min(axis=space, keepdims=True), hi.max(axis=space, keepdims=True)
        return np.minimum(least, 0) * taps, np.maximum(most, 0) * taps
    if node.op_type in ("IntMatMul", "IntConv"):
        weights = array_of(node.inputs[1])
        assert weights is not None
        return product_range(node, weights, lo, hi)
    if node.op_type == "Join":
        right = node.inputs[1]
        if right not in ranges:
            return None
        return _join_range(node, (lo, hi), ranges[right])
    return None


def _pad_value(node: ir.Node) -> int:
    value = array_of(node.inputs[2]) if len(node.inputs) > 2 else None
    return 0 if value is None else int(value.reshape(()))


def product_range(node: ir.Node, weights: Array, lo: Array, hi: Array) -> tuple[Array, Array]:
    """Range of an integer product over every partial sum, per output channel."""
    if node.op_type == "IntMatMul":
        inputs = weights.shape[0]
        low, high = (
            np.broadcast_to(a.reshape(-1, a.shape[-1])[0] if a.size == a.shape[-1] else _extreme(a, f), (inputs,))
            for a, f in ((lo, np.min), (hi, np.max))
        )
        shape: tuple[int, ...] = (1,) * (lo.ndim - 1) + (-1,)
        least, most = _sums(weights.T, low, high)
        return least.reshape(shape), most.reshape(shape)
    outputs = weights.shape[0]
    rows = weights.reshape(outputs, -1)
    low, high = (
        a.reshape(1) if a.size == 1 else _tap_by_tap(node, weights, a, f) for a, f in ((lo, np.min), (hi, np.max))
    )
    least, most = _sums(rows, low, high)
    shape = (1, outputs) + (1,) * (weights.ndim - 2)
    return least.reshape(shape), most.reshape(shape)


def _tap_by_tap(node: ir.Node, weights: Array, ends: Array, extreme: Callable[..., Array]) -> Array:
    """Of each output the ends of its own inputs, tap by tap: (outputs, n), or (n,) where all outputs have the same."""
    groups = int_attr(node, "group", 1)
    outputs, per_group = weights.shape[:2]
    each = np.broadcast_to(extreme(ends.reshape(ends.shape[1], -1), axis=1), (groups * per_group,))
    taps = math.prod(weights.shape[2:])
    if groups == 1:
        return each.repeat(taps)
    grouped = each.reshape(groups, 1, per_group, 1)
    return np.tile(grouped, (1, outputs // groups, 1, taps)).reshape(outputs, -1)


def _sums(rows: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Least and greatest partial sum of each row, int64 (rows,), over inputs between ``low`` and ``high``, (n or 1,) or (rows, n)."""
    if (low == low.flat[0]).all() and (high == high.flat[0]).all() and (counted := value_counts(rows)) is not None:
        values, counts = counted
        ends = values * low.flat[0], values * high.flat[0]
        return counts @ np.minimum(np.minimum(*ends), 0), counts @ np.maximum(np.maximum(*ends), 0)
    w = rows.astype(np.int64)
    terms = w * low, w * high
    return np.minimum(np.minimum(*terms), 0).sum(axis=1), np.maximum(np.maximum(*terms), 0).sum(axis=1)


def _extreme(array: Array, function: object) -> Array:
    axes = tuple(range(array.ndim - 1))
    return array.min(axis=axes) if function is np.min else array.max(axis=axes)


def _join_range(node: ir.Node, left: tuple[Array, Array], right: tuple[Array, Array]) -> tuple[Array, Array]:
    if str_attr(node, "op", "add") == "mul":
        a = [v - int_attr(node, "left_offset", 0) for v in left]
        b = [v - int_attr(node, "right_offset", 0) for v in right]
        corners = [x * y for x in a for y in b]
    else:
        scales = [array_of(v) for v in node.inputs[2:4]]
        shape = [-1 if i == int_attr(node, "axis", 1) else 1 for i in range(left[0].ndim)]
        ma, mb = (s.astype(np.int64).reshape(shape) for s in scales if s is not None)
        corners = [ma * x + mb * y for x in left for y in right]
    least, most = corners[0], corners[0]
    for corner in corners[1:]:
        least, most = np.minimum(least, corner), np.maximum(most, corner)
    return least, most
