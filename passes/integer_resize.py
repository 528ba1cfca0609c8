"""Bilinear (and linear) resizing by whole factors as the depthwise product that it is.

Before: ``Resize[linear](Dequantize(q, s, z) [1, C, H, W])`` by f  →  after: ``Dequantize(IntConv(Pad[edge](q), K) rearranged, s / (2f)^2)``

Every output pixel is a mean of up to two by two neighbours with weights that are multiples of 1 / 2f, and the f * f pixels that
come from one pixel have kernels of their own: a 3 x 3 depthwise convolution with f * f results per channel, which
DepthToSpace puts side by side. What lies outside is the edge, as the operator has it.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir

from flowc.exact.affine import Affine, trace_affine
from flowc.model.ir import DOMAIN, Editor, float_attr, int_attr, is_op, label, shape_of, str_attr
from flowc.passes.base import ModelPass
from flowc.passes.remedies import ONE_SCALE
from flowc.units.base import Array

__all__ = ["IntegerResize"]


class IntegerResize(ModelPass):
    """See the module."""

    name: ClassVar[str] = "integer_resize"

    def rewrite(self, graph: ir.Graph) -> bool:
        editor = Editor(graph)
        changed = False
        for node in list(graph):
            if is_op(node, "Resize") and str_attr(node, "mode", "nearest") != "nearest":
                reason = self._rewrite(editor, node)
                changed |= reason is None
                if reason is not None:
                    self.note(label(node), reason)
        return changed

    def _rewrite(self, editor: Editor, node: ir.Node) -> str | None:
        x = trace_affine(node.inputs[0])
        if x is None:
            return "its input is not quantized"
        taps = _taps(node, shape_of(x.q), shape_of(node.outputs[0]))
        if isinstance(taps, str):
            return taps
        if any(a.ndim > 1 and any(n > 1 for n in a.shape[2:]) for a in (x.scale, x.zero)):
            return f"its input's scale varies over positions; use {ONE_SCALE}"
        self._product(editor, node, x, taps)
        return None

    @staticmethod
    def _product(editor: Editor, node: ir.Node, x: Affine, taps: list[tuple[Array, int]]) -> None:
        shape, out = shape_of(x.q), shape_of(node.outputs[0])
        channels, sizes = shape[1], shape[2:]
        factors = [len(weights) for weights, _ in taps]
        name, axes = label(node), len(sizes)
        around = np.array([0, 0, *[1] * axes] * 2, np.int64)
        padded = editor.insert(
            node, "Pad", [x.q, editor.constant(around, "pads"), editor.constant(np.float32(0), "unused")], {"mode": "edge"},
            hint=f"{name}/edge", shape=(*shape[:2], *(n + 2 for n in sizes)),
        )  # fmt: skip
        kernel, unit = taps[0]
        for weights, denominator in taps[1:]:
            kernel = np.einsum("pk,ql->pqkl", kernel, weights).reshape(-1, 3, 3)
            unit *= denominator
        phases = len(kernel)
        matrix = np.tile(kernel.reshape(phases, 1, *[3] * axes), (channels, *[1] * (axes + 1))).astype(np.float32)
        # How far the model's own float32 weights may be off: they come from positions of up to the frame's size.
        inexact = sum(8 * f * n for f, n in zip(factors, sizes, strict=True) if f & (f - 1))
        attributes: dict[str, Any] = {
            "strides": [1] * axes, "dilations": [1] * axes, "group": channels, "roundings": x.roundings + 5 + inexact,
            "offset": x.offset, "zeros": [float(z) for z in x.zero.reshape(-1)],
        }  # fmt: skip
        weights_value = editor.constant(matrix, f"{name}/weights")
        acc = editor.insert(
            node, "IntConv", [padded, weights_value], attributes, domain=DOMAIN, hint=f"{name}/acc",
            shape=(1, channels * phases, *sizes),
        )  # fmt: skip
        split = (1, channels, *factors, *sizes)
        acc = _step(editor, node, "Reshape", acc, split, split)
        perm = [0, 1, *(2 + i + axes * j for i in range(axes) for j in (1, 0))]
        acc = _step(editor, node, "Transpose", acc, perm, [split[i] for i in perm])
        acc = _step(editor, node, "Reshape", acc, out, out)
        parts = [editor.constant(a, n) for a, n in ((x.scale / unit, "scale"), (x.zero * unit, "zero"))]
        editor.replace(
            node, editor.insert(node, "Dequantize", [acc, *parts], domain=DOMAIN, hint=f"{name}/x", shape=out)
        )


def _step(editor: Editor, node: ir.Node, op: str, value: ir.Value, how: Any, shape: Any) -> ir.Value:
    if op == "Transpose":
        return editor.insert(node, op, [value], {"perm": how}, hint=f"{label(node)}/turned", shape=shape)
    target = editor.constant(np.array(how, np.int64), "shape")
    return editor.insert(node, op, [value, target], hint=f"{label(node)}/seen", shape=shape)


def _taps(node: ir.Node, before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[Array, int]] | str:
    """Per spatial axis the integer weights (phases, 3) of the pixel before, the pixel itself and the one behind, and their sum."""
    how = str_attr(node, "coordinate_transformation_mode", "half_pixel")
    mode = str_attr(node, "mode", "linear")
    if mode != "linear":
        return f"resizing of mode '{mode}' has no integer form; use nearest, or linear by a whole factor"
    if how not in ("half_pixel", "pytorch_half_pixel", "asymmetric"):
        return (
            f"with coordinates '{how}' every pixel has weights of its own; export with align_corners=False (half_pixel)"
        )
    if (
        int_attr(node, "antialias", 0)
        or int_attr(node, "exclude_outside", 0)
        or float_attr(node, "cubic_coeff_a", -0.75) != -0.75
    ):
        return "antialiased resizing has no integer form; resize by whole factors, without"
    if (
        before[:2] != after[:2]
        or len(before) not in (3, 4)
        or any(b % a for a, b in zip(before[2:], after[2:], strict=True))
    ):
        return "linear resizing is possible by whole factors of height and width only; or use nearest"
    return [_axis(b // a, how) for a, b in zip(before[2:], after[2:], strict=True)]


def _axis(factor: int, how: str) -> tuple[Array, int]:
    """Weights of one axis: the source of phase i lies at (2i + 1 - f) / 2f (half pixels), or i / f, from the pixel."""
    weights = np.zeros((factor, 3), np.int64)
    for phase in range(factor):
        offset = 2 * phase + 1 - factor if how != "asymmetric" else 2 * phase
        weights[phase] = max(-offset, 0), 2 * factor - abs(offset), max(offset, 0)
    common = int(np.gcd.reduce(weights, axis=None))
    return weights // common, 2 * factor // common
