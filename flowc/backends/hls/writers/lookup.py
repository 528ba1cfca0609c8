"""Table of vectors."""

from __future__ import annotations

from flowc.backends.hls.layer import Layer, element
from flowc.backends.hls.parameters import weight_store
from flowc.units import Lookup

__all__ = ["write_lookup"]


def write_lookup(unit: Lookup) -> Layer:
    """C++ of a lookup."""
    rows = unit.table_rows
    store = weight_store(
        unit.name, rows, unit.dtype, unit.memory, 1, "rows of the table one after another, each [fold][PE]"
    )
    return Layer(
        unit,
        "lookup.cpp.j2",
        ("lookup.hpp",),
        types=(("Input", element(unit.frame.dtype)), ("Output", element(unit.dtype))),
        numbers=(
            ("INDICES", unit.frame.elements, "per frame"),
            ("ROWS", len(unit.table), "vectors of the table"),
            ("FOLDS", unit.folds, f"{unit.table.shape[1]} entries of a vector / PE"),
            ("PE", unit.pe, "entries in parallel"),
        ),
        constants=store.constants,
        pragmas=store.pragmas,
        values={"store": store, "first": unit.first},
    )
