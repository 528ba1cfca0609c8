"""Embeddings on integers: a row of a quantized table for every index.

Before: ``Gather(Dequantize(T, s, z), i)`` with a constant T and run-time indices
After: ``Dequantize(Lookup(Quantize(i mod V), T), s, z)``

``i mod V`` is what ONNX means by a negative index; it stays on the host, which hands the accelerator numbers from 0 to
V - 1. Where the indices come from quantized layers (an ArgMax in front of a table of labels), the table stays on the
host too.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx_ir as ir

from flowc.exact.affine import Affine, trace_affine
from flowc.importer.emit import Quantizer
from flowc.model.ir import DOMAIN, Editor, array_of, int_attr, is_op, label, shape_of
from flowc.passes.base import ModelPass

__all__ = ["IntegerLookups"]

_MOST_ROWS = 1 << 16
"""Rows of the largest table: indices of 16 bits."""


class IntegerLookups(ModelPass):
    """See the module."""

    name: ClassVar[str] = "integer_lookups"

    def rewrite(self, graph: ir.Graph) -> bool:
        editor = Editor(graph)
        changed = False
        for node in list(graph):
            if node.domain != "" or node.op_type != "Gather" or array_of(node.inputs[1]) is not None:
                continue
            reason = self._rewrite(editor, node)
            if reason is None:
                changed = True
            else:
                self.note(label(node), reason)
        return changed

    def _rewrite(self, editor: Editor, node: ir.Node) -> str | None:
        indices, table = node.inputs[1], trace_affine(node.inputs[0])
        rows = None if table is None else array_of(table.q)
        if table is None or rows is None or indices is None:
            return "it picks from what is not a quantized constant; quantize the table (Brevitas: QuantEmbedding), or leave it on the host"
        if _from_quantized(indices):
            return "its indices come from quantized layers; only indices that are inputs of the model have a unit"
        if rows.ndim != 2 or int_attr(node, "axis", 0) % 2 != 0:
            return "it does not pick whole rows of a matrix; write it as an embedding of rows (torch.nn.Embedding: Gather on axis 0)"
        if len(rows) > _MOST_ROWS:
            return (
                f"its table has {len(rows):,} rows, and an index has at most 16 bits; use a table of up to 65,536 rows"
            )
        if any(p.ndim == 2 and p.shape[0] > 1 for p in (table.scale, table.zero)):
            return "the scale of its table varies from row to row; use one scale for the table (Brevitas: scaling_per_output_channel=False)"
        found = editor.insert(
            node, "Lookup", [_index(editor, node, indices, len(rows)), table.q], domain=DOMAIN, hint=f"{label(node)}/q",
            shape=shape_of(node.outputs[0]),
        )  # fmt: skip
        editor.replace(node, _dequantized(editor, node, found, table))
        return None


def _from_quantized(value: ir.Value) -> bool:
    """Whether a tensor depends on dequantized integers."""
    stack, seen = [value], set()
    while stack:
        node = stack.pop().producer()
        if node is None or node in seen:
            continue
        if is_op(node, "Dequantize", DOMAIN):
            return True
        seen.add(node)
        stack += [v for v in node.inputs if v is not None]
    return False


def _index(editor: Editor, node: ir.Node, indices: ir.Value, count: int) -> ir.Value:
    """The indices as an integer tensor of the accelerator, 0 to ``count`` - 1."""
    shape, name = shape_of(indices), label(node)
    kind = indices.dtype or ir.DataType.INT64
    length = editor.constant(np.array(count, kind.numpy()), f"{name}/rows")
    wrapped = editor.insert(node, "Mod", [indices, length], hint=f"{name}/wrapped", shape=shape, dtype=kind)
    carried = editor.insert(node, "Cast", [wrapped], {"to": int(ir.DataType.FLOAT)}, hint=f"{name}/index", shape=shape)
    quantizer = Quantizer((count - 1).bit_length() or 1, signed=False, lo=0, hi=count - 1)
    one, zero = (editor.constant(np.float32(v), f"{name}/{what}") for v, what in ((1, "one"), (0, "zero")))
    return editor.insert(
        node, "Quantize", [carried, one, zero], quantizer.attributes, domain=DOMAIN, hint=f"{name}/index/q", shape=shape
    )


def _dequantized(editor: Editor, node: ir.Node, found: ir.Value, table: Affine) -> ir.Value:
    rank = len(shape_of(found))
    parameters = [
        editor.constant(
            p.reshape((1,) * (rank - 1) + (p.size,) if p.size > 1 else ()).astype(np.float32), f"{label(node)}/{what}"
        )
        for p, what in ((table.scale, "scale"), (table.zero, "zero"))
    ]
    return editor.insert(
        node, "Dequantize", [found, *parameters], domain=DOMAIN, hint=f"{label(node)}/dq", shape=shape_of(found)
    )
