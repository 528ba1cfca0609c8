"""Broadcasting between two computed tensors is written out.

Before: ``Mul(x [1, C, H, W], gate [1, C, 1, 1])``  →  after: ``Mul(x, Resize(gate) [1, C, H, W])``. A stream carries every element, so the
gate's one pixel has to be repeated; as an operator of its own it can be moved below the dequantization.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx_ir as ir

from flowc.exact.region import constant_of
from flowc.model.ir import Editor, label, shape_of
from flowc.passes.base import ModelPass

__all__ = ["ExpandBroadcasts"]


class ExpandBroadcasts(ModelPass):
    """See the module. Only pixels are repeated, whole frames from one (or rows and columns by whole factors)."""

    name: ClassVar[str] = "expand_broadcasts"

    def rewrite(self, graph: ir.Graph) -> bool:
        editor = Editor(graph)
        changed = False
        for node in list(graph):
            if node.domain == "" and node.op_type in ("Add", "Sub", "Mul", "Div"):
                out = shape_of(node.outputs[0])
                for index, value in enumerate(node.inputs):
                    if value is not None and constant_of(value) is None and shape_of(value) != out:
                        changed |= self._expand(editor, node, index, value, out)
        return changed

    def _expand(self, editor: Editor, node: ir.Node, index: int, value: ir.Value, out: tuple[int, ...]) -> bool:
        shape = shape_of(value)
        if len(shape) != len(out) or len(out) not in (3, 4) or shape[:2] != out[:2]:
            self.note(
                label(node),
                f"broadcasts {shape} to {out}, which only pixels can be; expand the tensor in the model (torch: .expand)",
            )
            return False
        sizes = editor.constant(np.array(out, np.int64), "sizes")
        attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        repeated = editor.insert(
            node, "Resize", [value, None, None, sizes], attributes, hint=f"{label(node)}/repeated", shape=out
        )
        node.replace_input_with(index, repeated)
        return True
