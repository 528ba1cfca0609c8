"""Quantizers above movement.

Before: ``y → MaxPool → Relu → Quantize``  →  after: ``y → Relu → Quantize → MaxPool``. A quantizer with the elementwise chain
in front of it goes above a pool, a reshape and the like, so that it meets the accumulator: narrow integers are pooled
and stored instead of wide ones. A maximum commutes with every nondecreasing chain.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx_ir as ir

from flowc.exact import ops
from flowc.exact.movement import only_moves
from flowc.exact.region import compress, constant_of
from flowc.model.ir import DOMAIN, Editor, is_op, label, origins, shape_of
from flowc.passes.base import ModelPass
from flowc.passes.rename import rename

__all__ = ["HoistQuantizers"]

_PER_CHANNEL = {"MaxPool", "Pad", "Resize"}
_SCALAR = {"DepthToSpace", "Reshape", "SpaceToDepth", "Transpose"}


class HoistQuantizers(ModelPass):
    """See the module."""

    name: ClassVar[str] = "hoist_quantizers"

    def rewrite(self, graph: ir.Graph) -> bool:
        editor = Editor(graph)
        changed = False
        for node in list(graph):
            if is_op(node, "Quantize", DOMAIN):
                changed |= self._hoist(editor, node)
        return changed

    def _hoist(self, editor: Editor, quantize: ir.Node) -> bool:
        chain = [quantize]
        while True:
            source = chain[-1].inputs[0]
            node = None if source is None else source.producer()
            if node is None or source is None or len(source.uses()) != 1 or source.is_graph_output():
                return False
            if node.op_type in _PER_CHANNEL | _SCALAR and only_moves(node):
                break
            if (
                node.domain == DOMAIN
                or not ops.is_elementwise(node)
                or any(constant_of(i) is None for i in node.inputs[1:] if i)
            ):
                return False
            chain.append(node)
        move, chain = node, chain[::-1]
        top = move.inputs[0]
        if top is None or (below := top.producer()) is None or is_op(below, "Dequantize", DOMAIN):
            return False
        if not self._commutes(move, chain):
            return False
        value, shape = top, shape_of(top)
        for link in chain:
            constants = [self._constant(editor, link, i, len(shape)) for i in range(1, len(link.inputs))]
            value = editor.insert(
                quantize,
                link.op_type,
                [value, *constants],
                {n: a.value for n, a in link.attributes.items()},
                domain=link.domain,
                hint=f"{link.outputs[0].name}/hoisted",
                origin=origins(link),
                shape=shape,
            )
        moved = editor.insert(
            quantize,
            move.op_type,
            [value, *move.inputs[1:]],
            {n: a.value for n, a in move.attributes.items()},
            hint=f"{label(move)}/q",
            origin=origins(move),
            shape=shape_of(quantize.outputs[0]),
        )
        hoisted = value.producer()
        assert hoisted is not None
        rename(editor, quantize, moved)
        for node in reversed([move, *chain[:-1]]):
            editor.drop(node)
        self.note(label(hoisted), f"moved above {move.op_type} '{label(move)}'")
        self._hoist(editor, hoisted)
        return True

    @staticmethod
    def _constant(editor: Editor, link: ir.Node, index: int, rank: int) -> ir.Value | None:
        value = link.inputs[index]
        array = constant_of(value)
        if value is None or array is None or ops.axis_aligned(link, index):
            return value
        small = compress(array)
        return (
            value
            if small.ndim == array.ndim == rank or small.ndim == 0
            else (editor.constant(small.reshape(()) if small.size == 1 else small, f"{value.name}/hoisted"))
        )

    def _commutes(self, move: ir.Node, chain: list[ir.Node]) -> bool:
        rank = len(shape_of(move.outputs[0]))
        for link in chain:
            for i, value in enumerate(link.inputs[1:], 1):
                array = constant_of(value)
                if array is None:
                    continue
                if move.op_type in _SCALAR and compress(array).size > 1:
                    return False
                if move.op_type in _PER_CHANNEL and not ops.axis_aligned(link, i):
                    aligned = compress(array.reshape((1,) * (rank - array.ndim) + array.shape))
                    if any(n > 1 for n in aligned.shape[2:]):
                        return False
            if move.op_type == "MaxPool":
                constants = [None, *(constant_of(v) for v in link.inputs[1:])]
                direction = ops.direction(link, constants, 0)
                if direction is None or (np.asarray(direction) < 0).any():
                    return False
        return True
