"""Reductions over any axes as pools over the last one.

Before: ``ReduceMean(x [1, C, H, W], axes 1, 3)``  →  after: ``Reshape(GlobalAveragePool(Reshape(Transpose(x)) [1, H, C * W]))``
Before: ``ReduceMax(x [1, C, H, W], axes 2, 3)``  →  after: ``MaxPool`` of the prime factors of H * W, one after another
Before: ``ReduceMin(x)``  →  after: ``Neg(ReduceMax(Neg(x)))``

A maximum of maxima is the maximum, so each pool looks at a few elements and stores no more of them. A maximum over a
negative scale (which would be a minimum of integers) is taken of integers of the other sign.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir

from flowc.exact.affine import Affine, trace_affine
from flowc.model.dtypes import IntType
from flowc.model.ir import DOMAIN, Editor, array_of, int_attr, is_op, label, shape_of
from flowc.passes.base import ModelPass
from flowc.passes.integer_ranges import Ranges, integer_ranges
from flowc.units.base import Array

__all__ = ["SpreadReductions"]

_REDUCTIONS = {"ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "GlobalMaxPool"}


class SpreadReductions(ModelPass):
    """See the module. Reductions that have integers neither in front of nor behind them are left to the host."""

    name: ClassVar[str] = "spread_reductions"

    def rewrite(self, graph: ir.Graph) -> bool:
        editor = Editor(graph)
        changed = False
        for node in list(graph):
            if node.domain != "" or node.op_type not in _REDUCTIONS | {"MaxPool"}:
                continue
            form = trace_affine(node.inputs[0])
            if node.op_type != "MaxPool" and (form is not None or _between_quantizers(node)):
                changed |= self._spread(editor, node)
            elif node.op_type == "MaxPool" and form is not None and (form.scale < 0).any():
                changed |= self._turn(editor, node, form, integer_ranges(graph))
        return changed

    def _spread(self, editor: Editor, node: ir.Node) -> bool:
        source = node.inputs[0]
        assert source is not None
        shape, out = shape_of(source), shape_of(node.outputs[0])
        reduced = _axes(node, len(shape))
        if reduced is None or 0 in reduced or not reduced:
            self.note(
                label(node),
                "it reduces over the batch, or over axes that are not constant; export it with constant axes, without the batch",
            )
            return False
        kept = [axis for axis in range(1, len(shape)) if axis not in reduced]
        rows, row = (int(np.prod([shape[a] for a in axes], dtype=np.int64)) for axes in (kept, reduced))
        if node.op_type in ("ReduceSum", "ReduceMean") and (len(shape) == 3 and reduced == [2]):
            return False
        value = source
        if node.op_type == "ReduceMin":
            value = editor.insert(node, "Neg", [value], shape=shape)
        perm = [0, *kept, *reduced]
        if perm != list(range(len(shape))):
            turned = [shape[a] for a in perm]
            value = editor.insert(
                node, "Transpose", [value], {"perm": perm}, hint=f"{label(node)}/turned", shape=turned
            )
        value = _reshaped(editor, node, value, (1, rows, row), "rows")
        value = self._reduce(editor, node, value, rows, row)
        value = _reshaped(editor, node, value, out, "reduced")
        if node.op_type == "ReduceMin":
            value = editor.insert(node, "Neg", [value], shape=out)
        editor.replace(node, value)
        return True

    @staticmethod
    def _reduce(editor: Editor, node: ir.Node, value: ir.Value, rows: int, row: int) -> ir.Value:
        if node.op_type == "ReduceMean":
            return editor.insert(node, "GlobalAveragePool", [value], hint=f"{label(node)}/mean", shape=(1, rows, 1))
        if node.op_type == "ReduceSum":
            axes, keep = editor.constant(np.array([2], np.int64), "axes"), {"keepdims": 1}
            return editor.insert(node, "ReduceSum", [value, axes], keep, hint=f"{label(node)}/sum", shape=(1, rows, 1))
        for factor in _factors(row):
            row //= factor
            attributes: dict[str, Any] = {
                "kernel_shape": [factor], "strides": [factor], "pads": [0, 0], "dilations": [1], "ceil_mode": 0,
            }  # fmt: skip
            value = editor.insert(node, "MaxPool", [value], attributes, hint=f"{label(node)}/max", shape=(1, rows, row))
        return value

    def _turn(self, editor: Editor, node: ir.Node, form: Affine, ranges: Ranges) -> bool:
        """The input of a maximum in integers of positive scale."""
        source = node.inputs[0]
        if source is None or form.q not in ranges or (form.zero != np.rint(form.zero)).any():
            return False
        scale = np.abs(form.scale).astype(np.float32)
        if not np.array_equal(scale.astype(np.float64), np.abs(form.scale)):
            self.note(
                label(node),
                "MaxPool over a negative scale that is no float32 number; quantize what it pools with scales above 0",
            )
            return False
        lo, hi = ((bound - form.zero) * np.sign(form.scale) for bound in ranges[form.q])
        least, most = int(min(lo.min(), hi.min())), int(max(lo.max(), hi.max()))
        kind = IntType.for_range(least, most)
        parts = [editor.constant(_scalar(scale), "scale"), editor.constant(np.float32(0), "zero")]
        attributes: dict[str, int | str] = {
            "bits": kind.bits, "signed": int(kind.signed), "narrow": 0, "rounding": "ROUND", "style": "qonnx", "lo": least,
            "hi": most,
        }  # fmt: skip
        shape, hint = shape_of(source), f"{label(node)}/positive"
        q = editor.insert(node, "Quantize", [source, *parts], attributes, domain=DOMAIN, hint=f"{hint}/q", shape=shape)
        x = editor.insert(node, "Dequantize", [q, *parts], domain=DOMAIN, hint=hint, shape=shape)
        node.replace_input_with(0, x)
        return True


def _scalar(array: Array) -> Array:
    return array.reshape(()) if array.size == 1 else array


def _reshaped(editor: Editor, node: ir.Node, value: ir.Value, shape: tuple[int, ...], hint: str) -> ir.Value:
    if shape_of(value) == tuple(shape):
        return value
    target = editor.constant(np.array(shape, np.int64), "shape")
    return editor.insert(node, "Reshape", [value, target], hint=f"{label(node)}/{hint}", shape=shape)


def _axes(node: ir.Node, rank: int) -> list[int] | None:
    if node.op_type == "GlobalMaxPool":
        return list(range(2, rank))
    given = node.inputs[1] if len(node.inputs) > 1 else None
    axes = array_of(given)
    if given is None or (axes is not None and not axes.size):
        return None if int_attr(node, "noop_with_empty_axes", 0) else list(range(rank))
    return None if axes is None else sorted(int(a) % rank for a in axes.reshape(-1))


def _factors(count: int) -> list[int]:
    """The prime factors of a number, small ones put together up to 8."""
    found: list[int] = []
    prime = 2
    while count > 1:
        if prime * prime > count:
            prime = count
        while count % prime == 0:
            count //= prime
            if found and found[-1] * prime <= 8:
                found[-1] *= prime
            else:
                found.append(prime)
        prime += 1
    return found


def _between_quantizers(node: ir.Node) -> bool:
    """Whether quantizers are both in front of and behind a node."""
    return _meets(node, forwards=True) and _meets(node, forwards=False)


def _meets(node: ir.Node, *, forwards: bool) -> bool:
    waiting, seen = [node], {node}
    while waiting:
        current = waiting.pop()
        if current is not node and is_op(current, "Quantize", DOMAIN):
            return True
        found = (
            [use.node for output in current.outputs for use in output.uses()]
            if forwards
            else [p for value in current.inputs if value is not None and (p := value.producer()) is not None]
        )
        waiting += [n for n in found if n not in seen]
        seen.update(found)
    return False
