"""Integer tensors of the ONNX dialects -> integer-valued float32, which every stage of flowc can execute.

Drives the lowering of QDQ, QCDQ and QOperator models, and repairs what surrounds it:

- operators between QuantizeLinear and DequantizeLinear (MaxPool, Reshape, Concat, Pad, Clip ...) go on working on the
  integers, now float32; their integer constants are converted;
- an integer graph input keeps its type, which says what its values can be: a Cast to float32 and a Quantize that changes
  nothing stand behind it; an integer graph output gets a Cast back;
- Casts from an integer type to a wider one disappear; a Cast of integers to float32 dequantizes with scale 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from flowc.errors import ModelError
from flowc.importer.check import type_name
from flowc.importer.emit import Array, Emitter
from flowc.importer.operators import CONTRIB_DOMAIN
from flowc.importer.qdq import INTEGERS, RANGES, dequantize_linear, integer_quantizer, quantize_linear
from flowc.importer.qoperator import LOWERINGS
from flowc.importer.shapes import forget_shapes
from flowc.model import ir as fir

__all__ = ["lower_integers"]

_DOMAINS = ("", CONTRIB_DOMAIN)
_QUANTIZED = frozenset({"QuantizeLinear", *LOWERINGS})
_WIDE_TYPES = frozenset({ir.DataType.INT32, ir.DataType.INT64})
_WIDE = (-(2**31), 2**31 - 1)
_MOVES = frozenset(
    {
        "Concat", "DepthToSpace", "Flatten", "MaxPool", "Pad", "Reshape", "Resize", "Slice", "SpaceToDepth", "Split",
        "Squeeze", "Transpose", "Unsqueeze",
    }
)  # fmt: skip
_ONE: Array = np.ones((), np.float32)
_ZERO: Array = np.zeros((), np.float32)


def lower_integers(model: ir.Model) -> None:
    """Rewrite every quantizer and quantized operator of the ONNX dialects. Needs shapes, which it forgets, and folded constants.

    Raises:
        ModelError: parameters that are not constant or not valid.
    """
    graph = model.graph
    nodes = [n for n in graph if n.domain in _DOMAINS]
    quantized = any(n.op_type in _QUANTIZED or n.op_type == "DequantizeLinear" for n in nodes)
    if not quantized and not any(v.dtype in RANGES for v in graph.inputs):
        return
    emitter = Emitter(graph)
    carriers = _cast_inputs(emitter)
    _cast_outputs(emitter)
    for node in list(graph):
        if node.domain not in _DOMAINS or node.graph is None:
            continue
        dtype = node.outputs[0].dtype
        if node.op_type == "QuantizeLinear":
            value = quantize_linear(emitter, node)
            carriers[value] = _Carried(dtype, quantized=True)
        elif node.op_type == "DequantizeLinear":
            value = dequantize_linear(emitter, node)
        elif node.op_type in LOWERINGS:
            value = LOWERINGS[node.op_type](emitter, node)
            carriers[value] = _Carried(dtype, quantized=fir.is_op(value.producer(), "Quantize", fir.DOMAIN))
        elif any(i in carriers for i in node.inputs if i is not None):
            _convert_constants(emitter, node)
            if node.op_type != "Cast" or node.outputs[0].is_graph_output():
                moved = node.op_type in _MOVES and all(carriers[i].quantized for i in node.inputs if i in carriers)
                carriers.update((o, _Carried(o.dtype, quantized=moved)) for o in node.outputs)
                continue
            value = _cast(emitter, node, carriers)
        else:
            continue
        emitter.editor.replace(node, value)
    forget_shapes(graph)


class _Carried(NamedTuple):
    """The integer type that a float32 tensor carries; whether its values are those of a quantizer (not of a sum)."""

    dtype: ir.DataType | None
    quantized: bool


def _cast(emitter: Emitter, node: ir.Node, carriers: dict[ir.Value, _Carried]) -> ir.Value:
    """What stands for a Cast of carried integers: they themselves, or, in floats, they dequantized with scale 1.

    Raises:
        ModelError: values of the given type do not fit the wanted one, so that the Cast wraps.
    """
    x = fir.required(node, 0)
    carried = carriers[x]
    to = ir.DataType(fir.int_attr(node, "to", int(ir.DataType.FLOAT)))
    if to == ir.DataType.FLOAT:
        return emitter.dequantize(node, x, _ONE, _ZERO, node.outputs[0].name or "") if carried.quantized else x
    given, wanted = RANGES.get(carried.dtype), RANGES.get(to, _WIDE if to in _WIDE_TYPES else None)
    if wanted is None or (given is not None and not (wanted[0] <= given[0] and given[1] <= wanted[1])):
        source = carried.dtype.name.lower() if carried.dtype is not None else "integers"
        raise ModelError(
            f"it casts {source} to {type_name(int(to))}, which does not hold all their values",
            node=fir.label(node),
            remedy="quantize to the type that is wanted, without a Cast",
        )
    carriers[x] = _Carried(to if carried.dtype is not None else None, carried.quantized)
    return x


def _convert_constants(emitter: Emitter, node: ir.Node) -> None:
    """Integer constants among the data of an operator on carried integers -> float32. Indices are int64, and stay."""
    arithmetic = node.op_type in ("Add", "Sub", "Mul", "Max", "Min", "Clip", "Div")
    for index, value in enumerate(node.inputs):
        array = fir.array_of(value)
        if value is None or array is None or value.dtype not in INTEGERS:
            continue
        if value.dtype != ir.DataType.INT32 or arithmetic:
            node.replace_input_with(index, emitter.constant(np.asarray(array, np.float32), f"{value.name}/float"))


def _cast_inputs(emitter: Emitter) -> dict[ir.Value, _Carried]:
    """Float32 carriers of the integer inputs, with a quantizer that says what their values can be (none for 32 bits)."""
    carriers = {}
    for value in list(emitter.editor.graph.inputs):
        if value.dtype not in INTEGERS or not value.uses():
            continue
        users = list(value.uses())
        first = next(node for node in emitter.editor.graph if any(use.node is node for use in users))
        hint, origin = value.name or "", [value.name or ""]
        carried = emitter.editor.insert(
            first, "Cast", [value], {"to": int(ir.DataType.FLOAT)}, hint=f"{hint}/float", shape=fir.shape_of(value),
            origin=origin,
        )  # fmt: skip
        if value.dtype in RANGES:
            carried = emitter.quantize(first, carried, _ONE, _ZERO, integer_quantizer(value.dtype, first), hint)
        for use in users:
            use.node.replace_input_with(use.idx, carried)
        carriers[carried] = _Carried(value.dtype, quantized=value.dtype in RANGES)
    return carriers


def _cast_outputs(emitter: Emitter) -> None:
    graph = emitter.editor.graph
    for position, value in enumerate(list(graph.outputs)):
        producer = value.producer()
        if value.dtype is None or value.dtype not in INTEGERS or producer is None:
            continue
        name = value.name or ""
        value.name = emitter.editor.fresh(f"{name}/carried")
        output = ir.Value(name=name, type=ir.TensorType(value.dtype), shape=value.shape)
        label = emitter.editor.fresh(f"{name}/Cast")
        cast = ir.node("Cast", [value], {"to": int(value.dtype)}, outputs=[output], name=label)
        cast.metadata_props[fir.ORIGIN] = producer.metadata_props.get(fir.ORIGIN, "")
        graph.append(cast)
        graph.outputs[position] = output
