"""Standalone activations, the joining of two streams, the index of the greatest channel."""

from __future__ import annotations

import numpy as np

from flowc.backends.rtl.activation import activation_part, by_lane
from flowc.backends.rtl.instance import Bits, Instance, Memory, Value, delay, kind, pack_fields, value_bits
from flowc.model.dtypes import IntType
from flowc.units import Activate, ArgMax, Join
from flowc.units.applied import signed_bits
from flowc.units.pixels import beat

__all__ = ["write_activate", "write_argmax", "write_join"]


def write_activate(unit: Activate) -> Instance:
    """A standalone activation."""
    dtype = unit.frame.dtype
    part = activation_part(unit.name, unit.activation, dtype, *beat(unit.pe, unit.frame))
    own: dict[str, Value] = {
        "PE": unit.pe, "X_BITS": dtype.bits, "X_KIND": kind(dtype), "DELAY": delay(unit, part.cycles)
    }  # fmt: skip
    return Instance(unit, "activate", own | part.parameters, part.memories)


def write_join(unit: Join) -> Instance:
    """A join."""
    left, right = unit.left.dtype, unit.right.dtype
    blocks, lanes, pixels = beat(unit.pe, unit.left)
    part = activation_part(unit.name, unit.activation, unit.acc, blocks, lanes, pixels)
    parameters: dict[str, Value] = {
        "PE": unit.pe, "PRODUCT": unit.op == "mul", "LEFT_BITS": left.bits, "LEFT_KIND": kind(left),
        "RIGHT_BITS": right.bits, "RIGHT_KIND": kind(right), "SUM": value_bits(unit.acc),
        "DELAY": delay(unit, 2 + part.cycles),
    }  # fmt: skip
    memories = list(part.memories)
    if unit.op == "mul":
        offsets = (unit.left_offset, unit.right_offset)
        wide = max(_product_bits(left, right, offsets), value_bits(unit.acc))
        parameters |= {"LEFT_OFFSET": offsets[0], "RIGHT_OFFSET": offsets[1], "WIDE": wide}
    else:
        bits = [signed_bits(s) for s in (unit.left_scale, unit.right_scale)]
        wide = max(value_bits(left) + bits[0], value_bits(right) + bits[1]) + 1
        parameters["WIDE"] = max(wide, value_bits(unit.acc))
        if unit.scaled_alike:
            factors = [Bits((int(s[0]),), 64) for s in (unit.left_scale, unit.right_scale)]
            parameters |= {"LEFT_FACTOR": factors[0], "RIGHT_FACTOR": factors[1]}
        else:
            own = [s if s.size == 1 else np.tile(s, pixels) for s in (unit.left_scale, unit.right_scale)]
            scales = [by_lane(s[:, None], blocks, unit.pe) for s in own]
            words, width = pack_fields(list(zip(scales, bits, strict=True)))
            memory = Memory(f"data/{unit.name}_scales.hex", words, width)
            memories.append(memory)
            parameters |= {
                "LEFT_SCALE": bits[0], "RIGHT_SCALE": bits[1], "SCALE_ROWS": blocks, "SCALES": memory.file
            }  # fmt: skip
    return Instance(unit, "join", parameters | part.parameters, tuple(memories))


def _product_bits(left: IntType, right: IntType, offsets: tuple[int, int]) -> int:
    """Bits that hold both differences and their product."""
    factors = [
        IntType.for_range(min(-1, t.lo - offset), max(0, t.hi - offset)).bits
        for t, offset in zip((left, right), offsets, strict=True)
    ]
    return sum(factors)


def write_argmax(unit: ArgMax) -> Instance:
    """An argmax."""
    dtype = unit.frame.dtype
    return Instance(
        unit,
        "argmax",
        {
            "PE": unit.pe,
            "BLOCKS": unit.frame.c // unit.pe,
            "X_BITS": dtype.bits,
            "X_KIND": kind(dtype),
            "OUT_BITS": unit.outputs[0].dtype.bits,
            "DELAY": delay(unit, 1 + max(1, (unit.pe - 1).bit_length())),
        },
    )
