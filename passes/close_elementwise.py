"""Elementwise operations whose results are integers again.

Before: ``Relu(Dequantize(q, s, z)) → Conv``  →  after: ``Dequantize(Quantize(Relu(Dequantize(q, s, z)), s), s) → Conv``

A product, a pool or a join needs integers, and a model may put an operation between its quantizer and them: post-training
quantization leaves a Relu, a Clip or a LeakyRelu of slope 1/8 behind a signed quantizer. Where every value that can occur lies on
a grid of the quantizer's scale (or of a power of two of it), the quantizer written here changes nothing, which is
checked on all of them; folding makes a threshold or table unit of it.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx_ir as ir

from flowc.exact import ops
from flowc.exact.affine import trace_affine
from flowc.exact.movement import MOVES, is_move
from flowc.exact.region import Blocked, Region, constant_of
from flowc.model.dtypes import IntType
from flowc.model.ir import DOMAIN, Editor, array_of, is_op, label, origins, shape_of
from flowc.model.quantizers import dequantize, quantize
from flowc.passes.base import ModelPass
from flowc.passes.integer_ranges import Ranges, integer_ranges
from flowc.units.base import Array

__all__ = ["CloseElementwise"]

_PRODUCTS = {"AveragePool", "Conv", "ConvTranspose", "GlobalAveragePool", "MatMul"}
_JOINS = {"Add", "Concat", "Mul", "Sub"}
_MOST_VALUES = 1 << 16
_FINER = (0, 1, 2, 3, 4)


class CloseElementwise(ModelPass):
    """See the module."""

    name: ClassVar[str] = "close_elementwise"

    def rewrite(self, graph: ir.Graph) -> bool:
        editor = Editor(graph)
        ranges: Ranges | None = None
        closed: dict[ir.Value, ir.Value | None] = {}
        changed = False
        for node in list(graph):
            for i in _openings(node):
                value = node.inputs[i]
                assert value is not None
                if value not in closed:
                    ranges = integer_ranges(graph) if ranges is None else ranges
                    closed[value] = self._close(editor, node, value, ranges)
                found = closed[value]
                if found is not None:
                    node.replace_input_with(i, found)
                    changed = True
        return changed

    def _close(self, editor: Editor, node: ir.Node, value: ir.Value, ranges: Ranges) -> ir.Value | None:
        """The value as a dequantized tensor; None where it lies on no grid that is found."""
        try:
            region = Region(value, ranges)
        except Blocked:
            return None
        if len(region.leaves) != 1 or region.leaves[0] not in ranges or not _narrow(region.leaves[0]):
            return None
        (leaf,) = region.leaves
        floats = region.dequantized(leaf)
        dequantizer = floats[0].producer()
        assert dequantizer is not None
        scale = array_of(dequantizer.inputs[1])
        lo, hi = region.limits(leaf)
        if len(floats) != 1 or scale is None or scale.dtype != np.float32 or int((hi - lo).max()) >= _MOST_VALUES:
            return None
        q = np.minimum(lo[:, None] + np.arange(int((hi - lo).max()) + 1), hi[:, None]).astype(np.float32)
        try:
            x = np.broadcast_to(region.evaluate({leaf: q}), q.shape)
        except Blocked as blocked:
            self.note(label(region.steps[-1].node), blocked.reason)
            return None
        step = region.scale(floats[0])[0]
        for finer in _FINER:
            part = np.float32(2.0**-finer)
            k = _on_grid(x, step * part)
            if k is not None:
                break
        else:
            self.note(label(region.steps[-1].node), "what it computes from integers lies on no grid of their scale")
            return None
        least, most = int(k.min()), int(k.max())
        dtype = IntType.for_range(least, most)
        parts = [editor.constant(scale * part, f"{value.name}/scale"), editor.constant(np.float32(0), "zero")]
        attributes: dict[str, int | str] = {
            "bits": dtype.bits, "signed": int(dtype.signed), "narrow": 0, "rounding": "ROUND", "style": "qonnx",
            "lo": least, "hi": most,
        }  # fmt: skip
        shape, origin = shape_of(value), origins(region.steps[-1].node)
        integers = editor.insert(
            node,
            "Quantize",
            [value, *parts],
            attributes,
            domain=DOMAIN,
            hint=f"{value.name}/q",
            shape=shape,
            origin=origin,
        )
        return editor.insert(
            node,
            "Dequantize",
            [integers, *parts],
            domain=DOMAIN,
            hint=f"{value.name}/closed",
            shape=shape,
            origin=origin,
        )


def _openings(node: ir.Node) -> list[int]:
    """Positions of the node's inputs that are computed by elementwise operations, though it needs integers there."""
    if node.domain != "" or node.op_type not in _PRODUCTS | _JOINS:
        return []
    if node.op_type in _JOINS and node.op_type != "Concat":
        if any(constant_of(i) is not None for i in node.inputs):
            return []
        try:
            if len(Region(node.outputs[0]).leaves) == 1:
                return []
        except Blocked:
            pass
    found = []
    for i, value in enumerate(node.inputs if node.op_type in _JOINS else node.inputs[:1]):
        producer = None if value is None else value.producer()
        if producer is None or producer.domain == DOMAIN or not ops.is_elementwise(producer):
            continue
        if constant_of(value) is None and trace_affine(value) is None:
            found.append(i)
    return found


def _narrow(leaf: ir.Value) -> bool:
    """Whether an integer tensor is a quantizer's, as it is or moved: an accumulator belongs to the quantizer behind it."""
    node = leaf.producer()
    while node is not None and is_move(node):
        source = node.inputs[MOVES[node.op_type](node)[0]]
        node = None if source is None else source.producer()
    return node is not None and is_op(node, "Quantize", DOMAIN)


def _on_grid(x: Array, step: Array) -> Array | None:
    """The integers k of float32 values ``x = k * step``, where there are any, to the last bit."""
    if not np.isfinite(x).all() or (step <= 0).any():
        return None
    k = np.rint(x.astype(np.float64) / step)
    if np.abs(k).max(initial=0) >= _MOST_VALUES or not np.array_equal(dequantize(k, step, np.float32(0)), x):
        return None
    bounds = {"lo": int(k.min()), "hi": int(k.max())}
    again = quantize(x, step, np.float32(0), **bounds, rounding="ROUND", style="qonnx")
    return k if np.array_equal(again, k) else None
