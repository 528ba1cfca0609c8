"""Layers that compute: products, pools and activations, with a join behind them where one can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import gcd

import numpy as np

from flowc.loopback.formats import unpack_word
from flowc.loopback.layers import MAC, MAX, SUM, Join, Layer, Placement, Products, View, Window
from flowc.loopback.lower import Geometry, Lowering, OnHost, PendingJoin
from flowc.loopback.words import WORD, Fit, identity
from flowc.units import Activate, GlobalSum, Mvtu, Pool, Unit, Vvtu
from flowc.units import Join as JoinUnit
from flowc.units.base import Array

__all__ = ["compute", "fusable", "fuse", "products_layer"]

_SCALE_LIMIT = 1 << 15
_JOIN_LIMIT = 1 << 47


def fusable(low: Lowering, unit: JoinUnit, order: Mapping[str, int]) -> str | None:
    """The unit whose layer can compute a join, too: the later one of those that feed nothing else."""
    if not _simple(unit, low.fits[unit.name]):
        return None
    found = []
    for stream in low.graph.into(unit.name):
        source = low.graph[stream.src]
        computes = isinstance(source, Mvtu | Vvtu | Pool | GlobalSum | Activate) and source.name not in low.merged
        if computes and source.outputs[0].shape == unit.left.shape and low.fits[source.name] is not None:
            found.append(source.name)
    return max(found, key=lambda name: order[name]) if found else None


def _simple(unit: JoinUnit, fit: Fit | None) -> bool:
    """Whether a join has one factor per operand and one word."""
    scales = [unit.left_scale, unit.right_scale]
    if fit is None or fit.mode != WORD or len(fit.mult) > 1:
        return False
    return all((s == s[0]).all() and abs(int(s[0])) < _SCALE_LIMIT for s in scales)


def products_layer(
    low: Lowering,
    unit: Unit,
    seen: Geometry,
    products: Products,
    *,
    second: View | None = None,
    out: View | None = None,
) -> None:
    """A layer of products; of a transposed convolution, one for each phase."""
    if seen.value.spread == (1, 1):
        compute(low, unit, seen, MAC, products, second=second, out=out)
        return
    if low.pending is not None or seen.window.stride != (1, 1):
        raise OnHost("a transposed convolution with a stride of its own, or with a join behind it")
    for y in range(seen.value.spread[0]):
        for x in range(seen.value.spread[1]):
            _phase(low, unit, seen, products, (y, x))


def _phase(low: Lowering, unit: Unit, seen: Geometry, products: Products, phase: tuple[int, int]) -> None:
    """Output pixels of one phase of a transposed convolution: a convolution with the taps that meet pixels of the input."""
    w, size = seen.window, (seen.h, seen.w)
    first, steps, picks, counts = [], [], [], []
    for axis in range(2):
        spread, pad = seen.value.spread[axis], (w.top, w.left)[axis]
        offsets = phase[axis] + np.arange(w.kernel[axis]) * w.dilation[axis] - pad
        pick = np.flatnonzero(offsets % spread == 0)
        picks.append(pick)
        first.append(int(offsets[pick[0]]) // spread if len(pick) else 0)
        steps.append(max(1, w.dilation[axis] // gcd(spread, w.dilation[axis])))
        counts.append(-(-(size[axis] - phase[axis]) // spread))
    if min(counts) <= 0:
        return
    rows, _, n = products.weights.shape
    weights = products.weights.reshape(rows, *w.kernel, n)[:, picks[0]][:, :, picks[1]]
    kernel = (len(picks[0]), len(picks[1]))
    if 0 in kernel:
        # No tap meets a pixel: the activation of zero.
        kernel, weights = (1, 1), np.zeros((rows, 1, 1, n), np.int64)
    window = Window(kernel, (1, 1), (steps[0], steps[1]), -first[0], -first[1])
    part = replace(seen, window=window, h=counts[0], w=counts[1])
    placement = Placement(*phase, *seen.value.spread)
    compute(
        low, unit, part, MAC, replace(products, weights=weights.reshape(rows, -1, n)), placement=placement
    )  # fmt: skip


def compute(
    low: Lowering, unit: Unit, seen: Geometry, kind: int, products: Products | None = None, *, second: View | None = None,
    out: View | None = None, placement: Placement | None = None,
) -> None:  # fmt: skip
    """Appends the layer of a unit, and the join that is pending."""
    if seen.value.spread != (1, 1) and placement is None:
        raise OnHost("pixels are spread in front of it")
    view = seen.value.view if kind == MAC else low.aligned(seen.value.view, unit.name)
    storage, pending = view.storage, low.pending
    fit = low.fits[unit.name]
    if fit is None:
        raise OnHost("its activation has more pieces than the engine's tables hold")
    width = storage.hi - storage.lo
    channels = unit.outputs[0].c
    if isinstance(unit, Activate):
        channels = view.shape[2]
    taps = seen.window.kernel[0] * seen.window.kernel[1]
    if products is not None:
        sums = products.weights.sum(axis=2)
        lows = np.array(
            [storage.lo] * (taps if second is None else 1) + ([] if second is None else [second.storage.lo])
        )
        constant = (sums * lows).sum(axis=1)
        if second is not None:
            width = max(width, second.storage.hi - second.storage.lo)
        acc = int(np.abs(products.weights).sum(axis=(1, 2)).max()) * width
    else:
        count = taps if kind == SUM else 1
        constant, acc = np.full(channels, count * storage.lo), count * width
    last = unit if pending is None else pending.unit
    if out is None:
        out = low.home(last, (seen.h, seen.w, channels) if placement is None else None)
    offset = out.storage.lo if pending is None else fit.lo
    post = fit.stored(constant, offset)
    if post is None:
        raise OnHost("its activation takes wider words than the engine's")
    join = None if pending is None else _join(low, pending, out, fit, kind)
    units = (unit.name,) if pending is None else (unit.name, pending.unit.name)
    layer = Layer(
        unit.name, units, (*unit.origin, *(() if pending is None else pending.unit.origin)), kind, view, seen.window, seen.pad,
        out, seen.h, seen.w, post, products, placement or Placement(), second, join, _macs(unit, placement), acc,
    )  # fmt: skip
    low.add(layer)
    if pending is not None:
        low.network.fused[unit.name, 0] = layer
    low.finish(last, out)


def _macs(unit: Unit, placement: Placement | None) -> int:
    """Multiplications per image; a phase of a transposed convolution has its share."""
    return unit.macs if placement is None else unit.macs // (placement.step_y * placement.step_x)


def _join(low: Lowering, pending: PendingJoin, out: View, inner: Fit, kind: int) -> Join:
    """The fused join of a layer whose own results are of the fit ``inner``."""
    fit = low.fits[pending.unit.name]
    assert fit is not None
    return _joined(low, pending.unit, pending.skip, out, fit, inner.lo, inner.hi, kind=kind, left=pending.left)


def _joined(
    low: Lowering,
    unit: JoinUnit,
    skip: View,
    out: View,
    fit: Fit,
    inner_lo: int,
    inner_hi: int,
    *,
    kind: int,
    left: bool,
) -> Join:
    rows = low.engine.rows if kind == MAC else low.engine.columns
    first, mine = int(skip.slots[0]), int(out.slots[0])
    same = np.array_equal(skip.slots - first, out.slots - mine) and first % rows == 0 and mine % rows == 0
    if not same or skip.shape != out.shape:
        raise OnHost("its operands lie in different orders")
    storage = skip.storage
    scales = [int(unit.left_scale[0]), int(unit.right_scale[0])]
    offsets = [unit.left_offset, unit.right_offset]
    if not left:
        scales.reverse()
        offsets.reverse()
    if unit.op == "add":
        constant = scales[0] * inner_lo + scales[1] * storage.lo
        largest = abs(scales[0]) * (inner_hi - inner_lo) + abs(scales[1]) * (storage.hi - storage.lo)
        op, offsets = 1, [0, 0]
    else:
        offsets = [offsets[0] - inner_lo, offsets[1] - storage.lo]
        constant, op = 0, 2
        ends = [
            max(abs(o), abs(n - o))
            for o, n in zip(offsets, (inner_hi - inner_lo, storage.hi - storage.lo), strict=True)
        ]
        largest = ends[0] * ends[1]
    post = fit.stored(np.array([constant]), out.storage.lo)
    if post is None or max(map(abs, scales)) >= _SCALE_LIMIT:
        raise OnHost("its numbers are wider than the engine's")
    mult, add, _ = unpack_word(post.words)
    if largest * abs(int(mult[0])) + abs(int(add[0])) >= _JOIN_LIMIT or largest >= 1 << 40:
        raise OnHost("its numbers are wider than the engine's")
    return Join(op, skip, scales[0], scales[1], offsets[0], offsets[1], int(post.words[0]), post.lo, post.hi, inner_lo)


def fuse(low: Lowering, unit: JoinUnit, left: View, right: View, out: View, fit: Fit) -> None:
    """A join as a layer that copies its left operand and joins the right one.

    Raises:
        OnHost: its parameters differ from channel to channel, or are too wide.
    """
    if not _simple(unit, fit):
        raise OnHost("its parameters differ from channel to channel")
    storage = left.storage
    post = identity(storage.lo, storage.hi).stored(_constant(left), storage.lo)
    assert post is not None
    join = _joined(low, unit, right, out, fit, storage.lo, storage.hi, kind=MAX, left=True)
    h, w, _ = left.shape
    layer = Layer(
        unit.name, (unit.name,), unit.origin, MAX, left, Window(), 0, out, h, w, post, join=join, acc=storage.hi - storage.lo
    )  # fmt: skip
    low.add(layer)


def _constant(view: View) -> Array:
    return np.full(len(view.slots), view.storage.lo)
