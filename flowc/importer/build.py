"""Checked protobuf -> onnx-ir model: constants as numpy initializers, no metadata of the exporter, one batch size.

Before: initializers repeated as graph inputs, ``Constant`` nodes, stack traces, missing opset imports, old domains.
After:  every constant is an initializer of its own, graph inputs are what the user feeds, each node has its origin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from flowc.errors import ModelError
from flowc.importer.check import check_dims, read_tensor, type_name
from flowc.importer.operators import is_qonnx
from flowc.importer.remedies import EXPORT_AGAIN, REPAIR
from flowc.model import ir as fir

__all__ = ["NEWEST_OPSET", "OLDEST_OPSET", "QUANTIZER_DOMAIN", "build", "declared_opset"]

OLDEST_OPSET, NEWEST_OPSET = 9, 23
QUANTIZER_DOMAIN = "qonnx.custom_op.general"
"""The one domain all QONNX dialects are renamed to."""

_INPUT_TYPES = {
    int(dtype): dtype
    for dtype in (
        ir.DataType.FLOAT, ir.DataType.INT8, ir.DataType.UINT8, ir.DataType.INT16, ir.DataType.UINT16,
        ir.DataType.INT32, ir.DataType.INT64, ir.DataType.BOOL,
    )
}  # fmt: skip


def build(proto: onnx.ModelProto) -> ir.Model:
    """The model as onnx-ir, at its own opset, in the batch size it declares (1 where that is dynamic).

    Raises:
        ModelError: opset out of range, dynamic dimensions other than the batch, inputs of unusable type, bad constants.
    """
    opset = declared_opset(proto)
    arrays = {t.name: read_tensor(t) for t in proto.graph.initializer}
    nodes = []
    for node in proto.graph.node:
        if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
            arrays[node.output[0]] = _constant(node)
        else:
            nodes.append(node)
    values: dict[str, ir.Value] = {name: fir.initializer(name, array) for name, array in arrays.items()}
    initializers = list(values.values())
    inputs, batch = _inputs([i for i in proto.graph.input if i.name not in values])
    values |= {i.name: i for i in inputs if i.name}
    for node in nodes:
        for name in filter(None, node.output):
            values[name] = ir.Value(name=name)
    built = [_node(node, values) for node in nodes]
    outputs = [values[o.name] for o in proto.graph.output]
    name = proto.graph.name or "model"
    graph = ir.Graph(inputs, outputs, nodes=built, initializers=initializers, opset_imports={"": opset}, name=name)
    model = ir.Model(graph, ir_version=10, producer_name="flowc")
    model.metadata_props[fir.BATCH] = "" if batch is None else str(batch)
    return model


def declared_opset(proto: onnx.ModelProto) -> int:
    """The standard operator set of a model.

    Raises:
        ModelError: it declares none, or one that flowc does not read.
    """
    versions = {("" if o.domain == "ai.onnx" else o.domain): o.version for o in proto.opset_import}
    if "" not in versions:
        raise ModelError("the model does not say which ONNX operator set it uses", remedy="export it again")
    opset = int(versions[""])
    if not OLDEST_OPSET <= opset <= NEWEST_OPSET:
        raise ModelError(
            f"the model uses ONNX operator set {opset}; flowc reads {OLDEST_OPSET} to {NEWEST_OPSET}",
            remedy="export it with opset 13 or later" if opset < OLDEST_OPSET else "export it with opset 20",
        )
    return opset


def _constant(node: onnx.NodeProto) -> npt.NDArray[Any]:
    """The array of a ``Constant`` node."""
    label = node.name or node.output[0]
    for attribute in node.attribute:
        match attribute.name:
            case "value":
                return read_tensor(attribute.t, label)
            case "value_float" | "value_floats":
                array = np.asarray(attribute.f if attribute.name == "value_float" else attribute.floats, np.float32)
                if not np.isfinite(array).all():
                    raise ModelError("the constant is NaN or infinite", node=label, remedy=REPAIR)
                return array
            case "value_int":
                return np.asarray(attribute.i, np.int64)
            case "value_ints":
                return np.asarray(attribute.ints, np.int64)
    raise ModelError("the constant has no number as its value", node=label, remedy=EXPORT_AGAIN)


def _inputs(infos: list[onnx.ValueInfoProto]) -> tuple[list[ir.Value], int | None]:
    """The graph inputs, and the batch size they declare (None: dynamic)."""
    if not infos:
        raise ModelError(
            "the model has no input: all it computes is constant", remedy="export it with an example input"
        )
    values, batches = [], set()
    for info in infos:
        tensor = info.type.tensor_type
        if not info.type.HasField("tensor_type") or tensor.elem_type not in _INPUT_TYPES:
            kind = type_name(tensor.elem_type) if info.type.HasField("tensor_type") else "no tensor"
            raise ModelError(
                f"the input '{info.name}' is {kind}", remedy="export the model with a float32 or integer input"
            )
        if not tensor.HasField("shape") or len(tensor.shape.dim) < 2:
            message = f"the input '{info.name}' needs at least two dimensions, of which the first is the batch"
            raise ModelError(message, remedy="export the model with a sample input of shape (1, ...)")
        batch, *rest = tensor.shape.dim
        batches.add(batch.dim_value if batch.dim_value > 0 else None)
        for axis, dim in enumerate(rest, 1):
            if dim.dim_value <= 0:
                raise ModelError(
                    f"the input '{info.name}' has the dynamic dimension '{dim.dim_param or '?'}' (axis {axis}); "
                    "hardware is built for one size, only the batch may vary",
                    remedy="export the model with static height, width and channels",
                )
        shape = [batch.dim_value if batch.dim_value > 0 else 1, *(d.dim_value for d in rest)]
        check_dims(shape, info.name)
        dtype = ir.TensorType(_INPUT_TYPES[tensor.elem_type])
        values.append(ir.Value(name=info.name, shape=ir.Shape(shape), type=dtype))
    if len(batches) > 1:
        raise ModelError(
            "the inputs of the model declare different batch sizes", remedy="export it with one batch size"
        )
    return values, batches.pop()


def _attribute(attribute: onnx.AttributeProto, label: str) -> ir.Attr:
    name = attribute.name
    if attribute.ref_attr_name:
        raise ModelError(
            f"its attribute '{name}' refers to a function's attribute, outside of one", node=label, remedy=EXPORT_AGAIN
        )
    try:
        match ir.AttributeType(attribute.type):
            case ir.AttributeType.INT:
                return ir.AttrInt64(name, attribute.i)
            case ir.AttributeType.FLOAT:
                return ir.AttrFloat32(name, _finite(attribute.f))
            case ir.AttributeType.STRING:
                return ir.AttrString(name, attribute.s.decode())
            case ir.AttributeType.INTS:
                return ir.AttrInt64s(name, tuple(attribute.ints))
            case ir.AttributeType.FLOATS:
                return ir.AttrFloat32s(name, tuple(_finite(f) for f in attribute.floats))
            case ir.AttributeType.STRINGS:
                return ir.AttrStrings(name, tuple(s.decode() for s in attribute.strings))
            case ir.AttributeType.TENSOR:
                return ir.AttrTensor(name, ir.Tensor(read_tensor(attribute.t, f"{label}.{name}")))
            case kind:
                raise ModelError(
                    f"its attribute '{name}' has the type {kind.name}, which none uses",
                    node=label,
                    remedy=EXPORT_AGAIN,
                )
    except ValueError as error:
        raise ModelError(f"its attribute '{name}' can't be read ({error})", node=label, remedy=EXPORT_AGAIN) from error


def _finite(number: float) -> float:
    if not np.isfinite(number):
        raise ValueError(f"it is {number}")
    return number


def _node(node: onnx.NodeProto, values: dict[str, ir.Value]) -> ir.Node:
    label = node.name or next(filter(None, node.output))
    attributes = [_attribute(attribute, label) for attribute in node.attribute]
    if len({a.name for a in attributes}) < len(attributes):
        raise ModelError("it has an attribute twice", node=label, remedy=EXPORT_AGAIN)
    outputs = [values[name] if name else ir.Value(name=None) for name in node.output]
    built = ir.Node(
        QUANTIZER_DOMAIN if is_qonnx(node.domain, node.op_type) else node.domain,
        node.op_type,
        [values[name] if name else None for name in node.input],
        attributes,
        outputs=outputs,
        name=node.name or label,
    )
    built.metadata_props[fir.ORIGIN] = fir.origin_text([label])
    return built
