"""A float input becomes integers of a stated type.

Before: ``x → layer``  →  after: ``x → Quantize → Dequantize → layer`` with the scale and zero point of ``--input-type``. The host
then sends integers, and what the model does to its float input goes into the first layer or its thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from flowc.model.input_type import InputType
from flowc.model.ir import DOMAIN, Editor, shape_of
from flowc.passes.base import ModelPass

__all__ = ["ApplyInputType"]


@dataclass
class ApplyInputType(ModelPass):
    """See the module. ``input_type`` applies to every float input of the model."""

    name: ClassVar[str] = "apply_input_type"
    input_type: InputType | None = None

    def rewrite(self, graph: ir.Graph) -> bool:
        if self.input_type is None:
            return False
        editor = Editor(graph)
        kind = self.input_type
        changed = False
        for value in graph.inputs:
            uses = [u.node for u in value.uses()]
            if value.dtype != ir.DataType.FLOAT or not uses:
                continue
            first = next(node for node in graph if node in uses)
            constants = [
                editor.constant(np.float32(kind.scale), "input_scale"),
                editor.constant(np.float32(kind.zero_point), "input_zero"),
            ]
            attributes: dict[str, int | str] = {
                "bits": kind.bits, "signed": int(kind.signed), "narrow": 0, "rounding": "ROUND", "lo": kind.lo, "hi": kind.hi,
                "style": "bipolar" if kind.bipolar else "qonnx",
            }  # fmt: skip
            shape = shape_of(value)
            q = editor.insert(
                first,
                "Quantize",
                [value, *constants],
                attributes,
                domain=DOMAIN,
                hint=f"{value.name}/q",
                origin=(),
                shape=shape,
            )
            x = editor.insert(
                first, "Dequantize", [q, *constants], domain=DOMAIN, hint=f"{value.name}/dq", origin=(), shape=shape
            )
            for use in list(value.uses()):
                if use.node is not q.producer():
                    use.node.replace_input_with(use.idx, x)
            changed = True
        return changed
