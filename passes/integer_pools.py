"""Average pools on integers.

Before: ``AveragePool(Dequantize(q, s, z))``  →  after: ``Dequantize(SumPool(Pad(q, z)), s / n, n * z)`` with n taps; a global
average likewise with ``GlobalSum``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir

from flowc.ir import DOMAIN, Editor, int_attr, ints_attr, label, shape_of
from flowc.passes.affine import trace_affine
from flowc.passes.base import ModelPass

__all__ = ["IntegerPools"]


@dataclass
class IntegerPools(ModelPass):
    """See the module."""

    name: ClassVar[str] = "integer_pools"

    def rewrite(self, graph: ir.Graph) -> bool:
        editor = Editor(graph)
        changed = False
        for node in list(graph):
            if node.domain == "" and node.op_type in ("AveragePool", "GlobalAveragePool"):
                reason = self._rewrite(editor, node)
                if reason is None:
                    changed = True
                else:
                    self.note(label(node), reason)
        return changed

    def _rewrite(self, editor: Editor, node: ir.Node) -> str | None:
        x = trace_affine(node.inputs[0])
        if x is None:
            return "its input is not quantized"
        shape, out = shape_of(x.q), shape_of(node.outputs[0])
        kernel = ints_attr(node, "kernel_shape") or shape[2:]
        pads = ints_attr(node, "pads") or (0,) * (2 * len(kernel))
        strides = ints_attr(node, "strides") or (1,) * len(kernel)
        if any(n > 1 for a in (x.scale, x.zero) for n in a.shape[2:]):
            return "its input's scale varies over positions"
        q = x.q
        spans = [n + a + b for n, a, b in zip(shape[2:], pads[: len(kernel)], pads[len(kernel) :], strict=True)]
        dilations = ints_attr(node, "dilations") or (1,) * len(kernel)
        reach = [(o - 1) * s + (k - 1) * d + 1 for o, s, k, d in zip(out[2:], strides, kernel, dilations, strict=True)]
        if any(r > n for r, n in zip(reach, spans, strict=True)):
            return "a ceil_mode average whose last window hangs over the edge divides by another number there"
        if any(pads):
            if not int_attr(node, "count_include_pad", 0):
                return "an average that does not count the padding divides by another number at the edges"
            if x.zero_int is None:
                return "its padding is no integer of the padded tensor"
            amounts = editor.constant(np.array([0, 0, *pads[: len(kernel)], 0, 0, *pads[len(kernel) :]], np.int64), "pads")
            value = editor.constant(np.float32(x.zero_int), "pad_value")
            q = editor.insert(node, "Pad", [q, amounts, value], {"mode": "constant"}, hint=f"{label(node)}/padded", shape=(*shape[:2], *spans))
        taps = int(np.prod(kernel))
        # How exact the floats are that the model adds: for the certificate.
        zeros = [float(x.zero.min()), float(x.zero.max())]
        rounding: dict[str, Any] = {"roundings": x.roundings, "offset": x.offset, "zeros": zeros}
        if tuple(kernel) == tuple(shape_of(q)[2:]):
            total = editor.insert(node, "GlobalSum", [q], rounding, domain=DOMAIN, hint=f"{label(node)}/acc", shape=out)
        else:
            attributes = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, **rounding}
            total = editor.insert(node, "SumPool", [q], attributes, domain=DOMAIN, hint=f"{label(node)}/acc", shape=out)
        scale, zero = editor.constant(x.scale / taps, "scale"), editor.constant(x.zero * taps, "zero")
        mean = editor.insert(node, "Dequantize", [total, scale, zero], domain=DOMAIN, hint=f"{label(node)}/mean", shape=out)
        editor.replace(node, mean)
        return None
