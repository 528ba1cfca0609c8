"""Lowering of matrix products and convolutions: padding, sliding window and MVTU, or VVTU for depthwise kernels."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from flowc.exact.rising import negate_falling
from flowc.model.dtypes import BIPOLAR, IntType, compact
from flowc.model.ir import array_of, int_attr, ints_attr, origins, shape_of
from flowc.passes.lower import CannotLower, Lowering, Place, canonical_order, lowers
from flowc.passes.lower_activations import absorb_activation
from flowc.units import Frame, Mvtu, Vvtu, Window
from flowc.units.base import Array

__all__ = ["two_d", "weight_type", "window"]


def weight_type(weights: Array) -> IntType:
    """The narrowest type of a weight matrix; bipolar where every weight is -1 or +1."""
    if (np.abs(weights) == 1).all():
        return BIPOLAR
    return IntType.for_range(int(weights.min()), int(weights.max()))


def two_d(node: ir.Node, name: str, spatial: int) -> tuple[int, int]:
    """A spatial attribute as (vertical, horizontal); 1 vertically for one-dimensional operators."""
    values = ints_attr(node, name) or (1,) * spatial
    if len(values) > 2:
        raise CannotLower(f"{len(values)}-dimensional windows are not supported; use pools over one or two axes")
    return (1, *values) if len(values) == 1 else (values[0], values[1])


def window(
    low: Lowering,
    node: ir.Node,
    place: Place,
    kernel: tuple[int, int],
    block: int,
    *,
    strides: tuple[int, int],
    dilations: tuple[int, int],
) -> Place:
    """A sliding window behind ``place``, or ``place`` itself for a 1 x 1 kernel that skips nothing."""
    if kernel == (1, 1) and strides == (1, 1):
        return place
    unit = Window(
        name=low.unique(f"{low.hint(node)}_window"), origin=origins(node), frame=place.frame, kernel=kernel, stride=strides,
        dilation=dilations, block=block,
    )  # fmt: skip
    low.add(unit, place)
    return Place(unit.name, 0, unit.outputs[0], np.empty(0))


@lowers("IntMatMul")
def _matmul(low: Lowering, node: ir.Node) -> None:
    value = node.inputs[0]
    weights = compact(np.asarray(array_of(node.inputs[1])))
    inputs, outputs = weights.shape
    place = low.at(value)
    flat = place.order.reshape(-1, inputs)
    features, rows = flat % inputs, flat // inputs
    if not ((rows == rows[:, :1]).all() and (features == features[:1]).all()):
        assert value is not None
        place = low.at_order(value, canonical_order(shape_of(value), channels_last=True))
        flat = place.order.reshape(-1, inputs)
        features, rows = flat % inputs, flat // inputs
    h, w = (place.frame.h, place.frame.w) if place.frame.c == inputs else (1, len(rows))
    permuted = np.ascontiguousarray(weights[features[0]].T)
    frame = Frame(h, w, inputs, place.frame.dtype)
    acc, activation, result = absorb_activation(low, node, axis=len(shape_of(node.outputs[0])) - 1)
    permuted, activation, signs = negate_falling(permuted, weight_type(permuted), activation, acc)
    unit = Mvtu(
        name=low.unique(low.hint(node)), origin=_origin(node, result), frame=frame, weights=permuted, weight_type=weight_type(permuted),
        acc=acc, activation=activation, signs=signs, block=inputs,
    )  # fmt: skip
    low.add(unit, place)
    low.place(result, unit, rows[:, :1] * outputs + np.arange(outputs))


@lowers("IntConv")
def _conv(low: Lowering, node: ir.Node) -> None:
    value = node.inputs[0]
    weights = compact(np.asarray(array_of(node.inputs[1])))
    outputs, per_group = weights.shape[:2]
    groups = int_attr(node, "group", 1)
    spatial = weights.ndim - 2
    kernel = two_d(node, "", 0) if spatial == 0 else _kernel(weights)
    strides, dilations = two_d(node, "strides", spatial), two_d(node, "dilations", spatial)
    place = low.canonical(value)
    depthwise = groups > 1 and per_group == 1
    seen = window(low, node, place, kernel, 1 if depthwise else per_group, strides=strides, dilations=dilations)
    taps = kernel[0] * kernel[1]
    acc, activation, result = absorb_activation(low, node, axis=1)
    kernels = weights.reshape(outputs, per_group, taps)
    unit: Mvtu | Vvtu
    if depthwise:
        matrix = np.ascontiguousarray(kernels[:, 0])
        matrix, activation, signs = negate_falling(matrix, weight_type(matrix), activation, acc)
        unit = Vvtu(
            name=low.unique(low.hint(node)), origin=_origin(node, result), frame=seen.frame, channels=groups, weights=matrix,
            weight_type=weight_type(matrix), acc=acc, activation=activation, signs=signs,
        )  # fmt: skip
    else:
        matrix = np.ascontiguousarray(kernels.transpose(0, 2, 1).reshape(outputs, taps * per_group))
        matrix, activation, signs = negate_falling(matrix, weight_type(matrix), activation, acc)
        unit = Mvtu(
            name=low.unique(low.hint(node)), origin=_origin(node, result), frame=seen.frame, weights=matrix,
            weight_type=weight_type(matrix), acc=acc, activation=activation, signs=signs, groups=groups, taps=taps, block=per_group,
        )  # fmt: skip
    low.add(unit, seen)
    low.place(result, unit, canonical_order(shape_of(result)))


def _kernel(weights: Array) -> tuple[int, int]:
    sizes = weights.shape[2:]
    if len(sizes) > 2:
        raise CannotLower(f"{len(sizes)}-dimensional convolutions are not supported; use Conv1d or Conv2d")
    return (1, sizes[0]) if len(sizes) == 1 else (sizes[0], sizes[1])


def _origin(node: ir.Node, result: ir.Value) -> tuple[str, ...]:
    last = result.producer()
    return tuple(dict.fromkeys([*origins(node), *(origins(last) if last is not None else ())]))
