"""Vector-vector-threshold unit."""

from __future__ import annotations

from flowc.backends.hls.layer import Layer, element
from flowc.backends.hls.parameters import activation_code, weight_rom
from flowc.backends.hls.writers.mvtu import MULTIPLIERS
from flowc.units import Array, Vvtu

__all__ = ["write_vvtu"]


def _rows(unit: Vvtu) -> Array:
    """Weights in reading order: (blocks * beats, taps per beat * pe * copies)."""
    blocks, copies = unit.channels // unit.pe, unit.depth_multiplier
    ordered = unit.weights.reshape(blocks, unit.pe * copies, unit.taps).transpose(0, 2, 1)
    per_row = unit.pe * copies * (unit.taps if unit.parallel else 1)
    return ordered.reshape(-1, per_row)


def write_vvtu(unit: Vvtu) -> Layer:
    """C++ of a VVTU."""
    name = unit.name
    blocks, copies = unit.channels // unit.pe, unit.depth_multiplier
    activation = activation_code(name, unit.activation, unit.acc, blocks, unit.pe * copies)
    order = (
        "rows ordered [block], each [tap][PE][copy]" if unit.parallel else "rows ordered [block][tap], each [PE][copy]"
    )
    rom, rom_pragmas = weight_rom(name, _rows(unit), unit.weight_type, unit.memory, order)
    return Layer(
        unit,
        "vvtu.cpp.j2",
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
        ),
        constants=(rom, *activation.constants),
        pragmas=(*rom_pragmas, *activation.pragmas),
        values={"activation": activation.expression},
    )
