"""Movement above elementwise operations with constants, and above sums of two tensors.

Before: ``Transpose(Add(x, c))``  →  after: ``Add(Transpose(x), moved c)``, so that movement reaches the dequantization and is
done on integers.
Exact by definition: each element meets the same constant in the same float32 operations. A maximum passes nondecreasing
operations whose constants do not vary over positions (rounding is monotone). A batch normalization is written as the multiplication
and addition that it is where its channels do not stay on axis 1.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx_ir as ir

from flowc.exact import ops
from flowc.exact.movement import move_arrays, only_moves
from flowc.exact.region import constant_of
from flowc.model.ir import DOMAIN, Editor, float_attr, label, origins, shape_of
from flowc.passes.base import ModelPass
from flowc.units.base import Array

__all__ = ["SinkElementwise"]

_MOVES = {"DepthToSpace", "MaxPool", "Pad", "Reshape", "Resize", "Slice", "SpaceToDepth", "Transpose"}


class SinkElementwise(ModelPass):
    """See the module."""

    name: ClassVar[str] = "sink_elementwise"

    def rewrite(self, graph: ir.Graph) -> bool:
        editor = Editor(graph)
        changed = False
        waiting = [node for node in graph if node.op_type in _MOVES and only_moves(node)]
        while waiting:
            move = waiting.pop()
            moved = self._swap_sum(editor, move) or self._swap(editor, move)
            if moved is not None:
                waiting.extend(moved if isinstance(moved, list) else [moved])
                changed = True
        return changed

    def _swap_sum(self, editor: Editor, move: ir.Node) -> list[ir.Node] | None:
        """Moves both operands of a sum or product of two computed tensors; returns the two movements, None where it can't be."""
        source = move.inputs[0]
        link = None if source is None else source.producer()
        if link is None or link.domain != "" or link.op_type not in ("Add", "Sub", "Mul") or move.op_type == "MaxPool":
            return None
        operands = [
            v
            for v in link.inputs
            if v is not None and constant_of(v) is None and shape_of(v) == shape_of(link.outputs[0])
        ]
        if len(operands) != 2 or any(v.producer() is None for v in operands):
            return None
        moved = [self._move(editor, move, v) for v in operands]
        self._finish(editor, move, link, list(moved))
        return [node for v in moved if (node := v.producer()) is not None]

    def _swap(self, editor: Editor, move: ir.Node) -> ir.Node | None:
        """Exchanges a movement with the operation above it; returns the movement in its new place, None where it can't be."""
        source = move.inputs[0]
        link = None if source is None else source.producer()
        if link is None or source is None or link.domain == DOMAIN or not ops.is_elementwise(link):
            return None
        top = link.inputs[0]
        position = 0
        if top is None or constant_of(top) is not None:
            position, top = 1, link.inputs[1] if len(link.inputs) > 1 else None
        if top is None or constant_of(top) is not None or top.producer() is None or shape_of(top) != shape_of(source):
            return None
        others = [i for i, v in enumerate(link.inputs) if v is not None and i != position]
        constants = [constant_of(link.inputs[i]) for i in others]
        if any(c is None for c in constants):
            return None
        if move.op_type == "MaxPool":
            direction = ops.direction(
                link, [None if i == position else constant_of(v) for i, v in enumerate(link.inputs)], position
            )
            if direction is None or (np.asarray(direction) < 0).any():
                return None
        if link.op_type == "BatchNormalization":
            return self._normalization(editor, move, link, top, [c for c in constants if c is not None])
        shape = shape_of(top)
        moved = [self._moved(move, c, shape) for c in constants if c is not None]
        if any(m is None for m in moved):
            return None
        inputs: list[ir.Value | None] = list(link.inputs)
        first = self._move(editor, move, top)
        inputs[position] = first
        for i, array in zip(others, moved, strict=True):
            # A single value broadcasts as it is (the bounds of a Clip must be scalars).
            if np.size(np.asarray(array)) > 1:
                inputs[i] = editor.constant(np.asarray(array), f"{label(link)}/moved")
        self._finish(editor, move, link, inputs)
        return first.producer()

    def _normalization(
        self, editor: Editor, move: ir.Node, link: ir.Node, top: ir.Value, parameters: list[Array]
    ) -> ir.Node | None:
        """``y = x * a + b``, operation for operation what onnxruntime computes."""
        gamma, beta, mean, var = parameters
        a = np.float32(1) / np.sqrt(var + np.float32(float_attr(link, "epsilon", 1e-5))) * gamma
        b = beta - mean * a
        shape = shape_of(top)
        column = (1, -1) + (1,) * (len(shape) - 2)
        moved = [self._moved(move, v.reshape(column).astype(np.float32), shape) for v in (a, b)]
        if moved[0] is None or moved[1] is None:
            return None
        value = first = self._move(editor, move, top)
        out = shape_of(move.outputs[0])
        for op, array in (("Mul", moved[0]), ("Add", moved[1])):
            constant = editor.constant(array, f"{label(link)}/moved")
            value = editor.insert(
                move, op, [value, constant], hint=f"{label(link)}/{op}", origin=origins(link), shape=out
            )
        self._replace(editor, move, value)
        return first.producer()

    @staticmethod
    def _moved(move: ir.Node, array: Array, shape: tuple[int, ...]) -> Array | None:
        return move_arrays(move, [array], [shape])

    @staticmethod
    def _move(editor: Editor, move: ir.Node, top: ir.Value) -> ir.Value:
        attributes = {n: a.value for n, a in move.attributes.items()}
        shape = shape_of(move.outputs[0])
        return editor.insert(
            move, move.op_type, [top, *move.inputs[1:]], attributes, hint=f"{label(move)}/first", shape=shape
        )

    def _finish(self, editor: Editor, move: ir.Node, link: ir.Node, inputs: list[ir.Value | None]) -> None:
        attributes = {n: a.value for n, a in link.attributes.items()}
        shape = shape_of(move.outputs[0])
        value = editor.insert(
            move, link.op_type, inputs, attributes, hint=f"{label(link)}/after", origin=origins(link), shape=shape
        )
        self._replace(editor, move, value)

    def _replace(self, editor: Editor, move: ir.Node, value: ir.Value) -> None:
        self.note(label(move), "moved above elementwise operations")
        editor.replace(move, value)
