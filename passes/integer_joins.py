"""Sums and products of two tensors on integers, where their result is needed as an integer.

Before: ``Add(Dequantize(a, s, y), Dequantize(b, s, z))``  →  after: ``Dequantize(Join(a, b), s, y + z)``
Before: ``Mul(Dequantize(a, s, y), Dequantize(b, t, z))``  →  after: ``Dequantize(Join[mul](a - y, b - z), s * t)``

A sum that goes through elementwise operations to a quantizer stays as it is: folding evaluates it as written. It is
turned here where something else consumes it (a product, a pool, another sum of three or more tensors), and only where the
scales are equal or integer multiples of one unit, so that nothing is approximated.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir

from flowc.exact import ops
from flowc.exact.affine import Affine, trace_affine
from flowc.exact.region import Blocked, Region, constant_of
from flowc.model.ir import DOMAIN, Editor, is_op, label, shape_of
from flowc.passes.base import ModelPass
from flowc.passes.remedies import WHOLE_ZERO
from flowc.passes.weights import integer_ratio

__all__ = ["IntegerJoins"]


class IntegerJoins(ModelPass):
    """See the module."""

    name: ClassVar[str] = "integer_joins"

    def rewrite(self, graph: ir.Graph) -> bool:
        editor = Editor(graph)
        changed = False
        for node in list(graph):
            if node.domain != "" or node.op_type not in ("Add", "Sub", "Mul"):
                continue
            if any(constant_of(i) is not None for i in node.inputs) or not self._needed(node):
                continue
            reason = self._join(editor, node)
            if reason is None:
                changed = True
            else:
                self.note(label(node), reason)
        return changed

    def _needed(self, node: ir.Node) -> bool:
        """Whether something but a foldable quantizer consumes the result; a sum of three tensors is not foldable."""
        waiting, seen = [node.outputs[0]], set()
        while waiting:
            value = waiting.pop()
            if value in seen:
                continue
            seen.add(value)
            for use in value.uses():
                user = use.node
                if is_op(user, "Quantize", DOMAIN):
                    if _leaves(user.outputs[0]) > 2:
                        return True
                elif user.domain == "" and ops.is_elementwise(user):
                    waiting.append(user.outputs[0])
                else:
                    return True
        return False

    def _join(self, editor: Editor, node: ir.Node) -> str | None:
        left, right = trace_affine(node.inputs[0]), trace_affine(node.inputs[1])
        if left is None or right is None:
            return (
                "one of its inputs is not quantized; put a quantizer behind each branch (Brevitas: one QuantIdentity shared by both; "
                "onnxruntime and torch.ao: a QuantizeLinear and DequantizeLinear pair)"
            )
        shape = shape_of(node.outputs[0])
        if shape_of(left.q) != shape or shape_of(right.q) != shape:
            return (
                f"it broadcasts {shape_of(left.q)} against {shape_of(right.q)}, which is not supported; "
                "expand the smaller one in the model (torch: .expand), or quantize the result"
            )
        rank = len(shape)
        if node.op_type == "Mul":
            if left.zero_int is None or right.zero_int is None:
                return f"the zero points of its inputs are not integers; {WHOLE_ZERO}"
            attributes: dict[str, Any] = {"op": "mul", "left_offset": left.zero_int, "right_offset": right.zero_int}
            scale, zero = left.scale * right.scale, np.zeros((1,) * rank)
            ratios = np.ones(1), np.ones(1)
        else:
            scaled = self._common(left, right, -1 if node.op_type == "Sub" else 1)
            if scaled is None:
                return (
                    "the scales of its inputs have no common unit, and its result goes unquantized into a product; put a quantizer "
                    "behind it (Brevitas: a QuantIdentity), or share one quantizer on both branches"
                )
            unit, multiples, zero = scaled
            attributes, ratios = {"op": "add"}, (multiples[:1], multiples[1:])
            scale = np.full((1,) * rank, unit)
        # How exact the floats are that the model adds: for the certificate.
        attributes |= {"roundings": left.roundings + right.roundings, "offset": max(left.offset, right.offset)}
        attributes |= {
            f"{n}_zeros": [float(s.zero.min()), float(s.zero.max())] for n, s in (("left", left), ("right", right))
        }
        factors = [editor.constant(r.astype(np.float32), "ratio") for r in ratios]
        joined = editor.insert(
            node, "Join", [left.q, right.q, *factors], attributes, domain=DOMAIN, hint=f"{label(node)}/acc", shape=shape
        )
        parts = [editor.constant(a, n) for a, n in ((scale, "scale"), (zero, "zero"))]
        editor.replace(
            node,
            editor.insert(node, "Dequantize", [joined, *parts], domain=DOMAIN, hint=f"{label(node)}/sum", shape=shape),
        )
        return None

    @staticmethod
    def _common(left: Affine, right: Affine, sign: int) -> tuple[float, np.ndarray, np.ndarray] | None:
        if left.scale.size != 1 or right.scale.size != 1:
            return None
        ratio = integer_ratio(np.array([left.scale.item(), sign * right.scale.item()]))
        if ratio is None:
            return None
        unit, multiples = ratio
        return unit, multiples, left.zero * multiples[0] + right.zero * multiples[1]


def _leaves(output: ir.Value) -> int:
    try:
        return len(Region(output).leaves)
    except Blocked:
        return 0
