"""Movement below dequantization.

Before: ``move(Dequantize(q))``  →  after: ``Dequantize(move(q))``, so that integers are moved and floats meet the
operations that consume them. Holds for weights (transposes) and activations alike; per-channel scales are moved too.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir

from flowc.exact.movement import MOVES, index_map, is_move, move_arrays
from flowc.model.ir import DOMAIN, Editor, array_of, int_attr, is_op, label, shape_of, str_attr
from flowc.passes.base import ModelPass
from flowc.passes.remedies import ONE_SCALE
from flowc.units.base import Array

__all__ = ["SinkDequantizers"]


class SinkDequantizers(ModelPass):
    """See the module."""

    name: ClassVar[str] = "sink_dequantizers"

    def rewrite(self, graph: ir.Graph) -> bool:
        editor = Editor(graph)
        changed = False
        for node in list(graph):
            if is_move(node):
                changed |= self._sink(editor, node)
        return changed

    def _sink(self, editor: Editor, node: ir.Node) -> bool:
        positions = list(MOVES[node.op_type](node))
        sources = [node.inputs[i] for i in positions]
        dequantizers = [None if v is None else v.producer() for v in sources]
        if not all(d is not None and is_op(d, "Dequantize", DOMAIN) for d in dequantizers):
            return False
        found = [[array_of(v) for v in d.inputs[1:]] for d in dequantizers if d is not None]
        shapes = [shape_of(v) for v in sources if v is not None]
        scale = self._moved(node, [f[0] for f in found], shapes)
        zero = self._moved(node, [f[1] for f in found], shapes)
        if scale is None or zero is None:
            self.note(label(node), f"{node.op_type} mixes elements of different scales; use {ONE_SCALE}")
            return False
        if node.op_type == "MaxPool" and (scale <= 0).any():
            self.note(label(node), "MaxPool over a negative scale; quantize what it pools with scales above 0")
            return False
        inputs = list(node.inputs)
        for position, dequantizer in zip(positions, dequantizers, strict=True):
            assert dequantizer is not None
            inputs[position] = dequantizer.inputs[0]
        if node.op_type == "Pad" and str_attr(node, "mode", "constant") == "constant":
            fill = self._padding(editor, node, scale, zero)
            if fill is None:
                return False
            inputs = [inputs[0], inputs[1], fill, *inputs[3:]]
        shape = shape_of(node.outputs[0])
        constants = [array_of(v) for v in inputs]
        if (
            len(positions) == 1
            and constants[positions[0]] is not None
            and node.op_type in ("Reshape", "Transpose", "Slice")
        ):
            moved = editor.constant(
                np.ascontiguousarray(index_map(node, np.asarray(constants[0]))), f"{label(node)}/const"
            )
        else:
            moved = editor.insert(node, node.op_type, inputs, _attributes(node), hint=f"{label(node)}/q", shape=shape)
        result = editor.insert(
            node,
            "Dequantize",
            [moved, editor.constant(scale, "scale"), editor.constant(zero, "zero")],
            domain=DOMAIN,
            hint=f"{label(node)}/x",
            shape=shape,
        )
        editor.replace(node, result)
        return True

    def _moved(self, node: ir.Node, arrays: list[Array | None], shapes: list[tuple[int, ...]]) -> Array | None:
        if any(a is None for a in arrays):
            return None
        return move_arrays(node, [a for a in arrays if a is not None], shapes)

    def _padding(self, editor: Editor, node: ir.Node, scale: Array, zero: Array) -> ir.Value | None:
        """The integer that stands for the pad value, as a constant; None (noted) where there is none."""
        given = array_of(node.inputs[2]) if len(node.inputs) > 2 else None
        value = 0.0 if given is None else float(given.reshape(()))
        integers = np.unique(np.float64(value) / scale.astype(np.float64) + zero)
        if len(integers) != 1 or integers[0] != np.rint(integers[0]):
            self.note(
                label(node),
                f"the pad value {value} is no integer of the padded tensor; pad with a multiple of the scale, for instance 0",
            )
            return None
        return editor.constant(np.float32(integers[0]), "pad_value")


def _attributes(node: ir.Node) -> dict[str, Any]:
    if node.op_type == "Concat":
        return {"axis": int_attr(node, "axis", 1)}
    return {name: attr.value for name, attr in node.attributes.items()}
