"""Channels of one tensor in groups of one scale each: what a dense product over a Concat of different quantizers is split by."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from flowc.exact.affine import Affine
from flowc.model.ir import Editor, int_attr, is_op, label, shape_of
from flowc.passes.weights import integer_ratio
from flowc.units.base import Array

__all__ = ["MOST_GROUPS", "scale_groups", "take_channels"]

MOST_GROUPS = 8
"""Groups that become products of their own; more would take more accumulators and joins than they are worth."""


def scale_groups(x: Affine, axis: int, *, apart: bool) -> list[Array] | None:
    """Channels whose scales are integer multiples of one unit, together; None where scale or zero point vary over positions.

    Once there are more than `MOST_GROUPS`, no further channels are looked at.

    Args:
        axis: the channels' axis.
        apart: channels of different zero points do not go together either (padding needs one).
    """
    channels = shape_of(x.q)[axis]
    columns = []
    for array in (x.scale, x.zero):
        if array.size not in (1, array.shape[axis]):
            return None
        columns.append(np.broadcast_to(array.reshape(-1), (channels,)))
    scale, zero = columns
    groups: list[list[int]] = []
    for channel in range(channels):
        for group in groups:
            # What has one unit with every scale of the group so far has one with it whole.
            seen = sorted({*scale[group].tolist(), float(scale[channel])})
            if (not apart or zero[group[0]] == zero[channel]) and integer_ratio(np.array(seen)) is not None:
                group.append(channel)
                break
        else:
            groups.append([channel])
            if len(groups) > MOST_GROUPS:
                break
    return [np.array(group) for group in groups]


def take_channels(editor: Editor, node: ir.Node, q: ir.Value, axis: int, channels: Array) -> ir.Value:
    """The tensor of these channels alone (ascending): an input of the Concat that made ``q``, or slices put together."""
    shape = shape_of(q)
    runs = np.split(channels, np.flatnonzero(np.diff(channels) != 1) + 1)
    parts = [_run(editor, node, q, axis, int(run[0]), int(run[-1]) + 1) for run in runs]
    if len(parts) == 1:
        return parts[0]
    size = [len(channels) if i == axis else n for i, n in enumerate(shape)]
    return editor.insert(node, "Concat", parts, {"axis": axis}, hint=f"{label(node)}/channels", shape=size)


def _run(editor: Editor, node: ir.Node, q: ir.Value, axis: int, first: int, last: int) -> ir.Value:
    """Channels [first, last)."""
    shape = shape_of(q)
    maker = q.producer()
    if maker is not None and is_op(maker, "Concat") and int_attr(maker, "axis", 1) % len(shape) == axis:
        start = 0
        for value in maker.inputs:
            assert value is not None
            size = shape_of(value)[axis]
            if (start, start + size) == (first, last):
                return value
            start += size
    bounds = [editor.constant(np.array([n], np.int64), "slice") for n in (first, last, axis, 1)]
    size_of = [last - first if i == axis else n for i, n in enumerate(shape)]
    return editor.insert(node, "Slice", [q, *bounds], hint=f"{label(node)}/channels", shape=size_of)
