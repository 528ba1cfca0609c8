"""What only the host can run, cut off behind the model that flowc compiles.

Any standard operator that onnxruntime runs may stand behind the last quantized layer: NonMaxSuppression, LSTM, Einsum,
whatever has outputs of a size that is known at run time only. flowc need not understand it: the nodes stay as they are, in
a graph of their own, and become the end of the host's tail.
"""

from __future__ import annotations

import onnx
import onnx_ir as ir
from onnx import helper, numpy_helper, version_converter

from flowc.errors import ModelError, UnsupportedError
from flowc.importer.operators import BY_NAME, CONTRIB_DOMAIN, STANDARD, UNKNOWN
from flowc.importer.qdq import INTEGERS
from flowc.importer.qoperator import LOWERINGS
from flowc.model import ir as fir
from flowc.model.runtime import IR_VERSION
from flowc.model.suffix import Suffix, set_suffix

__all__ = ["cut_suffix"]

_TYPES = frozenset({ir.DataType.FLOAT, ir.DataType.INT64, ir.DataType.BOOL, *INTEGERS})
_QUANTIZED = frozenset({"Quant", "IntQuant", "BipolarQuant", "BinaryQuant", "Trunc", "MultiThreshold", "RequantShift"})


def cut_suffix(model: ir.Model, opset: int) -> None:
    """Take every node that only the host can run, and all behind it, out of the graph; see `flowc.model.suffix`.

    Needs shapes and folded constants.

    Args:
        opset: the operator set that the rest of the model is brought to.

    Raises:
        UnsupportedError: quantized layers lie behind such a node.
        ModelError: its operators can't be brought to that operator set.
    """
    graph = model.graph
    causes = {node for node in graph if _is_alien(node)}
    if not causes:
        return
    behind: dict[ir.Node, None] = {}
    for node in graph:
        if node in causes or any(v is not None and v.producer() in behind for v in node.inputs):
            behind[node] = None
    if any(_is_quantizer(node) for node in behind):
        listed = [(fir.label(n), n.op_type, _reason(n)) for n in graph if n in causes]
        raise UnsupportedError(
            listed, remedy="Behind the last quantized layer such an operator may stand: the host runs it there"
        )
    _cut(model, list(behind), opset)


def _is_alien(node: ir.Node) -> bool:
    if node.domain == "" and node.op_type not in STANDARD:
        return True
    if node.domain not in ("", CONTRIB_DOMAIN):
        return False
    for output in node.outputs:
        if not output.name or not (output.uses() or output.is_graph_output()):
            continue
        if output.shape is None or not output.shape.is_static() or output.dtype not in _TYPES:
            return node.domain == "" and node.op_type != "Dropout"
    return False


def _reason(node: ir.Node) -> str:
    if node.op_type not in STANDARD:
        return f"{BY_NAME.get(node.op_type, UNKNOWN).partition('; ')[0]}, and quantized layers lie behind it"
    return "the size or type of its output is not known before the model runs, and quantized layers lie behind it"


def _is_quantizer(node: ir.Node) -> bool:
    if node.domain == "" or node.domain == CONTRIB_DOMAIN:
        running = fir.array_of(node.inputs[0] if node.inputs else None) is None
        return running and (node.op_type in ("QuantizeLinear", "DequantizeLinear") or node.op_type in LOWERINGS)
    return node.op_type in _QUANTIZED


def _cut(model: ir.Model, nodes: list[ir.Node], opset: int) -> None:
    graph = model.graph
    inside = set(nodes)
    read = dict.fromkeys(v for n in nodes for v in n.inputs if v is not None and v.producer() not in inside)
    constants = {v.name or "": a for v in read if (a := fir.array_of(v)) is not None}
    given = [v for v in read if fir.array_of(v) is None]
    results = [v.name or "" for v in graph.outputs]
    own = [v for v in graph.outputs if v.producer() in inside]
    part = helper.make_graph(
        [ir.serde.serialize_node(n) for n in nodes], "suffix",
        [helper.make_tensor_value_info(v.name or "", int(v.dtype or ir.DataType.FLOAT), fir.shape_of(v)) for v in given],
        [_output(v) for v in own],
        [numpy_helper.from_array(a, name) for name, a in constants.items()],
    )  # fmt: skip
    before = graph.opset_imports[""]
    proto = helper.make_model(part, opset_imports=[helper.make_opsetid("", before)], ir_version=IR_VERSION)
    set_suffix(model, Suffix(_converted(proto, opset), tuple(results)))
    kept = [v for v in graph.outputs if v.producer() not in inside]
    graph.outputs[:] = [*kept, *(v for v in given if v not in kept and not v.is_graph_input())]
    for node in reversed(nodes):
        graph.remove(node, safe=True)
    fir.remove_dead(graph)


def _output(value: ir.Value) -> onnx.ValueInfoProto:
    """Name and type; the shape only where it is known."""
    info = onnx.ValueInfoProto(name=value.name or "")
    info.type.tensor_type.elem_type = int(value.dtype or ir.DataType.FLOAT)
    if value.shape is not None and value.shape.is_static():
        return helper.make_tensor_value_info(
            value.name or "", int(value.dtype or ir.DataType.FLOAT), fir.shape_of(value)
        )
    return info


def _converted(proto: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """The nodes in another operator set, their inner names changed so that none can meet one of the model's."""
    if proto.opset_import[0].version != opset:
        try:
            proto = version_converter.convert_version(proto, opset)
        except Exception as error:
            names = ", ".join(sorted({n.op_type for n in proto.graph.node}))
            raise ModelError(
                f"the end of the model, which the host runs ({names}), can't be brought to operator set {opset}: {error}",
                remedy=f"export the model with opset {opset}",
            ) from error
    outside = {v.name for v in (*proto.graph.input, *proto.graph.output)}
    renamed = {n: f"host/{n}" for node in proto.graph.node for n in node.output if n and n not in outside}
    renamed |= {t.name: f"host/{t.name}" for t in proto.graph.initializer}
    for tensor in proto.graph.initializer:
        tensor.name = renamed[tensor.name]
    for node in proto.graph.node:
        node.input[:] = [renamed.get(n, n) for n in node.input]
        node.output[:] = [renamed.get(n, n) for n in node.output]
        del node.metadata_props[:]
    return proto
