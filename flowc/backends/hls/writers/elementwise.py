"""Standalone activations and the joining of two streams."""

from __future__ import annotations

import numpy as np

from flowc.backends.hls.layer import Constant, Layer, element
from flowc.backends.hls.parameters import activation_code, lane_memories, stored_type
from flowc.backends.hls.text import decimal_rows
from flowc.model.dtypes import IntType
from flowc.units import Activate, Frame, Join
from flowc.units.pixels import beat

__all__ = ["write_activate", "write_join"]


def _counts(lanes: int, frame: Frame) -> list[tuple[str, int, str]]:
    """Numbers of a unit's struct: beats of so many lanes in a frame."""
    blocks, _, pixels = beat(lanes, frame)
    several = f", {pixels} pixels at a time" if pixels > 1 else ""
    return [
        ("POSITIONS", frame.pixels // pixels, f"{frame.h} x {frame.w}{several}"),
        ("BLOCKS", blocks, f"{frame.c} channels / PE" if pixels == 1 else ""),
        ("PE", lanes, "channels in parallel" if pixels == 1 else f"{pixels} pixels of {frame.c} channels"),
    ]


def write_activate(unit: Activate) -> Layer:
    """C++ of a standalone activation."""
    frame = unit.frame
    activation = activation_code(unit.name, unit.activation, frame.dtype, *beat(unit.pe, frame))
    return Layer(
        unit,
        "activate.cpp.j2",
        ("elementwise.hpp",),
        numbers=(*_counts(unit.pe, frame),),
        constants=activation.constants,
        pragmas=activation.pragmas,
        values={"activation": activation.expression},
    )


def _reach(dtype: IntType, scale: int, offset: int) -> int:
    return max(abs(dtype.lo - offset), abs(dtype.hi - offset)) * scale


def write_join(unit: Join) -> Layer:
    """C++ of a join."""
    name = unit.name
    frame = unit.left
    blocks, lanes, pixels = beat(unit.pe, frame)
    activation = activation_code(name, unit.activation, unit.acc, blocks, lanes, pixels)
    constants = list(activation.constants)
    pragmas = list(activation.pragmas)
    if unit.op == "add":
        shared = unit.left_scale.size == unit.right_scale.size == 1
        shape = (1, 1) if shared else (blocks, unit.pe)
        both = [s if s.size == 1 else np.tile(s, pixels) for s in (unit.left_scale, unit.right_scale)]
        scales = [np.broadcast_to(s, (shape[0] * shape[1],)).reshape(shape) for s in both]
        operation = f"flowc::ScaledSum<{stored_type(np.stack(scales))}, {shape[0]}, {shape[1]}>"
        about = "factors of the left, then of the right operand, [block][lane]"
        constants.append(Constant(operation, f"{name}_scales", (), ",\n".join(map(decimal_rows, scales)), about))
        for member, scale in zip(("left", "right"), scales, strict=True):
            bits = IntType.for_range(int(scale.min()), int(scale.max())).bits
            pragmas += lane_memories(f"{name}_scales.{member}", *shape, bits)
        expression = f"{name}_scales"
        reach = sum(
            _reach(f.dtype, int(np.abs(s).max()), 0)
            for f, s in ((unit.left, unit.left_scale), (unit.right, unit.right_scale))
        )
    else:
        expression = f"flowc::OffsetProduct<{unit.left_offset}, {unit.right_offset}>()"
        reach = _reach(unit.left.dtype, 1, unit.left_offset) * _reach(unit.right.dtype, 1, unit.right_offset)
    wide = min(64, max(reach.bit_length() + 1, unit.acc.bits + 1))
    return Layer(
        unit,
        "join.cpp.j2",
        ("elementwise.hpp",),
        types=(("Left", element(unit.left.dtype)), ("Right", element(unit.right.dtype))),
        numbers=(
            *_counts(unit.pe, frame),
            ("WIDE", wide, "bits of the operation"),
        ),
        constants=tuple(constants),
        pragmas=tuple(pragmas),
        values={"operation": expression, "activation": activation.expression},
    )
