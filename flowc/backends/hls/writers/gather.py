"""C++ of a unit that gives any elements of a frame in any order."""

from __future__ import annotations

import numpy as np

from flowc.backends.hls.layer import SAFE_DISTANCE, Constant, Layer, Memory, word
from flowc.backends.hls.text import hex_rows
from flowc.units import Gather
from flowc.units.cost import memory_style

__all__ = ["write_gather"]


def write_gather(unit: Gather) -> Layer:
    """C++ of a gather."""
    name, bits = unit.name, unit.frame.dtype.bits
    taken, given = unit.taken, int(unit.order.size)
    index = np.uint8 if taken <= 1 << 8 else np.uint16 if taken <= 1 << 16 else np.uint32
    style = memory_style(given, max(1, (taken - 1).bit_length()), constant=True)
    about = f"which of {taken} elements of a chunk leaves as its i-th"
    order = Constant(f"{np.dtype(index).name}_t", f"{name}_order", (given,), hex_rows(unit.order.astype(index)), about)
    distance = 0 if max(taken, given) <= 32 else SAFE_DISTANCE
    halves = Memory("halves", word(bits), bits, (2 * taken,), distance, about="two chunks")
    return Layer(
        unit,
        "gather.cpp.j2",
        ("gather.hpp",),
        numbers=(
            ("CHUNKS", unit.chunks, "per frame"),
            ("TAKEN", taken, "elements of a chunk"),
            ("GIVEN", given, "elements that leave for it"),
            ("GAP", unit.gap, "idle cycles after a chunk"),
        ),
        constants=(order,),
        memories=(halves,),
        values={"settled": SAFE_DISTANCE if distance else 1},
        pragmas=(f"BIND_STORAGE variable = {name}_order type = rom_1p impl = {style}",) if given > 1 else (),
    )
