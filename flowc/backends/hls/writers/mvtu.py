"""Matrix-vector-threshold unit."""

from __future__ import annotations

from flowc.backends.hls.layer import Layer, Memory, element, word
from flowc.backends.hls.parameters import activation_code, weight_store
from flowc.units import Mvtu
from flowc.units.cost import SHARED

__all__ = ["MULTIPLIERS", "write_mvtu"]

MULTIPLIERS = {"auto": "flowc::Any", "lut": "flowc::Fabric", "dsp": "flowc::Dsp"}
"""C++ multiplier of each ``multiplier`` style of one product per slice."""


def _multiplier(unit: Mvtu) -> str:
    packing = unit.packing
    if packing is not None:
        return f"flowc::Packed<{packing.rows}, {packing.field}, {packing.chain}>"
    return MULTIPLIERS["dsp" if unit.multiplier in SHARED else unit.multiplier]


def write_mvtu(unit: Mvtu) -> Layer:
    """C++ of an MVTU."""
    name = unit.name
    dtype = unit.frame.dtype
    row_folds = unit.mh // unit.groups // unit.pe
    column_folds = unit.mw // unit.simd
    activation = activation_code(name, unit.activation, unit.acc, unit.mh // unit.pe, unit.pe, unit.pixels)
    store = weight_store(
        name, unit.weight_rows, unit.weight_type, unit.memory, unit.simd,
        "rows ordered [group][row fold][column fold], each [PE][SIMD]; columns in the stream order of the window",
    )  # fmt: skip
    types = (
        ("Input", element(dtype)),
        ("Weight", element(unit.weight_type)),
        ("Multiplier", _multiplier(unit)),
    )
    if unit.pixels > 1:
        return Layer(
            unit,
            "mvtu_pixels.cpp.j2",
            ("mvtu.hpp",),
            types=types,
            numbers=(
                ("POSITIONS", unit.frame.pixels, f"{unit.frame.h} x {unit.frame.w}"),
                ("PIXELS", unit.pixels, "positions in parallel"),
                ("PE", unit.pe, "output rows of a position: all"),
                ("SIMD", unit.simd, "inputs of a position: all"),
            ),
            constants=(*store.constants, *activation.constants),
            pragmas=(*store.pragmas, *activation.pragmas),
            values={"activation": activation.expression, "store": store},
        )
    bits = unit.simd * dtype.bits
    about = "inputs of a position, read again for every row fold but the first"
    held = Memory("held", word(bits), bits, (column_folds if row_folds > 1 else 1,), column_folds, about=about)
    return Layer(
        unit,
        "mvtu.cpp.j2",
        ("mvtu.hpp",),
        types=types,
        numbers=(
            ("POSITIONS", unit.frame.pixels, f"{unit.frame.h} x {unit.frame.w}"),
            ("GROUPS", unit.groups, ""),
            ("PE", unit.pe, "output rows in parallel"),
            ("SIMD", unit.simd, "inputs per cycle"),
            ("ROW_FOLDS", row_folds, f"{unit.mh // unit.groups} output rows per group / PE"),
            ("COLUMN_FOLDS", column_folds, f"{unit.mw} inputs per output / SIMD"),
        ),
        constants=(*store.constants, *activation.constants),
        memories=(held,),
        pragmas=(*store.pragmas, *activation.pragmas),
        values={"activation": activation.expression, "store": store},
    )
