"""Why a layer did not become hardware: the one node that is in the way, and what to do about it in the words of the tools.

A missing quantizer shows first at the layer behind it, which is only its consequence. `cause_of` walks back from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import onnx_ir as ir

from flowc.errors import shown
from flowc.exact import ops
from flowc.exact.movement import is_move
from flowc.exact.region import NOT_A_NUMBER, constant_of
from flowc.model.ir import DOMAIN, is_op, label, origins

__all__ = ["Cause", "cause_of"]

_POOLS = frozenset({"AveragePool", "GlobalAveragePool", "ReduceMean", "ReduceSum"})
_PRODUCTS = frozenset({"Conv", "ConvTranspose", "MatMul"})


class Cause(NamedTuple):
    """The node (by its ONNX name) and operator in the way, what is wrong with it, and the remedy."""

    node: str
    op: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"'{shown(self.node)}' ({self.op}): {self.reason}; {self.remedy}"


def cause_of(value: ir.Value | None, notes: Mapping[str, str]) -> Cause | None:
    """What keeps a float tensor from being integers; None where that is a float input of the model.

    Args:
        value: the input of a layer, or of a quantizer, that needs integers.
        notes: what passes had to say, by node.
    """
    last = None if value is None else value.producer()
    current = value
    while current is not None and (node := current.producer()) is not None:
        if is_op(node, "Dequantize", DOMAIN) or is_op(node, "Quantize", DOMAIN):
            return None if last is None else _unquantized(last, notes)
        if node.op_type in _PRODUCTS:
            return _said(node, notes, "it has no integer form", "quantize its weights and its input")
        if not (ops.is_elementwise(node) or is_move(node) or node.op_type in _POOLS):
            return _operator(node, notes)
        current = next((v for v in node.inputs if v is not None and constant_of(v) is None), None)
    return None


def _name(node: ir.Node) -> str:
    return (origins(node) or (label(node),))[0]


def _said(node: ir.Node, notes: Mapping[str, str], reason: str, remedy: str) -> Cause:
    """What a pass said of a node, "reason; remedy"; else what is given."""
    said, _, advice = notes.get(label(node), "").partition("; ")
    return Cause(_name(node), node.op_type, said or reason, advice or remedy)


def _operator(node: ir.Node, notes: Mapping[str, str]) -> Cause:
    return _said(
        node,
        notes,
        f"{node.op_type} has no hardware unit, and quantized layers lie behind it",
        "leave it behind the last quantized layer, where the host runs it, or take it out of the network",
    )


def _unquantized(node: ir.Node, notes: Mapping[str, str]) -> Cause:
    """The last operation in front of a layer, where no quantizer stands between them; no quantizer mends what is no number."""
    name = shown(_name(node))
    if notes.get(label(node)) == NOT_A_NUMBER:
        return _said(node, notes, "", "")
    where = {
        "Relu": f"put a quantizer behind it (Brevitas: a QuantReLU in place of the ReLU '{name}')",
        "Add": f"put a quantizer behind it (Brevitas: a QuantIdentity behind '{name}', or one shared by both of its branches)",
        "AveragePool": f"put a quantizer behind it (Brevitas: TruncAvgPool2d, or a QuantIdentity behind '{name}')",
    }
    remedy = where.get(node.op_type, f"put a quantizer behind it (Brevitas: a QuantIdentity behind '{name}')")
    return Cause(
        _name(node),
        node.op_type,
        "its result goes into a layer without a quantizer",
        f"{remedy}; onnxruntime and torch.ao: a QuantizeLinear and DequantizeLinear pair",
    )
