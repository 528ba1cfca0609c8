"""Every unit but the matrix product as operations of the kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from flowc.dataflow.native.activations import Accumulators, lower_activation, lower_table
from flowc.dataflow.native.codes import INT32, Code, NotNativeError
from flowc.dataflow.native.geometry import Geometry
from flowc.dataflow.native.products import sum_bounds
from flowc.dataflow.native.program import Buffer, Call, Value, sized
from flowc.kernels import OperationKind
from flowc.units import (
    Activate,
    ArgMax,
    Concat,
    Gather,
    GlobalSum,
    Join,
    Lookup,
    Pad,
    Permute,
    PixelPad,
    Pool,
    Split,
    Table,
    Unit,
    Upsample,
    Vvtu,
    Window,
)
from flowc.units.base import Array

__all__ = ["LOWERINGS", "lower_depthwise", "lower_pool"]

_LANES = 64
"""Parameters of these kernels are padded to whole vectors of the widest machine (``elementwise::padded``)."""
_INT16 = (1 << 15) - 1
_MOST_TAPS = 64
"""Of a depthwise product in int16 (``elementwise::Taps``)."""


def _accumulators(low: Array, high: Array, scale: int = 1, offset: Array | None = None) -> Accumulators:
    channels = len(low)
    places = np.full(-(-channels // _LANES) * _LANES, -1)
    places[:channels] = np.arange(channels)
    return Accumulators(low, high, scale, np.zeros(channels, np.int64) if offset is None else offset, places)


def _same(bound: int, channels: int) -> Array:
    return np.full(channels, bound, np.int64)


def lower_depthwise(unit: Vvtu, source: Value, target: Value, geometry: Geometry | None) -> list[Call]:
    """Depthwise products, in int16 where every partial sum over codes fits, else modulo 2^32."""
    code, taps = source.code, unit.taps
    before, inp, geometry = _windows(unit.frame.shape, source, geometry, unit.channels, taps, unit.pe)
    low, high = sum_bounds(unit.weights, code.low, code.high)
    top = max(abs(code.low), abs(code.high)) if code.wide else code.top
    raw = int(np.abs(unit.weights).sum(axis=1).max()) * top
    if np.abs(unit.weights).max() > INT32:
        raise NotNativeError("weights beyond int32")
    if raw > INT32 and not code.wide:
        raise NotNativeError("sums beyond int32")
    narrow = raw <= _INT16 and not code.wide and unit.depth_multiplier == 1 and taps <= _MOST_TAPS
    call = Call(OperationKind.DEPTHWISE, inp, target.buffer, fields=geometry.fields)
    call.fields |= sized(oc=len(unit.weights), factor=narrow, wide_in=code.wide, wide_out=target.code.wide)
    acc = _accumulators(low, high, code.step, unit.weights.sum(axis=1) * code.base)
    call.point("weights", np.ascontiguousarray(acc.spread(unit.weights, np.int16 if narrow else np.int32).T))
    call.act = lower_activation(unit.activation, acc, target.code)
    return [*before, call]


def lower_pool(unit: Pool, source: Value, target: Value, geometry: Geometry | None) -> list[Call]:
    """Maxima of codes, or sums modulo 2^32."""
    code, channels = source.code, unit.channels
    before, inp, geometry = _windows(unit.frame.shape, source, geometry, channels, unit.taps, unit.pe)
    terms = unit.taps if unit.op == "sum" else 1
    kind = OperationKind.POOL_SUM if unit.op == "sum" else OperationKind.POOL_MAX
    call = Call(kind, inp, target.buffer, fields=geometry.fields)
    call.fields |= sized(oc=channels, wide_in=code.wide, wide_out=target.code.wide)
    if unit.activation is None and unit.op == "max" and code == target.code:
        call.act = None
        return [*before, call]
    acc = _accumulators(
        _same(terms * code.low, channels),
        _same(terms * code.high, channels),
        code.step,
        _same(terms * code.base, channels),
    )
    call.act = lower_activation(unit.activation, acc, target.code)
    return [*before, call]


def _windows(
    shape: tuple[int, int, int], source: Value, geometry: Geometry | None, channels: int, taps: int, block: int
) -> tuple[list[Call], Buffer, Geometry]:
    """Geometry of windows; those written out in blocks of channels are first brought into the order [taps][channels]."""
    if geometry is not None:
        return [], source.buffer, geometry
    flat = Geometry.of_stream(shape[0], shape[1], taps, channels)
    if block == channels or taps == 1:
        return [], source.buffer, flat
    order = np.arange(taps * channels).reshape(channels // block, taps, block).transpose(1, 0, 2).reshape(-1)
    turned = Buffer(source.buffer.size)
    return [_permutation(order, order.size, shape, source, turned)], turned, flat


def _permutation(order: Array, taken: int, shape: tuple[int, int, int], source: Value, out: Buffer) -> Call:
    h, w, c = shape
    fields = sized(h=h, w=w, c=c, value=taken, rows=order.size, wide_in=source.code.wide, wide_out=source.code.wide)
    call = Call(OperationKind.PERMUTE, source.buffer, out, fields=fields)
    call.point("table", np.ascontiguousarray(order.astype(np.int32)))
    return call


def _frames(unit: Any, source: Code, target: Code) -> dict[str, int]:
    """Fields of the first input's and the first output's frames."""
    (h, w, c), (oh, ow, oc) = unit.inputs[0].shape, unit.outputs[0].shape
    return sized(h=h, w=w, c=c, oh=oh, ow=ow, oc=oc, wide_in=source.wide, wide_out=target.wide)


def _unary(kind: OperationKind, unit: Unit, sources: list[Value], targets: list[Value]) -> Call:
    (source,), (target,) = sources, targets
    return Call(kind, source.buffer, target.buffer, fields=_frames(unit, source.code, target.code))


def _moving(kind: OperationKind, unit: Any, sources: list[Value], targets: list[Value]) -> tuple[list[Call], Call]:
    """The operation of a unit that moves elements; in front of it, the recoding of its input where the types differ."""
    (source,), (target,) = sources, targets
    before: list[Call] = []
    if source.code != target.code:
        h, w, c = unit.frame.shape
        recoded = Value(Buffer(h * w * c * target.code.size), target.code)
        before = [_slice(source, recoded, h * w, 0, 0, c, c, c)]
        source = recoded
    return before, _unary(kind, unit, [source], targets)


def _global_sum(unit: GlobalSum, sources: list[Value], targets: list[Value]) -> list[Call]:
    code, pixels, c = sources[0].code, unit.frame.pixels, unit.frame.c
    acc = _accumulators(
        _same(pixels * code.low, c), _same(pixels * code.high, c), code.step, _same(pixels * code.base, c)
    )
    call = _unary(OperationKind.GLOBAL_SUM, unit, sources, targets)
    call.act = lower_activation(unit.activation, acc, targets[0].code)
    return [call]


def _activate(unit: Activate, sources: list[Value], targets: list[Value]) -> list[Call]:
    code, c = sources[0].code, unit.frame.c
    call = _unary(OperationKind.ACTIVATE, unit, sources, targets)
    acc = _accumulators(_same(code.low, c), _same(code.high, c), code.step, _same(code.base, c))
    call.act = lower_activation(unit.activation, acc, targets[0].code)
    return [call]


def _join(unit: Join, sources: list[Value], targets: list[Value]) -> list[Call]:
    left, right = sources
    c = unit.left.c
    kind = OperationKind.ADD if unit.op == "add" else OperationKind.MULTIPLY
    call = Call(kind, left.buffer, targets[0].buffer, right.buffer, _frames(unit, left.code, targets[0].code))
    call.fields["wide_in2"] = int(right.code.wide)
    if unit.op == "add":
        a, b = (np.broadcast_to(s, (c,)).astype(np.int64) for s in (unit.left_scale, unit.right_scale))
        if max(np.abs(a).max(), np.abs(b).max()) * 2 > INT32:
            raise NotNativeError("scales beyond int32")
        bounds = [sum_bounds(s[:, None], v.code.low, v.code.high) for s, v in ((a, left), (b, right))]
        low, high = bounds[0][0] + bounds[1][0], bounds[0][1] + bounds[1][1]
        offset = a * left.code.base + b * right.code.base
        if np.abs(offset).max() > INT32:
            raise NotNativeError("offsets beyond int32")
        call.point("weights", (a * left.code.step).astype(np.int32))
        call.point("table", (b * right.code.step).astype(np.int32))
        call.point("offsets", offset.astype(np.int32))
    else:
        offsets = left.code.base - unit.left_offset, right.code.base - unit.right_offset
        if max(map(abs, offsets)) > INT32:
            raise NotNativeError("offsets beyond int32")
        call.fields |= sized(factor=left.code.step, start=offsets[0], value=right.code.step, start2=offsets[1])
        first = left.code.low - unit.left_offset, left.code.high - unit.left_offset
        second = right.code.low - unit.right_offset, right.code.high - unit.right_offset
        corners = [x * y for x in first for y in second]
        low, high = _same(min(corners), c), _same(max(corners), c)
    call.act = lower_activation(unit.activation, _accumulators(low, high), targets[0].code)
    return [call]


def _argmax(unit: ArgMax, sources: list[Value], targets: list[Value]) -> list[Call]:
    return [_unary(OperationKind.ARGMAX, unit, sources, targets)]


def _pad(unit: Pad | PixelPad, sources: list[Value], targets: list[Value]) -> list[Call]:
    before, call = _moving(OperationKind.PLACE, unit, sources, targets)
    call.fields["value"] = int(targets[0].code.of(np.array([unit.value]))[0])
    if isinstance(unit, Pad):
        call.fields |= sized(kh=unit.top, kw=unit.left, sh=1, sw=1)
    else:
        call.fields |= sized(kh=0, kw=0, sh=unit.stride_h, sw=unit.stride_w)
    return [*before, call]


def _upsample(unit: Upsample, sources: list[Value], targets: list[Value]) -> list[Call]:
    before, call = _moving(OperationKind.UPSAMPLE, unit, sources, targets)
    call.fields |= sized(sh=unit.factor_h, sw=unit.factor_w)
    return [*before, call]


def _window(unit: Window, sources: list[Value], targets: list[Value]) -> list[Call]:
    before, call = _moving(OperationKind.WINDOW, unit, sources, targets)
    call.fields |= Geometry.of_window(unit).fields | sized(groups=unit.frame.c // unit.block)
    return [*before, call]


def _permute(unit: Permute, sources: list[Value], targets: list[Value]) -> list[Call]:
    taken = unit.taken if isinstance(unit, Gather) else unit.order.size
    if sources[0].code == targets[0].code:
        return [_permutation(unit.order, taken, unit.frame.shape, sources[0], targets[0].buffer)]
    h, w, c = unit.frame.shape
    recoded = Value(Buffer(h * w * c * targets[0].code.size), targets[0].code)
    before = _slice(sources[0], recoded, h * w, 0, 0, c, c, c)
    return [before, _permutation(unit.order, taken, unit.frame.shape, recoded, targets[0].buffer)]


def _lookup(unit: Lookup, sources: list[Value], targets: list[Value]) -> list[Call]:
    """An activation of one channel whose tables, one for each output channel, are the columns; indices outside are clipped."""
    code, columns = sources[0].code, unit.out.c
    call = _unary(OperationKind.ACTIVATE, unit, sources, targets)
    call.fields |= sized(h=unit.frame.elements, w=1, c=1)
    acc = _accumulators(_same(code.low, columns), _same(code.high, columns), code.step, _same(code.base, columns))
    table = Table(dtype=unit.dtype, lo=unit.first, values=np.ascontiguousarray(unit.table.T))
    call.act = lower_table(table, acc, targets[0].code)
    return [call]


def _slice(source: Value, target: Value, pixels: int, start: int, start2: int, count: int, c: int, oc: int) -> Call:
    """Channels from one frame to another, recoded: exact modulo 2^32, and what leaves lies in the target's type."""
    if target.code.step != 1 and source.code != target.code:
        raise NotNativeError("other integers into a bipolar stream")
    factor, value = (1, 0) if source.code == target.code else (source.code.step, source.code.base - target.code.base)
    fields = sized(
        h=pixels, w=1, c=c, oc=oc, rows=count, start=start, start2=start2, factor=factor, value=value,
        wide_in=source.code.wide, wide_out=target.code.wide,
    )  # fmt: skip
    return Call(OperationKind.SLICE, source.buffer, target.buffer, fields=fields)


def _concat(unit: Concat, sources: list[Value], targets: list[Value]) -> list[Call]:
    calls, at = [], 0
    for frame, source in zip(unit.frames, sources, strict=True):
        calls.append(_slice(source, targets[0], unit.out.pixels, 0, at, frame.c, frame.c, unit.out.c))
        at += frame.c
    return calls


def _split(unit: Split, sources: list[Value], targets: list[Value]) -> list[Call]:
    parts = zip(unit.starts, unit.sizes, targets, strict=True)
    return [_slice(sources[0], to, unit.frame.pixels, a, 0, n, unit.frame.c, n) for a, n, to in parts]


LOWERINGS: dict[type[Unit], Callable[[Any, list[Value], list[Value]], list[Call]]] = {
    Activate: _activate,
    ArgMax: _argmax,
    Concat: _concat,
    Gather: _permute,
    GlobalSum: _global_sum,
    Join: _join,
    Lookup: _lookup,
    Pad: _pad,
    Permute: _permute,
    PixelPad: _pad,
    Split: _split,
    Upsample: _upsample,
    Window: _window,
}
"""Unit class -> operations, for units whose kernels need no more than their own inputs and outputs."""
