"""Index of the greatest channel."""

from __future__ import annotations

from flowc.backends.hls.layer import Layer, element
from flowc.units import ArgMax

__all__ = ["write_argmax"]


def write_argmax(unit: ArgMax) -> Layer:
    """C++ of an argmax."""
    frame = unit.frame
    return Layer(
        unit,
        "argmax.cpp.j2",
        ("argmax.hpp",),
        types=(("Input", element(frame.dtype)), ("Output", element(unit.outputs[0].dtype))),
        numbers=(
            ("POSITIONS", frame.pixels, f"{frame.h} x {frame.w}"),
            ("BLOCKS", frame.c // unit.pe, f"{frame.c} channels / PE"),
            ("PE", unit.pe, "channels in parallel"),
        ),
    )
