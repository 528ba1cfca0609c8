"""Operators whose attributes and inputs changed from opset to opset, brought into their opset-20 form.

Before: Clip(x; min, max), ReduceMean(x; axes), Slice(x; starts, ends), Pad(x; pads), Upsample(x, s), Split
After:  Clip(x, min, max), ReduceMean(x, axes), Slice(x, starts, ends, axes, steps), Pad(x, pads, value), Resize, Slices
Defaults that later stages would otherwise have to know (axis, alpha, keepdims ...) are written out, and negative
axes made positive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from flowc.errors import ModelError
from flowc.importer.remedies import EXPORT_AGAIN, FIXED
from flowc.model import ir as fir
from flowc.model.ir import Editor
from flowc.model.runtime import OPSET

__all__ = ["LARGEST", "constant_ints", "set_inputs", "target_opset", "upgrade"]

_OLD_KERNELS = 18
LARGEST = float(np.finfo(np.float32).max)
"""Bound of a Clip that has none."""


def upgrade(model: ir.Model) -> None:
    """Bring every standard operator into its opset-20 form, and declare that opset. Needs shapes.

    The forms are valid in operator set 18 just as well, and that is what a model of opset 18 or older gets: onnxruntime
    sums an AveragePool of opset 19 in another order than before it, and the reference is to give the floats that the
    original gives.

    Raises:
        ModelError: an input that must be constant is not, or a feature has no equivalent.
    """
    editor = Editor(model.graph)
    opset = model.graph.opset_imports[""]
    for node in list(model.graph):
        if not node.domain:
            _upgrade_node(editor, node, opset)
    target = target_opset(model)
    model.graph.opset_imports.clear()
    model.graph.opset_imports.update({"": target, fir.DOMAIN: 1})


def target_opset(model: ir.Model) -> int:
    """The operator set that a model is brought to: the one whose kernels compute as those of its own."""
    return OPSET if model.graph.opset_imports[""] > _OLD_KERNELS else _OLD_KERNELS


def _upgrade_node(editor: Editor, node: ir.Node, opset: int) -> None:
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
        raise ModelError(f"input {index} of {node.op_type} is not constant", node=fir.label(node), remedy=FIXED)
    return tuple(int(v) for v in array.reshape(-1))


def set_inputs(editor: Editor, node: ir.Node, arrays: Mapping[int, npt.ArrayLike | None], count: int) -> None:
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
    rows, row = math.prod(shape[1:axis]), math.prod(shape[axis:])
    flat = (shape[0], rows, row) if axis else (1, row)
    dtype = source.dtype
    flattened = editor.constant(np.asarray(flat, np.int64), "flat")
    y = editor.insert(node, "Reshape", [source, flattened], shape=flat, dtype=dtype)
    y = editor.insert(node, node.op_type, [y], {"axis": len(flat) - 1}, shape=flat, dtype=dtype)
    unflattened = editor.constant(np.asarray(shape, np.int64), "shape")
    y = editor.insert(node, "Reshape", [y, unflattened], shape=shape, dtype=dtype)
    y.shape = output.shape
    editor.substitute(output, y, before=node)


def _clip(editor: Editor, node: ir.Node, opset: int) -> None:
    """Until opset 10 the bounds were attributes."""
    if opset < 11:
        bounds = [fir.float_attr(node, name, default) for name, default in (("min", -LARGEST), ("max", LARGEST))]
        node.attributes.clear()
        set_inputs(editor, node, {1 + i: np.asarray(bound, np.float32) for i, bound in enumerate(bounds)}, 3)


def _slice(editor: Editor, node: ir.Node, _opset: int) -> None:
    """starts, ends, axes, steps as non-negative constants (an end of -1 - size stays for a backward slice)."""
    shape = fir.shape_of(fir.required(node, 0))
    starts, ends, axes = (fir.ints_attr(node, n) for n in ("starts", "ends", "axes"))
    steps: tuple[int, ...] | None = None
    if starts is None:
        starts, ends, axes, steps = (constant_ints(node, i) for i in (1, 2, 3, 4))
    if starts is None or ends is None:
        raise ModelError("its bounds are missing", node=fir.label(node), remedy=EXPORT_AGAIN)
    for name in ("starts", "ends", "axes"):
        node.attributes.pop(name, None)
    axes = tuple(a % len(shape) for a in (axes if axes is not None else range(len(starts))))
    steps = steps if steps is not None else (1,) * len(starts)
    rows = []
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step == 0:
            raise ModelError("its step is zero", node=fir.label(node), remedy=EXPORT_AGAIN)
        first, last, stride = slice(start, end, step).indices(shape[axis])
        rows.append((first, last if last >= 0 else -1 - shape[axis], axis, stride))
    table = np.asarray(rows, np.int64).reshape(-1, 4)
    set_inputs(editor, node, {1 + i: table[:, i].copy() for i in range(4)}, 5)


def _split(editor: Editor, node: ir.Node, _opset: int) -> None:
    """One Slice per output."""
    if any(o.shape is None or not o.shape.is_static() for o in node.outputs):
        raise ModelError("its sizes are not constant", node=fir.label(node), remedy=FIXED)
    source = fir.required(node, 0)
    axis = fir.int_attr(node, "axis", 0) % len(fir.shape_of(source))
    start = 0
    for output in node.outputs:
        size = fir.shape_of(output)[axis]
        numbers = (start, start + size, axis, 1)
        bounds = [editor.constant(np.asarray([v], np.int64), f"{output.name}/slice") for v in numbers]
        value = editor.insert(node, "Slice", [source, *bounds], shape=fir.shape_of(output), dtype=source.dtype)
        editor.substitute(output, value, before=node)
        start += size
    editor.drop(node)


def _axes_only(editor: Editor, node: ir.Node, _opset: int) -> None:
    """Squeeze and Unsqueeze: axes as attribute -> as input."""
    axes = fir.ints_attr(node, "axes")
    if axes is not None:
        node.attributes.pop("axes")
        set_inputs(editor, node, {1: np.asarray(axes, np.int64)}, 2)


def _batch_norm(_editor: Editor, node: ir.Node, _opset: int) -> None:
    if fir.int_attr(node, "training_mode", 0):
        raise ModelError("it is in training mode", node=fir.label(node), remedy="export the model with model.eval()")
    if any(fir.array_of(fir.required(node, i)) is None for i in range(1, 5)):
        raise ModelError("its parameters are not constant", node=fir.label(node), remedy="export it with model.eval()")
    variance = fir.array_of(node.inputs[4])
    if variance is not None and (variance + fir.float_attr(node, "epsilon", 1e-5) <= 0).any():
        raise ModelError("its variance is not above zero", node=fir.label(node), remedy="repair or retrain the model")
    if any(o.uses() or o.is_graph_output() for o in node.outputs[1:]):
        raise ModelError("its running statistics are used", node=fir.label(node), remedy="export it with model.eval()")
    node.resize_outputs(1)
    epsilon = fir.float_attr(node, "epsilon", 1e-5)
    node.attributes.clear()
    node.attributes["epsilon"] = ir.AttrFloat32("epsilon", epsilon)


def _pad(editor: Editor, node: ir.Node, _opset: int) -> None:
    rank = len(fir.shape_of(fir.required(node, 0)))
    pads = fir.ints_attr(node, "pads")
    fill = fir.float_attr(node, "value", 0.0)
    if pads is None:
        pads = constant_ints(node, 1)
        if (value := fir.optional(node, 2)) is not None:
            array = fir.array_of(value)
            if array is None or array.size != 1:
                raise ModelError("its fill value is not a constant number", node=fir.label(node), remedy=FIXED)
            fill = float(array.reshape(()))
    axes = constant_ints(node, 3)
    if pads is None:
        raise ModelError("its amounts are missing", node=fir.label(node), remedy=EXPORT_AGAIN)
    axes = tuple(a % rank for a in axes) if axes is not None else tuple(range(rank))
    if len(pads) != 2 * len(axes):
        raise ModelError(f"it has {len(pads)} amounts for {len(axes)} axes", node=fir.label(node), remedy=EXPORT_AGAIN)
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
    "BatchNormalization": _batch_norm,
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
    "Squeeze": _axes_only,
    "TopK": _top_k,
    "Unsqueeze": _axes_only,
    "Upsample": _resize,
}
