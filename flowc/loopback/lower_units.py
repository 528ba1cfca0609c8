"""The layers of each kind of unit, and the walk over a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from flowc.errors import InfeasibleError
from flowc.loopback.engine import Engine
from flowc.loopback.layers import MAX, SUM, Layer, Network, Placement, Products, View, Window
from flowc.loopback.lower import Lowering, OnHost, PendingJoin, Value
from flowc.loopback.lower_compute import compute, fusable, fuse, products_layer
from flowc.loopback.words import Fit, identity
from flowc.units import (
    Activate,
    Concat,
    Fork,
    GlobalSum,
    InputPort,
    Join,
    Mvtu,
    OutputPort,
    Pad,
    PixelPad,
    Pool,
    Split,
    Unit,
    Upsample,
    Vvtu,
)  # fmt: skip
from flowc.units import Window as WindowUnit
from flowc.units.graph import Dataflow

__all__ = ["lower"]


def lower(graph: Dataflow, engine: Engine, fits: Mapping[str, Fit | None]) -> Network:
    """The layers of a graph.

    Args:
        graph: unfolded: windows of whole pixels, no width converters.
        engine: whose rows, columns, digit and accumulators are meant.
        fits: of `flowc.loopback.ranges.fit_all`.

    Raises:
        InfeasibleError: the engine has a form for no layer; says why, for each that computes.
    """
    low = Lowering(graph, engine, fits)
    order = {u.name: i for i, u in enumerate(graph)}
    for unit in graph:
        if isinstance(unit, Join):
            main = fusable(low, unit, order)
            if main is not None:
                low.merged[main] = unit.name
    for unit in graph:
        if unit.name not in low.merged:
            _lower(low, unit)
    if not low.network.layers:
        reasons = "; ".join(f"'{step.unit.name}': {step.reason}" for step in low.network.host)
        raise InfeasibleError(
            f"no layer of the model runs on the engine{f' ({reasons})' if reasons else ''}",
            remedy="Use --execution dataflow, or an engine with what they lack",
        )
    return low.network


def _lower(low: Lowering, unit: Unit) -> None:
    if isinstance(unit, OutputPort):
        return
    before, outer, low.current = len(low.network.steps), low.current, unit.name
    function = _LOWERINGS.get(type(unit))
    try:
        if function is None:
            raise OnHost(f"the engine has no operation '{unit.kind}'")
        function(low, unit)
    except OnHost as reason:
        low.rewind(max(before, low.kept))
        low.on_host(unit, str(reason))
    finally:
        low.current = outer


def _input(low: Lowering, unit: InputPort) -> None:
    view = low.homes[unit.name, 0]
    view.storage.init = True
    low.network.entries.append((unit.name, 0))
    low.finish(unit, view)


def _fork(low: Lowering, unit: Fork) -> None:
    (value,) = low.inputs(unit)
    for port in range(unit.ways):
        low.values[unit.name, port] = value


def _pad(low: Lowering, unit: Pad) -> None:
    (value,) = low.inputs(unit)
    if value.window is not None or value.shape != unit.frame.shape:
        raise OnHost("it sees its input in another shape")
    if value.fill not in (None, unit.value):
        view = low.materialized(value, unit.name)
        value = Value(view, view.shape)
    low.values[unit.name, 0] = replace(
        value, shape=unit.out.shape, top=value.top + unit.top, left=value.left + unit.left, fill=unit.value
    )


def _window(low: Lowering, unit: WindowUnit) -> None:
    (value,) = low.inputs(unit)
    if value.window is not None or value.shape != unit.frame.shape:
        raise OnHost("it sees its input in another shape")
    if low.folds(unit):
        # The host packs the pixels under the kernel, so that they fill the array's columns.
        frame, storage = unit.outputs[0], value.view.storage
        view = low.fresh(unit.name, frame.shape, storage.lo, storage.hi)
        view.storage.init = True
        source = low.origin_unit(unit)
        low.network.entries.remove((source, 0))
        del low.network.views[source, 0]
        low.network.entries.append((unit.name, 0))
        low.finish(unit, view)
        return
    low.values[unit.name, 0] = replace(value, window=unit, shape=unit.outputs[0].shape)


def _pixel_pad(low: Lowering, unit: PixelPad) -> None:
    (value,) = low.inputs(unit)
    if not value.plain or value.shape != unit.frame.shape or unit.value != 0:
        raise OnHost("pixels are spread over another value than zero")
    low.values[unit.name, 0] = Value(value.view, unit.out.shape, fill=0, spread=(unit.stride_h, unit.stride_w))


def _split(low: Lowering, unit: Split) -> None:
    (value,) = low.inputs(unit)
    if value.window is not None or value.shape != unit.frame.shape:
        raise OnHost("it splits a tensor in another shape")
    h, w, _ = value.shape
    for port, (start, size) in enumerate(zip(unit.starts, unit.sizes, strict=True)):
        view = View(value.view.storage, value.view.slots[start : start + size])
        low.values[unit.name, port] = replace(value, view=view, shape=(h, w, size))
        if value.plain:
            low.network.views[unit.name, port] = view


def _concat(low: Lowering, unit: Concat) -> None:
    home = low.homes[unit.name, 0]
    at = 0
    for value, frame in zip(low.inputs(unit), unit.frames, strict=True):
        part = View(home.storage, home.slots[at : at + frame.c])
        at += frame.c
        if value.plain and value.view.storage is part.storage and np.array_equal(value.view.slots, part.slots):
            continue
        if value.shape != frame.shape:
            raise OnHost("it concatenates a tensor in another shape")
        if value.plain and not _whole_words(low, part):
            low.move(value.view, part, f"{unit.name}_part")
            continue
        view = low.materialized(value, f"{unit.name}_part")
        if not _whole_words(low, part):
            low.move(view, part, f"{unit.name}_part")
            continue
        low.copy(low.geometry(Value(view, view.shape), frame), part, f"{unit.name}_part")
    low.finish(unit, home)


def _whole_words(low: Lowering, view: View) -> bool:
    """Whether a layer may write a view without touching other channels' words, and in their order."""
    first = int(view.slots[0])
    return first % low.engine.columns == 0 and np.array_equal(view.slots, first + np.arange(len(view.slots)))


def _upsample(low: Lowering, unit: Upsample) -> None:
    (value,) = low.inputs(unit)
    if value.shape != unit.frame.shape:
        raise OnHost("it sees its input in another shape")
    view = low.materialized(value, unit.name)
    out = low.home(unit)
    placement = Placement(
        step_y=unit.factor_h, step_x=unit.factor_w, repeat_y=unit.factor_h, repeat_x=unit.factor_w
    )  # fmt: skip
    low.copy(low.geometry(Value(view, view.shape), unit.frame), out, unit.name, placement)
    low.finish(unit, out)


def _mvtu(low: Lowering, unit: Mvtu) -> None:
    (value,) = low.inputs(unit)
    seen = low.geometry(value, unit.frame)
    taps = unit.taps if value.window is not None else 1
    if value.window is None and value.shape != unit.frame.shape:
        taps = value.shape[0] * value.shape[1]
        if unit.groups > 1:
            raise OnHost("its groups are not those of its input's channels")
    per_group = unit.mw // taps
    inputs = np.arange(per_group)[None]
    if unit.groups > 1:
        inputs = inputs + per_group * (np.arange(unit.mh) // (unit.mh // unit.groups))[:, None]
    products = Products(unit.weights.reshape(unit.mh, taps, per_group), inputs)
    products_layer(low, unit, seen, products)


def _vvtu(low: Lowering, unit: Vvtu) -> None:
    (value,) = low.inputs(unit)
    seen = low.geometry(value, unit.frame)
    if seen.window.kernel[0] * seen.window.kernel[1] != unit.taps:
        raise OnHost("it sees its input in another shape")
    rows = len(unit.weights)
    inputs = (np.arange(rows) // unit.depth_multiplier)[:, None]
    products_layer(low, unit, seen, Products(unit.weights[:, :, None], inputs))


def _pool(low: Lowering, unit: Pool) -> None:
    (value,) = low.inputs(unit)
    seen = low.geometry(value, unit.frame)
    if seen.window.kernel[0] * seen.window.kernel[1] != unit.taps:
        raise OnHost("it sees its input in another shape")
    compute(low, unit, seen, SUM if unit.op == "sum" else MAX)


def _global_sum(low: Lowering, unit: GlobalSum) -> None:
    (value,) = low.inputs(unit)
    if value.window is not None or value.spread != (1, 1) or value.shape != unit.frame.shape:
        raise OnHost("it sees its input in another shape")
    h, w, _ = value.shape
    if max(h, w) > 255:
        raise OnHost("it sums up more than 255 rows or columns")
    seen = replace(low.geometry(value, unit.frame), window=Window((h, w), top=value.top, left=value.left), h=1, w=1)
    compute(low, unit, seen, SUM)


def _activate(low: Lowering, unit: Activate) -> None:
    (value,) = low.inputs(unit)
    if value.shape != unit.frame.shape and unit.activation.channels > 1:
        raise OnHost("its parameters vary over positions")
    view = low.materialized(value, unit.name)
    seen = low.geometry(Value(view, view.shape), replace(unit.frame, h=view.shape[0], w=view.shape[1], c=view.shape[2]))
    compute(low, unit, seen, MAX)


def _join(low: Lowering, unit: Join) -> None:
    main = next((name for name, join in low.merged.items() if join == unit.name), None)
    if main is not None:
        before = len(low.network.steps)
        left, right = low.graph.into(unit.name)
        other = right if left.src == main else left
        skip = low.value(other)
        try:
            if not skip.plain:
                raise OnHost("its other operand is padded")
            low.pending = PendingJoin(unit, skip.view, left.src == main)
            _LOWERINGS[type(low.graph[main])](low, low.graph[main])
            return
        except OnHost:
            low.rewind(before)
        finally:
            low.pending = None
        _lower(low, low.graph[main])
        low.kept = len(low.network.steps)
    _elementwise(low, unit)


def _elementwise(low: Lowering, unit: Join) -> None:
    """A join on its own."""
    values = low.inputs(unit)
    if values[0].shape != values[1].shape:
        raise OnHost("its operands come in different shapes")
    own = unit.activation is not None and unit.activation.channels > 1
    scales = [s for s in (unit.left_scale, unit.right_scale) if (s != s[0]).any()]
    if (own or scales) and values[0].shape != unit.left.shape:
        raise OnHost("its parameters vary over positions")
    left, right = (
        low.materialized(v, f"{unit.name}_{side}") for v, side in zip(values, ("left", "right"), strict=True)
    )
    fit = low.fits[unit.name]
    if fit is None:
        raise OnHost("its activation has more pieces than the engine's tables hold")
    out = low.home(unit, left.shape)
    if not scales:
        before = len(low.network.steps)
        try:
            fuse(low, unit, left, right, out, fit)
            low.finish(unit, out)
            return
        except OnHost:
            low.rewind(before)
    if unit.op == "add":
        _two_taps(low, unit, left, right, out)
    else:
        _product_then_activation(low, unit, left, right, out, fit)
    low.finish(unit, out)


def _two_taps(low: Lowering, unit: Join, left: View, right: View, out: View) -> None:
    """Sums with factors per channel: products of a kernel of two taps, one in each tensor."""
    lo, hi = (f(left.storage, right.storage) for f in (_least, _greatest))
    operands = []
    for view in (left, right):
        fits = view.storage.channels == out.storage.channels and not int(view.slots[0])
        if fits and view.storage.planes(low.engine) == low.engine.planes(max(1, (hi - lo).bit_length())):
            operands.append(view)
            continue
        moved = low.fresh(f"{unit.name}_operand", view.shape, lo, hi)
        h, w, _ = view.shape
        low.copy(
            low.geometry(Value(view, view.shape), replace(unit.left, h=h, w=w, c=view.shape[2])),
            moved,
            moved.storage.name,
        )
        operands.append(moved)
    channels = left.shape[2]
    factors = [np.broadcast_to(s, (channels,)).astype(np.int64) for s in (unit.left_scale, unit.right_scale)]
    products = Products(np.stack(factors, axis=1)[:, :, None], np.arange(channels)[:, None])
    seen = low.geometry(
        Value(operands[0], operands[0].shape), replace(unit.left, h=left.shape[0], w=left.shape[1], c=channels)
    )
    seen = replace(seen, window=Window(kernel=(2, 1), dilation=(0, 0)))
    products_layer(low, unit, seen, products, second=operands[1], out=out)


def _least(a: Any, b: Any) -> int:
    return min(a.lo, b.lo)


def _greatest(a: Any, b: Any) -> int:
    return max(a.hi, b.hi)


def _product_then_activation(low: Lowering, unit: Join, left: View, right: View, out: View, fit: Fit) -> None:
    """A product whose activation takes a table: the product is stored, then read by the activation."""
    raw = low.fresh(f"{unit.name}_product", left.shape, unit.acc.lo, unit.acc.hi)
    fuse(low, unit, left, right, raw, identity(unit.acc.lo, unit.acc.hi))
    h, w, channels = left.shape
    post = fit.stored(np.full(channels, raw.storage.lo), out.storage.lo)
    if post is None:
        raise OnHost("its activation takes wider words than the engine's")
    layer = Layer(unit.name, (), unit.origin, MAX, raw, Window(), 0, out, h, w, post, acc=unit.acc.hi - unit.acc.lo)
    low.add(layer)


_LOWERINGS: dict[type[Unit], Callable[[Lowering, Any], None]] = {
    Activate: _activate,
    Concat: _concat,
    Fork: _fork,
    GlobalSum: _global_sum,
    InputPort: _input,
    Join: _join,
    Mvtu: _mvtu,
    Pad: _pad,
    PixelPad: _pixel_pad,
    Pool: _pool,
    Split: _split,
    Upsample: _upsample,
    Vvtu: _vvtu,
    WindowUnit: _window,
}
