"""Lowering of pools: a window with one lane per block and a reduction, or a sum over the whole frame."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from flowc.model.ir import array_of, ints_attr, origins, shape_of, str_attr
from flowc.passes.lower import CannotLower, Lowering, Place, canonical_order, lowers
from flowc.passes.lower_activations import absorb_activation
from flowc.passes.lower_gather import gathered
from flowc.passes.lower_products import two_d, window
from flowc.units import Frame, GlobalSum, Pad, Pool

__all__ = ["pad"]


def pad(low: Lowering, node: ir.Node, place: Place, amounts: tuple[int, int, int, int], value: int) -> Place:
    """Padding (top, left, bottom, right) behind ``place``; ``place`` itself where there is none."""
    if not any(amounts):
        return place
    if min(amounts) < 0:
        raise CannotLower("negative padding is not supported; crop with Slice (torch: x[..., 1:-1]) instead")
    top, left, bottom, right = amounts
    f = place.frame
    dtype = f.dtype
    if not dtype.holds(value, value):
        dtype = type(dtype).for_range(min(dtype.lo, value), max(dtype.hi, value))
    out = Frame(f.h + top + bottom, f.w + left + right, f.c, dtype)
    unit = Pad(
        name=low.unique(f"{low.hint(node)}_pad"), origin=origins(node), frame=f, out=out, top=top, left=left, bottom=bottom,
        right=right, value=value,
    )  # fmt: skip
    low.add(unit, place)
    return Place(unit.name, 0, out, np.empty(0))


@lowers("Pad")
def _pad(low: Lowering, node: ir.Node) -> None:
    if str_attr(node, "mode", "constant") != "constant":
        gathered(low, node)
        return
    amounts = np.asarray(array_of(node.inputs[1])).tolist()
    rank = len(shape_of(node.outputs[0]))
    fill = array_of(node.inputs[2]) if len(node.inputs) > 2 else None
    begins, ends = amounts[:rank], amounts[rank:]
    if any(begins[:2]) or any(ends[:2]) or rank not in (3, 4):
        raise CannotLower(
            "only spatial axes can be padded; add channels by a Concat with a quantized constant, or by the next layer's weights"
        )
    top, bottom = (begins[2], ends[2]) if rank == 4 else (0, 0)
    place = low.canonical(node.inputs[0])
    padded = pad(low, node, place, (top, begins[-1], bottom, ends[-1]), 0 if fill is None else int(fill.reshape(())))
    value = node.outputs[0]
    if padded is place:
        low.relabel(value, place, place.order)
    else:
        low.place(value, low.units[padded.unit], canonical_order(shape_of(value)))


@lowers("MaxPool", "SumPool")
def _pool(low: Lowering, node: ir.Node) -> None:
    value = node.inputs[0]
    place = low.canonical(value)
    out = shape_of(node.outputs[0])
    spatial = len(out) - 2
    kernel, strides = two_d(node, "kernel_shape", spatial), two_d(node, "strides", spatial)
    dilations = two_d(node, "dilations", spatial)
    op = "max" if node.op_type == "MaxPool" else "sum"
    if op == "max":
        pads = ints_attr(node, "pads") or (0,) * (2 * spatial)
        top, left = (0, pads[0]) if spatial == 1 else (pads[0], pads[1])
        size = (1, *out[2:]) if spatial == 1 else out[2:]
        spans = [(o - 1) * s + (k - 1) * d + 1 for o, s, k, d in zip(size, strides, kernel, dilations, strict=True)]
        bottom, right = max(0, spans[0] - place.frame.h - top), max(0, spans[1] - place.frame.w - left)
        assert value is not None
        # A pad value that no maximum can pick: the least integer of the tensor.
        place = pad(low, node, place, (top, left, bottom, right), low.range(value)[0])
    channels = place.frame.c
    if kernel == (1, 1) and strides == (1, 1):
        low.relabel(node.outputs[0], place, canonical_order(out))
        return
    seen = window(low, node, place, kernel, 1, strides=strides, dilations=dilations)
    if op == "max":
        acc, activation, result = place.frame.dtype, None, node.outputs[0]
    else:
        acc, activation, result = absorb_activation(low, node, axis=1)
    unit = Pool(
        name=low.unique(low.hint(node)), origin=origins(node), frame=seen.frame, channels=channels, op=op, acc=acc, activation=activation,
    )  # fmt: skip
    low.add(unit, seen)
    low.place(result, unit, canonical_order(shape_of(result)))


@lowers("GlobalSum")
def _global_sum(low: Lowering, node: ir.Node) -> None:
    place = low.canonical(node.inputs[0])
    acc, activation, result = absorb_activation(low, node, axis=1)
    unit = GlobalSum(
        name=low.unique(low.hint(node)), origin=origins(node), frame=place.frame, acc=acc, activation=activation
    )
    low.add(unit, place)
    low.place(result, unit, canonical_order(shape_of(result)))
