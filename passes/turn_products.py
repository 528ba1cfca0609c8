"""Matrix products whose constant stands on the left, or has leading axes of length 1, with the constant matrix on the right.

Before: ``MatMul(W, x)``  →  after: ``Transpose(MatMul(Transpose(x), W^T))``, the last two axes exchanged
Before: ``MatMul(x, W [1, K, N])``  →  after: ``MatMul(x, W [K, N])``

The same products are added; a unit wants the matrix that it holds on the right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from flowc.exact.region import constant_of
from flowc.model.ir import DOMAIN, Editor, array_of, is_op, label, required, shape_of
from flowc.passes.base import ModelPass
from flowc.units.base import Array

__all__ = ["TurnProducts"]


class TurnProducts(ModelPass):
    """See the module."""

    name: ClassVar[str] = "turn_products"

    def rewrite(self, graph: ir.Graph) -> bool:
        editor = Editor(graph)
        changed = False
        for node in list(graph):
            if node.domain == "" and node.op_type == "MatMul":
                changed |= self._turn(editor, node) or self._flatten(editor, node)
        return changed

    def _turn(self, editor: Editor, node: ir.Node) -> bool:
        left, right = required(node, 0), required(node, 1)
        shape, out = shape_of(right), shape_of(node.outputs[0])
        if constant_of(left) is None or constant_of(right) is not None or len(shape) < 2 or len(out) != len(shape):
            return False
        if set(shape_of(left)[:-2]) - {1} or len(shape_of(left)) < 2:
            return False
        perm = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
        turned = [shape[i] for i in perm]
        x = editor.insert(node, "Transpose", [right], {"perm": perm}, hint=f"{label(node)}/turned", shape=turned)
        matrix = _moved(editor, node, left, lambda a: a.reshape(a.shape[-2:]).T)
        y = editor.insert(node, "MatMul", [x, matrix], hint=f"{label(node)}/product", shape=[out[i] for i in perm])
        back = editor.insert(node, "Transpose", [y], {"perm": perm}, hint=f"{label(node)}/back", shape=out)
        self.note(label(node), "its constant was on the left: turned")
        editor.replace(node, back)
        return True

    def _flatten(self, editor: Editor, node: ir.Node) -> bool:
        left, right = required(node, 0), required(node, 1)
        shape = shape_of(right)
        if constant_of(right) is None or len(shape) < 3 or set(shape[:-2]) != {1}:
            return False
        if len(shape_of(node.outputs[0])) != len(shape_of(left)):
            return False
        node.replace_input_with(1, _moved(editor, node, right, lambda a: a.reshape(a.shape[-2:])))
        return True


def _moved(editor: Editor, node: ir.Node, value: ir.Value, move: Callable[[Array], Array]) -> ir.Value:
    """A constant matrix, or the integers, scale and zero point of a dequantized one, after ``move``."""
    rank = len(shape_of(value))

    def matrix(array: Array) -> Array:
        if array.ndim == 0:
            return array
        return np.ascontiguousarray(move(array.reshape((1,) * (rank - array.ndim) + array.shape)))

    plain = array_of(value)
    if plain is not None:
        return editor.constant(matrix(plain), f"{value.name}/matrix")
    source = value.producer()
    assert source is not None
    assert is_op(source, "Dequantize", DOMAIN)
    arrays = [np.asarray(array_of(i)) for i in source.inputs]
    parts = [editor.constant(matrix(a), f"{value.name}/matrix") for a in arrays]
    shape = matrix(arrays[0]).shape
    return editor.insert(node, "Dequantize", parts, domain=DOMAIN, hint=f"{value.name}/matrix", shape=shape)
