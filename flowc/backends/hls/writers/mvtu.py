"""Matrix-vector-threshold unit."""

from __future__ import annotations

from flowc.backends.hls.layer import Layer, Memory, element, word
from flowc.backends.hls.parameters import activation_code, weight_rom
from flowc.units import Array, Mvtu

__all__ = ["MULTIPLIERS", "write_mvtu"]

MULTIPLIERS = {"auto": "flowc::Any", "lut": "flowc::Fabric", "dsp": "flowc::Dsp"}
"""C++ multiplier of each ``multiplier`` style."""


def _rows(unit: Mvtu) -> Array:
    """Weights in reading order: (groups * row folds * column folds, pe * simd)."""
    folds = unit.mw // unit.simd
    blocks = unit.stream_weights.reshape(unit.mh // unit.pe, unit.pe, folds, unit.simd)
    return blocks.transpose(0, 2, 1, 3).reshape(-1, unit.pe * unit.simd)


def write_mvtu(unit: Mvtu) -> Layer:
    """C++ of an MVTU."""
    name = unit.name
    dtype = unit.frame.dtype
    row_folds = unit.mh // unit.groups // unit.pe
    column_folds = unit.mw // unit.simd
    activation = activation_code(name, unit.activation, unit.acc, unit.mh // unit.pe, unit.pe)
    rom, rom_pragmas = weight_rom(
        name, _rows(unit), unit.weight_type, unit.memory,
        "rows ordered [group][row fold][column fold], each [PE][SIMD]; columns in the stream order of the window",
    )  # fmt: skip
    bits = unit.simd * dtype.bits
    about = "inputs of a position, read again for every row fold but the first"
    held = Memory("held", word(bits), bits, (column_folds if row_folds > 1 else 1,), column_folds, about=about)
    return Layer(
        unit,
        "mvtu.cpp.j2",
        ("mvtu.hpp",),
        types=(
            ("Input", element(dtype)),
            ("Weight", element(unit.weight_type)),
            ("Multiplier", MULTIPLIERS[unit.multiplier]),
        ),
        numbers=(
            ("POSITIONS", unit.frame.pixels, f"{unit.frame.h} x {unit.frame.w}"),
            ("GROUPS", unit.groups, ""),
            ("PE", unit.pe, "output rows in parallel"),
            ("SIMD", unit.simd, "inputs per cycle"),
            ("ROW_FOLDS", row_folds, f"{unit.mh // unit.groups} output rows per group / PE"),
            ("COLUMN_FOLDS", column_folds, f"{unit.mw} inputs per output / SIMD"),
        ),
        constants=(rom, *activation.constants),
        memories=(held,),
        pragmas=(*rom_pragmas, *activation.pragmas),
        values={"activation": activation.expression},
    )
