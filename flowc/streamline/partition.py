"""Cutting a streamlined model graph: float head on the host, integers on the accelerator, float tail on the host."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import onnx
import onnx_ir as ir
from onnx import helper

from flowc.errors import ModelError, UnsupportedError
from flowc.exact.affine import trace_affine
from flowc.exact.movement import is_move
from flowc.model.ir import DOMAIN, is_op, label, origins, shape_of
from flowc.model.reference import expand
from flowc.model.runtime import IR_VERSION
from flowc.model.suffix import result_types
from flowc.passes.base import Note
from flowc.passes.integer_ranges import Ranges
from flowc.streamline.causes import Cause, cause_of

__all__ = ["INPUT_TYPE_ADVICE", "NOT_QUANTIZED", "Partition", "extract", "partition"]

NOT_QUANTIZED = "its input is not quantized"
"""What passes say of a layer in front of which a quantizer is missing."""

INPUT_TYPE_ADVICE = (
    "to have such a layer in hardware, state the integer type of the input, for instance --input-type uint8:0.00392156886 "
    "(bytes that stand for 0 to 1)"
)
"""What to do about a float input."""

_UNQUANTIZED = "put a quantizer in front of it (Brevitas: QuantIdentity; onnxruntime and torch.ao: QuantizeLinear and DequantizeLinear)"


@dataclass(frozen=True, eq=False)
class Partition:
    """The three parts of a model.

    Attributes:
        entries: integer tensors that the head gives to the accelerator.
        nodes: integer nodes, in order.
        exits: integer tensors that the accelerator gives to the tail.
        passed: integer tensors that go from the head straight to the tail.
        head, tail: standard ONNX models; None where there is nothing to do.
    """

    entries: tuple[ir.Value, ...]
    nodes: tuple[ir.Node, ...]
    exits: tuple[ir.Value, ...]
    passed: tuple[ir.Value, ...]
    head: onnx.ModelProto | None
    tail: onnx.ModelProto | None


def _is_integer_node(node: ir.Node, ranges: Ranges) -> bool:
    if node.domain == DOMAIN:
        return node.op_type not in ("Quantize", "Dequantize")
    return (is_move(node) or node.op_type == "ArgMax") and node.outputs[0] in ranges


def _late_values(graph: ir.Graph, ranges: Ranges) -> set[ir.Value]:
    """Values behind a quantizer that floats from the accelerator lead to: they are the host's, the tail quantizes again."""
    behind: set[ir.Value] = set()
    late: set[ir.Value] = set()
    for node in graph:
        inputs = [v for v in node.inputs if v is not None]
        if any(v in late for v in inputs) or (is_op(node, "Quantize", DOMAIN) and inputs[0] in behind):
            late.update(node.outputs)
        elif _is_integer_node(node, ranges) or any(v in behind for v in inputs):
            behind.update(node.outputs)
    return late


def partition(model: ir.Model, ranges: Ranges, notes: Sequence[Note]) -> Partition:
    """Cuts the graph.

    Raises:
        UnsupportedError: float operations lie between integer tensors; every one is named, with the reason.
        ModelError: nothing of the model is quantized.
    """
    graph = model.graph
    late = _late_values(graph, ranges)
    exits = _boundary(graph, ranges, late)
    nodes: list[ir.Node] = []
    entries: dict[ir.Value, None] = {}
    seen: set[ir.Node] = set()
    stack = [v for v in exits if v.producer() is not None]
    while stack:
        node = stack.pop().producer()
        if node is None or node in seen:
            continue
        seen.add(node)
        if _is_integer_node(node, ranges):
            nodes.append(node)
            stack.extend(v for v in node.inputs if v is not None and v.producer() is not None)
        else:
            entries[node.outputs[0]] = None
    _check_late(graph, ranges, late, notes)
    inner = set(nodes)
    layers = [n for n in graph if n.domain == "" and n.op_type in ("MatMul", "Conv", "ConvTranspose")]
    if not inner or (layers and not any(n.op_type in ("IntMatMul", "IntConv") for n in inner)):
        raise _nothing(graph, layers, notes)
    passed = tuple(v for v in exits if v in entries)
    whole = expand(model, without=inner)
    outputs = list(result_types(model))
    stops = {v.name or "": shape_of(v) for v in exits}
    values = {v.name or "": v for v in [*entries, *exits]}
    head = extract(whole, {}, [v.name or "" for v in entries], values)
    rest = [name for name in outputs if name not in stops]
    tail = extract(whole, stops, rest, values) if rest else None
    order = {node: i for i, node in enumerate(graph)}
    return Partition(
        tuple(entries),
        tuple(sorted(inner, key=order.__getitem__)),
        tuple(v for v in exits if v not in entries),
        passed,
        head,
        tail,
    )


def _nothing(graph: ir.Graph, layers: list[ir.Node], notes: Sequence[Note]) -> ModelError:
    """Why nothing of a model, or none of its layers, is integer arithmetic."""
    why = {note.node: note.text for note in notes}
    causes = [c for n in layers if why.get(label(n)) == NOT_QUANTIZED and (c := cause_of(n.inputs[0], why)) is not None]
    if causes:
        return ModelError(f"no quantized layer: {'; '.join(map(str, dict.fromkeys(causes)))}")
    quantizers = [] if layers else [n for n in graph if is_op(n, "Quantize", DOMAIN)]
    declined = [(n, text) for n in quantizers if (text := why.get(label(n), "")) and not text.endswith("on the host")]
    if declined:
        return UnsupportedError([((origins(n) or (label(n),))[0], n.op_type, text) for n, text in declined])
    about = [f"'{n.node}': {n.text}" for n in _about_layers(graph, notes)]
    reasons = "; ".join(about) or "it has no layer whose input is quantized"
    unquantized_input = NOT_QUANTIZED in reasons and any(is_op(n, "Dequantize", DOMAIN) for n in graph)
    return ModelError(
        f"no quantized layer: {reasons}",
        remedy=f"Its weights are quantized, its input is not: {INPUT_TYPE_ADVICE}"
        if unquantized_input
        else "Quantize weights and activations, for instance with Brevitas, and export with Brevitas' export_qonnx",
    )


def _boundary(graph: ir.Graph, ranges: Ranges, late: Container[ir.Value]) -> list[ir.Value]:
    """Integer tensors from which the model's outputs are computed on the host."""
    found: dict[ir.Value, None] = {}
    seen: set[ir.Value] = set()
    stack = list(graph.outputs)
    while stack:
        value = stack.pop()
        if value in seen:
            continue
        seen.add(value)
        if value in ranges and value not in late:
            found[value] = None
            continue
        node = value.producer()
        if node is not None:
            stack.extend(v for v in node.inputs if v is not None)
    return list(found)


def _check_late(graph: ir.Graph, ranges: Ranges, late: Container[ir.Value], notes: Iterable[Note]) -> None:
    """Integer layers may not depend on floats that the accelerator's results lead to, and no quantized layer may stay on the host."""
    why = {note.node: note.text for note in notes}
    offending: dict[ir.Node, str] = {}
    for node in graph:
        if (
            node.op_type in ("IntMatMul", "IntConv", "SumPool", "GlobalSum", "Join", "Lookup")
            and node.inputs[0] in late
        ):
            for culprit in _floats_before(node.inputs[0], ranges, late):
                offending.setdefault(culprit, why.get(label(culprit)) or why.get(culprit.outputs[0].name or "") or "")
        elif (
            node.domain == ""
            and node.op_type in ("MatMul", "Conv", "ConvTranspose")
            and trace_affine(node.inputs[0]) is not None
        ):
            # A layer on integers that has no integer form; one with float weights may be the host's.
            reason = why.get(label(node), "")
            if "weights are float" not in reason:
                offending.setdefault(node, reason)
    if not offending:
        return
    listed = [
        ((origins(n) or (label(n),))[0], n.op_type, reason or "it lies between integer tensors but has no integer form")
        for n, reason in offending.items()
    ]
    reasoned = [entry for entry, reason in zip(listed, offending.values(), strict=True) if reason]
    causes = [c for node, reason in offending.items() if (c := _cause(node, reason, why)) is not None]
    named = [(c.node, c.op, f"{c.reason}; {c.remedy}") for c in dict.fromkeys(causes)]
    # What has no cause in front of it is one itself.
    own = [
        e
        for e, (node, reason) in zip(listed, offending.items(), strict=True)
        if reason and not _is_consequence(node, reason)
    ]
    raise UnsupportedError([*named, *own] or reasoned or listed, remedy=None if named or own else _UNQUANTIZED)


def _is_consequence(node: ir.Node, reason: str) -> bool:
    return reason == NOT_QUANTIZED or (node.op_type == "Quantize" and reason.endswith("is not elementwise"))


def _cause(node: ir.Node, reason: str, why: Mapping[str, str]) -> Cause | None:
    """What lies in front of a node that is only the consequence of it."""
    return cause_of(node.inputs[0], why) if _is_consequence(node, reason) else None


def _floats_before(value: ir.Value | None, ranges: Ranges, late: Container[ir.Value]) -> list[ir.Node]:
    """The float operations between the accelerator's integers and a late value, in graph order (integer ones are late only by them)."""
    found: list[ir.Node] = []
    seen: set[ir.Node] = set()
    stack = [value]
    while stack:
        current = stack.pop()
        node = None if current is None else current.producer()
        if node is None or current is None or node in seen or (current in ranges and current not in late):
            continue
        seen.add(node)
        if node.domain != DOMAIN or node.op_type == "Quantize":
            found.append(node)
        stack.extend(node.inputs)
    return found[::-1]


def _about_layers(graph: ir.Graph, notes: Iterable[Note]) -> list[Note]:
    layers = {label(n) for n in graph if n.op_type in ("MatMul", "Conv", "ConvTranspose")}
    return list(dict.fromkeys(n for n in notes if n.node in layers))[:3]


def extract(
    whole: onnx.ModelProto, stops: Mapping[str, tuple[int, ...]], outputs: list[str], values: Mapping[str, ir.Value]
) -> onnx.ModelProto | None:
    """The part of a standard model that computes ``outputs`` from its inputs and from the tensors ``stops`` (float32).

    Returns None where there is no output to compute.
    """
    if not outputs:
        return None
    producer = {name: node for node in whole.graph.node for name in node.output}
    wanted: set[str] = set()
    read: set[str] = set()
    stack = [name for name in outputs if name not in stops]
    while stack:
        name = stack.pop()
        read.add(name)
        node = producer.get(name)
        if name in stops or node is None or node.output[0] in wanted:
            continue
        wanted.add(node.output[0])
        stack.extend(n for n in node.input if n)
    nodes = [n for n in whole.graph.node if n.output[0] in wanted]
    inputs = [v for v in whole.graph.input if v.name in read]
    inputs += [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s) for n, s in stops.items() if n in read]
    known = {v.name: v for v in whole.graph.output}
    results = [
        known[n] if n in known else helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, shape_of(values[n]))
        for n in outputs
    ]
    graph = helper.make_graph(nodes, "host", inputs, results, [i for i in whole.graph.initializer if i.name in read])
    model = helper.make_model(graph, opset_imports=whole.opset_import, ir_version=IR_VERSION)
    model.producer_name = "flowc"
    return model
