"""Average pools on integers.

Before: ``AveragePool(Dequantize(q, s, z))``  →  after: ``Dequantize(SumPool(Pad(q, z)), s / n, n * z)`` with n taps; a global
average likewise with ``GlobalSum``. Where windows at the edge divide by fewer taps (padding not counted, ceil_mode), the scale varies
over positions. A ReduceSum over the last axis is a global average that is not divided (`flowc.passes.spread_reductions` brings
other reductions into these forms).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir

from flowc.exact.affine import trace_affine
from flowc.exact.region import compress
from flowc.model.ir import DOMAIN, Editor, array_of, int_attr, ints_attr, label, shape_of
from flowc.passes.base import ModelPass
from flowc.passes.remedies import ONE_SCALE, WHOLE_ZERO

__all__ = ["IntegerPools"]


class IntegerPools(ModelPass):
    """See the module."""

    name: ClassVar[str] = "integer_pools"

    def rewrite(self, graph: ir.Graph) -> bool:
        editor = Editor(graph)
        changed = False
        for node in list(graph):
            if node.domain == "" and (node.op_type in ("AveragePool", "GlobalAveragePool") or _is_row_sum(node)):
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
            return f"its input's scale varies over positions; use {ONE_SCALE}"
        q = x.q
        dilations = ints_attr(node, "dilations") or (1,) * len(kernel)
        reach = [(o - 1) * s + (k - 1) * d + 1 for o, s, k, d in zip(out[2:], strides, kernel, dilations, strict=True)]
        begins, ends = pads[: len(kernel)], pads[len(kernel) :]
        counted = bool(int_attr(node, "count_include_pad", 0))
        divisors = np.ones((1, 1))
        full = []
        for i, (size, begin, end, far) in enumerate(zip(shape[2:], begins, ends, reach, strict=True)):
            full.append(max(end, far - size - begin))
            positions = np.arange(out[2 + i])[:, None] * strides[i] + np.arange(kernel[i]) * dilations[i]
            low, high = (0, begin + size + end) if counted else (begin, begin + size)
            count = ((positions >= low) & (positions < high)).sum(axis=1)
            divisors = divisors[..., None] * count
        if any(begins) or any(full):
            if x.zero_int is None:
                return f"its padding is no integer of the padded tensor; {WHOLE_ZERO}"
            spans = [n + a + b for n, a, b in zip(shape[2:], begins, full, strict=True)]
            amounts = editor.constant(np.array([0, 0, *begins, 0, 0, *full], np.int64), "pads")
            value = editor.constant(np.float32(x.zero_int), "pad_value")
            q = editor.insert(
                node,
                "Pad",
                [q, amounts, value],
                {"mode": "constant"},
                hint=f"{label(node)}/padded",
                shape=(*shape[:2], *spans),
            )
        taps = int(np.prod(kernel))
        if node.op_type == "ReduceSum":
            divisors = np.ones((1, 1, 1))
        # How exact the floats are that the model adds: for the certificate.
        zeros = [float(x.zero.min()), float(x.zero.max())]
        # The division rounds twice at most (some runtimes multiply by a reciprocal), not at all by powers of two.
        division = 0 if (np.frexp(divisors)[0] == 0.5).all() else 2
        rounding: dict[str, Any] = {"roundings": x.roundings + division, "offset": x.offset, "zeros": zeros}
        if tuple(kernel) == tuple(shape_of(q)[2:]):
            total = editor.insert(node, "GlobalSum", [q], rounding, domain=DOMAIN, hint=f"{label(node)}/acc", shape=out)
        else:
            attributes = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, **rounding}
            total = editor.insert(node, "SumPool", [q], attributes, domain=DOMAIN, hint=f"{label(node)}/acc", shape=out)
        scale, zero = editor.constant(compress(x.scale / divisors), "scale"), editor.constant(x.zero * taps, "zero")
        mean = editor.insert(
            node, "Dequantize", [total, scale, zero], domain=DOMAIN, hint=f"{label(node)}/mean", shape=out
        )
        editor.replace(node, mean)
        return None


def _is_row_sum(node: ir.Node) -> bool:
    """Whether the node adds up the last of three axes."""
    source = node.inputs[0] if node.op_type == "ReduceSum" else None
    axes = array_of(node.inputs[1]) if source is not None and len(node.inputs) > 1 else None
    return (
        source is not None
        and axes is not None
        and axes.reshape(-1).tolist() == [2]
        and len(shape_of(source)) == 3 == len(shape_of(node.outputs[0]))
    )
