"""Operators that move or select elements without computing: what they do to per-element constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import onnx_ir as ir

from flowc.exact.region import compress
from flowc.model.ir import array_of, int_attr, ints_attr, required, shape_of, str_attr
from flowc.model.runtime import OPSET, run_once
from flowc.units.base import Array

__all__ = ["MOVES", "index_map", "is_move", "move_arrays", "only_moves", "source_map"]

MOVES: dict[str, Callable[[ir.Node], Sequence[int]]] = {
    "Concat": lambda node: range(len(node.inputs)),
    "DepthToSpace": lambda node: (0,),
    "MaxPool": lambda node: (0,),
    "Pad": lambda node: (0,),
    "Reshape": lambda node: (0,),
    "Resize": lambda node: (0,),
    "Slice": lambda node: (0,),
    "SpaceToDepth": lambda node: (0,),
    "Transpose": lambda node: (0,),
}
"""Movement operators and the positions of their data inputs."""


def is_move(node: ir.Node) -> bool:
    """Whether the node moves elements: a resize does where it takes the nearest one, and computes where it interpolates."""
    if node.domain != "" or node.op_type not in MOVES:
        return False
    return node.op_type != "Resize" or str_attr(node, "mode", "nearest") == "nearest"


def only_moves(node: ir.Node) -> bool:
    """Whether all that comes out of the node went into it: so not where a Pad puts in a constant."""
    return is_move(node) and (node.op_type != "Pad" or str_attr(node, "mode", "constant") != "constant")


# These act on the spatial axes alone: constants that do not vary there go through unchanged.
_SPATIAL = {"MaxPool", "Pad", "Resize"}


def index_map(node: ir.Node, indices: Array) -> Array:
    """The operator (Reshape, Transpose, Slice, DepthToSpace, SpaceToDepth) applied to an array of the input's shape."""
    op = node.op_type
    if op == "Reshape":
        return indices.reshape(shape_of(node.outputs[0]))
    if op == "Transpose":
        return indices.transpose(ints_attr(node, "perm") or tuple(reversed(range(indices.ndim))))
    if op == "Slice":
        return indices[_slices(node, indices.ndim)]
    n, c, h, w = indices.shape
    b = int_attr(node, "blocksize", 1)
    if op == "DepthToSpace":
        if str_attr(node, "mode", "DCR") == "DCR":
            x = indices.reshape(n, b, b, c // (b * b), h, w).transpose(0, 3, 4, 1, 5, 2)
        else:
            x = indices.reshape(n, c // (b * b), b, b, h, w).transpose(0, 1, 4, 2, 5, 3)
        return x.reshape(n, c // (b * b), h * b, w * b)
    x = indices.reshape(n, c, h // b, b, w // b, b).transpose(0, 3, 5, 1, 2, 4)
    return x.reshape(n, c * b * b, h // b, w // b)


def source_map(node: ir.Node, indices: Array) -> Array:
    """For every element of the output, which element of the input it is: of a nearest Resize, and of a Pad that repeats some.

    A Resize is asked of onnxruntime: which pixel is nearest depends on its float32 arithmetic.

    Args:
        indices: numbers below 2^24, of the input's shape.
    """
    if node.op_type == "Pad":
        amounts = np.asarray(array_of(node.inputs[1])).reshape(2, -1)
        modes: dict[str, Literal["reflect", "edge", "wrap"]] = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}
        return np.pad(indices, [(int(a), int(b)) for a, b in amounts.T], mode=modes[str_attr(node, "mode", "")])
    constants = {v.name or "": a for v in node.inputs[1:] if v is not None and (a := array_of(v)) is not None}
    constants[required(node, 0).name or ""] = indices.astype(np.float32)
    (found,) = run_once([ir.to_proto(node)], constants, [node.outputs[0].name or ""], opset=OPSET)
    return found.astype(np.int64)


def _slices(node: ir.Node, rank: int) -> tuple[slice, ...]:
    given = [array_of(v) for v in node.inputs[1:]]
    starts, ends = (np.atleast_1d(a).tolist() for a in given[:2] if a is not None)
    axes = np.atleast_1d(given[2]).tolist() if len(given) > 2 and given[2] is not None else list(range(len(starts)))
    steps = np.atleast_1d(given[3]).tolist() if len(given) > 3 and given[3] is not None else [1] * len(starts)
    out = [slice(None)] * rank
    for axis, a, b, s in zip(axes, starts, ends, steps, strict=True):
        # An end far below zero with a negative step means "to the very first element".
        out[axis] = slice(a, None if s < 0 and b < -(1 << 30) else b, s)
    return tuple(out)


def move_arrays(node: ir.Node, arrays: Sequence[Array], shapes: Sequence[tuple[int, ...]]) -> Array | None:
    """Constants that broadcast against the operator's inputs, moved as the operator moves elements.

    Args:
        arrays: one per data input, broadcastable against that input's shape.
        shapes: the shapes of the data inputs.

    Returns:
        The constant for the output (as small as it can be, full rank), or None where the operator mixes
        elements of different constants.
    """
    out_rank = len(shape_of(node.outputs[0]))
    full = [
        np.asarray(a).reshape((1,) * (len(s) - np.ndim(a)) + np.shape(a)) for a, s in zip(arrays, shapes, strict=True)
    ]
    if all(a.size == 1 for a in full) and all(a.reshape(()) == full[0].reshape(()) for a in full):
        return full[0].reshape((1,) * out_rank)
    if node.op_type == "Concat":
        axis = int_attr(node, "axis", 1) % out_rank
        parts = []
        for a, s in zip(full, shapes, strict=True):
            others = [max(x.shape[i] for x in full) if i != axis else s[axis] for i in range(out_rank)]
            parts.append(np.broadcast_to(a, others))
        return compress(np.concatenate(parts, axis=axis))
    (array,) = full
    if node.op_type in _SPATIAL:
        return array if all(n == 1 for n in array.shape[2:]) else None
    return compress(index_map(node, np.broadcast_to(array, shapes[0])))
