"""Matrix products and convolutions on integers.

Before: ``Conv(Dequantize(q, s, z), Dequantize(W, t), bias)``
After:  ``Add(Dequantize(IntConv(Pad(q, z), W), s * t, z * sum(W)), bias)``

Two-level ternary weights become two products and their sum, an input whose channels have a few unrelated scales (a Concat of
tensors of different quantizers) one product for each; they are marked as parts of one sum (see `flowc.passes.halves`).

The accumulator's Dequantize has a float64 scale: its value is the exact dot product, rounded once. That is the reference
function (see docs/exactness.md). A transposed convolution becomes zero insertion, padding and a convolution with the
flipped kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir

from flowc.exact.affine import Affine, trace_affine
from flowc.exact.region import constant_of
from flowc.model.dtypes import distinct
from flowc.model.ir import DOMAIN, Editor, int_attr, ints_attr, label, shape_of
from flowc.passes.base import ModelPass
from flowc.passes.halves import mark_halves
from flowc.passes.remedies import ONE_SCALE, WHOLE_ZERO
from flowc.passes.rename import rename
from flowc.passes.scale_groups import MOST_GROUPS, scale_groups, take_channels
from flowc.passes.weights import Term, integer_ratio, weight_terms
from flowc.units.base import Array

__all__ = ["IntegerProducts"]


class IntegerProducts(ModelPass):
    """See the module."""

    name: ClassVar[str] = "integer_products"

    def rewrite(self, graph: ir.Graph) -> bool:
        editor = Editor(graph)
        changed = False
        for node in list(graph):
            if node.domain == "" and node.op_type in ("MatMul", "Conv", "ConvTranspose"):
                reason = _Product(editor, node).rewrite()
                if reason is None:
                    changed = True
                else:
                    self.note(label(node), reason)
        return changed


@dataclass(frozen=True, eq=False)
class _Share:
    """A part of a product's input with its part of the weights: scale float64 () or (outputs,), zero float64 () or (channels,)."""

    q: ir.Value
    terms: list[Term]
    scale: Array
    zero: Array


def _of(array: Array, group: Array, axis: int) -> Array:
    return array if array.shape[axis] == 1 else array.take(group, axis=axis)


class _Product:
    def __init__(self, editor: Editor, node: ir.Node) -> None:
        self.editor = editor
        self.node = node
        self.matmul = node.op_type == "MatMul"
        self.transposed = node.op_type == "ConvTranspose"
        self.group = int_attr(node, "group", 1)

    def rewrite(self) -> str | None:
        """Rewrites the node; returns None, or why it can't be."""
        node = self.node
        x = trace_affine(node.inputs[0])
        if x is None:
            return "its input is not quantized"
        weights = node.inputs[1]
        terms = weight_terms(weights, 1 if self.transposed or self.matmul else 0)
        if isinstance(terms, str):
            return terms
        if self.matmul and (terms[0].integers.ndim != 2 or len(shape_of(x.q)) < 2):
            return "only products with a constant matrix are supported; write it as torch.nn.Linear, or leave it to the host"
        if self.transposed:
            terms = [self._forward(t) for t in terms]
        inserted = self.transposed and any(s != 1 for s in self._strides())
        pads = self._pads(terms[0].integers)
        if any(p < 0 for p in pads):
            return "negative padding is not supported; crop with Slice (torch: x[..., 1:-1]) in front of it"
        padded = any(pads) or inserted
        shares = self._shares(x, terms, padded=padded)
        if isinstance(shares, str):
            return shares
        parts = []
        for share in shares:
            q = self._prepare(share.q, pads, int(share.zero.flat[0]) if padded else 0)
            parts += [
                self._product(q, t, share.scale, share.zero, x.roundings + t.roundings, x.offset) for t in share.terms
            ]
        if len(parts) > 1:
            mark_halves(parts, label(node))
        total = parts[0]
        shape = shape_of(node.outputs[0])
        for part in parts[1:]:
            total = self.editor.insert(node, "Add", [total, part], shape=shape)
        bias = node.inputs[2] if len(node.inputs) > 2 and not self.matmul else None
        if bias is not None:
            offsets = constant_of(bias)
            if offsets is None:
                return (
                    "its bias is computed at run time; make it a parameter of the layer, or add it behind the quantizer"
                )
            column = self.editor.constant(offsets.reshape((1, -1) + (1,) * (len(shape) - 2)), f"{bias.name}/column")
            total = self.editor.insert(node, "Add", [total, column], shape=shape)
        rename(self.editor, node, total)
        return None

    def _strides(self) -> tuple[int, ...]:
        return ints_attr(self.node, "strides") or (1,) * (len(shape_of(self.node.outputs[0])) - 2)

    def _dilations(self) -> tuple[int, ...]:
        return ints_attr(self.node, "dilations") or (1,) * (len(shape_of(self.node.outputs[0])) - 2)

    def _pads(self, weights: Array) -> tuple[int, ...]:
        """ONNX pads (all begins, all ends) of the forward convolution; none for a matrix product."""
        if self.matmul:
            return ()
        spatial = weights.ndim - 2
        pads = ints_attr(self.node, "pads") or (0,) * (2 * spatial)
        if not self.transposed:
            return pads
        extra = ints_attr(self.node, "output_padding") or (0,) * spatial
        reach = [(k - 1) * d for k, d in zip(weights.shape[2:], self._dilations(), strict=True)]
        begins = [r - p for r, p in zip(reach, pads[:spatial], strict=True)]
        ends = [r - p + e for r, p, e in zip(reach, pads[spatial:], extra, strict=True)]
        return (*begins, *ends)

    def _forward(self, term: Term) -> Term:
        """The kernel of a transposed convolution (I, O / groups, k...) as that of the equal forward one (O, I / groups, k... flipped)."""
        flip = (slice(None), slice(None)) + (slice(None, None, -1),) * (term.integers.ndim - 2)
        groups = np.split(term.integers[flip], self.group)
        scale = term.scale.reshape([-1] + [1] * (term.integers.ndim - 1))
        return Term(
            np.concatenate([g.swapaxes(0, 1) for g in groups]),
            scale if len(scale) == 1 else np.concatenate([scale] * self.group),
            term.roundings,
        )

    def _shares(self, x: Affine, terms: list[Term], *, padded: bool) -> list[_Share] | str:
        """The input whole where one scale serves, else the groups of its channels that share one."""
        scaled = self._scaled(x, terms)
        reason = scaled if isinstance(scaled, str) else self._unpaddable(scaled[2]) if padded else None
        if not isinstance(scaled, str) and reason is None:
            return [_Share(x.q, *scaled)]
        assert reason is not None
        channel = len(shape_of(x.q)) - 1 if self.matmul else 1
        channels = shape_of(x.q)[channel]
        groups = scale_groups(x, channel, apart=padded)
        if self.group != 1 or groups is None or len(terms) > 1:
            return reason
        if len(groups) > MOST_GROUPS:
            return (
                f"{reason}; up to {MOST_GROUPS} scales become a product each, and here are more, in {channels} channels"
            )
        shares = []
        for group in groups:
            q = take_channels(self.editor, self.node, x.q, channel, group)
            part = Affine(q, _of(x.scale, group, channel), _of(x.zero, group, channel), x.roundings, x.offset)
            own = [Term(t.integers.take(group, axis=0 if self.matmul else 1), t.scale, t.roundings) for t in terms]
            found = self._scaled(part, own)
            if isinstance(found, str) or (padded and self._unpaddable(found[2])):
                return reason
            shares.append(_Share(q, *found))
        return shares

    @staticmethod
    def _unpaddable(zero: Array) -> str | None:
        if len(distinct(zero)) == 1 and zero.flat[0] == int(zero.flat[0]):
            return None
        return f"its padding is no integer of the padded tensor (zero point not one integer); {WHOLE_ZERO}"

    def _scaled(self, x: Affine, terms: list[Term]) -> tuple[list[Term], Array, Array] | str:
        """Terms, scale and zero point such that one scale serves all inputs of an output.

        Returns scale float64 () or (outputs,), zero float64 () or (input channels,).
        """
        channel = len(shape_of(x.q)) - 1 if self.matmul else 1
        for array in (x.scale, x.zero):
            if any(n > 1 for axis, n in enumerate(array.shape) if axis != channel):
                return f"its input's scale or zero point varies over positions; use {ONE_SCALE}"
        scale, zero = x.scale.reshape(-1), x.zero.reshape(-1)
        if len(scale) == 1:
            return terms, scale.reshape(()), zero
        weights = terms[0].integers
        if not self.matmul and self.group == len(scale):
            # Depthwise: every output has one input channel, so its scale is that output's.
            return terms, scale.repeat(weights.shape[0] // self.group), zero
        ratio = integer_ratio(scale)
        if ratio is None or self.group != 1:
            return (
                "its input has a scale per channel, and a dense product adds channels of unrelated scales; "
                "use one quantizer (one scale) for this activation, or share it between the branches of the Concat"
            )
        unit, multiples = ratio
        shape = (-1, 1) if self.matmul else (1, -1) + (1,) * (weights.ndim - 2)
        folded = [Term(t.integers * multiples.reshape(shape), t.scale, t.roundings) for t in terms]
        return folded, np.asarray(unit), zero

    def _prepare(self, q: ir.Value, pads: tuple[int, ...], fill: int) -> ir.Value:
        node, shape = self.node, list(shape_of(q))
        strides = self._strides() if self.transposed else ()
        if self.transposed and any(s != 1 for s in strides):
            shape = shape[:2] + [(n - 1) * s + 1 for n, s in zip(shape[2:], strides, strict=True)]
            attributes: dict[str, Any] = {"strides": strides, "value": fill}
            q = self.editor.insert(
                node, "PixelPad", [q], attributes, domain=DOMAIN, hint=f"{label(node)}/spread", shape=shape
            )
        if any(pads):
            half = len(pads) // 2
            full = [0, 0, *pads[:half], 0, 0, *pads[half:]]
            shape = shape[:2] + [n + a + b for n, a, b in zip(shape[2:], pads[:half], pads[half:], strict=True)]
            amounts = self.editor.constant(np.array(full, np.int64), "pads")
            value = self.editor.constant(np.float32(fill), "pad_value")
            q = self.editor.insert(
                node, "Pad", [q, amounts, value], {"mode": "constant"}, hint=f"{label(node)}/padded", shape=shape
            )
        return q

    def _product(self, q: ir.Value, term: Term, scale: Array, zero: Array, roundings: int, extra: float) -> ir.Value:
        node, shape = self.node, shape_of(self.node.outputs[0])
        w = term.integers
        weights = self.editor.constant(w.astype(np.float32), f"{label(node)}/weights")
        attributes: dict[str, Any] = {
            "roundings": roundings,
            "offset": extra,
            "zeros": [float(z) for z in _small(zero)],
        }
        if self.matmul:
            op = "IntMatMul"
            total_scale = np.broadcast_to(scale * term.scale.reshape(-1), (w.shape[1],))
            column = (1,) * (len(shape) - 1) + (-1,)
        else:
            op = "IntConv"
            attributes |= {
                "strides": (1,) * (w.ndim - 2) if self.transposed else self._strides(),
                "dilations": self._dilations(),
                "group": self.group,
            }
            total_scale = np.broadcast_to(scale * term.scale.reshape(-1), (w.shape[0],))
            column = (1, -1) + (1,) * (w.ndim - 2)
        acc = self.editor.insert(
            node, op, [q, weights], attributes, domain=DOMAIN, hint=f"{label(node)}/acc", shape=shape
        )
        return self.editor.insert(
            node,
            "Dequantize",
            [
                acc,
                self.editor.constant(_small(total_scale).reshape(column), "scale"),
                self.editor.constant(_small(self._offset(w, zero)).reshape(column), "zero"),
            ],
            domain=DOMAIN,
            hint=f"{label(node)}/sum",
            shape=shape,
        )

    def _offset(self, w: Array, zero: Array) -> Array:
        """What the input's zero point adds to every output: the sum over its weights, float64 (outputs,)."""
        if not zero.any():
            return np.zeros(w.shape[1] if self.matmul else w.shape[0])
        if self.matmul:
            return np.asarray((w * np.broadcast_to(zero, w.shape[:1])[:, None]).sum(axis=0), np.float64)
        inputs = np.broadcast_to(zero, (w.shape[1] * self.group,)).reshape(self.group, 1, w.shape[1], 1)
        each = w.reshape(self.group, -1, w.shape[1], int(np.prod(w.shape[2:]))) * inputs
        return np.asarray(each.sum(axis=(2, 3)).reshape(-1), np.float64)


def _small(vector: Array) -> Array:
    return vector[:1] if (vector == vector[0]).all() else np.ascontiguousarray(vector)
