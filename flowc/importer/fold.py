"""Everything constant is computed once: padding and shape arithmetic, and the quantization of weights.

Before: ConstantOfShape -> Concat -> Reshape -> Slice -> Transpose -> Reshape -> Cast -> Pad(x, .)
After:  Pad(x, [0, 0, 1, 0, ...])

Before: Quantize(w, s, z) -> Dequantize(., s, z) -> Transpose -> MatMul
After:  Dequantize(Wq^T, s^T, z^T) -> MatMul          with Wq an initializer of integers

Standard operators are run by onnxruntime, all of them in one session per round, so that floats come out as onnxruntime
would have them; quantizers are evaluated in numpy float32. A Dequantize of a constant stays: it says what the integers
are.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from flowc.errors import ModelError
from flowc.importer.check import MOST_ELEMENTS
from flowc.importer.remedies import REPAIR
from flowc.importer.shapes import infer_shapes
from flowc.model import ir as fir
from flowc.model.quantizers import dequantize, quantize
from flowc.model.runtime import run_once

__all__ = ["fold_constants"]

_LAYOUT = frozenset({"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"})
_NEVER = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "Dropout"}
)
_BOUNDED = _LAYOUT | {"Concat", "Slice", "Cast", "Identity", "NonZero", "Split"}
_ROUNDS = 256

Array = npt.NDArray[Any]


def fold_constants(model: ir.Model) -> None:
    """Replace every computable constant of the graph by an initializer, and infer shapes on the way.

    Raises:
        ModelError: a constant is absurdly large, not finite, or can't be computed.
    """
    graph = model.graph
    for _ in range(_ROUNDS):
        infer_shapes(model)
        editor = fir.Editor(graph)
        changed = _fold_shapes(editor) | _fold_quantizers(editor) | _fold_standard(model, editor)
        if not changed:
            fir.remove_dead(graph)
            return
    raise ModelError(
        "the constants of the model depend on each other too deeply to be folded", remedy="export it again"
    )


def _become(editor: fir.Editor, value: ir.Value, array: Array, node: ir.Node) -> None:
    """Let the output `value` of `node` be the initializer `array` from now on."""
    if array.dtype.kind not in "fiub":
        raise ModelError(f"it computes a constant of {array.dtype}", node=fir.label(node), remedy="use numbers")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ModelError("it computes a constant that is NaN or infinite", node=fir.label(node), remedy=REPAIR)
    value.replace_all_uses_with(editor.constant_named_after(value, array), replace_graph_outputs=True)


def _fold_shapes(editor: fir.Editor) -> bool:
    """Shape and Size of tensors whose shape is known."""
    changed = False
    for node in list(editor.graph):
        if node.domain or node.op_type not in ("Shape", "Size"):
            continue
        source = fir.required(node, 0).shape
        if source is None or not source.is_static():
            continue
        dims = np.asarray(source.numpy(), np.int64).reshape(-1)
        if node.op_type == "Shape":
            end = fir.int_attr(node, "end", len(dims))
            dims = dims[fir.int_attr(node, "start", 0) : end]
        else:
            dims = np.asarray(dims.prod(), np.int64)
        _become(editor, node.outputs[0], dims, node)
        editor.drop(node)
        changed = True
    return changed


def _quantized(value: ir.Value | None) -> ir.Node | None:
    """The Dequantize-of-a-constant that computes `value`, if one does."""
    node = value.producer() if value is not None else None
    if node is not None and fir.is_op(node, "Dequantize", fir.DOMAIN) and fir.array_of(node.inputs[0]) is not None:
        return node
    return None


def _is_known(value: ir.Value | None) -> bool:
    return fir.array_of(value) is not None or _quantized(value) is not None


def _known(value: ir.Value | None) -> Array | None:
    """The array of a constant, a dequantized one included."""
    array = fir.array_of(value)
    if array is None and (node := _quantized(value)) is not None:
        q, scale, zero = (fir.array_of(i) for i in node.inputs)
        if q is not None and scale is not None and zero is not None:
            return dequantize(q, scale, zero)
    return array


def _fold_quantizers(editor: fir.Editor) -> bool:
    """Quantize constants; move layout operators from behind a Dequantize of a constant to before it."""
    changed = False
    for node in list(editor.graph):
        if fir.is_op(node, "Quantize", fir.DOMAIN):
            known = [array for i in node.inputs if (array := _known(i)) is not None]
            if len(known) < len(node.inputs):
                continue
            q = quantize(
                *known, lo=fir.int_attr(node, "lo", 0), hi=fir.int_attr(node, "hi", 0),
                rounding=fir.str_attr(node, "rounding", "ROUND"), style=fir.str_attr(node, "style", "qonnx"),
            )  # fmt: skip
            _become(editor, node.outputs[0], q, node)
            editor.drop(node)
            changed = True
        elif node.op_type in _LAYOUT and not node.domain and (source := _quantized(node.inputs[0])) is not None:
            changed |= _move_layout(editor, node, source)
    return changed


def _move_layout(editor: fir.Editor, node: ir.Node, source: ir.Node) -> bool:
    """Dequantize(Wq, s, z) -> layout  ==>  Dequantize(layout(Wq), layout(s), layout(z))."""
    output = node.outputs[0]
    if output.shape is None or not output.shape.is_static():
        return False
    arrays = [fir.array_of(i) for i in source.inputs]
    whole_shape, target = fir.shape_of(fir.required(source, 0)), fir.shape_of(output)
    moved = []
    for value, array in zip(source.inputs, arrays, strict=True):
        if array is None:
            return False
        if array.ndim == 0:
            moved.append(value)
        elif node.op_type == "Transpose":
            perm = fir.ints_attr(node, "perm") or tuple(reversed(range(array.ndim)))
            moved.append(editor.constant(array.transpose(perm), _name(value)))
        else:
            whole = np.broadcast_to(array, whole_shape).reshape(target)
            moved.append(editor.constant(_thin(whole), _name(value)))
    fresh = editor.insert(
        node, "Dequantize", moved, domain=fir.DOMAIN, shape=target, hint=f"{output.name}/weights",
        origin=[*fir.origins(source), *fir.origins(node)],
    )  # fmt: skip
    editor.replace(node, fresh)
    return True


def _name(value: ir.Value | None) -> str:
    return (value.name if value is not None else None) or "constant"


def _thin(array: Array) -> Array:
    """`array` with every axis along which it does not vary reduced to size 1; it still broadcasts to the same."""
    for axis in range(array.ndim):
        first = array.take([0], axis)
        if (array == first).all():
            array = first
    return array


def _fold_standard(model: ir.Model, editor: fir.Editor) -> bool:
    """Run all standard operators whose inputs are constant, in one onnxruntime session."""
    graph = editor.graph
    inside: dict[ir.Value, None] = {}
    nodes = []
    elements = 0
    for node in graph:
        if node.domain or node.op_type in _NEVER:
            continue
        if not _known_size(node) and (node.op_type not in _BOUNDED or any(i in inside for i in node.inputs)):
            continue  # what is as large as its inputs may go ahead, once those are there
        if node.op_type in _LAYOUT and _quantized(node.inputs[0]) is not None:
            continue
        if node.inputs and all(i is None or i in inside or _is_known(i) for i in node.inputs):
            nodes.append(node)
            inside |= dict.fromkeys(node.outputs)
            elements += sum(
                math.prod(fir.shape_of(o)) for o in node.outputs if o.shape is not None and o.shape.is_static()
            )
            _check_total(elements, node)
    if not nodes:
        return False
    chosen = set(nodes)
    read = {i for n in nodes for i in n.inputs if i is not None and i not in inside}
    feeds = {_name(i): array for i in read if (array := _known(i)) is not None}
    wanted = [o for o in inside if o.is_graph_output() or any(use not in chosen for use, _ in o.uses())]
    names = [o.name or "" for o in wanted]
    arrays = (
        run_once([ir.serde.serialize_node(n) for n in nodes], feeds, names, opset=model.graph.opset_imports[""])
        if names
        else []
    )
    for value, array in zip(wanted, arrays, strict=True):
        producer = value.producer()
        if producer is not None:
            _become(editor, value, array, producer)
    for node in reversed(nodes):
        editor.drop(node)
    return True


def _check_total(elements: int, node: ir.Node) -> None:
    """Refuse a constant part of the model that would fill the memory."""
    if elements > MOST_ELEMENTS:
        raise ModelError(
            f"the constants computed up to here have {elements} elements; flowc handles up to {MOST_ELEMENTS}",
            node=fir.label(node),
            remedy="check the shapes of its constants, or use a smaller network",
        )


def _known_size(node: ir.Node) -> bool:
    """Whether the shapes of all outputs are known; shape inference has then refused absurd ones."""
    return all(not o.name or (o.shape is not None and o.shape.is_static()) for o in node.outputs)
