"""Lowering of operators that move elements, join streams, pick a channel or a row of a table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from flowc.exact.movement import index_map
from flowc.model.dtypes import IntType
from flowc.model.ir import array_of, int_attr, ints_attr, origins, shape_of, str_attr
from flowc.passes.lower import CannotLower, Lowering, Place, canonical_order, lowers
from flowc.passes.lower_activations import absorb_activation
from flowc.passes.lower_gather import gathered
from flowc.units import ArgMax, Concat, Frame, Join, Lookup, PixelPad, Split, Upsample
from flowc.units.base import Array

__all__: list[str] = []


@lowers("Reshape", "Transpose", "DepthToSpace", "SpaceToDepth")
def _relabel(low: Lowering, node: ir.Node) -> None:
    place = low.at(node.inputs[0])
    assert node.inputs[0] is not None
    shape = shape_of(node.inputs[0])
    source = index_map(node, np.arange(int(np.prod(shape))).reshape(shape)).reshape(-1)
    target = np.empty_like(source)
    target[source] = np.arange(source.size)
    low.relabel(node.outputs[0], place, target[place.order])


@lowers("Lookup")
def _lookup(low: Lowering, node: ir.Node) -> None:
    place, table = low.at(node.inputs[0]), array_of(node.inputs[1])
    assert table is not None
    rows = table.astype(np.int64)
    width = int(rows.shape[1])
    dtype = IntType.for_range(int(rows.min()), int(rows.max()))
    unit = Lookup(
        name=low.unique(low.hint(node)), origin=origins(node), frame=place.frame, table=rows, dtype=dtype,
        out=Frame(1, place.frame.elements, width, dtype),
    )  # fmt: skip
    low.add(unit, place)
    low.place(node.outputs[0], unit, place.order.reshape(-1, 1) * width + np.arange(width))


@lowers("Slice")
def _slice(low: Lowering, node: ir.Node) -> None:
    assert node.inputs[0] is not None
    shape = shape_of(node.inputs[0])
    kept = index_map(node, np.arange(int(np.prod(shape))).reshape(shape)).reshape(-1)
    place = low.at(node.inputs[0])
    target = np.full(int(np.prod(shape)), -1)
    target[kept] = np.arange(kept.size)
    order = target[place.order]
    kept_channels: Array = np.all(order >= 0, axis=(0, 1))
    by_channel = bool(((order >= 0) == kept_channels).all())
    start, size = int(np.argmax(kept_channels)), int(kept_channels.sum())
    if not by_channel:
        # A crop: the kept elements are brought to the front of the frame.
        back = np.empty(kept.size, np.int64)
        back[order[order >= 0]] = place.order[order >= 0]
        front = back[canonical_order(shape_of(node.outputs[0])).reshape(-1)]
        wanted = np.concatenate([front, place.order[order < 0]])
        place = low.at_order(node.inputs[0], wanted.reshape(1, 1, -1))
        start, size = 0, kept.size
    elif not kept_channels[start : start + size].all():
        wanted = np.concatenate([place.order[..., kept_channels], place.order[..., ~kept_channels]], axis=2)
        place = low.at_order(node.inputs[0], wanted)
        start = 0
    order = target[place.order]
    unit = Split(
        name=low.unique(low.hint(node)), origin=origins(node), frame=place.frame, starts=(start,), sizes=(size,)
    )
    low.add(unit, place)
    low.place(node.outputs[0], unit, order[..., start : start + size])


@lowers("Concat")
def _concat(low: Lowering, node: ir.Node) -> None:
    """Streams are joined beat by beat: along the channels where those are innermost, else one row or one frame after another."""
    out = shape_of(node.outputs[0])
    axis = int_attr(node, "axis", 1) % len(out)
    if axis == 0:
        raise CannotLower("samples can't be concatenated; concatenate channels or positions (axis 1 and up)")
    parts, start = [], 0
    offsets = np.arange(int(np.prod(out))).reshape(out)
    for value in node.inputs:
        assert value is not None
        size = shape_of(value)[axis]
        parts.append((value, np.take(offsets, range(start, start + size), axis=axis).reshape(-1)))
        start += size
    places = [_joined_along(low, value, axis) for value, _ in parts]
    orders = [part[place.order.reshape(place.frame.shape)] for (_, part), place in zip(parts, places, strict=True)]
    types = [p.frame.dtype for p in places]
    dtype = types[0] if len(set(types)) == 1 else IntType.for_range(min(t.lo for t in types), max(t.hi for t in types))
    first = places[0].frame
    frame = Frame(first.h, first.w, sum(p.frame.c for p in places), dtype)
    unit = Concat(
        name=low.unique(low.hint(node)), origin=origins(node), frames=tuple(p.frame for p in places), out=frame
    )
    low.add(unit, *places)
    low.place(node.outputs[0], unit, np.concatenate(orders, axis=2))


def _joined_along(low: Lowering, value: ir.Value, axis: int) -> Place:
    """An input of a Concat as frames whose pixels are what is appended to each other."""
    shape = shape_of(value)
    if len(shape) == 2:
        place = low.at(value)
        return _seen_as(place, 1, 1, place.frame.elements)
    if axis == 1:
        return low.canonical(value)
    if len(shape) == 4 and axis == 2:
        place = low.canonical(value)
        return _seen_as(place, 1, 1, place.frame.elements)
    if len(shape) == 4:
        place = low.canonical(value)
        return _seen_as(place, 1, place.frame.h, place.frame.w * place.frame.c)
    order = np.moveaxis(np.arange(int(np.prod(shape))).reshape(shape), axis, -1).reshape(1, -1, shape[axis])
    return low.at_order(value, order)


def _seen_as(place: Place, h: int, w: int, c: int) -> Place:
    """The same stream counted in other pixels."""
    return Place(place.unit, place.port, Frame(h, w, c, place.frame.dtype), place.order.reshape(h, w, c))


@lowers("Resize")
def _resize(low: Lowering, node: ir.Node) -> None:
    assert node.inputs[0] is not None
    shape, out = shape_of(node.inputs[0]), shape_of(node.outputs[0])
    factors = [o / i for i, o in zip(shape, out, strict=True)]
    if any(f != int(f) for f in factors) or set(factors[:2]) != {1} or not _repeats(node, [int(f) for f in factors]):
        gathered(low, node)
        return
    place = low.canonical(node.inputs[0])
    vertical, horizontal = (1, int(factors[2])) if len(shape) == 3 else (int(factors[2]), int(factors[3]))
    unit = Upsample(
        name=low.unique(low.hint(node)), origin=origins(node), frame=place.frame, factor_h=vertical, factor_w=horizontal
    )
    low.add(unit, place)
    low.place(node.outputs[0], unit, canonical_order(out))


def _repeats(node: ir.Node, factors: list[int]) -> bool:
    """Whether the coordinate transformation and rounding amount to plain repetition, by evaluating them."""
    how = str_attr(node, "coordinate_transformation_mode", "half_pixel")
    rounding = str_attr(node, "nearest_mode", "round_prefer_floor")
    for factor in factors:
        x = np.arange(factor * 4, dtype=np.float64)
        if how == "asymmetric":
            x = x / factor
        elif how in ("half_pixel", "pytorch_half_pixel"):
            x = (x + 0.5) / factor - 0.5
        elif factor != 1:
            return False
        roundings: dict[str, Callable[[Array], Array]] = {
            "floor": np.floor,
            "ceil": np.ceil,
            "round_prefer_floor": lambda v: np.ceil(v - 0.5),
            "round_prefer_ceil": lambda v: np.floor(v + 0.5),
        }
        picked = roundings[rounding](x)
        if not np.array_equal(np.clip(picked, 0, 3), np.arange(factor * 4) // factor):
            return False
    return True


@lowers("PixelPad")
def _pixel_pad(low: Lowering, node: ir.Node) -> None:
    place = low.canonical(node.inputs[0])
    strides = ints_attr(node, "strides") or (1, 1)
    vertical, horizontal = (1, strides[0]) if len(strides) == 1 else (strides[0], strides[1])
    f, value = place.frame, int_attr(node, "value", 0)
    dtype = (
        f.dtype if f.dtype.holds(value, value) else IntType.for_range(min(f.dtype.lo, value), max(f.dtype.hi, value))
    )
    out = Frame((f.h - 1) * vertical + 1, (f.w - 1) * horizontal + 1, f.c, dtype)
    unit = PixelPad(
        name=low.unique(low.hint(node) + "_spread"), origin=origins(node), frame=f, out=out, stride_h=vertical, stride_w=horizontal,
        value=value,
    )  # fmt: skip
    low.add(unit, place)
    low.place(node.outputs[0], unit, canonical_order(shape_of(node.outputs[0])))


@lowers("Join")
def _join(low: Lowering, node: ir.Node) -> None:
    left = low.at(node.inputs[0])
    right = low.at_order(node.inputs[1], left.order)
    factors = [np.asarray(array_of(v)).astype(np.int64) for v in node.inputs[2:4]]
    axis, shape = int_attr(node, "axis", 1), shape_of(node.outputs[0])
    acc, activation, result = absorb_activation(low, node, axis=axis)
    channel = left.order // int(np.prod(shape[axis + 1 :])) % shape[axis]
    own = any(f.size > 1 for f in factors) or (activation is not None and activation.channels > 1)
    if own and not (channel == channel[:1, :1]).all():
        # The tensor's channels lie across pixels, as in a flattened image: both frames seen as one vector.
        left, right = (
            Place(p.unit, p.port, Frame(1, 1, p.frame.elements, p.frame.dtype), p.order.reshape(1, 1, -1))
            for p in (left, right)
        )
        channel = channel.reshape(1, 1, -1)
    left_scale, right_scale = (f if f.size == 1 else f[channel[0, 0]] for f in factors)
    unit = Join(
        name=low.unique(low.hint(node)), origin=origins(node), left=left.frame, right=right.frame, op=str_attr(node, "op", "add"),
        acc=acc, left_scale=left_scale, right_scale=right_scale, left_offset=int_attr(node, "left_offset", 0),
        right_offset=int_attr(node, "right_offset", 0),
        activation=None if activation is None else activation.select(channel[0, 0]),
    )  # fmt: skip
    low.add(unit, left, right)
    low.place(result, unit, left.order)


@lowers("ArgMax")
def _argmax(low: Lowering, node: ir.Node) -> None:
    place = low.canonical(node.inputs[0])
    unit = ArgMax(name=low.unique(low.hint(node)), origin=origins(node), frame=place.frame)
    low.add(unit, place)
    low.place(node.outputs[0], unit, np.arange(place.frame.pixels).reshape(place.frame.h, place.frame.w, 1))
