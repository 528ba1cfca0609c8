"""What verification compares besides integers: float sums of the model, and the windows in which they may decide otherwise."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from flowc.exact.affine import trace_sum
from flowc.exact.certificate import Certificate, TensorCertificate
from flowc.exact.spans import packed, stacked
from flowc.exact.sums import FloatSum, float_sum, joint_sum
from flowc.passes.lower import Lowering
from flowc.units.base import Array

__all__ = ["inner_sums", "last_sums", "stream_windows"]

_Ranges = Mapping[ir.Value, tuple[Array, Array]]


def last_sums(exits: Iterable[ir.Value], ranges: _Ranges, named: Container[str]) -> list[FloatSum]:
    """For each integer tensor that leaves the accelerator, the first float of the reference that it stands for, or is a part of."""
    leaves = list(exits)
    found = {v: next((s for s in _affine_behind(v, ranges) if s.reference in named), None) for v in leaves}
    alone = {v.name for v, s in found.items() if s is None}
    parts: dict[str, list[FloatSum]] = {}
    for leaf in leaves:
        if leaf.name in alone:
            sums = (s for s in _sums_behind(leaf, ranges) if s[0].reference in named and {p.tensor for p in s} <= alone)
            parts |= {s[0].reference: s for s in [next(sums, None)] if s is not None}
    return [*(s for s in found.values() if s is not None), *(p for s in parts.values() for p in s)]


def _sums_behind(leaf: ir.Value, ranges: _Ranges) -> Iterator[list[FloatSum]]:
    """Float tensors to which a tensor and others are added up, each as its parts."""
    waiting = [leaf]
    while waiting:
        for use in waiting.pop(0).uses():
            for output in use.node.outputs:
                if any(form.q is leaf for form in trace_sum(output) or ()):
                    waiting.append(output)
                    if parts := joint_sum(output, ranges):
                        yield parts


def _affine_behind(leaf: ir.Value, ranges: _Ranges) -> Iterator[FloatSum]:
    waiting = [leaf]
    while waiting:
        for use in waiting.pop(0).uses():
            for output in use.node.outputs:
                found = float_sum(output, ranges)
                if found is not None and found.tensor == leaf.name:
                    yield found
                    waiting.append(output)


def inner_sums(certificate: Certificate, low: Lowering, named: Container[str]) -> list[FloatSum]:
    """For each activation, the float tensor of the reference that stands for what it is applied to.

    ``tensor`` is the activation's result, and ``stream`` what carries it: the sums themselves need not leave their unit.
    """
    aliases = low.aliases()
    found = []
    for entry in certificate.tensors:
        sums = [s for s in entry.sums if s.reference in named]
        if sums and low.order_of(entry.tensor) is not None:
            found.append(replace(sums[0], tensor=entry.tensor, stream=aliases.get(entry.tensor, entry.tensor)))
    return found


def stream_windows(
    certificate: Certificate, low: Lowering, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[Array, Array]]:
    """Tensor, under the name of its stream -> windows (low, high), int64 (P, K), in the order of the stream.

    P is 1, or the channels of a frame, or all its elements where parameters vary over positions.

    Args:
        shapes: ONNX shape of each activation's result.
    """
    aliases = low.aliases()
    found = {}
    for entry in certificate.tensors:
        windows = entry.windows
        if windows is None:
            continue
        index = _set_index(entry, low.order_of(entry.tensor), shapes.get(entry.tensor))
        if index is not None:
            spans = packed(*windows)
            windows = stacked([spans[i] for i in index])
        found[aliases.get(entry.tensor, entry.tensor)] = windows
    return found


def _set_index(entry: TensorCertificate, order: Array | None, shape: tuple[int, ...] | None) -> Array | None:
    """Which parameter set each channel, or each element of the stream, belongs to; None where there is nothing to arrange."""
    if order is None or shape is None or not entry.axes:
        return None
    layout = [n if axis in entry.axes else 1 for axis, n in enumerate(shape)]
    sets = np.broadcast_to(np.arange(int(np.prod(layout))).reshape(layout), shape).reshape(-1)
    index = sets[order]
    if (index == index[:1, :1]).all():
        return np.asarray(index[0, 0])
    return np.asarray(index.reshape(-1))
