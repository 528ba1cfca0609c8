"""One way to write each operator: whatever opset and exporter the model comes from, later stages meet a single form.

Before: Gemm(x, w, c; transB=1)                 After: MatMul(x, w^T) -> Add(., c)
Before: Flatten / Squeeze / Unsqueeze           After: Reshape to a constant shape
Before: ReduceMean over all spatial axes        After: GlobalAveragePool (-> Reshape)
Before: Identity, Dropout, Cast to the same     After: nothing

Needs operators in their opset-20 form (`flowc.importer.opsets`); leaves a graph of batch size 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from flowc.errors import ModelError
from flowc.importer import opsets, spatial
from flowc.importer.fold import fold_constants
from flowc.importer.remedies import EXPORT_AGAIN, FIXED
from flowc.importer.shapes import forget_shapes
from flowc.model import ir as fir
from flowc.model.ir import Editor

__all__ = ["simplify"]

_EXPORT_BATCH_1 = "export the model with a sample input of batch size 1, or a dynamic batch dimension"


def simplify(model: ir.Model) -> None:
    """Bring every operator into its one form. Needs shapes; leaves shapes of batch size 1.

    Raises:
        ModelError: an operator uses a feature that has no equivalent in hardware or on the host.
    """
    graph = model.graph
    editor = Editor(graph)
    implicit = any(spatial.is_implicit(node) for node in graph)
    for node in list(graph):
        handler = _HANDLERS.get(node.op_type)
        if handler is not None and not node.domain:
            handler(editor, node)
    if implicit:
        forget_shapes(graph)
    _one_sample(model)


def _remove(editor: Editor, node: ir.Node) -> None:
    editor.replace(node, fir.required(node, 0))


def _dropout(editor: Editor, node: ir.Node) -> None:
    if len(node.outputs) > 1 and (node.outputs[1].uses() or node.outputs[1].is_graph_output()):
        raise ModelError("the mask of a Dropout is used", node=fir.label(node), remedy="export the model in eval mode")
    training = fir.array_of(fir.optional(node, 2))
    if training is not None and training.any():
        raise ModelError("it is in training mode", node=fir.label(node), remedy="export the model with model.eval()")
    _remove(editor, node)


def _cast(editor: Editor, node: ir.Node) -> None:
    source = fir.required(node, 0)
    if source.dtype is not None and fir.int_attr(node, "to", 0) == int(source.dtype):
        _remove(editor, node)


def _clip(editor: Editor, node: ir.Node) -> None:
    """Both bounds as float32 constants; a bound that is absent becomes the largest float."""
    if fir.required(node, 0).dtype != ir.DataType.FLOAT:
        return
    bounds = {}
    for index, default in ((1, -opsets.LARGEST), (2, opsets.LARGEST)):
        value = fir.optional(node, index)
        array = fir.array_of(value) if value is not None else np.asarray(default)
        if array is None or array.size != 1:
            raise ModelError("its bounds are not constant numbers", node=fir.label(node), remedy=FIXED)
        bounds[index] = array.reshape(()).astype(np.float32)
    opsets.set_inputs(editor, node, bounds, 3)


def _reshape(editor: Editor, node: ir.Node) -> None:
    """Reshape, Flatten, Squeeze, Unsqueeze."""
    source, output = fir.required(node, 0), node.outputs[0]
    if output.shape is None or not output.shape.is_static():
        message = f"the shape that {node.op_type} asks for is computed at run time"
        raise ModelError(message, node=fir.label(node), remedy=FIXED)
    before, after = fir.shape_of(source), fir.shape_of(output)
    if before == after:
        _remove(editor, node)
        return
    if after and before and after[0] == before[0]:
        after = (1, *after[1:])
    elif before and before[0] != 1:
        raise ModelError("it mixes the batch with other dimensions", node=fir.label(node), remedy=_EXPORT_BATCH_1)
    shape = editor.constant(np.asarray(after, np.int64), f"{output.name}/shape")
    value = editor.insert(node, "Reshape", [source, shape], hint=f"{output.name}/reshaped", dtype=source.dtype)
    value.shape = output.shape
    editor.replace(node, value)


def _transpose(editor: Editor, node: ir.Node) -> None:
    rank = len(fir.shape_of(fir.required(node, 0)))
    perm = fir.ints_attr(node, "perm") or tuple(reversed(range(rank)))
    if perm == tuple(range(rank)):
        _remove(editor, node)
        return
    node.attributes["perm"] = ir.AttrInt64s("perm", perm)


def _gemm(editor: Editor, node: ir.Node) -> None:
    a, b = fir.required(node, 0), fir.required(node, 1)
    c = fir.optional(node, 2)
    _check_gemm(node)
    if fir.int_attr(node, "transA", 0):
        a = editor.insert(node, "Transpose", [a], {"perm": [1, 0]}, shape=fir.shape_of(a)[::-1], dtype=a.dtype)
    if fir.int_attr(node, "transB", 0):
        b = editor.insert(node, "Transpose", [b], {"perm": [1, 0]}, shape=fir.shape_of(b)[::-1], dtype=b.dtype)
    shape = (fir.shape_of(a)[0], fir.shape_of(b)[1])
    y = editor.insert(node, "MatMul", [a, b], shape=shape, dtype=a.dtype)
    y = _scaled(editor, node, y, fir.float_attr(node, "alpha", 1.0))
    if c is not None:
        c = _scaled(editor, node, c, fir.float_attr(node, "beta", 1.0))
        y = editor.insert(node, "Add", [y, c], shape=shape, dtype=y.dtype)
    editor.replace(node, y)


def _check_gemm(node: ir.Node) -> None:
    """What ONNX's inference does not look at: that its matrices fit each other, and that its bias is broadcast to their product."""
    a, b = (
        fir.shape_of(fir.required(node, i))[:: -1 if fir.int_attr(node, t, 0) else 1]
        for i, t in enumerate(("transA", "transB"))
    )
    bias = fir.optional(node, 2)
    c = () if bias is None else fir.shape_of(bias)
    fits = len(c) <= 2 and all(n in (1, m) for n, m in zip(c[::-1], (b[1], a[0]), strict=False))
    if a[1] != b[0] or not fits:
        beside = f" and a bias of shape {list(c)}" if bias is not None else ""
        message = f"matrices of shapes {list(a)} and {list(b)}{beside} do not fit each other"
        raise ModelError(message, node=fir.label(node), remedy=EXPORT_AGAIN)


def _scaled(editor: Editor, node: ir.Node, value: ir.Value, factor: float) -> ir.Value:
    if factor == 1.0:
        return value
    constant = editor.constant(np.asarray(factor, np.float32), f"{fir.label(node)}/factor")
    return editor.insert(node, "Mul", [value, constant], shape=fir.shape_of(value), dtype=value.dtype)


def _reduce_mean(editor: Editor, node: ir.Node) -> None:
    source, output = fir.required(node, 0), node.outputs[0]
    shape = fir.shape_of(source)
    axes = opsets.constant_ints(node, 1)
    if axes is None:
        axes = () if fir.int_attr(node, "noop_with_empty_axes", 0) else tuple(range(len(shape)))
    if sorted(a % len(shape) for a in axes) != list(range(2, len(shape))) or len(shape) < 3:
        return
    pooled = (*shape[:2], *(1 for _ in shape[2:]))
    y = editor.insert(node, "GlobalAveragePool", [source], shape=pooled, dtype=source.dtype)
    if not fir.int_attr(node, "keepdims", 1):
        target = editor.constant(np.asarray((1, shape[1]), np.int64), f"{output.name}/shape")
        y = editor.insert(node, "Reshape", [y, target], shape=shape[:2], dtype=source.dtype)
    editor.replace(node, y)


def _sum(editor: Editor, node: ir.Node) -> None:
    """Sum and Mean of any number of tensors -> a chain of Add (and a division)."""
    values = [v for v in node.inputs if v is not None]
    total = values[0]
    for value in values[1:]:
        total = editor.insert(node, "Add", [total, value], dtype=None)
    if node.op_type == "Mean" and len(values) > 1:
        count = editor.constant(np.asarray(len(values), np.float32), f"{fir.label(node)}/count")
        total = editor.insert(node, "Div", [total, count], dtype=None)
    editor.replace(node, total)


def _expand(editor: Editor, node: ir.Node) -> None:
    if fir.shape_of(fir.required(node, 0)) == fir.shape_of(node.outputs[0]):
        _remove(editor, node)


_HANDLERS: dict[str, Callable[[Editor, ir.Node], None]] = {
    "AveragePool": spatial.pool,
    "Cast": _cast,
    "Clip": _clip,
    "Conv": spatial.conv,
    "ConvTranspose": spatial.conv_transpose,
    "Dropout": _dropout,
    "Expand": _expand,
    "Flatten": _reshape,
    "Gemm": _gemm,
    "Identity": _remove,
    "MaxPool": spatial.pool,
    "Mean": _sum,
    "Pad": spatial.pad,
    "ReduceMean": _reduce_mean,
    "Reshape": _reshape,
    "Resize": spatial.resize,
    "Squeeze": _reshape,
    "Sum": _sum,
    "Transpose": _transpose,
    "Unsqueeze": _reshape,
}


def _one_sample(model: ir.Model) -> None:
    """Set the batch size to 1, fold what that leaves constant, and infer the shapes that changed."""
    batch = fir.declared_batch(model) or 1
    if batch > 1:
        editor = Editor(model.graph)
        for node in model.graph:
            _constants_to_one_sample(editor, node, batch)
        for value in model.graph.inputs:
            value.shape = ir.Shape((1, *fir.shape_of(value)[1:]))
        forget_shapes(model.graph)
    try:
        fold_constants(model)
    except ModelError as error:
        if batch == 1:
            raise
        message = f"the model only works for its batch size of {batch}: {error.message}"
        raise ModelError(message, node=error.node, remedy=_EXPORT_BATCH_1) from error
    if batch > 1:
        for output in model.graph.outputs:
            if output.shape is not None and output.shape.rank() and output.shape[0] == batch:
                message = f"the output '{output.name}' has its batch size of {batch} built in"
                raise ModelError(message, remedy=_EXPORT_BATCH_1)


def _constants_to_one_sample(editor: Editor, node: ir.Node, batch: int) -> None:
    """A constant operand that repeats the same values for every sample is cut to one of them."""
    if node.op_type not in ("Add", "Sub", "Mul", "Div") or node.domain:
        return
    rank = len(fir.shape_of(node.outputs[0]))
    for index, value in enumerate(node.inputs):
        array = fir.array_of(value)
        if value is None or array is None or array.ndim != rank or array.shape[0] != batch:
            continue
        if (array != array[:1]).any():
            continue
        node.replace_input_with(index, editor.constant(array[:1], f"{value.name}/one"))
