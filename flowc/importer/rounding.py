"""Rounding that a model spells in standard operators -> the quantizer that it is.

Before: Conv(x, W) -> Mul m -> Add a -> Div 4096 -> Floor -> Clip(0, 255)
After:  Conv(x, W) -> Mul m -> Add a -> Div 4096 -> Quantize[FLOOR; 0, 255](., 1, 0) -> Dequantize(., 1, 0)

Integerized networks (NEMO, QuantLab, DORY) and fake quantizers written out by hand come like this: what is rounded and
clipped to whole numbers is an integer tensor. A rounding without a Clip is one as well where integers lead to it; in
front of the first quantizer it is left to the host.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from flowc.importer.emit import Array, Emitter, Quantizer
from flowc.model import ir as fir
from flowc.model.dtypes import IntType
from flowc.model.quantizers import integer_bounds

__all__ = ["quantize_rounding"]

_MODES = {"Ceil": "CEIL", "Floor": "FLOOR", "Round": "ROUND"}
_ONE: Array = np.ones((), np.float32)
_ZERO: Array = np.zeros((), np.float32)
_MOST = 1 << 24


def quantize_rounding(model: ir.Model) -> None:
    """Put a quantizer in the place of every Floor, Ceil or Round whose bounds are known or whose input is made of integers.

    Needs operators in their one form (`flowc.importer.simplify`).
    """
    emitter = Emitter(model.graph)
    integers: set[ir.Value] = set()
    for node in list(model.graph):
        if node.graph is None:
            continue
        behind = any(value in integers for value in node.inputs)
        if fir.is_op(node, "Quantize", fir.DOMAIN) or behind:
            integers.update(node.outputs)
        if node.domain or node.op_type not in _MODES or fir.required(node, 0).dtype != ir.DataType.FLOAT:
            continue
        clip, source = _clip_around(node)
        # What rounds in front of a quantizer is a part of that quantizer (a Trunc is written so).
        part = all(fir.is_op(use.node, "Quantize", fir.DOMAIN) for use in node.outputs[0].uses())
        if clip is not None or (behind and not part):
            integers.add(_quantize(emitter, node, clip, source))


def _quantize(emitter: Emitter, node: ir.Node, clip: ir.Node | None, source: ir.Value) -> ir.Value:
    last = clip if clip is not None and clip.inputs[0] is node.outputs[0] else node
    lo, hi = integer_bounds(32, signed=True, narrow=False) if clip is None else _bounds(clip) or (0, 0)
    kind = IntType.for_range(lo, hi)
    name = last.outputs[0].name or ""
    quantizer = Quantizer(kind.bits, kind.signed, lo, hi, rounding=_MODES[node.op_type])
    q = emitter.quantize(last, source, _ONE, _ZERO, quantizer, name)
    value = emitter.dequantize(last, q, _ONE, _ZERO, name)
    emitter.editor.replace(last, value)
    if last is not node:
        emitter.editor.drop(node)
    return value


def _clip_around(node: ir.Node) -> tuple[ir.Node | None, ir.Value]:
    """The Clip to whole numbers behind a rounding (its only reader) or in front of it, and what both are applied to."""
    source, output = fir.required(node, 0), node.outputs[0]
    readers = list(output.uses())
    if len(readers) == 1 and not output.is_graph_output() and readers[0].idx == 0:
        reader = readers[0].node
        if fir.is_op(reader, "Clip") and _bounds(reader) is not None:
            return reader, source
    before = source.producer()
    if before is not None and fir.is_op(before, "Clip") and _bounds(before) is not None:
        return before, source
    return None, source


def _bounds(clip: ir.Node) -> tuple[int, int] | None:
    """The bounds of a Clip where both are whole numbers, and small."""
    found = []
    for index in (1, 2):
        array = fir.array_of(fir.optional(clip, index))
        number = float(array.reshape(())) if array is not None and array.size == 1 else float("inf")
        if abs(number) > _MOST or number != int(number):
            return None
        found.append(int(number))
    return (found[0], found[1]) if found[0] < found[1] else None
