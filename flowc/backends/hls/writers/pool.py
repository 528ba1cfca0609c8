"""Pools."""

from __future__ import annotations

from flowc.backends.hls.layer import Layer, Memory, element, word
from flowc.backends.hls.parameters import activation_code
from flowc.units import GlobalSum, Pool

__all__ = ["write_global_sum", "write_pool"]


def write_pool(unit: Pool) -> Layer:
    """C++ of a pool over window taps."""
    blocks = unit.channels // unit.pe
    activation = activation_code(unit.name, unit.activation, unit.acc, blocks, unit.pe, unit.pixels)
    several = (("PIXELS", unit.pixels, "positions in parallel"),) if unit.pixels > 1 else ()
    function = "pool_pixels" if several else "pool_parallel" if unit.parallel else "pool"
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
            *several,
        ),
        constants=activation.constants,
        pragmas=activation.pragmas,
        values={"activation": activation.expression, "function": function},
    )


def write_global_sum(unit: GlobalSum) -> Layer:
    """C++ of a sum over all positions."""
    blocks = unit.frame.c // unit.pe
    activation = activation_code(unit.name, unit.activation, unit.acc, blocks, unit.pe)
    bits = unit.pe * unit.acc.bits
    sums = Memory("sums", word(bits), bits, (blocks,), blocks, about=f"{unit.pe} {unit.acc} per block")
    return Layer(
        unit,
        "global_sum.cpp.j2",
        ("pool.hpp",),
        types=(("Input", element(unit.frame.dtype)), ("Sum", element(unit.acc))),
        numbers=(
            ("POSITIONS", unit.frame.pixels, f"{unit.frame.h} x {unit.frame.w}"),
            ("BLOCKS", blocks, f"{unit.frame.c} channels / PE"),
            ("PE", unit.pe, "channels in parallel"),
        ),
        constants=activation.constants,
        memories=(sums,),
        pragmas=activation.pragmas,
        values={"activation": activation.expression},
    )
