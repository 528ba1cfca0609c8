"""A table of vectors indexed by integers."""

from __future__ import annotations

from flowc.backends.rtl.instance import Instance, Memory, constant_style, delay, kind
from flowc.interface.packing import pack_rows
from flowc.units import Lookup

__all__ = ["write_lookup"]


def write_lookup(unit: Lookup) -> Instance:
    """A lookup."""
    rows, channels = unit.table.shape
    width = unit.pe * unit.dtype.bits
    words = pack_rows(unit.table.reshape(-1, unit.pe), unit.dtype)
    memory = Memory(f"data/{unit.name}_table.hex", words, width)
    return Instance(
        unit,
        "lookup",
        {
            "X_BITS": unit.frame.dtype.bits,
            "X_KIND": kind(unit.frame.dtype),
            "FIRST": unit.first,
            "ROWS": rows,
            "FOLDS": channels // unit.pe,
            "WIDTH": width,
            "TABLE": memory.file,
            "STYLE": constant_style(unit.memory, len(words), width),
            "DELAY": delay(unit, 4),
        },
        (memory,),
    )
