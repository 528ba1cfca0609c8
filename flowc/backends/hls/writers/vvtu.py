"""Vector-vector-threshold unit."""

from __future__ import annotations

from flowc.backends.hls.layer import Layer, element
from flowc.backends.hls.parameters import activation_code, weight_store
from flowc.backends.hls.writers.mvtu import MULTIPLIERS
from flowc.units import Vvtu

__all__ = ["write_vvtu"]


def write_vvtu(unit: Vvtu) -> Layer:
    """C++ of a VVTU."""
    name = unit.name
    blocks, copies = unit.channels // unit.pe, unit.depth_multiplier
    activation = activation_code(name, unit.activation, unit.acc, blocks, unit.pe * copies, unit.pixels)
    order = (
        "rows ordered [block], each [tap][PE][copy]" if unit.parallel else "rows ordered [block][tap], each [PE][copy]"
    )
    store = weight_store(name, unit.weight_rows, unit.weight_type, unit.memory, 1, order)
    several = (("PIXELS", unit.pixels, "positions in parallel"),) if unit.pixels > 1 else ()
    return Layer(
        unit,
        "vvtu_pixels.cpp.j2" if several else "vvtu.cpp.j2",
        ("vvtu.hpp",),
        types=(
            ("Input", element(unit.frame.dtype)),
            ("Weight", element(unit.weight_type)),
            ("Multiplier", MULTIPLIERS[unit.multiplier]),
        ),
        numbers=(
            ("POSITIONS", unit.frame.pixels, f"{unit.frame.h} x {unit.frame.w}"),
            ("BLOCKS", blocks, f"{unit.channels} channels / PE"),
            ("TAPS", unit.taps, ""),
            ("TAPS_PER_BEAT", unit.taps if unit.parallel else 1, ""),
            ("PE", unit.pe, "channels in parallel"),
            ("COPIES", copies, "outputs per channel"),
            *several,
        ),
        constants=(*store.constants, *activation.constants),
        pragmas=(*store.pragmas, *activation.pragmas),
        values={"activation": activation.expression, "store": store},
    )
