"""Convolutions, pools, padding and resizing with everything implicit written out: kernel, strides, pads, group ...

Before: Conv(x, w; auto_pad=SAME_UPPER)        After: Conv(x, w; kernel_shape, strides, dilations, pads, group)
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from flowc.errors import ModelError
from flowc.importer.remedies import EXPORT_AGAIN
from flowc.model import ir as fir
from flowc.model.ir import Editor

__all__ = ["conv", "conv_transpose", "is_implicit", "pad", "pool", "resize"]

Ints = tuple[int, ...]


def is_implicit(node: ir.Node) -> bool:
    """Whether the padding of a node follows from a rule, or from the size of its output."""
    return "output_shape" in node.attributes or (
        "auto_pad" in node.attributes and fir.str_attr(node, "auto_pad", "NOTSET") != "NOTSET"
    )


def _set_ints(node: ir.Node, **values: tuple[int, ...] | list[int]) -> None:
    for name, value in values.items():
        node.attributes[name] = ir.AttrInt64s(name, tuple(value))


def _geometry(node: ir.Node, kernel: Ints) -> tuple[Ints, Ints, Ints]:
    """Kernel, strides and dilations of a node, checked against its number of spatial axes."""
    axes = len(kernel)
    strides = fir.ints_attr(node, "strides") or (1,) * axes
    dilations = fir.ints_attr(node, "dilations") or (1,) * axes
    if len(strides) != axes or len(dilations) != axes or min((*kernel, *strides, *dilations)) < 1:
        raise ModelError(
            "its kernel, strides or dilations are not all positive", node=fir.label(node), remedy=EXPORT_AGAIN
        )
    return kernel, strides, dilations


def _pads(node: ir.Node, size: Ints, kernel: Ints, strides: Ints, dilations: Ints) -> Ints:
    """Explicit pads (all begins, then all ends) of a convolution or pool; auto_pad by the rule of the ONNX standard."""
    mode = fir.str_attr(node, "auto_pad", "NOTSET")
    axes = len(kernel)
    if mode == "NOTSET":
        pads = fir.ints_attr(node, "pads") or (0,) * (2 * axes)
        if len(pads) != 2 * axes or min(pads) < 0:
            raise ModelError(
                "its pads are negative or too few", node=fir.label(node), remedy="crop with Slice in front of it"
            )
        return pads
    if mode == "VALID":
        return (0,) * (2 * axes)
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise ModelError(f"its auto_pad '{mode}' is unknown", node=fir.label(node), remedy="use explicit pads")
    begins, ends = [], []
    for n, k, s, d in zip(size, kernel, strides, dilations, strict=True):
        total = max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
        small, large = total // 2, total - total // 2
        begins.append(small if mode == "SAME_UPPER" else large)
        ends.append(large if mode == "SAME_UPPER" else small)
    return (*begins, *ends)


def conv(_editor: Editor, node: ir.Node) -> None:
    """Conv: all attributes explicit."""
    size = fir.shape_of(fir.required(node, 0))[2:]
    kernel, strides, dilations = _geometry(node, fir.shape_of(fir.required(node, 1))[2:])
    pads = _pads(node, size, kernel, strides, dilations)
    node.attributes.pop("auto_pad", None)
    _set_ints(node, kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads)
    node.attributes["group"] = ir.AttrInt64("group", fir.int_attr(node, "group", 1))


def conv_transpose(_editor: Editor, node: ir.Node) -> None:
    """ConvTranspose: all attributes explicit; output_shape and auto_pad resolved into pads."""
    size = fir.shape_of(fir.required(node, 0))[2:]
    kernel, strides, dilations = _geometry(node, fir.shape_of(fir.required(node, 1))[2:])
    axes = len(kernel)
    extra = fir.ints_attr(node, "output_padding") or (0,) * axes
    mode = fir.str_attr(node, "auto_pad", "NOTSET")
    wanted = fir.ints_attr(node, "output_shape")
    if wanted is None and mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = tuple(n * s for n, s in zip(size, strides, strict=True))
    if wanted is None:
        pads = fir.ints_attr(node, "pads") if mode == "NOTSET" else None
        pads = pads or (0,) * (2 * axes)
    else:
        begins, ends = [], []
        for out, n, k, s, d, e in zip(wanted[-axes:], size, kernel, strides, dilations, extra, strict=True):
            total = s * (n - 1) + e + (k - 1) * d + 1 - out
            if total < 0:
                raise ModelError(
                    "its output shape is larger than what it computes",
                    node=fir.label(node),
                    remedy="use output_padding",
                )
            small, large = total // 2, total - total // 2
            begins.append(large if mode != "SAME_UPPER" else small)
            ends.append(small if mode != "SAME_UPPER" else large)
        pads = (*begins, *ends)
    for name in ("auto_pad", "output_shape"):
        node.attributes.pop(name, None)
    _set_ints(node, kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads, output_padding=extra)
    node.attributes["group"] = ir.AttrInt64("group", fir.int_attr(node, "group", 1))


def pool(_editor: Editor, node: ir.Node) -> None:
    """MaxPool and AveragePool: all attributes explicit, one output."""
    size = fir.shape_of(fir.required(node, 0))[2:]
    kernel = fir.ints_attr(node, "kernel_shape")
    if kernel is None or len(kernel) != len(size):
        raise ModelError(
            "its kernel_shape is missing or does not fit the input", node=fir.label(node), remedy=EXPORT_AGAIN
        )
    kernel, strides, dilations = _geometry(node, kernel)
    pads = _pads(node, size, kernel, strides, dilations)
    if any(o.uses() or o.is_graph_output() for o in node.outputs[1:]):
        raise ModelError("the indices of a MaxPool are used", node=fir.label(node), remedy="use its values only")
    node.resize_outputs(1)
    for name in ("auto_pad", "storage_order"):
        node.attributes.pop(name, None)
    _set_ints(node, kernel_shape=kernel, strides=strides, pads=pads)
    node.attributes["ceil_mode"] = ir.AttrInt64("ceil_mode", fir.int_attr(node, "ceil_mode", 0))
    if node.op_type == "MaxPool":
        _set_ints(node, dilations=dilations)
        return
    if set(dilations) == {1}:
        node.attributes.pop("dilations", None)
    node.attributes["count_include_pad"] = ir.AttrInt64("count_include_pad", fir.int_attr(node, "count_include_pad", 0))


def pad(editor: Editor, node: ir.Node) -> None:
    """Pad by nothing is nothing."""
    pads = fir.array_of(fir.required(node, 1))
    if pads is not None and not pads.any():
        editor.replace(node, fir.required(node, 0))


def resize(editor: Editor, node: ir.Node) -> None:
    """Resize: inputs (x, -, scales), or (x, -, -, sizes) where no float32 scale gives just that size."""
    source, output = fir.required(node, 0), node.outputs[0]
    before, after = fir.shape_of(source), fir.shape_of(output)
    if before == after:
        editor.replace(node, source)
        return
    scales = fir.array_of(fir.optional(node, 2))
    if scales is None or scales.size == 0:
        scales = np.asarray([b / a for a, b in zip(before, after, strict=True)], np.float32)
    elif (axes := fir.ints_attr(node, "axes")) is not None:
        full = np.ones(len(before), np.float32)
        full[[a % len(before) for a in axes]] = scales
        scales = full
    node.attributes.pop("axes", None)
    node.attributes.pop("keep_aspect_ratio_policy", None)
    scales = scales.astype(np.float32)
    exact = (np.floor(np.asarray(before, np.float32) * scales) == after).all()
    node.resize_inputs(3 if exact else 4)
    node.replace_input_with(1, None)
    node.replace_input_with(2, editor.constant(scales, f"{fir.label(node)}/scales") if exact else None)
    if not exact:
        sizes = np.asarray((1, *after[1:]), np.int64)
        node.replace_input_with(3, editor.constant(sizes, f"{fir.label(node)}/sizes"))
