"""Operators whose attributes and inputs changed from opset to opset, brought into their opset-20 form.

Before: Clip(x; min, max), ReduceMean(x; axes), Slice(x; starts, ends), Pad(x; pads), Split(x; split), Upsample(x, s)
After:  Clip(x, min, max), ReduceMean(x, axes), Slice(x, starts, ends, axes, steps), Pad(x, pads, value), ..., Resize
Defaults that later stages would otherwise have to know (axis, alpha, keepdims ...) are written out, and negative
axes made positive.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from flowc import ir as fir
from flowc.errors import ModelError
from flowc.ir import Editor

__all__ = ["constant_ints", "set_inputs", "upgrade"]

_LARGEST = float(np.finfo(np.float32).max)


def upgrade(editor: Editor, node: ir.Node, opset: int) -> None:
    """Bring `node`, of operator set `opset`, into its opset-20 form, in place.

    Raises:
        ModelError: an input that must be constant is not.
    """
    handler = _UPGRADES.get(node.op_type)
    if handler is not None:
        handler(editor, node, opset)
    for name, default in _FLOATS.get(node.op_type, {}).items():
        node.attributes[name] = ir.AttrFloat32(name, fir.float_attr(node, name, default))


_FLOATS = {
    "Celu": {"alpha": 1.0},
    "Elu": {"alpha": 1.0},
    "HardSigmoid": {"alpha": 0.2, "beta": 0.5},
    "LeakyRelu": {"alpha": 0.01},
    "ThresholdedRelu": {"alpha": 1.0},
}


def constant_ints(node: ir.Node, index: int) -> tuple[int, ...] | None:
    """The constant integers at input `index`; None when the input is absent.

    Raises:
        ModelError: the input is computed at run time.
    """
    value = fir.optional(node, index)
    if value is None:
        return None
    array = fir.array_of(value)
    if array is None:
        raise ModelError(f"input {index} of {node.op_type} is not constant", node=fir.label(node))
    return tuple(int(v) for v in array.reshape(-1))


def set_inputs(editor: Editor, node: ir.Node, arrays: dict[int, npt.ArrayLike | None], count: int) -> None:
    """Give `node` exactly `count` inputs, replacing those named in `arrays` by new constants (None: absent)."""
    if len(node.inputs) != count:
        node.resize_inputs(count)
    for index, array in arrays.items():
        value = None if array is None else editor.constant(np.asarray(array), f"{fir.label(node)}/input_{index}")
        node.replace_input_with(index, value)


def _axes_input(editor: Editor, node: ir.Node, _opset: int) -> None:
    """Reductions: axes as attribute -> as input, non-negative and sorted."""
    rank = len(fir.shape_of(fir.required(node, 0)))
    axes = fir.ints_attr(node, "axes")
    if axes is None:
        axes = constant_ints(node, 1)
    node.attributes.pop("axes", None)
    node.attributes["keepdims"] = ir.AttrInt64("keepdims", fir.int_attr(node, "keepdims", 1))
    if not axes:
        axes = () if fir.int_attr(node, "noop_with_empty_axes", 0) else tuple(range(rank))
    set_inputs(editor, node, {1: np.asarray(sorted(a % rank for a in axes), np.int64)}, 2)


def _axis(default: int) -> Callable[[Editor, ir.Node, int], None]:
    def write_out(_editor: Editor, node: ir.Node, _opset: int) -> None:
        rank = len(fir.shape_of(fir.required(node, 0)))
        node.attributes["axis"] = ir.AttrInt64("axis", fir.int_attr(node, "axis", default) % max(rank, 1))

    return write_out


def _arg(editor: Editor, node: ir.Node, opset: int) -> None:
    _axis(0)(editor, node, opset)
    for name, default in (("keepdims", 1), ("select_last_index", 0)):
        node.attributes[name] = ir.AttrInt64(name, fir.int_attr(node, name, default))


def _softmax(editor: Editor, node: ir.Node, opset: int) -> None:
    """Before opset 13 the axes from `axis` on were one; that differs where `axis` is not the last."""
    source, output = fir.required(node, 0), node.outputs[0]
    shape = fir.shape_of(source)
    axis = fir.int_attr(node, "axis", 1 if opset < 13 else -1) % len(shape)
    node.attributes["axis"] = ir.AttrInt64("axis", axis)
    if opset >= 13 or all(d == 1 for d in shape[axis + 1 :]):
        return
    shape = (1, *shape[1:]) if axis else shape
    flat = (int(np.prod(shape[:axis])), int(np.prod(shape[axis:])))
    y = editor.insert(node, "Reshape", [source, editor.constant(np.asarray(flat, np.int64), "flat")], shape=flat)
    y = editor.insert(node, node.op_type, [y], {"axis": 1}, shape=flat)
    y = editor.insert(node, "Reshape", [y, editor.constant(np.asarray(shape, np.int64), "shape")], shape=shape)
    y.shape = output.shape
    editor.substitute(output, y, before=node)


def _clip(editor: Editor, node: ir.Node, _opset: int) -> None:
    bounds = []
    for index, (name, default) in enumerate((("min", -_LARGEST), ("max", _LARGEST)), 1):
        bound = fir.float_attr(node, name, default)
        value = fir.optional(node, index)
        if value is not None:
            array = fir.array_of(value)
            if array is None or array.size != 1:
                raise ModelError("its bounds are not constant numbers", node=fir.label(node))
            bound = float(array.reshape(()))
        node.attributes.pop(name, None)
        bounds.append(np.asarray(bound, np.float32))
    set_inputs(editor, node, {1: bounds[0], 2: bounds[1]}, 3)


def _slice(editor: Editor, node: ir.Node, _opset: int) -> None:
    """starts, ends, axes, steps as non-negative constants (an end of -1 - size stays for a backward slice)."""
    shape = fir.shape_of(fir.required(node, 0))
    starts, ends, axes = (fir.ints_attr(node, n) for n in ("starts", "ends", "axes"))
    steps: tuple[int, ...] | None = None
    if starts is None:
        starts, ends, axes, steps = (constant_ints(node, i) for i in (1, 2, 3, 4))
    if starts is None or ends is None:
        raise ModelError("its bounds are missing", node=fir.label(node))
    for name in ("starts", "ends", "axes"):
        node.attributes.pop(name, None)
    axes = tuple(a % len(shape) for a in (axes if axes is not None else range(len(starts))))
    steps = steps if steps is not None else (1,) * len(starts)
    rows = []
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step == 0:
            raise ModelError("its step is zero", node=fir.label(node))
        first, last, stride = slice(start, end, step).indices(shape[axis])
        rows.append((first, last if last >= 0 else -1 - shape[axis], axis, stride))
    table = np.asarray(rows, np.int64).reshape(-1, 4)
    set_inputs(editor, node, {1 + i: table[:, i].copy() for i in range(4)}, 5)


def _split(_editor: Editor, node: ir.Node, _opset: int) -> None:
    """The sizes are in the inferred shapes of the outputs; nothing else of the node matters."""
    if any(o.shape is None or not o.shape.is_static() for o in node.outputs):
        raise ModelError("its sizes are not constant", node=fir.label(node))


def _pad(editor: Editor, node: ir.Node, _opset: int) -> None:
    rank = len(fir.shape_of(fir.required(node, 0)))
    pads = fir.ints_attr(node, "pads")
    fill = fir.float_attr(node, "value", 0.0)
    if pads is None:
        pads = constant_ints(node, 1)
        if (value := fir.optional(node, 2)) is not None:
            array = fir.array_of(value)
            if array is None or array.size != 1:
                raise ModelError("its fill value is not a constant number", node=fir.label(node))
            fill = float(array.reshape(()))
    axes = constant_ints(node, 3)
    if pads is None:
        raise ModelError("its amounts are missing", node=fir.label(node))
    axes = tuple(a % rank for a in axes) if axes is not None else tuple(range(rank))
    if len(pads) != 2 * len(axes):
        raise ModelError(f"it has {len(pads)} amounts for {len(axes)} axes", node=fir.label(node))
    full = np.zeros(2 * rank, np.int64)
    for position, axis in enumerate(axes):
        full[axis], full[rank + axis] = pads[position], pads[len(axes) + position]
    for name in ("pads", "value"):
        node.attributes.pop(name, None)
    node.attributes["mode"] = ir.AttrString("mode", fir.str_attr(node, "mode", "constant"))
    set_inputs(editor, node, {1: full, 2: np.asarray(fill, np.float32)}, 3)


def _depth_to_space(_editor: Editor, node: ir.Node, _opset: int) -> None:
    node.attributes["mode"] = ir.AttrString("mode", fir.str_attr(node, "mode", "DCR"))


_OLD_RESIZE = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
_RESIZE = {
    "mode": "nearest",
    "coordinate_transformation_mode": "half_pixel",
    "nearest_mode": "round_prefer_floor",
}


def _resize(_editor: Editor, node: ir.Node, opset: int) -> None:
    """Upsample (opset 9) and the Resize of opset 10 -> Resize with its modes written out."""
    mode = fir.str_attr(node, "mode", "nearest")
    if node.op_type == "Upsample" or opset < 11:
        scales = fir.optional(node, 1)
        node.op_type = "Resize"
        node.attributes.clear()
        for name, value in (*_OLD_RESIZE.items(), ("mode", "nearest" if mode == "nearest" else "linear")):
            node.attributes[name] = ir.AttrString(name, value)
        node.resize_inputs(3)
        node.replace_input_with(1, None)
        node.replace_input_with(2, scales)
        return
    for name, default in _RESIZE.items():
        node.attributes[name] = ir.AttrString(name, fir.str_attr(node, name, default))


def _top_k(editor: Editor, node: ir.Node, opset: int) -> None:
    _axis(-1)(editor, node, opset)
    if "k" in node.attributes:
        k = fir.int_attr(node, "k", 1)
        node.attributes.pop("k")
        set_inputs(editor, node, {1: np.asarray([k], np.int64)}, 2)


_REDUCTIONS = ("L1", "L2", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
_UPGRADES: dict[str, Callable[[Editor, ir.Node, int], None]] = {
    **{f"Reduce{name}": _axes_input for name in _REDUCTIONS},
    "ArgMax": _arg,
    "ArgMin": _arg,
    "Clip": _clip,
    "Concat": _axis(0),
    "DepthToSpace": _depth_to_space,
    "Gather": _axis(0),
    "Hardmax": _softmax,
    "LogSoftmax": _softmax,
    "Pad": _pad,
    "Resize": _resize,
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "TopK": _top_k,
    "Upsample": _resize,
}
