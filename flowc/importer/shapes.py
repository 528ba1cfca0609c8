"""Static shapes and element types of every value, by ONNX shape inference on a light copy of the nodes that lack them.

The copy holds no weights (large constants stand in as inputs), and flowc's and QONNX's quantizers stand in as Identity,
which has their shape rule; what the file itself says about inner shapes is never read. Each node is inferred once: a rewrite
says of what shape its nodes are, or leaves them without one, and forgets the shapes of others where it changes them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from math import prod
from typing import Any

import onnx
import onnx_ir as ir
from onnx import helper, numpy_helper, shape_inference

from flowc.errors import ModelError
from flowc.importer.build import QUANTIZER_DOMAIN
from flowc.importer.check import check_dims, type_name
from flowc.importer.operators import CONTRIB_DOMAIN
from flowc.importer.qdq import INTEGERS
from flowc.importer.remedies import EXPORT_AGAIN
from flowc.model import ir as fir
from flowc.model.runtime import IR_VERSION

__all__ = ["forget_shapes", "infer_shapes", "require_static_shapes"]

_SMALL = 4096
_TYPES = frozenset({ir.DataType.FLOAT, ir.DataType.INT64, ir.DataType.BOOL, *INTEGERS})
_ELEMENTWISE_DOMAINS = frozenset({fir.DOMAIN, QUANTIZER_DOMAIN})


def infer_shapes(model: ir.Model) -> None:
    """Set shape and type of every value that has none, from those of the others; dimensions that can't be inferred stay unknown.

    Raises:
        ModelError: shapes or types that contradict each other, or a tensor of absurd size.
    """
    graph, opset = model.graph, model.graph.opset_imports[""]
    unknown = {node: None for node in graph if _is_unknown(node)}
    inferred = _inferred(unknown, opset) if unknown else onnx.ModelProto()
    found = {info.name: info.type.tensor_type for info in inferred.graph.value_info}
    for node in graph:
        if node in unknown:
            for output in node.outputs:
                _assign(output, found.get(output.name or ""))
        _check_types(node, opset)
        _check_convolution(node)
        _check_reshape(node)
    _outputs(graph, inferred)


def forget_shapes(graph: ir.Graph) -> None:
    """Let the shapes of all computed values be inferred anew."""
    for node in graph:
        for output in node.outputs:
            output.shape = None


def _is_unknown(node: ir.Node) -> bool:
    return any(o.name and (o.dtype is None or o.shape is None or not o.shape.is_static()) for o in node.outputs)


def _inferred(nodes: Collection[ir.Node], opset: int) -> onnx.ModelProto:
    """A light model of `nodes`, with shapes and types of what they compute where those of what they read give them."""
    light = onnx.GraphProto(name="shapes")
    inner = {output for node in nodes for output in node.outputs}
    for value in dict.fromkeys(v for node in nodes for v in node.inputs if v is not None and v not in inner):
        array = fir.array_of(value)
        if array is not None and array.size <= _SMALL:
            light.initializer.append(numpy_helper.from_array(array, value.name))
        else:
            light.input.append(_info(value))
    for node in nodes:
        if node.domain in _ELEMENTWISE_DOMAINS:
            light.node.append(_stand_in(node, "Identity", (0,)))
        elif node.domain == CONTRIB_DOMAIN:
            light.node.append(_contrib(node))
        else:
            light.node.append(ir.serde.serialize_node(node))
    proto = onnx.ModelProto(ir_version=IR_VERSION, graph=light)
    proto.opset_import.append(helper.make_opsetid("", opset))
    for pool in proto.graph.node:
        if pool.op_type in ("MaxPool", "AveragePool") and _ints(pool, "ceil_mode"):
            _count_windows(proto, pool)
    try:
        return shape_inference.infer_shapes(proto, strict_mode=True)
    except Exception as error:
        raise ModelError(f"the shapes in the model contradict each other: {error}", remedy="export it again") from error


@cache
def _signature(op_type: str, opset: int) -> tuple[onnx.defs.OpSchema, list[frozenset[str]]] | None:
    """The schema of a standard operator, and the types that each of its inputs takes; None where there is no such operator."""
    if not onnx.defs.has(op_type):
        return None
    schema = onnx.defs.get_schema(op_type, opset)
    allowed = {c.type_param_str: frozenset(c.allowed_type_strs) for c in schema.type_constraints}
    return schema, [allowed.get(i.type_str, frozenset([i.type_str])) for i in schema.inputs]


def _check_types(node: ir.Node, opset: int) -> None:
    """That the inputs are of types that the operator takes, which ONNX's inference does not look at."""
    signature = _signature(node.op_type, opset) if node.domain == "" else None
    if signature is None:
        return
    schema, types = signature
    for i, value in enumerate(node.inputs):
        position = min(i, len(types) - 1)
        if value is None or value.dtype is None or f"tensor({value.dtype.name.lower()})" in types[position]:
            continue
        takes = schema.inputs[position].type_str
        if "(" not in takes:
            takes = ", ".join(sorted(t.removeprefix("tensor(").removesuffix(")") for t in types[position]))
        raise ModelError(
            f"its input '{value.name}' is of type {value.dtype.name.lower()}, and {node.op_type} of operator set "
            f"{schema.since_version} takes {takes}",
            node=fir.label(node),
            remedy="put a DequantizeLinear (or a Cast to float32) in front of it, or export with opset 20",
        )


def _check_reshape(node: ir.Node) -> None:
    """That as many elements come out as go in, and as many as are asked for."""
    if node.domain != "" or node.op_type not in ("Reshape", "Flatten"):
        return
    ends = [v for v in (node.inputs[0], node.outputs[0]) if v is not None]
    shapes = [fir.shape_of(v) for v in ends if v.shape is not None and v.shape.is_static()]
    if node.op_type == "Reshape":
        asked = fir.array_of(node.inputs[1])
        shapes += [tuple(asked.reshape(-1).tolist())] if asked is not None and (asked > 0).all() else []
    given, other = shapes[:1], [shape for shape in shapes[1:] if prod(shape) != prod(shapes[0])]
    if given and other:
        raise ModelError(
            f"it reshapes {list(given[0])} to {list(other[0])}, which are not as many elements",
            node=fir.label(node),
            remedy=EXPORT_AGAIN,
        )


def _check_convolution(node: ir.Node) -> None:
    """What ONNX's inference does not look at: kernel, channels and groups, and the length of the bias."""
    if node.op_type not in ("Conv", "ConvTranspose") or node.domain != "":
        return
    known = [v for v in node.inputs[:2] if v is not None and v.shape is not None and v.shape.is_static()]
    if len(known) != 2:
        return
    data, weights = (fir.shape_of(v) for v in known)
    if len(weights) < 3 or len(weights) != len(data):
        raise ModelError(
            f"weights of shape {list(weights)} do not fit its input of shape {list(data)}",
            node=fir.label(node),
            remedy=EXPORT_AGAIN,
        )
    kernel = fir.ints_attr(node, "kernel_shape")
    if kernel and kernel != weights[2:]:
        raise ModelError(
            f"its kernel_shape {list(kernel)} is not that of its weights of shape {list(weights)}",
            node=fir.label(node),
            remedy=EXPORT_AGAIN,
        )
    groups, channels = fir.int_attr(node, "group", 1), data[1]
    first, second = weights[:2]
    inputs, divided = (first, first) if node.op_type == "ConvTranspose" else (second * groups, first)
    if groups < 1 or inputs != channels or divided % groups:
        raise ModelError(
            f"weights of shape {list(weights)} in {groups} groups do not fit its input of {channels} channels",
            node=fir.label(node),
            remedy=EXPORT_AGAIN,
        )
    outputs = second * groups if node.op_type == "ConvTranspose" else first
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is not None and bias.shape is not None and tuple(bias.shape) != (outputs,):
        raise ModelError(
            f"its input '{bias.name}' has shape {list(bias.shape)}; one value for each of {outputs} channels is needed",
            node=fir.label(node),
            remedy=EXPORT_AGAIN,
        )


def _ints(node: onnx.NodeProto, name: str) -> list[int]:
    """An integer attribute as a list; empty where it is absent or 0."""
    found = next((a for a in node.attribute if a.name == name), None)
    return [] if found is None else list(found.ints) or [found.i] * (found.i != 0)


def _count_windows(proto: onnx.ModelProto, pool: onnx.NodeProto) -> None:
    """Give a pool of ceil_mode the pads with which it has as many windows without.

    A window that begins behind the input and the padding in front of it does not count. Runtimes keep to that; ONNX's
    shape inference only does from operator set 22 on.
    """
    infos = shape_inference.infer_shapes(proto).graph
    known = {i.name: i.type.tensor_type for i in (*infos.value_info, *infos.input)}
    kernel, source = _ints(pool, "kernel_shape"), known.get(pool.input[0])
    dims = [] if source is None else [d.dim_value for d in source.shape.dim][2:]
    mode = next((a.s for a in pool.attribute if a.name == "auto_pad"), b"NOTSET")
    if len(dims) != len(kernel) or 0 in dims or mode not in (b"", b"NOTSET"):
        return
    ones = [1] * len(dims)
    strides, dilations = _ints(pool, "strides") or ones, _ints(pool, "dilations") or ones
    pads = _ints(pool, "pads") or [0] * (2 * len(dims))
    if (
        not (len(strides) == len(dilations) == len(dims) and len(pads) == 2 * len(dims))
        or min((*strides, *dilations)) < 1
    ):
        raise ModelError(
            f"its strides {strides}, dilations {dilations} and pads {pads} do not fit a kernel of {len(kernel)} axes",
            node=pool.name or pool.output[0],
            remedy="export it again: one stride and one dilation per axis, two pads",
        )
    begins, ends = pads[: len(dims)], []
    for n, k, s, d, a, b in zip(dims, kernel, strides, dilations, begins, pads[len(dims) :], strict=True):
        reach = (k - 1) * d + 1
        last = -(-(n + a + b - reach) // s)
        if last * s >= n + a:
            last -= 1
        ends.append(max(0, last * s + reach - n - a))
    kept = [a for a in pool.attribute if a.name not in ("ceil_mode", "pads")]
    del pool.attribute[:]
    pool.attribute.extend([*kept, helper.make_attribute("pads", [*begins, *ends])])


def _stand_in(node: ir.Node, op_type: str, indices: Iterable[int], **attributes: Any) -> onnx.NodeProto:
    """A standard node with the shape rule of `node`, reading those of its inputs."""
    inputs = [fir.required(node, index).name or "" for index in indices]
    return helper.make_node(op_type, inputs, [node.outputs[0].name or ""], node.name, **attributes)


def _contrib(node: ir.Node) -> onnx.NodeProto:
    """The stand-in of an operator of onnxruntime's own domain."""
    match node.op_type:
        case "QLinearAdd" | "QLinearMul":
            return _stand_in(node, "Add", (0, 3))
        case "QGemm":
            transposed = {name: fir.int_attr(node, name, 0) for name in ("transA", "transB")}
            return _stand_in(node, "Gemm", (0, 3), **transposed)
        case "QLinearGlobalAveragePool":
            return _stand_in(node, "GlobalAveragePool", (0,))
        case "QLinearConcat":
            return _stand_in(node, "Concat", range(2, len(node.inputs), 3), axis=fir.int_attr(node, "axis", 1))
        case "QLinearAveragePool":
            proto = _stand_in(node, "AveragePool", (0,))
        case "QuantizeLinear" | "DequantizeLinear":
            proto = _stand_in(node, node.op_type, range(len(node.inputs)))
        case _:
            return _stand_in(node, "Identity", (0,))
    proto.attribute.extend(ir.to_proto(a) for a in node.attributes.values() if a.name != "channels_last")
    return proto


def _outputs(graph: ir.Graph, inferred: onnx.ModelProto) -> None:
    """Graph outputs are inferred only where they are declared, so declare them and infer once more."""
    missing = [o for o in graph.outputs if o.shape is None and o.producer() is not None]
    if not missing:
        return
    for value in missing:
        inferred.graph.output.append(onnx.ValueInfoProto(name=value.name or ""))
    again = shape_inference.infer_shapes(inferred, strict_mode=True)
    found = {info.name: info.type.tensor_type for info in again.graph.output}
    for value in missing:
        _assign(value, found.get(value.name or ""))


def _info(value: ir.Value) -> onnx.ValueInfoProto:
    dtype = value.dtype if value.dtype is not None else ir.DataType.FLOAT
    return helper.make_tensor_value_info(value.name or "", int(dtype), fir.shape_of(value))


def _assign(value: ir.Value, found: onnx.TypeProto.Tensor | None) -> None:
    if found is None or not found.elem_type:
        value.shape = None
        return
    value.dtype = ir.DataType(found.elem_type)
    if not found.HasField("shape"):
        value.shape = None
        return
    dims = [d.dim_value if d.HasField("dim_value") else None for d in found.shape.dim]
    if None not in dims:
        check_dims([d for d in dims if d is not None], value.name or "")
    value.shape = ir.Shape(dims)


def require_static_shapes(graph: ir.Graph) -> None:
    """Check that every value of the graph has a static shape and an element type flowc computes with.

    Raises:
        ModelError: names the first value that has not.
    """
    for node in graph:
        for output in node.outputs:
            if not output.name or not (output.uses() or output.is_graph_output()):
                continue
            if output.shape is None or not output.shape.is_static():
                raise ModelError(
                    f"the shape of its output can't be determined before the model runs (operator {node.op_type})",
                    node=fir.label(node),
                    remedy="export the model with static shapes",
                )
            if output.dtype is None or output.dtype not in _TYPES:
                kind = type_name(int(output.dtype)) if output.dtype is not None else "unknown"
                raise ModelError(
                    f"it computes in {kind}", node=fir.label(node), remedy="export the model in float32 (model.float())"
                )
            if 0 in fir.shape_of(output):
                raise ModelError(
                    "its output is empty", node=fir.label(node), remedy="give it a larger input, or remove it"
                )
