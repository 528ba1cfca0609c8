"""Pools."""

from __future__ import annotations

from flowc.backends.hls.layer import Layer, element
from flowc.backends.hls.parameters import activation_code
from flowc.backends.hls.text import identifier
from flowc.units import Pool

__all__ = ["write_pool"]


def write_pool(unit: Pool) -> Layer:
    """C++ of a pool over window taps."""
    blocks = unit.channels // unit.pe
    activation = activation_code(identifier(unit.name), unit.activation, unit.acc, blocks, unit.pe)
    return Layer(
        unit,
        "pool.cpp.j2",
        ("pool.hpp",),
        types=(
            ("Input", element(unit.frame.dtype)),
            ("Reduction", "flowc::Maximum" if unit.op == "max" else "flowc::Addition"),
        ),
        numbers=(
            ("POSITIONS", unit.frame.pixels, f"{unit.frame.h} x {unit.frame.w}"),
            ("BLOCKS", blocks, f"{unit.channels} channels / PE"),
            ("TAPS", unit.taps, ""),
            ("PE", unit.pe, "channels in parallel"),
        ),
        constants=activation.constants,
        pragmas=activation.pragmas,
        values={"activation": activation.expression},
    )
