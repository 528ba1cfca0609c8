"""Integer tensors of the ONNX dialects -> integer-valued float32, which every stage of flowc can execute.

Drives the lowering of QDQ, QCDQ and QOperator models, and repairs what surrounds it:

- operators between QuantizeLinear and DequantizeLinear (MaxPool, Reshape, Concat, Pad, Clip ...) go on working on the
  integers, now float32; their integer constants are converted;
- an integer graph input keeps its type and gets a Cast to float32; an integer graph output gets a Cast back;
- Casts between integer carriers disappear.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from flowc.importer.emit import Emitter
from flowc.importer.operators import CONTRIB_DOMAIN
from flowc.importer.qdq import INTEGERS, dequantize_linear, quantize_linear
from flowc.importer.qoperator import LOWERINGS
from flowc.model import ir as fir

__all__ = ["lower_integers"]

_DOMAINS = ("", CONTRIB_DOMAIN)
_QUANTIZED = frozenset({"QuantizeLinear", *LOWERINGS})


def lower_integers(model: ir.Model) -> None:
    """Rewrite every quantizer and quantized operator of the ONNX dialects. Needs shapes and folded constants.

    Raises:
        ModelError: parameters that are not constant or not valid.
    """
    graph = model.graph
    nodes = [n for n in graph if n.domain in _DOMAINS]
    if not any(n.op_type in _QUANTIZED or n.op_type == "DequantizeLinear" for n in nodes):
        return
    emitter = Emitter(graph)
    carriers = _cast_inputs(emitter)
    _cast_outputs(emitter)
    for node in list(graph):
        if node.domain not in _DOMAINS or node.graph is None:
            continue
        if node.op_type == "QuantizeLinear":
            value = quantize_linear(emitter, node)
            carriers.add(value)
        elif node.op_type == "DequantizeLinear":
            value = dequantize_linear(emitter, node)
        elif node.op_type in LOWERINGS:
            value = LOWERINGS[node.op_type](emitter, node)
            carriers.add(value)
        elif any(i in carriers for i in node.inputs if i is not None):
            _convert_constants(emitter, node)
            if _is_carried_cast(node):
                value = fir.required(node, 0)
            else:
                carriers.update(node.outputs)
                continue
        else:
            continue
        emitter.editor.replace(node, value)


def _is_carried_cast(node: ir.Node) -> bool:
    """A Cast of carried integers to a wider integer type or to float, which changes nothing now."""
    if node.op_type != "Cast" or node.outputs[0].is_graph_output():
        return False
    to = ir.DataType(fir.int_attr(node, "to", int(ir.DataType.FLOAT)))
    return to in (ir.DataType.FLOAT, ir.DataType.INT32, ir.DataType.INT64)


def _convert_constants(emitter: Emitter, node: ir.Node) -> None:
    """Integer constants among the data of an operator on carried integers -> float32. Indices are int64, and stay."""
    arithmetic = node.op_type in ("Add", "Sub", "Mul", "Max", "Min", "Clip", "Div")
    for index, value in enumerate(node.inputs):
        array = fir.array_of(value)
        if value is None or array is None or value.dtype not in INTEGERS:
            continue
        if value.dtype != ir.DataType.INT32 or arithmetic:
            node.replace_input_with(index, emitter.constant(np.asarray(array, np.float32), f"{value.name}/float"))


def _cast_inputs(emitter: Emitter) -> set[ir.Value]:
    carriers = set()
    for value in list(emitter.editor.graph.inputs):
        if value.dtype not in INTEGERS or not value.uses():
            continue
        users = list(value.uses())
        first = next(iter(emitter.editor.graph))
        to_float = {"to": int(ir.DataType.FLOAT)}
        carried = emitter.editor.insert(
            first,
            "Cast",
            [value],
            to_float,
            hint=f"{value.name}/q",
            shape=fir.shape_of(value),
            origin=[value.name or ""],
        )
        for use in users:
            use.node.replace_input_with(use.idx, carried)
        carriers.add(carried)
    return carriers


def _cast_outputs(emitter: Emitter) -> None:
    graph = emitter.editor.graph
    for position, value in enumerate(list(graph.outputs)):
        producer = value.producer()
        if value.dtype not in INTEGERS or producer is None:
            continue
        name = value.name or ""
        value.name = emitter.editor.fresh(f"{name}/carried")
        output = ir.Value(name=name, type=ir.TensorType(value.dtype), shape=value.shape)
        label = emitter.editor.fresh(f"{name}/Cast")
        cast = ir.node("Cast", [value], {"to": int(value.dtype)}, outputs=[output], name=label)
        cast.metadata_props[fir.ORIGIN] = producer.metadata_props.get(fir.ORIGIN, "")
        graph.append(cast)
        graph.outputs[position] = output
